//! Making torrents of files and folders, and checking stored data against them: each byte is read once, in order,
//! by all cores, and hashed for v1 and v2 in the same pass.
//!
//! Nothing is written. Files that change while they are read are noticed by size and time of change.

mod error;
mod hash;
mod parallel;
#[cfg(test)]
mod tests;
mod verify;
mod walk;

pub use error::CreateError;
pub(crate) use hash::builder;
pub use hash::{Created, create};
#[cfg(test)]
pub(crate) use hash::{PieceHashes, assemble};
pub use parallel::Control;
pub use verify::{Checked, Report, check, verify};
pub use walk::{Skipped, Source};
