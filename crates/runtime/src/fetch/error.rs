//! How a range fails, and what that says of asking again.

use std::time::Duration;

/// Why a range did not come, or not all of it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RangeError {
    /// The source is busy: ask again after that time; at that place of its queue, if it says so.
    #[error("busy")]
    Busy {
        /// When to ask again.
        retry_after: Duration,
        /// The place in its queue, from 1.
        position: Option<u32>,
    },
    /// The connection broke or nothing came in time; it may work again.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// It has not these bytes (it may have others).
    #[error("it does not have this part")]
    NotThere,
    /// It does not have the file, is of another size, or refused for good: do not ask again.
    #[error("{0}")]
    Gone(String),
}
