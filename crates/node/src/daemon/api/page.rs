//! The page: files built into the program, given to all who ask by an address of ours. They hold nothing of this node.

use super::Shared;
use crate::web::{ASSETS, Asset};
use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

/// What the page may do in a browser: its own scripts and styles, its own node, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; \
                      connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// Whether a path is of the page, which needs no token.
pub(super) fn is_public(path: &str) -> bool {
    ASSETS.iter().any(|asset| asset.path == path)
}

/// The page's files.
pub(super) fn router() -> Router<Shared> {
    ASSETS.iter().fold(Router::new(), |router, asset| {
        let tag = format!("\"{}\"", HEXLOWER.encode(&Sha256::digest(asset.bytes)[..12]));
        router.route(asset.path, get(async move |headers: HeaderMap| file(asset, &tag, &headers)))
    })
}

fn file(asset: &Asset, tag: &str, headers: &HeaderMap) -> Response {
    let rules = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CONTENT_TYPE, asset.kind),
        // It may keep them, and asks whether they are still those of the node that runs now.
        (header::CACHE_CONTROL, "no-cache"),
        (header::ETAG, tag),
    ];
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known == tag) {
        return (StatusCode::NOT_MODIFIED, rules).into_response();
    }
    (rules, asset.bytes).into_response()
}
