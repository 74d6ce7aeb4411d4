//! Liveness, the maintenance of successor lists, and ownership (chord.md 2.3, 2.7, 2.9).

use crate::chord::contact::{Claim, Contact, Contacts, Mode, Neighbour};
use crate::chord::layout::{List, Wire, layout};
use crate::chord::{Error, RingId};
use std::net::SocketAddr;

layout! {
    /// Are you there? Answered by `Pong`.
    pub struct Ping {
        /// What the sender owns.
        pub claim: Claim,
    }

    /// Answers `Ping`.
    pub struct Pong {
        /// What the sender owns.
        pub claim: Claim,
        /// Where the ping came from, as seen by the sender of this.
        pub seen: SocketAddr,
        /// The sender's clock in milliseconds since 1970.
        pub clock: u64,
    }

    /// Ping somebody for me; answered by `PingRes` once it is known.
    pub struct PingReq {
        /// Whom.
        pub target: Contact,
        /// Fetch its state as well (`ProxyState`), unless its digest is this.
        pub state: Option<u64>,
    }

    /// Answers `PingReq`.
    pub struct PingRes<'a> {
        /// Who was pinged.
        pub target: Contact,
        /// What came of it.
        pub result: Relayed<'a>,
    }

    /// Tell me your view unless its digest is the one I know; answered by `State`.
    pub struct GetState {
        /// Digest of the view known, 0 for none.
        pub known: u64,
        /// Entries of the successor list known already, for a list that needs several datagrams.
        pub skip: u8,
    }

    /// Answers `GetState`.
    pub struct State<'a> {
        /// Digest of the whole view, never 0.
        pub digest: u64,
        /// The view; none if the asker knows it.
        pub view: Option<View<'a>>,
    }

    /// A node's view of its surroundings.
    pub struct View<'a> {
        /// Its predecessor; none if it never had one.
        pub prdc: Option<Contact>,
        /// What it owns.
        pub claim: Claim,
        /// Solo, Small or Ring.
        pub mode: Mode,
        /// Counts the changes of mode.
        pub mode_epoch: u32,
        /// Successors it keeps.
        pub r: u8,
        /// Nodes it believes the ring to have.
        pub n_est: u64,
        /// Its nearest predecessors, nearest first.
        pub plist: List<'a, Neighbour>,
        /// Successors before the first of `list`.
        pub skip: u8,
        /// Successors in all; more than `skip` and `list` have together if another datagram is needed.
        pub total: u8,
        /// Its successors, nearest first.
        pub list: Contacts<'a>,
    }

    /// I may be your predecessor; answered by `NotifyAck`, repeated until then.
    pub struct Notify<'a> {
        /// What the sender owns.
        pub claim: Claim,
        /// The sender's nearest predecessors, nearest first.
        pub plist: List<'a, Neighbour>,
    }

    /// Answers `Notify`.
    pub struct NotifyAck {
        /// The predecessor the sender now has.
        pub prdc: Option<Contact>,
        /// What the sender owns.
        pub claim: Claim,
    }

    /// Stabilise now.
    pub struct Nudge {}

    /// Let me in behind you; answered by `JoinOk`, `Redirect` or, by a small ring, `SmallWelcome`.
    pub struct JoinRead {
        /// Entries of the successor list known already.
        pub skip: u8,
        /// Redirects followed so far.
        pub redirects: u8,
    }

    /// Answers `JoinRead`: the sender's view becomes the joiner's.
    pub struct JoinOk<'a> {
        /// The digest by which pages of one view are told from those of another.
        pub digest: u64,
        /// The view.
        pub view: View<'a>,
    }

    /// Answers `JoinRead`: ask this one.
    pub struct Redirect {
        /// A node nearer to the joiner's place.
        pub contact: Contact,
    }

    /// I am going; to predecessor and successor, answered by `LeaveAck`.
    pub struct Leave<'a> {
        /// The sender's predecessor.
        pub prdc: Option<Contact>,
        /// What it owned.
        pub claim: Claim,
        /// Its successors.
        pub list: Contacts<'a>,
    }

    /// Answers `Leave`.
    pub struct LeaveAck {}

    /// Ownership of (low, high] is yours; answered by `SwitchAck`, repeated until then.
    pub struct Switch {
        /// Where the range begins, exclusive.
        pub low: RingId,
        /// The receiver's id, where it ends.
        pub high: RingId,
        /// Of the giver's claim, after the change.
        pub epoch: u32,
        /// Root of the giver's digest tree of the range.
        pub digest: [u8; 16],
    }

    /// Answers `Switch`.
    pub struct SwitchAck {
        /// The one acknowledged.
        pub epoch: u32,
    }
}

/// What came of a relayed ping.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Relayed<'a> {
    /// No answer.
    Silent,
    /// It lives.
    Alive(Claim),
    /// It lives, and this is its state.
    State(State<'a>),
}

impl<'a> Wire<'a> for Relayed<'a> {
    fn read(bytes: &mut &'a [u8]) -> Result<Self, Error> {
        match u8::read(bytes)? {
            0 => Ok(Self::Silent),
            1 => Claim::read(bytes).map(Self::Alive),
            2 => State::read(bytes).map(Self::State),
            _ => Err(Error::Value),
        }
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        match self {
            Self::Silent => 0u8.write(out),
            Self::Alive(claim) => {
                out.push(1);
                claim.write(out)
            }
            Self::State(state) => {
                out.push(2);
                state.write(out)
            }
        }
    }
}
