//! The level of its tiger tree that a download is checked by, kept beside it, so that it goes on in the same blocks when
//! nobody tells the tree again.

use super::super::store::beside;
use super::PlainWish;
use std::io;
use std::path::Path;
use throng_wire::gnutella::tiger;

/// What such a file's name ends with.
const ENDING: &str = "throng-tree";

/// The level that the wish names or an earlier run had; kept if it leads to the root.
pub(super) fn known(wish: &PlainWish, folder: &Path, name: &str) -> io::Result<Option<Vec<tiger::Hash>>> {
    let Some(root) = wish.tiger else { return Ok(None) };
    let path = beside(folder, name, ENDING);
    let leads = |level: &[tiger::Hash]| !level.is_empty() && tiger::root(level) == root;
    if leads(&wish.tiger_level) {
        std::fs::create_dir_all(folder)?;
        std::fs::write(&path, wish.tiger_level.as_flattened())?;
        return Ok(Some(wish.tiger_level.clone()));
    }
    let Ok(bytes) = std::fs::read(&path) else { return Ok(None) };
    let level = bytes.as_chunks().0.to_vec();
    Ok(leads(&level).then_some(level))
}
