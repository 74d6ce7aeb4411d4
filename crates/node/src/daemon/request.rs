//! What the API asks of the node: one queue, answered in the order of being done.

use super::report::{
    FetchAnswer, FetchRequest, GetAnswer, GetRequest, LeaveStep, LibraryReport, NodeStatus, PageRequest,
    PublishRequest, PublishStep, PutAnswer, PutRequest, SearchRequest, SearchStep, StandingAnswer,
    StandingRequest, StandingsReport, TransferReport, TransfersReport, WithdrawAnswer, WithdrawRequest,
};
pub(crate) use super::transfers::{Act, Changes};
use std::collections::BTreeSet;
use std::path::PathBuf;
use throng_runtime::session::{Session, TorrentHandle};
use tokio::sync::{mpsc, oneshot};

/// Requests that may wait for the node's attention; more are told that it is busy.
pub(crate) const QUEUE: usize = 256;

/// Steps of leaving that may wait for who reads them slowly; there are two and one a system.
pub(crate) const LEAVE_STEPS: usize = 32;

/// Steps that may wait for who reads them slowly.
pub(crate) const STEPS: usize = 4_096;

/// Where an answer goes.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, Refused>>;

/// One request.
pub(crate) enum Request {
    /// How the node stands.
    Status(Reply<NodeStatus>),
    /// Store in the ring.
    Put(PutRequest, Reply<PutAnswer>),
    /// Read from the ring.
    Get(GetRequest, Reply<GetAnswer>),
    /// Publish, telling the steps.
    Publish(PublishRequest, mpsc::Sender<PublishStep>, Reply<()>),
    /// Take a publication back.
    Withdraw(WithdrawRequest, Reply<WithdrawAnswer>),
    /// What is published, a part of it.
    Library(PageRequest, Reply<LibraryReport>),
    /// Search, telling the hits.
    Search(SearchRequest, mpsc::Sender<SearchStep>, Reply<()>),
    /// Set up a standing search.
    Stand(StandingRequest, Reply<StandingAnswer>),
    /// All of them.
    Standing(Reply<StandingsReport>),
    /// End one.
    EndStanding(String, Reply<()>),
    /// Begin to fetch.
    Fetch(FetchRequest, Reply<FetchAnswer>),
    /// Transfers, a part of them.
    Transfers(PageRequest, Reply<TransfersReport>),
    /// What has changed of them since the number of an earlier answer.
    Changes(Option<u64>, Reply<Changes>),
    /// One transfer.
    Transfer(String, Reply<TransferReport>),
    /// Pause, resume or remove one.
    Act(String, Act, Reply<()>),
    /// These files are about to be deleted: what is published of nothing else is withdrawn. Its titles.
    Deleting(BTreeSet<PathBuf>, Reply<Vec<String>>),
    /// The torrent of a transfer or a publication, by its id or its info-hash in hex.
    Torrent(String, Reply<(Session, TorrentHandle)>),
    /// Limits of all swarms together in bytes a second, sending and receiving; `None` is no limit.
    SetLimits((Option<u64>, Option<u64>), Reply<()>),
    /// Hand over and stop, telling the steps.
    Leave(mpsc::Sender<LeaveStep>),
}

/// Why a request was not done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Refused {
    pub(crate) why: Why,
    /// One line for people.
    pub(crate) reason: String,
}

/// The kinds of refusal, as HTTP tells them apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Why {
    /// The request makes no sense: 400.
    Wrong,
    /// There is no such thing: 404.
    Absent,
    /// It does not fit how things stand: 409.
    Conflict,
    /// Too long: 413.
    TooLarge,
    /// A quota: 429.
    OverQuota,
    /// Not now: 503.
    Busy,
    /// Others did not answer: 504.
    Unanswered,
}

impl Refused {
    pub(crate) fn new(why: Why, reason: impl std::fmt::Display) -> Refused {
        Refused { why, reason: reason.to_string() }
    }
}
