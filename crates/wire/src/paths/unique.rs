//! Whole paths: short enough, and no two the same.
//!
//! Directories are settled first: those that differ in case only become one, under the spelling met first. Then each
//! file takes its name, or the next free of `name (2).ext`, `name (3).ext`… where a file or directory has it already.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::name::{MAX_NAME_LEN, safe_name, shorten, split_extension};
use crate::metainfo::File;

/// Most components of a path below the torrent's folder; of deeper ones those in the middle go.
pub const MAX_DEPTH: usize = 32;

/// Longest path below the torrent's folder, in bytes, before numbers are put in: well below the 4,096 of Linux.
pub const MAX_PATH_LEN: usize = 2_048;

/// What stands in for a name nothing is left of.
const UNNAMED: &str = "unnamed";

/// Room for ` (524288)`, the number of the last file a torrent may have, with some to spare.
const NUMBER_ROOM: usize = 12;

/// One safe relative path for each file, in order: below a folder made of `name`, or for a single file `name` itself.
pub fn safe_layout(name: &[u8], single_file: bool, files: &[File]) -> Vec<PathBuf> {
    let root = safe_name(name).unwrap_or_else(|| UNNAMED.to_owned());
    if single_file && files.len() == 1 {
        return vec![PathBuf::from(root)];
    }
    let mut tree = Tree::new(root);
    let parts: Vec<_> = files.iter().map(|file| components(&file.path)).collect();
    let directories: Vec<u32> = parts.iter().map(|(directories, _)| tree.directory(directories)).collect();
    let mut paths = vec![PathBuf::new(); files.len()];
    // Padding is never stored; it comes last so that it takes no name from a real file.
    for padding in [false, true] {
        let chosen = files.iter().enumerate().filter(|(_, file)| file.attributes.padding == padding);
        for (index, _) in chosen {
            paths[index] = tree.file(directories[index], &parts[index].1);
        }
    }
    paths
}

/// `text` as names are compared: capitals first, since some letters have only one of the two forms.
pub fn fold_case(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

/// Safe directory names and the file name, within the limits of depth and length.
fn components(raw: &[Vec<u8>]) -> (Vec<String>, String) {
    let named = |part: &&Vec<u8>| !matches!(part.as_slice(), b"" | b"." | b"..");
    let mut parts: Vec<String> = Vec::new();
    parts.extend(raw.iter().filter(named).take(MAX_DEPTH).filter_map(|part| safe_name(part)));
    if parts.len() == MAX_DEPTH {
        // The last component is the file's name, however deep it lies.
        parts.pop();
        parts.extend(raw.iter().rfind(named).and_then(|part| safe_name(part)));
    }
    let total: usize = parts.iter().map(|part| part.len() + 1).sum();
    if total > MAX_PATH_LEN {
        let share = MAX_PATH_LEN / parts.len() - 1;
        parts.iter_mut().for_each(|part| *part = nonempty(shorten(part, share)));
    }
    let file = parts.pop().unwrap_or_else(|| UNNAMED.to_owned());
    (parts, file)
}

fn nonempty(name: String) -> String {
    if name.is_empty() { "_".to_owned() } else { name }
}

struct Tree {
    /// Parent and name by number; the torrent's folder is number 0. Whole paths would repeat long prefixes.
    directories: Vec<(u32, String)>,
    /// Directory by parent and folded name.
    children: BTreeMap<(u32, String), u32>,
    /// Names of files by directory and folded name.
    taken: BTreeSet<(u32, String)>,
    /// Next number to try, by directory and folded stem: thousands of equal names cost one step each.
    next: BTreeMap<(u32, String), u64>,
}

impl Tree {
    fn new(root: String) -> Self {
        let (children, taken, next) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        Self { directories: vec![(0, root)], children, taken, next }
    }

    fn directory(&mut self, names: &[String]) -> u32 {
        names.iter().fold(0, |parent, name| {
            let fresh = self.directories.len() as u32;
            let number = *self.children.entry((parent, fold_case(name))).or_insert(fresh);
            if number == fresh {
                self.directories.push((parent, name.clone()));
            }
            number
        })
    }

    fn file(&mut self, directory: u32, name: &str) -> PathBuf {
        let mut parts = Vec::with_capacity(MAX_DEPTH);
        let mut above = directory;
        while above != 0 {
            let (parent, name) = &self.directories[above as usize];
            parts.push(name.as_str());
            above = *parent;
        }
        parts.push(&self.directories[0].1);
        let mut path: PathBuf = parts.iter().rev().collect();
        path.push(if self.take(directory, name) { name.to_owned() } else { self.numbered(directory, name) });
        path
    }

    fn take(&mut self, directory: u32, name: &str) -> bool {
        let key = (directory, fold_case(name));
        !self.children.contains_key(&key) && self.taken.insert(key)
    }

    fn numbered(&mut self, directory: u32, name: &str) -> String {
        let (stem, extension) = split_extension(name);
        let stem = shorten(stem, MAX_NAME_LEN - NUMBER_ROOM - extension.len());
        let counter = (directory, fold_case(&format!("{stem}/{extension}")));
        let mut number = self.next.get(&counter).copied().unwrap_or(2);
        loop {
            let candidate = format!("{stem} ({number}){extension}");
            number += 1;
            if self.take(directory, &candidate) {
                self.next.insert(counter, number);
                return candidate;
            }
        }
    }
}
