//! What the ring's own requests are for; one name a purpose, answered in the dispatch of `machine`.

/// Why the ring asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Call {
    /// The way into a ring (JoinRead).
    Join,
    /// B: the head's state.
    Head,
    /// C: the candidate's state.
    Candidate,
    /// A Notify.
    Notify,
    /// A ping of ours: failure detection, heartbeat, contested entries.
    Probe,
    /// A second ping, because nobody else can be asked.
    Confirm,
    /// A relay was asked whether somebody lives.
    Relay,
    /// A ping or state on behalf of another, whose request is remembered by that number.
    OnBehalf(u64),
    /// Ownership given (Switch).
    Switch,
    /// Finding a successor after all have died.
    Mend,
    /// Walking back to an owner (O5).
    Walk,
    /// A goodbye (Leave).
    Leave,
    /// A row for every member of a small ring: for the join of that number, 0 for news.
    SmallAdd(u8),
    /// A joiner is told it is a member.
    SmallWelcome,
    /// The ring is to be a small one.
    Collapse,
    /// The state of a member who says it is in another mode, or of a stranger.
    Peek,
    /// A stretch of the ring exchanged (Meet), of the merge of that epoch.
    Meet(u64),
    /// A foreign owner's state, before it is met.
    Foreign(u64),
    /// Somebody of another ring is pinged before it enters our list.
    Encounter,
    /// Bootstrapping: what is our address?
    Address,
    /// Is one with whom we begin a ring there?
    Founder,
    /// Sent once, no answer expected but a challenge.
    Told,
}
