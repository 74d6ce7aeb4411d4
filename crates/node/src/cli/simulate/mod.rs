//! `throng simulate …`

mod chord;
mod compare;
mod directory;
mod gnutella;
mod supernode;
mod swarm;

pub(crate) use chord::{RingTable, SimulateChordArgs};
pub(crate) use compare::{ComparedSystem, SimulateCompareArgs};
pub(crate) use directory::SimulateDirectoryArgs;
pub(crate) use gnutella::{GnutellaMode, GnutellaTopology, GnutellaVictims, SimulateGnutellaArgs};
pub(crate) use supernode::SimulateSupernodeArgs;
pub(crate) use swarm::SimulateSwarmArgs;

use clap::Subcommand;

/// What can be simulated.
#[derive(Subcommand, Debug)]
pub(crate) enum SimulateCommand {
    /// One seed and many downloaders that all begin at once
    Swarm(SimulateSwarmArgs),
    /// A ring of consistent hashing: lookups, values, churn and failures, beside the published figures
    Chord(SimulateChordArgs),
    /// Gnutella: flooding, route tables and dynamic queries, and what is left when the best connected die
    Gnutella(SimulateGnutellaArgs),
    /// Napster: directories that know everything, their users, and what is left when a directory dies
    Directory(SimulateDirectoryArgs),
    /// FastTrack: supernodes that answer for their ordinary nodes and flood among themselves, and what is left when they die
    Supernode(SimulateSupernodeArgs),
    /// All systems beside each other: the same users, files, questions and deaths
    Compare(SimulateCompareArgs),
}

/// Reads a share such as `0.3` or `30%`.
fn share(text: &str) -> Result<f64, String> {
    let (number, unit) = text.trim().strip_suffix('%').map_or((text.trim(), 1.0), |number| (number, 100.0));
    let share = number.trim_end().parse::<f64>().ok().map(|number| number / unit);
    share
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| String::from("not a share; write it like 0.3 or 30%, from 0 to 1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_as_people_write_them() {
        let good = [("0", 0.0), ("0.3", 0.3), ("30%", 0.3), ("100 %", 1.0), ("1", 1.0)];
        for (text, value) in good {
            assert_eq!(share(text), Ok(value), "{text}");
        }
        for text in ["", "%", "-0.1", "1.1", "101%", "nan", "inf", "a third"] {
            assert!(share(text).is_err(), "{text}");
        }
    }
}
