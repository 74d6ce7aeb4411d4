//! Files and their trees: which bytes, what is said of them, and how they leave (11.2, 11.4, 11.5; 8 of FastTrack's).

use std::ops::Range;

use throng_machine::{ContentId, Extent, StreamId};
use throng_wire::gnutella::{ByteRange, Urn, thex};
use throng_wire::http::{
    ContentRange, Headers, Method, QueueId, Queued, Request, escape, ft_hash_tag, parse_address, parse_range,
    thex_uri, write_available,
};

use super::super::connection::{Conn, Next, Role};
use super::super::event::Event;
use super::super::machine::{Cx, Timer, Transfer};
use super::super::mesh::Alternates;
use super::super::shares::Shared;
use super::Phase;

/// Why a range cannot be served, and what to say of it.
enum NoRange {
    Malformed,
    /// Beyond the end.
    Outside,
    /// Not there yet.
    Missing,
}

/// The bytes of a file that a request wants and that can be served.
fn wanted(request: &Request, file: &Shared) -> Result<Range<u64>, NoRange> {
    let range = match request.headers.find("Range") {
        Some(value) => parse_range(value).ok_or(NoRange::Malformed)?,
        None if file.size == 0 => return Ok(0..0),
        None => ByteRange::From(0, None),
    };
    let (first, last) = range.within(file.size).ok_or(NoRange::Outside)?;
    if request.method == Method::Head && request.headers.find("Range").is_none() {
        return Ok(0..file.size);
    }
    let end = file.end_of(first).ok_or(NoRange::Missing)?;
    Ok(first..end.min(last + 1))
}

impl Transfer {
    pub(super) fn serve_file(
        &mut self,
        stream: StreamId,
        conn: &mut Conn,
        request: &Request,
        content: ContentId,
        cx: &mut Cx<'_>,
    ) -> Next {
        self.hear_of_others(conn, request, content, cx);
        let Some(file) = self.shares.by_content(content) else {
            return self.refuse(stream, conn, (404, "Not Found"), cx);
        };
        let (size, small) = (file.size, file.size <= self.config.small_file);
        let range = match wanted(request, file) {
            Ok(range) => range,
            Err(why) => {
                let available = file.available.clone();
                return self.refuse_range(stream, conn, (why, size, available), cx);
            }
        };
        let mut place = None;
        if request.method == Method::Get && !small && range.start < range.end {
            match self.admit(stream, conn, request, content, cx) {
                Ok(id) => place = id,
                Err(next) => return next,
            }
        }
        let reply = self.file_head(conn, request, content, &range, place);
        if request.method == Method::Head || range.start == range.end {
            return self.send_whole(stream, conn, &reply, &[], cx);
        }
        cx.emit(Event::Uploading(content, conn.address, range.clone()));
        let at = range.start;
        super::enter(conn, Phase::Sending { content, range, at });
        self.timers.set(Timer::Conn(stream), cx.now() + self.config.stall_timeout);
        let mut head = Vec::new();
        reply.encode(&mut head);
        self.send_chunks(stream, conn, head, cx)
    }

    fn refuse_range(
        &mut self,
        stream: StreamId,
        conn: &mut Conn,
        (why, size, available): (NoRange, u64, Option<Vec<Range<u64>>>),
        cx: &mut Cx<'_>,
    ) -> Next {
        let mut more = Headers::default();
        if let Some(parts) = available {
            more.push("X-Available-Ranges", write_available(&parts));
        }
        let status = match why {
            NoRange::Malformed => (400, "Malformed Range"),
            NoRange::Outside => {
                more.push("Content-Range", format_args!("bytes */{size}"));
                (416, "Requested Range Not Satisfiable")
            }
            NoRange::Missing => (416, "Requested range not available yet"),
        };
        self.refuse_with(stream, conn, status, more, cx)
    }

    /// What a request says of others who have the file; and a name for those who call themselves a source of it.
    fn hear_of_others(&mut self, conn: &Conn, request: &Request, content: ContentId, cx: &mut Cx<'_>) {
        let others = Alternates::read(&request.headers, conn.address);
        if !others.is_empty() {
            self.mesh.hear_itself(content, conn.address, &others);
            cx.emit(Event::Heard(content, Box::new(others)));
        }
    }

    /// A slot, or the reply that there is none.
    fn admit(
        &mut self,
        stream: StreamId,
        conn: &mut Conn,
        request: &Request,
        content: ContentId,
        cx: &mut Cx<'_>,
    ) -> Result<Option<QueueId>, Next> {
        let find = |name: &str| request.headers.find(name);
        let node = find("X-Node").or(find("Node")).and_then(parse_address).map(Into::into);
        let mut id = [0; 16];
        cx.rng().fill(&mut id);
        let asker = super::slots::Asker {
            stream,
            ip: conn.address.ip(),
            content,
            id: find("X-Queued").and_then(|value| Queued::parse(value).id),
            // Only the address that the connection proves may be called.
            node: node.filter(|node: &throng_machine::Endpoint| {
                node.ip() == conn.address.ip() && node.is_dialable()
            }),
            waits_on_line: find("X-Queue").is_some()
                && matches!(&conn.role, Role::Server(serving) if serving.keep),
            fresh: QueueId(id),
        };
        let verdict = self.slots.ask(&asker, &self.config, cx.now());
        self.put_off(stream, conn, (request, content), verdict, cx)
    }

    fn file_head(
        &mut self,
        conn: &mut Conn,
        request: &Request,
        content: ContentId,
        range: &Range<u64>,
        place: Option<QueueId>,
    ) -> throng_wire::http::Reply {
        let first = matches!(&conn.role, Role::Server(serving) if !serving.introduced);
        let kazaa = request.path.starts_with("/.hash=");
        let size = self.shares.by_content(content).map_or(0, |file| file.size);
        let whole = *range == (0..size) && request.headers.find("Range").is_none();
        let mut reply =
            if whole { self.head(conn, 200, "OK") } else { self.head(conn, 206, "Partial Content") };
        let headers = &mut reply.headers;
        if let Some(id) = place.filter(|_| request.headers.find("X-Queue").is_some()) {
            headers.push("X-Queued", Queued { id: Some(id), ..Queued::default() });
        }
        // mldonkey wants it with 200 too.
        if range.start < range.end && (!whole || kazaa) {
            let told = ContentRange { first: range.start, last: range.end - 1, total: Some(size) };
            headers.push("Content-Range", told);
        }
        headers.push("Accept-Ranges", "bytes");
        headers.push("Content-Length", range.end - range.start);
        headers.push("Content-Type", "application/octet-stream");
        if let Some(file) = self.shares.by_content(content) {
            describe(headers, file, first);
            if kazaa {
                self.describe_to_kazaa(headers, file);
            }
        }
        self.mesh.tell(content, None, conn.address, headers);
        reply
    }

    fn describe_to_kazaa(&self, headers: &mut Headers, file: &Shared) {
        let us = &self.config.identity;
        headers.push("X-Kazaa-Username", &us.user).push("X-Kazaa-Network", "KaZaA");
        if let Some(address) = us.address {
            headers.push("X-Kazaa-IP", address);
        }
        if let Some(supernode) = us.supernode {
            headers.push("X-Kazaa-SupernodeIP", supernode);
        }
        if let Some(hash) = &file.ft_hash {
            headers.push("X-KazaaTag", ft_hash_tag(hash));
        }
    }

    pub(super) fn pump(&mut self, stream: StreamId, conn: &mut Conn, cx: &mut Cx<'_>) -> Next {
        self.send_chunks(stream, conn, Vec::new(), cx)
    }

    /// Hands extents to the driver until two chunks are on the way; reads on once all have left.
    fn send_chunks(&mut self, stream: StreamId, conn: &mut Conn, mut head: Vec<u8>, cx: &mut Cx<'_>) -> Next {
        let chunk = self.config.chunk.max(1);
        let Conn { role: Role::Server(serving), unflushed, address, .. } = conn else { return Next::Close };
        let Phase::Sending { content, range, at } = &mut serving.phase else { return Next::Keep };
        while *at < range.end && *unflushed < 2 * u64::from(chunk) {
            let left = u32::try_from(range.end - *at).unwrap_or(u32::MAX);
            let extent = Extent { content: *content, offset: *at, len: left.min(chunk) };
            let text = std::mem::take(&mut head);
            *unflushed += u64::from(extent.len) + text.len() as u64;
            *at += u64::from(extent.len);
            cx.write_extent(stream, |out| out.extend_from_slice(&text), extent);
        }
        if *at < range.end || *unflushed > 0 {
            return Next::Keep;
        }
        cx.emit(Event::Uploaded(*content, *address, range.clone()));
        serving.phase = Phase::Reading;
        if !serving.keep {
            return Next::Close;
        }
        self.timers.set(Timer::Conn(stream), cx.now() + self.idle_time(stream));
        Next::Keep
    }

    /// The tiger tree of a file, one level and all above it.
    pub(super) fn serve_tree(
        &mut self,
        stream: StreamId,
        conn: &mut Conn,
        request: &Request,
        urn: Urn,
        cx: &mut Cx<'_>,
    ) -> Next {
        let found = self.by_urn(&urn).and_then(|file| Some((file.size, file.tiger.clone()?)));
        let Some((size, tree)) = found.filter(|(_, tree)| !tree.level.is_empty()) else {
            return self.refuse(stream, conn, (404, "Not Found"), cx);
        };
        let id = format!("{:016x}-{:016x}", cx.rng().next_u64(), cx.rng().next_u64());
        // As long as a UUID: 36 letters.
        let body = thex::encode(size, &tree.level, &format!("{id:0<36}"));
        let mut reply = self.head(conn, 200, "OK");
        reply.headers.push("Content-Type", "application/dime").push("Content-Length", body.len());
        let body = if request.method == Method::Head { &[][..] } else { &body[..] };
        self.send_whole(stream, conn, &reply, body, cx)
    }
}

/// What is said of a file: all of it only the first time on a connection.
fn describe(headers: &mut Headers, file: &Shared, first: bool) {
    if let Some(parts) = &file.available {
        let had: u64 = parts.iter().map(|part| part.end.saturating_sub(part.start)).sum();
        headers.push("X-Available-Ranges", write_available(parts)).push("X-Available", had);
    }
    if !first {
        return;
    }
    let name = format!("inline; filename*=\"utf-8'en'{}\"", escape(&file.name));
    headers.push("Content-Disposition", name);
    if let Some(sha1) = &file.sha1 {
        headers.push("X-Gnutella-Content-URN", Urn::Sha1(*sha1));
        if let Some(tree) = file.tiger.as_ref().filter(|tree| !tree.level.is_empty()) {
            headers.push("X-Thex-URI", thex_uri(sha1, &tree.root));
        }
    }
    if let Some(magnet) = &file.magnet {
        headers.push("X-Magnet", magnet);
    }
}
