//! `GET /files/{transfer}/{path}`: a file of a transfer, with ranges (RFC 9110, section 14), while it is fetched; what is
//! asked for is fetched first.
//!
//! What others made is given to a browser as what it is only where that is harmless: pictures, sound, film and plain
//! text. Anything else is to be saved, and none of it may run as if it were a page of this node.

use super::Shared;
use super::answer::{self, ApiError};
use super::auth::only;
use super::inspect::shown_files;
use crate::daemon::request::Request;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use data_encoding::HEXLOWER;
use std::ops::Range;
use std::sync::Arc;
use throng_runtime::session::{FileReader, Session, TorrentHandle};
use throng_runtime::storage::Storage;
use tokio::sync::mpsc;

/// Parts of 256 KiB that wait for who reads slowly.
const WAITING: usize = 2;
/// No script, no frame, no request: whatever the file holds.
const POLICY: &str =
    "default-src 'none'; media-src 'self'; img-src 'self'; style-src 'unsafe-inline'; sandbox";

/// The file, or the range of it that is asked for.
pub(super) async fn file(
    State(shared): State<Shared>,
    Path((id, path)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let absent = || ApiError::new(StatusCode::NOT_FOUND, "there is no such file in this transfer");
    let (session, torrent) = shared.ask(|reply| Request::Torrent(id.clone(), reply)).await?;
    let storage = session.storage(&torrent).await.ok_or_else(|| {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "what is in it is not known yet; try again")
    })?;
    let (index, _) = shown_files(storage.metainfo()).find(|(_, it)| *it == path).ok_or_else(absent)?;
    send(&session, (&torrent, &storage, index), (kind(&path), POLICY), &headers)
}

/// A file, or the range of it that is asked for; `policy` is what a browser may do with it, if that is limited.
pub(super) fn send(
    session: &Session,
    (torrent, storage, index): (&TorrentHandle, &Arc<Storage>, usize),
    (kind, policy): ((&'static str, bool), &'static str),
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let absent = || ApiError::new(StatusCode::NOT_FOUND, "there is no such file");
    let info = &storage.metainfo().info;
    let size = info.layout().files().get(index).ok_or_else(absent)?.length;
    let version = info.swarms().next().map(|hash| HEXLOWER.encode(&hash.0)).unwrap_or_default();
    let tag = format!("\"{version}-{index}\"");
    if only(headers, header::IF_NONE_MATCH) == Some(&tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let wanted = wanted(headers, &tag, size);
    let (status, range) = match &wanted {
        Wanted::All => (StatusCode::OK, 0..size),
        Wanted::Part(range) => (StatusCode::PARTIAL_CONTENT, range.clone()),
        Wanted::Nothing => return Ok(unsatisfiable(size)),
    };
    let reader = session.read(torrent, storage, index, range.clone()).ok_or_else(absent)?;
    let head = describe(kind, policy, &tag, &range);
    let mut response = (status, head, answer::bytes(parts(reader))).into_response();
    if status == StatusCode::PARTIAL_CONTENT
        && let Ok(value) = format!("bytes {}-{}/{size}", range.start, range.end - 1).parse()
    {
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
    Ok(response)
}

fn describe(
    (kind, shown): (&str, bool),
    policy: &str,
    tag: &str,
    range: &Range<u64>,
) -> [(header::HeaderName, String); 6] {
    [
        (header::CONTENT_TYPE, kind.into()),
        (header::CONTENT_LENGTH, (range.end - range.start).to_string()),
        (header::ACCEPT_RANGES, "bytes".into()),
        (header::ETAG, tag.into()),
        (header::CONTENT_DISPOSITION, if shown { "inline" } else { "attachment" }.into()),
        (header::CONTENT_SECURITY_POLICY, policy.into()),
    ]
}

fn unsatisfiable(size: u64) -> Response {
    let mut response =
        ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, "the file has no such range").into_response();
    if let Ok(value) = format!("bytes */{size}").parse() {
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
    response
}

/// The parts as they come. Who goes away in the middle hurries nobody any more; what fails cuts the answer short, which
/// its length tells.
fn parts(mut reader: FileReader) -> mpsc::Receiver<Bytes> {
    let (tell, told) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        loop {
            let next = tokio::select! {
                () = tell.closed() => return,
                next = reader.next() => next,
            };
            let Ok(Some(part)) = next else { return };
            if tell.send(part).await.is_err() {
                return;
            }
        }
    });
    told
}

#[derive(PartialEq, Eq, Debug)]
enum Wanted {
    All,
    Part(Range<u64>),
    /// A range beyond the end.
    Nothing,
}

/// What the headers ask for: one range; several, or what makes no sense, mean all of it.
fn wanted(headers: &HeaderMap, tag: &str, size: u64) -> Wanted {
    let same = only(headers, header::IF_RANGE).is_none_or(|known| known == tag);
    let asked = only(headers, header::RANGE).filter(|_| same).and_then(|range| range.strip_prefix("bytes="));
    let Some((first, last)) = asked.and_then(|range| range.trim().split_once('-')) else {
        return Wanted::All;
    };
    match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first > last => Wanted::All,
        (Ok(first), _) if first >= size => Wanted::Nothing,
        (Ok(first), Ok(last)) => Wanted::Part(first..last.saturating_add(1).min(size)),
        (Ok(first), Err(_)) if last.is_empty() => Wanted::Part(first..size),
        (Err(_), Ok(0)) if first.is_empty() => Wanted::Nothing,
        (Err(_), Ok(_)) if first.is_empty() && size == 0 => Wanted::Nothing,
        (Err(_), Ok(last)) if first.is_empty() => Wanted::Part(size.saturating_sub(last)..size),
        _ => Wanted::All,
    }
}

/// A content type by the name's end, and whether a browser may show it.
pub(super) fn kind(path: &str) -> (&'static str, bool) {
    let end = path.rsplit_once('.').map_or("", |(_, end)| end).to_ascii_lowercase();
    let kind = match end.as_str() {
        "mp4" | "m4v" => "video/mp4",
        "webm" => "video/webm",
        "mkv" => "video/x-matroska",
        "ogv" => "video/ogg",
        "mov" => "video/quicktime",
        "mp3" => "audio/mpeg",
        "m4a" | "aac" => "audio/mp4",
        "ogg" | "oga" | "opus" => "audio/ogg",
        "flac" => "audio/flac",
        "wav" => "audio/wav",
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "txt" | "md" | "nfo" | "log" | "srt" | "vtt" => "text/plain; charset=utf-8",
        _ => return ("application/octet-stream", false),
    };
    (kind, true)
}

#[cfg(test)]
mod unit {
    use super::*;

    fn asked(range: &str, if_range: Option<&str>, size: u64) -> Wanted {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, range.parse().unwrap());
        if let Some(known) = if_range {
            headers.insert(header::IF_RANGE, known.parse().unwrap());
        }
        wanted(&headers, "\"t\"", size)
    }

    #[test]
    fn ranges_are_those_of_the_standard() {
        for (range, wanted) in [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=5-", Wanted::Part(5..10)),
            ("bytes=5-99", Wanted::Part(5..10)),
            ("bytes=-3", Wanted::Part(7..10)),
            ("bytes=-99", Wanted::Part(0..10)),
            ("bytes=10-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=5-4", Wanted::All),
            ("bytes=0-1,3-4", Wanted::All),
            ("bytes=x-", Wanted::All),
            ("bytes=", Wanted::All),
            ("lines=1-2", Wanted::All),
            ("bytes=0-18446744073709551615", Wanted::Part(0..10)),
        ] {
            assert_eq!(asked(range, None, 10), wanted, "{range}");
        }
        assert_eq!(asked("bytes=-1", None, 0), Wanted::Nothing);
        assert_eq!(wanted(&HeaderMap::new(), "\"t\"", 10), Wanted::All);
    }

    #[test]
    fn a_range_of_another_version_means_all_of_this_one() {
        assert_eq!(asked("bytes=1-2", Some("\"t\""), 10), Wanted::Part(1..3));
        assert_eq!(asked("bytes=1-2", Some("\"u\""), 10), Wanted::All);
    }

    #[test]
    fn what_could_act_as_a_page_is_never_shown() {
        for name in ["a.html", "a.svg", "a.xml", "a.js", "a.pdf", "a", "a.htm", "a.xhtml", "a.jpg.html"] {
            assert_eq!(kind(name), ("application/octet-stream", false), "{name}");
        }
        assert_eq!(kind("b/FILM.MP4"), ("video/mp4", true));
    }
}
