//! Hits that come on links: ours are checked and told, others' go back the way their query came.

use super::machine::{Cx, Servent};
use super::violation::Violation;
use crate::flood::{LinkId, Origin};
use throng_machine::StreamId;
use throng_wire::gnutella::{Guid, HEADER, Header, QueryHit};

impl Servent {
    pub(super) fn on_hit(
        &mut self,
        stream: StreamId,
        header: &Header,
        payload: &[u8],
        hit: &QueryHit<'_>,
        cx: &mut Cx<'_>,
    ) {
        if hit.servent.is_zero() || hit.servent == header.guid || hit.count == 0 {
            self.fault(stream, Violation::Spam, cx);
            return;
        }
        if hit.servent == self.me.servent {
            return;
        }
        let now = cx.now();
        let way = self.tables().queries.way_back(&header.guid.0, now);
        let Some(way) = way else {
            self.metrics.no_route += 1;
            self.fault(stream, Violation::UnaskedHit, cx);
            return;
        };
        // Pushes to whoever has the files go where its hits come from.
        self.tables().servents.set(&hit.servent.0, Origin::Link(LinkId(stream.0)), now);
        let verified = self.count_results(stream, header.guid, hit, cx);
        match way {
            Origin::Own => self.on_own_hit(Some(stream), header.guid, hit, cx),
            Origin::Link(link) if verified => self.route_hit(link, header, payload, cx),
            Origin::Link(_) => {}
        }
    }

    /// Towards whoever asked, if it is still there.
    fn route_hit(&mut self, to: LinkId, header: &Header, payload: &[u8], cx: &mut Cx<'_>) {
        let stream = StreamId(to.0);
        let Some(live) = self.live(stream) else {
            self.metrics.no_route += 1;
            return;
        };
        // A leaf gets it whatever its TTL: it goes no further there.
        let ttl = header.ttl.saturating_sub(1);
        if ttl == 0 && !live.is_leaf() {
            return;
        }
        let relayed = Header { ttl: ttl.max(1), hops: header.hops.saturating_add(1), ..*header };
        let mut message = Vec::with_capacity(HEADER + payload.len());
        relayed.message(&mut message, |out| out.extend_from_slice(payload));
        self.metrics.hits_routed += 1;
        self.send(stream, &message, cx);
    }

    /// Lets a dynamic query count what really answers it; false if a hit for one answers nothing of it.
    fn count_results(&mut self, stream: StreamId, guid: Guid, hit: &QueryHit<'_>, cx: &mut Cx<'_>) -> bool {
        let dynamic = self.ultrapeer.as_mut().and_then(|ultrapeer| ultrapeer.dynamic.get_mut(&guid));
        let Some(dynamic) = dynamic else { return true };
        let (found, all) = dynamic.count(hit);
        if found < all {
            self.fault(stream, Violation::Spam, cx);
        }
        found > 0
    }
}
