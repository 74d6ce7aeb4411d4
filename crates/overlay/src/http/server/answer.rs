//! Heads of replies, and refusals.

use throng_machine::StreamId;
use throng_wire::http::{Headers, Reply};

use super::super::connection::{Conn, Next, Role};
use super::super::machine::{Cx, Transfer};
use super::Phase;
use crate::http::client::FEATURES;

impl Transfer {
    /// A head with all that every reply says.
    pub(super) fn head(&self, conn: &mut Conn, code: u16, text: &str) -> Reply {
        let mut reply = Reply::new(code, text);
        let us = &self.config.identity;
        reply.headers.push("Server", &us.agent);
        let Role::Server(serving) = &mut conn.role else { return reply };
        if !serving.keep {
            reply.headers.push("Connection", "close");
        } else if !serving.modern {
            reply.headers.push("Connection", "Keep-Alive");
        }
        if !std::mem::replace(&mut serving.introduced, true) {
            reply.headers.push("X-Features", FEATURES);
            if let Some(address) = us.address.filter(|_| serving.called) {
                reply.headers.push("X-Host", address);
            }
        }
        reply
    }

    /// Says no, and reads on if the connection is kept.
    pub(super) fn refuse(
        &mut self,
        stream: StreamId,
        conn: &mut Conn,
        status: (u16, &str),
        cx: &mut Cx<'_>,
    ) -> Next {
        self.refuse_with(stream, conn, status, Headers::default(), cx)
    }

    pub(super) fn refuse_with(
        &mut self,
        stream: StreamId,
        conn: &mut Conn,
        (code, text): (u16, &str),
        more: Headers,
        cx: &mut Cx<'_>,
    ) -> Next {
        let mut reply = self.head(conn, code, text);
        more.iter().for_each(|(name, value)| _ = reply.headers.push(name, value));
        reply.headers.push("Content-Length", 0);
        self.send_whole(stream, conn, &reply, &[], cx)
    }

    /// Sends a reply that is whole at once.
    pub(super) fn send_whole(
        &mut self,
        stream: StreamId,
        conn: &mut Conn,
        reply: &Reply,
        body: &[u8],
        cx: &mut Cx<'_>,
    ) -> Next {
        let mut out = Vec::new();
        reply.encode(&mut out);
        out.extend_from_slice(body);
        conn.write(stream, &out, cx);
        super::enter(conn, Phase::Reading);
        match &conn.role {
            Role::Server(serving) if serving.keep => Next::Keep,
            _ => Next::Close,
        }
    }
}
