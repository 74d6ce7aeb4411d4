//! What came of a crowd, counted when it is over.

use super::memory;
use super::swarm::Crowd;
use super::swarm_host::{CONTENT, SwarmHost};
use std::collections::BTreeSet;
use std::net::IpAddr;
use throng_machine::Instant;
use throng_sim::{HostId, Sim};

/// What came of a crowd. One query is one download: of a downloader that was not killed, from its start until all is
/// there.
#[derive(Clone, Debug)]
pub struct CrowdFigures {
    /// Downloads of hosts that were not killed.
    pub queries: u32,
    /// Least possible time: (F/U)(1 + ⌊log2 N⌋/M), in seconds.
    pub t_star: f64,
    /// Seconds until each had everything, ascending; those that never had are missing.
    pub finished: Vec<f64>,
    /// Payload bytes the seed sent, over the size of the file.
    pub seed_copies: f64,
    /// Messages all hosts sent, as the network sees them: chunks of streams, and datagrams.
    pub messages: u64,
    /// Bytes all hosts sent, file data included.
    pub bytes: u64,
    /// Messages sent and received by the host that had most of them.
    pub busiest: u64,
    /// Memory this process took on, from before the hosts were made until its peak, over the number of hosts.
    pub bytes_per_node: Option<u64>,
    /// Hosts that were killed.
    pub killed: u32,
    /// Seconds from the killing until all others had everything; `None` if nobody was killed or one never had.
    pub healed: Option<f64>,
    /// Downloaders behind NATs.
    pub hidden: u32,
    /// Hosts that lie.
    pub liars: u32,
    /// Of them, those that at least one downloader shut out.
    pub liars_banned: u32,
    /// Honest hosts that at least one downloader shut out.
    pub honest_banned: u32,
    /// Events handled.
    pub events: u64,
    /// The run's trace hash.
    pub trace: u64,
    /// Pieces of the file.
    pub pieces: u32,
}

impl CrowdFigures {
    /// Counts; `resident` is the memory of this process before the hosts were made.
    pub(super) fn take(crowd: &Crowd, sim: &Sim<SwarmHost>, resident: Option<u64>) -> CrowdFigures {
        let (killed, hosts) = (crowd.killed(), sim.host_count());
        let mut finished: Vec<f64> = crowd.finished(sim.apps(), &killed).map(seconds).collect();
        finished.sort_by(f64::total_cmp);
        let queries = crowd.nodes - killed.len() as u32;
        let counters = || (0..hosts).map(|host| sim.probe().host(host));
        let uploaded =
            sim.app(HostId(0)).swarm().status(CONTENT, sim.now()).map_or(0, |status| status.uploaded);
        let grown = memory::peak_resident().zip(resident).map(|(peak, before)| peak.saturating_sub(before));
        let (liars_banned, honest_banned) = banned(crowd, sim);
        CrowdFigures {
            queries,
            t_star: crowd.t_star(),
            seed_copies: uploaded as f64 / crowd.size as f64,
            messages: counters().map(|host| u64::from(host.messages_sent)).sum(),
            bytes: counters().map(|host| host.sent).sum(),
            busiest: counters()
                .map(|host| both(host.messages_sent, host.messages_received))
                .max()
                .unwrap_or(0),
            bytes_per_node: grown.map(|bytes| bytes / u64::from(hosts.max(1))),
            killed: killed.len() as u32,
            healed: healed(crowd, &finished, queries),
            hidden: crowd.hidden().len() as u32,
            liars: crowd.liars,
            liars_banned,
            honest_banned,
            events: sim.probe().totals.events,
            trace: sim.trace().hash(),
            pieces: crowd.pieces(),
            finished,
        }
    }

    /// Seconds until the last had everything; `None` if one never had.
    pub fn last(&self) -> Option<f64> {
        self.finished.last().copied().filter(|_| self.finished.len() == self.queries as usize)
    }

    /// The seconds within which that share of those that finished had everything.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let index = ((self.finished.len() as f64 * share).ceil() as usize).saturating_sub(1);
        self.finished.get(index.min(self.finished.len().saturating_sub(1))).copied()
    }

    /// The mean of the seconds of those that finished.
    pub fn mean(&self) -> Option<f64> {
        (!self.finished.is_empty()).then(|| self.finished.iter().sum::<f64>() / self.finished.len() as f64)
    }
}

fn seconds(at: Instant) -> f64 {
    at.since(Instant::EPOCH).as_secs_f64()
}

fn both(sent: u32, received: u32) -> u64 {
    u64::from(sent) + u64::from(received)
}

fn healed(crowd: &Crowd, finished: &[f64], queries: u32) -> Option<f64> {
    let last = finished.last().filter(|_| queries < crowd.nodes && finished.len() == queries as usize)?;
    Some((last - crowd.killed_at().as_secs_f64()).max(0.0))
}

/// Liars and honest hosts that a downloader shut out.
fn banned(crowd: &Crowd, sim: &Sim<SwarmHost>) -> (u32, u32) {
    let downloaders = sim.apps().iter().skip(1).take(crowd.nodes as usize);
    let banned: BTreeSet<IpAddr> = downloaders.flat_map(|host| &host.banned).map(|peer| peer.ip()).collect();
    let liars = crowd.liars().filter(|host| banned.contains(&sim.endpoint(HostId(*host)).ip())).count();
    (liars as u32, (banned.len() - liars) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(finished: &[f64]) -> CrowdFigures {
        let crowd = Crowd { nodes: 1, size: 1 << 15, ..Crowd::default() };
        CrowdFigures { finished: finished.to_vec(), queries: 4, ..crowd.run(|_, _| ()) }
    }

    #[test]
    fn quantiles_are_values_that_occurred() {
        assert_eq!(of(&[1.0, 2.0, 3.0, 4.0]).quantile(0.5), Some(2.0));
        assert_eq!(of(&[1.0]).quantile(0.99), Some(1.0));
        assert_eq!(of(&[]).quantile(0.5), None);
    }

    #[test]
    fn there_is_no_last_while_somebody_lacks_something() {
        assert_eq!(of(&[1.0, 2.0, 3.0]).last(), None);
        assert_eq!(of(&[1.0, 2.0, 3.0, 4.0]).last(), Some(4.0));
        assert_eq!((of(&[]).mean(), of(&[1.0, 2.0]).mean()), (None, Some(1.5)));
    }
}
