//! The page's files, built into the program: plain HTML, CSS and modules, served as they are ([`crate::daemon::api`]).

/// One file.
pub(crate) struct Asset {
    /// Where it is asked for.
    pub(crate) path: &'static str,
    /// Its content type.
    pub(crate) kind: &'static str,
    pub(crate) bytes: &'static [u8],
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! assets {
    ($($path:literal $kind:ident $file:literal),+ $(,)?) => {
        /// All of them.
        pub(crate) const ASSETS: &[Asset] =
            &[$(Asset { path: $path, kind: $kind, bytes: include_bytes!($file) }),+];
    };
}

assets! {
    "/" HTML "index.html",
    "/style.css" CSS "style.css",
    "/icon.svg" SVG "icon.svg",
    "/app.js" SCRIPT "app.js",
    "/api.js" SCRIPT "api.js",
    "/dom.js" SCRIPT "dom.js",
    "/format.js" SCRIPT "format.js",
    "/rows.js" SCRIPT "rows.js",
    "/transfers.js" SCRIPT "transfers.js",
    "/detail.js" SCRIPT "detail.js",
    "/add.js" SCRIPT "add.js",
    "/search.js" SCRIPT "search.js",
    "/standing.js" SCRIPT "standing.js",
    "/library.js" SCRIPT "library.js",
    "/network.js" SCRIPT "network.js",
    "/ring.js" SCRIPT "ring.js",
    "/rates.js" SCRIPT "rates.js",
    "/node.js" SCRIPT "node.js",
}
