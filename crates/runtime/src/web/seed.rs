//! A web seed (BEP 19): a server that has the files of a torrent under their names.

use super::connection::WebClient;
use crate::fetch::{RangeError, Ranging};
use crate::net::socket::Source;
use crate::trackers::url::{Scheme, Url};
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use std::ops::Range;
use throng_wire::metainfo::Info;
use tokio::sync::mpsc;

/// Characters of a name written as `%XX`: all but those RFC 3986 calls unreserved.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A server with the files of one torrent.
pub(crate) struct WebSeed {
    text: String,
    /// A URL for each file of the layout.
    files: Vec<Option<Url>>,
    client: WebClient,
}

impl WebSeed {
    /// The seed at a URL of `url-list` or `ws`; `None` if it is no URL of the web.
    pub(crate) fn new(text: &str, info: &Info, from: Source, user_agent: &str) -> Option<WebSeed> {
        Url::parse(text).filter(|url| url.scheme != Scheme::Udp)?;
        let files = info.layout().files().iter().map(|file| Url::parse(&file_url(text, info, &file.path)));
        let client = WebClient::new(from, user_agent.to_owned());
        Some(WebSeed { text: text.to_owned(), files: files.collect(), client })
    }

    pub(crate) fn name(&self) -> String {
        format!("web seed {}", self.text)
    }

    /// A range of one file.
    pub(crate) fn fetch(&mut self, file: usize, range: Range<u64>, into: mpsc::Sender<Bytes>) -> Ranging<'_> {
        Box::pin(async move {
            let unnamed = || RangeError::Gone("its name for a file is no URL".into());
            let url = self.files.get(file).and_then(Option::as_ref).ok_or_else(unnamed)?;
            self.client.fetch(url, range, &into).await
        })
    }
}

/// Where a file lies: a single file at the URL itself, unless that ends in a slash; others beneath the torrent's name.
fn file_url(seed: &str, info: &Info, path: &[Vec<u8>]) -> String {
    if info.is_single_file() && !seed.ends_with('/') {
        return seed.to_owned();
    }
    let below = if info.is_single_file() { &[] } else { path };
    let parts = std::iter::once(info.name()).chain(below.iter().map(Vec::as_slice));
    let parts: Vec<String> = parts.map(|part| percent_encode(part, ESCAPED).to_string()).collect();
    format!("{}/{}", seed.trim_end_matches('/'), parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use throng_wire::metainfo::{Builder, Format, Hashes, Options, SourceFile};

    fn info(names: &[&str]) -> Info {
        let file = |name: &str| SourceFile {
            path: name.split('/').map(|part| part.as_bytes().to_vec()).collect(),
            length: 1,
            ..SourceFile::default()
        };
        let options = Options { format: Format::V1, piece_length: Some(16_384), ..Options::default() };
        let builder = match names {
            [name] => Builder::single_file(name.as_bytes(), file(name), options),
            names => Builder::folder(b"a folder", names.iter().map(|name| file(name)).collect(), options),
        };
        builder.unwrap().finish(Hashes { v1: vec![0; 20], ..Hashes::default() }).unwrap().info
    }

    #[test]
    fn files_lie_where_bep_19_says() {
        let one = info(&["a b"]);
        assert_eq!(file_url("http://h/x", &one, &[]), "http://h/x");
        assert_eq!(file_url("http://h/x/", &one, &[]), "http://h/x/a%20b");
        let two = info(&["p/q?", "r"]);
        let path = &two.layout().files()[0].path;
        assert_eq!(file_url("http://h/x", &two, path), "http://h/x/a%20folder/p/q%3F");
        assert_eq!(file_url("http://h/x/", &two, path), "http://h/x/a%20folder/p/q%3F");
    }
}
