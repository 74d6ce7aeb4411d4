//! What comes on a link that is up: inflated, cut into messages, each given to its handler.

use super::coding::STEP;
use super::machine::{Cx, Servent};
use super::violation::Violation;
use throng_machine::StreamId;
use throng_wire::gnutella::{Bye, ByeCode, HEADER, Header, Kind, MAX_PAYLOAD, Message, frame};

/// Limits of payloads by kind: gtk-gnutella drops larger queries and closes for the rest.
const MOST_QUERY: u32 = 1_024;
const MOST_OTHER: u32 = 40_960;

impl Servent {
    /// Bytes of a link.
    pub(super) fn on_bytes(&mut self, stream: StreamId, bytes: &[u8], cx: &mut Cx<'_>) {
        let now = cx.now();
        let Some(link) = self.link_mut(stream).filter(|_| !bytes.is_empty()) else { return };
        link.unanswered = 0;
        let Some(live) = link.live_mut() else { return };
        live.heard = now;
        live.bytes[0] += bytes.len() as u64;
        let mut input = std::mem::take(&mut live.input);
        let inflater = live.rare().is_some_and(|rare| rare.inflater.is_some());
        match inflater.then(|| live.rare_mut().inflater.take()).flatten() {
            None if input.is_empty() => {
                let used = self.consume(stream, bytes, cx);
                input.extend_from_slice(&bytes[used.min(bytes.len())..]);
            }
            None => {
                input.extend_from_slice(bytes);
                self.consume_all(stream, &mut input, cx);
            }
            Some(mut inflater) => {
                let mut rest = bytes;
                loop {
                    let step = inflater.step(&mut rest, &mut input);
                    self.consume_all(stream, &mut input, cx);
                    match step {
                        Ok(true) if self.live(stream).is_some() => {}
                        Ok(_) => break,
                        Err(violation) => {
                            self.fault(stream, violation, cx);
                            break;
                        }
                    }
                }
                if let Some(live) = self.live_mut(stream) {
                    live.rare_mut().inflater = Some(inflater);
                }
            }
        }
        if let Some(live) = self.live_mut(stream) {
            // An idle link holds no buffer.
            live.input = if input.is_empty() { Vec::new() } else { input };
        }
        debug_assert!(STEP + HEADER <= MAX_PAYLOAD as usize * 2);
    }

    fn consume_all(&mut self, stream: StreamId, input: &mut Vec<u8>, cx: &mut Cx<'_>) {
        let used = self.consume(stream, input, cx);
        input.drain(..used.min(input.len()));
    }

    /// Handles all whole messages; how many bytes they had. Stops when the link ends.
    fn consume(&mut self, stream: StreamId, bytes: &[u8], cx: &mut Cx<'_>) -> usize {
        let mut used = 0;
        loop {
            match frame(&bytes[used..]) {
                Ok(Some((header, payload, size))) => {
                    used += size;
                    self.on_message(stream, header, payload, cx);
                    if self.live(stream).is_none() {
                        return bytes.len();
                    }
                }
                Ok(None) => return used,
                Err(_) => {
                    self.violations.count(Violation::Message);
                    self.end(stream, ByeCode::BAD_MESSAGE, "Message too large", cx);
                    return bytes.len();
                }
            }
        }
    }

    fn on_message(&mut self, stream: StreamId, header: Header, payload: &[u8], cx: &mut Cx<'_>) {
        self.metrics.received.count(header.kind);
        self.metrics.bytes_in += (HEADER + payload.len()) as u64;
        let Some(live) = self.live_mut(stream) else { return };
        live.messages[0] = live.messages[0].saturating_add(1);
        live.duplicates.receive();
        if header.hops > 0 && live.is_leaf() {
            self.fault(stream, Violation::LeafRelayed, cx);
            return;
        }
        if header.kind.is_local() && (header.hops > 0 || header.ttl > 1) {
            self.fault(stream, Violation::NotLocal, cx);
            return;
        }
        let most = match header.kind {
            Kind::Query => MOST_QUERY,
            Kind::QueryHit => MAX_PAYLOAD,
            _ => MOST_OTHER,
        };
        if header.length > most {
            self.violations.count(Violation::Message);
            self.end(stream, ByeCode::BAD_MESSAGE, "Message too large", cx);
            return;
        }
        match Message::parse(&header, payload) {
            Ok(message) => self.dispatch(stream, &header, payload, message, cx),
            Err(_) => _ = self.fault(stream, Violation::Message, cx),
        }
    }

    fn dispatch(
        &mut self,
        stream: StreamId,
        header: &Header,
        payload: &[u8],
        message: Message<'_>,
        cx: &mut Cx<'_>,
    ) {
        match message {
            Message::Ping(ping) => self.on_ping(stream, header, &ping, cx),
            Message::Pong(pong) => self.on_pong(stream, header, &pong, cx),
            Message::Bye(bye) => self.on_bye(stream, &bye, cx),
            Message::Qrp(message) => self.on_table(stream, message, cx),
            Message::Vendor(message) => self.on_vendor(stream, header, &message, cx),
            Message::Push(push) => self.on_push(stream, header, payload, &push, cx),
            Message::Query(query) => self.on_query(stream, header, payload, &query, cx),
            Message::QueryHit(hit) => self.on_hit(stream, header, payload, &hit, cx),
            Message::Other(_) => {}
        }
    }

    /// It says goodbye: nothing follows.
    fn on_bye(&mut self, stream: StreamId, bye: &Bye<'_>, cx: &mut Cx<'_>) {
        cx.close(stream);
        let Some(link) = self.take_link(stream) else { return };
        if matches!(bye.code, ByeCode::TOO_MANY | ByeCode::LEAVING) {
            self.hosts.postpone(&link.address(), cx.now() + self.config.limits.hosts.first_wait);
        }
        self.on_gone(link, Some(bye.code), cx);
    }
}
