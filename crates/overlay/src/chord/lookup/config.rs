//! Choices for lookups and fingers, and their reasons.

use std::time::Duration;

/// How lookups are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LookupConfig {
    /// How the first try goes; recursive: about half the latency of iterative.
    pub mode: LookupMode,
    /// Whether a hop that finds the next one silent goes round it; true. False shows what the published protocol loses.
    pub reroute: bool,
    /// A hop that did not acknowledge is passed over by later lookups for so long, unless it answers a ping; 5 s.
    pub doubt: Duration,
    /// Whether a silent hop is pinged, and so becomes a suspect; true. False keeps tables as they are, as the
    /// publication's Table II wants it.
    pub ping_silent: bool,
    /// Tries in all; 3: as configured, through another first hop, hop by hop over disjoint starts.
    pub tries: u8,
    /// Disjoint paths of the last try and of cross-checks; 3.
    pub paths: u8,
    /// Whether the spacing of the nodes after a key is tested (section 5, row 5); true.
    pub spacing: bool,
    /// Lookups of our own under way at once; 1,024.
    pub own: u16,
    /// Lookups being handed on at once; 1,024, of which one source may take a quarter.
    pub passing: u16,
    /// Lookups remembered for 30 s to tell duplicates; 2,048.
    pub remembered: u16,
    /// Answers a second to one initiator's address that we know only from others; 50.
    pub answers: u16,
}

impl Default for LookupConfig {
    fn default() -> LookupConfig {
        LookupConfig {
            mode: LookupMode::Recursive,
            reroute: true,
            doubt: Duration::from_secs(5),
            ping_silent: true,
            tries: 3,
            paths: 3,
            spacing: true,
            own: 1_024,
            passing: 1_024,
            remembered: 2_048,
            answers: 50,
        }
    }
}

/// The two ways to look something up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LookupMode {
    /// Each hop passes it on; the owner answers the initiator.
    #[default]
    Recursive,
    /// The initiator asks each hop for the next.
    Iterative,
}

/// Which fingers are wanted and how they are chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FingerConfig {
    /// Nodes of an interval, from its start, of which the nearest by round trip is kept; 64, but of short intervals
    /// those of the first quarter, or sixteen. With 1 the finger is the first of its interval, as the lecture has it.
    pub candidates: u8,
    /// Strangers among them that are pinged at each refresh; 8.
    pub probes: u8,
    /// Stand-ins of each finger; 2, in other /16 where addresses tell.
    pub alternates: u8,
    /// Entries that may share a /24 (/48); 2. Private addresses are not counted.
    pub per_narrow: u8,
    /// Percent of the slots that may share a /16 (/32), but at least `per_narrow` entries; 10.
    pub per_wide: u8,
}

impl Default for FingerConfig {
    fn default() -> FingerConfig {
        FingerConfig { candidates: 64, probes: 8, alternates: 2, per_narrow: 2, per_wide: 10 }
    }
}
