//! All files, as a row of Gnutella hits or as a page (11.7); made as it leaves, so that nothing large is held.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddrV4};

use throng_machine::StreamId;
use throng_wire::gnutella::{Guid, Header, HitBuilder, HitFlags, Kind, RecordBuilder, Urn};
use throng_wire::http::{Method, Request, Target, escape};

use super::super::connection::{Conn, Next, Role};
use super::super::machine::{Cx, Timer, Transfer};
use super::super::mesh::v4_of;
use super::super::shares::Shared;
use super::Phase;

/// Files told at a time; a hit of so many stays far below 64 KiB.
const PAGE: usize = 64;
/// Bytes of a name told.
const MAX_NAME: usize = 400;
/// Bytes on the way before more of the list is made.
const AHEAD: u64 = 64 << 10;
/// What browsers of hits accept.
const HITS: &str = "application/x-gnutella-packets";

impl Transfer {
    pub(super) fn serve_list(
        &mut self,
        stream: StreamId,
        conn: &mut Conn,
        request: &Request,
        cx: &mut Cx<'_>,
    ) -> Next {
        if !self.config.browsable {
            return self.refuse(stream, conn, (403, "Browse Host Disabled"), cx);
        }
        let html = !request.headers.lists("Accept", HITS);
        let chunked = request.minor == 1;
        if !chunked {
            // The end of the connection is the end of the list.
            super::set_keep(conn, false);
        }
        let mut reply = self.head(conn, 200, "OK");
        reply.headers.push("Content-Type", if html { "text/html; charset=utf-8" } else { HITS });
        if chunked {
            reply.headers.push("Transfer-Encoding", "chunked");
        }
        if request.method == Method::Head {
            return self.send_whole(stream, conn, &reply, &[], cx);
        }
        let mut out = Vec::new();
        reply.encode(&mut out);
        conn.write(stream, &out, cx);
        super::enter(conn, Phase::Listing { html, chunked, told: None, count: 0 });
        self.timers.set(Timer::Conn(stream), cx.now() + self.config.stall_timeout);
        self.pump_list(stream, conn, cx)
    }

    /// Makes more of the list until enough is on the way; reads on once all is.
    pub(super) fn pump_list(&mut self, stream: StreamId, conn: &mut Conn, cx: &mut Cx<'_>) -> Next {
        while conn.unflushed < AHEAD {
            let Role::Server(serving) = &mut conn.role else { return Next::Close };
            let Phase::Listing { html, chunked, told, count } = serving.phase else { return Next::Keep };
            let room = (self.config.max_listed.saturating_sub(count) as usize).min(PAGE);
            let files: Vec<&Shared> = self.shares.whole_after(told).take(room).collect();
            let mut body = match (html, told) {
                (true, None) => PAGE_START.as_bytes().to_vec(),
                _ => Vec::new(),
            };
            match (html, files.is_empty()) {
                (true, false) => files.iter().for_each(|file| body.extend_from_slice(line(file).as_bytes())),
                (true, true) => body.extend_from_slice(b"</ul>\n</body>\n</html>\n"),
                (false, false) => self.put_hit(&files, &mut body),
                (false, true) => {}
            }
            let told = files.last().map(|file| file.index);
            let count = count.saturating_add(files.len() as u32);
            let mut out = in_chunk(body, chunked);
            if told.is_none() && chunked {
                out.extend_from_slice(b"0\r\n\r\n");
            }
            match told {
                Some(_) => serving.phase = Phase::Listing { html, chunked, told, count },
                None => serving.phase = Phase::Reading,
            }
            let (over, keep) = (told.is_none(), serving.keep);
            conn.write(stream, &out, cx);
            if over {
                return if keep { Next::Keep } else { Next::Close };
            }
        }
        Next::Keep
    }

    /// A hit that nobody searched for.
    fn put_hit(&self, files: &[&Shared], out: &mut Vec<u8>) {
        let us = &self.config.identity;
        let address = us.address.and_then(v4_of);
        let builder = HitBuilder {
            address: address.unwrap_or(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0)),
            speed: 0,
            vendor: *b"THRG",
            flags: HitFlags { push: address.is_none(), ..HitFlags::default() },
            ggep: Vec::new(),
            servent: us.servent,
        };
        let records: Vec<RecordBuilder> = files.iter().map(|file| record(file)).collect();
        let header = Header { guid: Guid::default(), kind: Kind::QueryHit, ttl: 1, hops: 0, length: 0 };
        header.message(out, |payload| builder.put(&records, false, payload));
    }
}

const PAGE_START: &str = "<!DOCTYPE html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n<title>Shared files</title>\n</head>\n\
                          <body>\n<h1>Shared files</h1>\n<ul>\n";

fn record(file: &Shared) -> RecordBuilder {
    RecordBuilder {
        index: file.index,
        size: file.size,
        name: short(&file.name).as_bytes().to_vec(),
        sha1: file.sha1,
        tiger_root: file.tiger.as_ref().map(|tree| tree.root),
        ..RecordBuilder::default()
    }
}

/// As much of a name as is told.
fn short(name: &str) -> &str {
    &name[..name.floor_char_boundary(MAX_NAME)]
}

/// A file on the page; nothing in its name is taken for a tag.
fn line(file: &Shared) -> String {
    let by_number = || format!("/get/{}/{}", file.index, escape(&file.name));
    let path = file.sha1.map_or_else(by_number, |sha1| Target::Urn(Urn::Sha1(sha1)).to_string());
    let mut text = format!("<li><a href=\"{path}\">");
    for letter in short(&file.name).chars() {
        // Writing to a String can't fail.
        let _ = match letter {
            '<' => write!(text, "&lt;"),
            '>' => write!(text, "&gt;"),
            '&' => write!(text, "&amp;"),
            '"' => write!(text, "&quot;"),
            letter => write!(text, "{letter}"),
        };
    }
    let _ = writeln!(text, "</a> [{} bytes]</li>", file.size);
    text
}

fn in_chunk(body: Vec<u8>, chunked: bool) -> Vec<u8> {
    if !chunked || body.is_empty() {
        return body;
    }
    let mut out = format!("{:x}\r\n", body.len()).into_bytes();
    out.extend_from_slice(&body);
    out.extend_from_slice(b"\r\n");
    out
}
