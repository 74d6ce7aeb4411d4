//! How large the ring is, and how long lists should be.

use super::core::Core;
use throng_wire::chord::{Mode, ring_size};

impl Core {
    /// Nodes in the ring, from the distance of our last successor.
    pub(crate) fn own_estimate(&self, at: usize) -> u64 {
        let vnode = &self.vnodes[at];
        let count = vnode.list.len();
        match vnode.list.last() {
            Some(last) if !vnode.wraps && vnode.mode == Mode::Ring => {
                let span = throng_wire::chord::dist(vnode.id(), last.node.id);
                (ring_size(count, span).min(1e15) as u64).max(count as u64)
            }
            _ => self.small_count(at).unwrap_or(count + 1) as u64,
        }
    }

    /// Nodes in the ring: the median of our estimate and the last few others'.
    pub(crate) fn estimate(&self, at: usize) -> f64 {
        let own = self.own_estimate(at).max(1) as f64;
        let heard = self.vnodes[at].estimates.iter().filter(|estimate| **estimate > 0);
        let mut all: Vec<f64> = heard.map(|eighths| f64::from(*eighths - 1) / 8.0).collect();
        all.push(own.log2());
        all.sort_by(f64::total_cmp);
        all[all.len() / 2].exp2()
    }

    /// A neighbour's estimate; several are kept so that no single one decides.
    pub(crate) fn estimate_heard(&mut self, at: usize, n_est: u64) {
        let eighths = ((n_est.max(1) as f64).log2() * 8.0) as u8;
        let estimates = &mut self.vnodes[at].estimates;
        estimates.rotate_right(1);
        estimates[0] = eighths.saturating_add(1);
    }

    /// r = 2 log2 n within 16 to 40, or as configured; more while the list spans too few hosts.
    pub(crate) fn update_most(&mut self, at: usize) {
        let wanted = match self.config.successors {
            Some(forced) => forced.max(1),
            None => {
                // It shrinks later than it grew, so that a ring near a power of two does not waver.
                let (bits, length) =
                    (self.estimate(at).log2(), |bits: f64| (2.0 * bits.ceil()).clamp(16.0, 40.0) as u8);
                self.vnodes[at].most.clamp(length(bits), length(bits + 0.5))
            }
        };
        let vnode = &mut self.vnodes[at];
        let full = vnode.list.len() >= usize::from(wanted);
        let few =
            full && vnode.list.hosts() < 4 && self.config.vnodes > 1 && self.config.successors.is_none();
        let most = if few { vnode.most.max(wanted).saturating_add(8).min(64) } else { wanted };
        if most != vnode.most {
            vnode.most = most;
            // An unchanged head has more to tell.
            vnode.known = 0;
        }
    }
}
