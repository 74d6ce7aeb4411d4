//! The v1 half of an info dictionary (BEP 3): `length` or `files`.

use super::layout::{Attributes, File};
use super::{MAX_FILES, MAX_PATH_MEMORY, MetainfoError};
use crate::bencode::Value;

/// Counts what paths take, before they are copied.
#[derive(Debug, Default)]
pub(super) struct PathBudget(usize);

impl PathBudget {
    /// A list of strings as owned components; `None` if it is something else.
    fn components(&mut self, list: Value<'_, '_>) -> Result<Option<Vec<Vec<u8>>>, MetainfoError> {
        let Some(items) = list.as_list() else { return Ok(None) };
        let mut path = Vec::new();
        for item in items {
            let Some(name) = item.as_bytes() else { return Ok(None) };
            self.spend(name)?;
            path.push(name.to_vec());
        }
        Ok(Some(path))
    }

    /// Counts one component.
    pub(super) fn spend(&mut self, name: &[u8]) -> Result<(), MetainfoError> {
        self.0 = self.0.saturating_add(name.len()).saturating_add(32);
        if self.0 > MAX_PATH_MEMORY { Err(MetainfoError::PathsTooLong) } else { Ok(()) }
    }
}

/// Whether `info` holds `files` rather than one `length`.
pub(super) fn is_multi_file(info: Value<'_, '_>) -> bool {
    info.get(b"files").is_some()
}

/// The files of the v1 half, without offsets.
pub(super) fn files(info: Value<'_, '_>, name: &[u8]) -> Result<Vec<File>, MetainfoError> {
    let mut budget = PathBudget::default();
    let Some(list) = info.get(b"files") else {
        let mut file = entry(info, &mut budget)?;
        file.path = vec![name.to_vec()];
        return Ok(vec![file]);
    };
    let items = list.as_list().ok_or(MetainfoError::File)?;
    let mut files = Vec::new();
    for item in items {
        if files.len() >= MAX_FILES {
            return Err(MetainfoError::TooManyFiles);
        }
        let mut file = entry(item, &mut budget)?;
        let path = match item.get(b"path.utf-8") {
            Some(path) => budget.components(path)?,
            None => None,
        };
        file.path = match (path, item.get(b"path")) {
            (Some(path), _) => path,
            (None, Some(path)) => budget.components(path)?.ok_or(MetainfoError::File)?,
            (None, None) => return Err(MetainfoError::File),
        };
        files.push(file);
    }
    if files.is_empty() { Err(MetainfoError::NoContent) } else { Ok(files) }
}

/// What v1 entries and v2 leaves have in common: length, attributes and link target (BEP 47).
pub(super) fn entry(item: Value<'_, '_>, budget: &mut PathBudget) -> Result<File, MetainfoError> {
    let attr = item.get(b"attr").and_then(Value::as_bytes).unwrap_or_default();
    let symlink = match item.get(b"symlink path").filter(|_| attr.contains(&b'l')) {
        Some(target) => budget.components(target)?,
        None => None,
    };
    let length = match item.get(b"length") {
        Some(length) => length.as_u64().ok_or(MetainfoError::File)?,
        None if symlink.is_some() => 0,
        None => return Err(MetainfoError::File),
    };
    // A link has no data of its own; an entry with data is taken as the file whose data is hashed.
    let symlink = symlink.filter(|_| length == 0);
    Ok(File { length, attributes: Attributes::from_bytes(attr), symlink, ..File::default() })
}
