//! Writing to ordinary nodes, and what waits for those who do not read.

use super::connections::{ConnId, Member, Phase};
use super::{Cx, Server};
use crate::supernode::Violation;
use std::net::SocketAddrV4;
use throng_wire::fasttrack::{Hits, Message, Reply};
use throng_wire::supernode::{OURS, Ours};

impl Server {
    /// Tells an ordinary node something; who has not read far more than it may is closed.
    pub(super) fn tell(&mut self, conn: ConnId, message: &Message<'_>, cx: &mut Cx<'_>) {
        let length = self.write(conn, cx, |member, out| _ = member.channel.put(message, out));
        if matches!(message, Message::Reply(_) | Message::SearchEnd(_)) {
            self.metrics.spend(1, length);
        }
    }

    /// Writes what `fill` appends; how many bytes those are.
    pub(super) fn write(
        &mut self,
        conn: ConnId,
        cx: &mut Cx<'_>,
        fill: impl FnOnce(&mut Member, &mut Vec<u8>),
    ) -> usize {
        let limit = self.config.max_queue.saturating_mul(2);
        let Some(connection) = self.connections.get_mut(conn) else { return 0 };
        let Phase::Member(member) = &mut connection.phase else { return 0 };
        if connection.queued > limit {
            self.punish(conn, Violation::SlowReader, cx);
            return 0;
        }
        let mut length = 0;
        cx.write(connection.stream, |out| {
            let before = out.len();
            fill(member, out);
            length = out.len() - before;
        });
        connection.queued = connection.queued.saturating_add(length as u32);
        length
    }

    /// Whether an ordinary node reads what it is sent.
    pub(super) fn is_reading(&self, conn: ConnId) -> bool {
        self.connections.get(conn).is_some_and(|connection| connection.queued <= self.config.max_queue)
    }

    /// 07, if the node reads.
    pub(super) fn send_hits(
        &mut self,
        (conn, id): (ConnId, u16),
        supernode: SocketAddrV4,
        (count, hits): (u16, &[u8]),
        cx: &mut Cx<'_>,
    ) {
        if count == 0 || !self.is_reading(conn) {
            return;
        }
        self.metrics.hits += u64::from(count);
        self.tell(conn, &Message::Reply(Reply { supernode, id, hits: Hits::written(count, hits) }), cx);
    }

    /// A message of ours to a node of ours.
    pub(super) fn send_ours(&mut self, conn: ConnId, ours: &Ours, cx: &mut Cx<'_>) {
        let mut body = Vec::new();
        ours.put(&mut body);
        self.tell(conn, &Message::Other { kind: OURS, body: &body }, cx);
    }
}
