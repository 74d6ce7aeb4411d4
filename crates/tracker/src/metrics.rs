//! What the tracker counts, and its Prometheus text.

use std::fmt::Write as _;

/// How much is known of one address family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FamilyGauges {
    /// Torrents with peers.
    pub torrents: usize,
    /// Peers of all torrents.
    pub peers: usize,
    /// Those of them that are seeds.
    pub seeds: usize,
}

/// Counters since the start, and gauges of now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// IPv4 torrents and peers.
    pub v4: FamilyGauges,
    /// IPv6 torrents and peers.
    pub v6: FamilyGauges,
    /// Swarms on the allow-list; `None` without one.
    pub allowed: Option<usize>,
    /// UDP connects answered.
    pub udp_connects: u64,
    /// UDP announces answered.
    pub udp_announces: u64,
    /// UDP scrapes answered.
    pub udp_scrapes: u64,
    /// UDP requests of proved addresses answered with an error.
    pub udp_errors: u64,
    /// UDP requests without a valid connection id: dropped.
    pub udp_unproved: u64,
    /// Datagrams that are no requests: dropped.
    pub udp_malformed: u64,
    /// HTTP announces answered.
    pub http_announces: u64,
    /// HTTP scrapes answered.
    pub http_scrapes: u64,
    /// HTTP requests refused.
    pub http_failures: u64,
    /// Announces or scrapes of swarms that are not on the allow-list.
    pub not_allowed: u64,
    /// Peers not kept because of a limit.
    pub not_kept: u64,
    /// Downloads reported complete.
    pub completed: u64,
    /// Peers given to clients.
    pub peers_sent: u64,
}

impl Metrics {
    /// Appends the Prometheus text form (version 0.0.4).
    pub fn render(&self, out: &mut String) {
        let family =
            |v4: usize, v6: usize| [("{family=\"ipv4\"}", v4 as u64), ("{family=\"ipv6\"}", v6 as u64)];
        gauge(out, "torrents", "Torrents with peers.", &family(self.v4.torrents, self.v6.torrents));
        gauge(out, "peers", "Peers of all torrents.", &family(self.v4.peers, self.v6.peers));
        gauge(out, "seeds", "Peers that have everything.", &family(self.v4.seeds, self.v6.seeds));
        if let Some(allowed) = self.allowed {
            gauge(out, "allowed_torrents", "Info-hashes on the allow-list.", &[("", allowed as u64)]);
        }
        let requests = [
            ("{face=\"udp\",kind=\"connect\"}", self.udp_connects),
            ("{face=\"udp\",kind=\"announce\"}", self.udp_announces),
            ("{face=\"udp\",kind=\"scrape\"}", self.udp_scrapes),
            ("{face=\"http\",kind=\"announce\"}", self.http_announces),
            ("{face=\"http\",kind=\"scrape\"}", self.http_scrapes),
        ];
        counter(out, "requests_total", "Requests answered.", &requests);
        let refused = [
            ("{face=\"udp\",reason=\"error\"}", self.udp_errors),
            ("{face=\"udp\",reason=\"unproved_address\"}", self.udp_unproved),
            ("{face=\"udp\",reason=\"malformed\"}", self.udp_malformed),
            ("{face=\"http\",reason=\"failure\"}", self.http_failures),
        ];
        counter(out, "refused_total", "Requests refused or dropped.", &refused);
        counter(
            out,
            "not_allowed_total",
            "Requests for swarms not on the allow-list.",
            &[("", self.not_allowed)],
        );
        counter(out, "not_kept_total", "Peers not kept because of a limit.", &[("", self.not_kept)]);
        counter(out, "completed_total", "Downloads reported complete.", &[("", self.completed)]);
        counter(out, "peers_sent_total", "Peers given to clients.", &[("", self.peers_sent)]);
    }
}

fn gauge(out: &mut String, name: &str, help: &str, samples: &[(&str, u64)]) {
    family(out, name, ("gauge", help), samples);
}

fn counter(out: &mut String, name: &str, help: &str, samples: &[(&str, u64)]) {
    family(out, name, ("counter", help), samples);
}

fn family(out: &mut String, name: &str, (kind, help): (&str, &str), samples: &[(&str, u64)]) {
    // Writing to a String can't fail.
    let _ = writeln!(out, "# HELP throng_tracker_{name} {help}\n# TYPE throng_tracker_{name} {kind}");
    for (labels, value) in samples {
        let _ = writeln!(out, "throng_tracker_{name}{labels} {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_every_family_once_and_gives_each_value() {
        let metrics = Metrics { udp_connects: 7, allowed: Some(3), ..Metrics::default() };
        let mut text = String::new();
        metrics.render(&mut text);
        assert!(text.contains("throng_tracker_requests_total{face=\"udp\",kind=\"connect\"} 7\n"));
        assert!(
            text.contains(
                "# TYPE throng_tracker_allowed_torrents gauge\nthrong_tracker_allowed_torrents 3\n"
            )
        );
        let mut names: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
        assert!(text.lines().all(|line| line.starts_with("# ") || line.split(' ').count() == 2));
    }
}
