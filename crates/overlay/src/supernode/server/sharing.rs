//! Files that ordinary nodes offer (22) and take back (05).

use super::connections::ConnId;
use super::{Cx, Server};
use crate::supernode::Violation;
use throng_wire::fasttrack::{Item, Share};

impl Server {
    pub(super) fn on_share(&mut self, conn: ConnId, share: &Share<'_>, cx: &mut Cx<'_>) {
        let owner = conn.owner();
        let is_full = self.catalogue.count_of(owner) >= self.config.max_files
            || self.catalogue.files() >= self.config.max_files_in_all;
        if is_full {
            let Some(connection) = self.connections.get(conn) else { return };
            let (from, first) = (connection.from, self.connections.member(conn).is_some_and(|m| !m.is_full));
            if let Some(member) = self.connections.member_mut(conn) {
                member.is_full = true;
            }
            if first {
                self.count(from, Violation::TooManyFiles, cx);
            }
            return;
        }
        let again = self.catalogue.has(owner, &share.item.hash);
        if self.catalogue.share(owner, share) {
            self.metrics.shares += 1;
            if !again {
                self.publish_in_ring(owner, &share.item, cx);
            }
        }
    }

    /// Files are taken back by hash alone: giFT repeats all tags, others need not.
    pub(super) fn on_unshare(&mut self, conn: ConnId, item: &Item<'_>, cx: &mut Cx<'_>) {
        if self.catalogue.unshare(conn.owner(), &item.hash) {
            self.withdraw_one_from_ring(conn.owner(), &item.hash, cx);
        }
    }
}
