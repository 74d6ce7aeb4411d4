//! What others did wrong, counted: every limit is visible to the user (section 5 of the note).

/// One way to misbehave.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Violation {
    /// Bytes that are no message.
    Malformed,
    /// Of another ring.
    ForeignNet,
    /// A source index the id rule does not allow, or a destination we do not run.
    NoSuchNode,
    /// An answer nobody asked for, or from another address than was asked.
    Unasked,
    /// It names us as its source.
    Reflected,
    /// It asks for a change of state without proof of its address.
    Unproved,
    /// More than its share.
    TooMany,
    /// A leave, switch or claim for somebody else.
    NotYours,
    /// A claim that contradicts what is known: an epoch that does not grow, a range that does not end at us.
    Impossible,
    /// A record with a bad signature, an old version or an impossible time.
    BadRecord,
}

/// How often each happened.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Violations([u32; Violation::ALL.len()]);

impl Violation {
    /// Every one.
    pub const ALL: [Violation; 10] = [
        Violation::Malformed,
        Violation::ForeignNet,
        Violation::NoSuchNode,
        Violation::Unasked,
        Violation::Reflected,
        Violation::Unproved,
        Violation::TooMany,
        Violation::NotYours,
        Violation::Impossible,
        Violation::BadRecord,
    ];

    /// For people and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Violation::Malformed => "malformed",
            Violation::ForeignNet => "of another ring",
            Violation::NoSuchNode => "no such node",
            Violation::Unasked => "not asked for",
            Violation::Reflected => "reflected",
            Violation::Unproved => "address not proved",
            Violation::TooMany => "too many",
            Violation::NotYours => "not the sender's to change",
            Violation::Impossible => "impossible",
            Violation::BadRecord => "bad record",
        }
    }
}

impl Violations {
    /// Once more; saturates.
    pub fn count(&mut self, violation: Violation) {
        let count = &mut self.0[violation as usize];
        *count = count.saturating_add(1);
    }

    /// How often it happened.
    pub fn of(&self, violation: Violation) -> u32 {
        self.0[violation as usize]
    }

    /// All together.
    pub fn total(&self) -> u64 {
        self.0.iter().map(|count| u64::from(*count)).sum()
    }
}
