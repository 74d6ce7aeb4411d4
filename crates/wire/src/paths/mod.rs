//! Safe file names from strangers' words, on every platform at once.
//!
//! No name is refused and none escapes: whatever the input, [`safe_layout`] gives relative paths of plain components
//! that are distinct even where case does not count, none of them inside another. The same torrent gives the same paths
//! everywhere, so a folder can be moved between machines.
//!
//! Left out: names that differ only in Unicode normalization (NFC and NFD) are not told to be equal.

mod name;
mod unique;

pub use name::{MAX_NAME_LEN, safe_name};
pub use unique::{MAX_DEPTH, MAX_PATH_LEN, fold_case, safe_layout};

#[cfg(test)]
mod tests;
