//! The v2 half of an info dictionary (BEP 52): `file tree`, walked without recursion.
//!
//! A dictionary whose one key is the empty string is a file, every other a directory. The order of the tree is the
//! order of the piece space, so unsorted names, which other decoders would reorder, are refused.

use super::layout::File;
use super::v1::{PathBudget, entry};
use super::{MAX_FILES, MetainfoError};
use crate::bencode::{DictIter, Value};

/// An open directory: what is left of it, and the name last seen in it.
struct Directory<'d, 'a> {
    rest: DictIter<'d, 'a>,
    last: Option<&'a [u8]>,
}

/// The files of `tree` in order, without offsets.
pub(super) fn files(tree: Value<'_, '_>) -> Result<Vec<File>, MetainfoError> {
    let rest = tree.as_dict().ok_or(MetainfoError::FileTree)?;
    let mut stack = vec![Directory { rest, last: None }];
    let mut budget = PathBudget::default();
    let mut files = Vec::new();
    while let Some(directory) = stack.last_mut() {
        let Some((name, node)) = directory.rest.next() else {
            stack.pop();
            continue;
        };
        if name.is_empty() || directory.last.is_some_and(|last| last >= name) {
            return Err(MetainfoError::FileTree);
        }
        directory.last = Some(name);
        let Some(leaf) = node.get(b"") else {
            let rest = node.as_dict().ok_or(MetainfoError::FileTree)?;
            stack.push(Directory { rest, last: None });
            continue;
        };
        if node.as_dict().map_or(0, Iterator::count) != 1 {
            return Err(MetainfoError::FileTree);
        }
        if files.len() >= MAX_FILES {
            return Err(MetainfoError::TooManyFiles);
        }
        let names = stack.iter().filter_map(|directory| directory.last);
        files.push(file(leaf, names, &mut budget)?);
    }
    if files.is_empty() { Err(MetainfoError::NoContent) } else { Ok(files) }
}

fn file<'a>(
    leaf: Value<'_, '_>,
    names: impl Iterator<Item = &'a [u8]>,
    budget: &mut PathBudget,
) -> Result<File, MetainfoError> {
    leaf.as_dict().ok_or(MetainfoError::FileTree)?;
    let mut file = entry(leaf, budget)?;
    for name in names {
        budget.spend(name)?;
        file.path.push(name.to_vec());
    }
    // Padding has no place in a file tree: a stranger's mark must not make data vanish.
    file.attributes.padding = false;
    if file.length > 0 {
        let root = leaf.get(b"pieces root").and_then(Value::as_bytes);
        let root = root.and_then(|root| root.try_into().ok()).ok_or(MetainfoError::PiecesRoot)?;
        file.pieces_root = Some(root);
    }
    Ok(file)
}
