//! Data sets that cannot be compressed or deduplicated, and the comparison of what arrived with what was sent.

use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

/// A stream of bytes that look random and are the same for the same seed (splitmix64).
#[derive(Debug)]
struct Noise(u64);

impl Noise {
    fn fill(&mut self, buf: &mut [u8]) {
        for chunk in buf.chunks_mut(8) {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^= z >> 31;
            chunk.copy_from_slice(&z.to_le_bytes()[..chunk.len()]);
        }
    }
}

/// Writes one file of `size` bytes, its content given by `seed`.
pub fn write_file(path: &Path, size: u64, seed: u64) -> Result<()> {
    let mut noise = Noise(seed);
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut buf = vec![0; 1 << 16];
    let mut left = size;
    while left > 0 {
        let take = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
        noise.fill(&mut buf[..take]);
        out.write_all(&buf[..take])?;
        left -= take as u64;
    }
    Ok(out.flush()?)
}

/// Writes `count` files of `size` bytes below `dir`, a hundred in each folder.
pub fn write_folder(dir: &Path, count: u32, size: u64) -> Result<()> {
    for index in 0..count {
        let folder = dir.join(format!("{:03}", index / 100));
        fs::create_dir_all(&folder)?;
        let mut content = vec![0; usize::try_from(size)?];
        Noise(u64::from(index) << 32).fill(&mut content);
        fs::write(folder.join(format!("{:02}.bin", index % 100)), content)?;
    }
    Ok(())
}

/// All files at or below `path`, in order of their names, as paths relative to it.
pub fn list(path: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(relative) = open.pop() {
        let full = join(path, &relative);
        if fs::metadata(&full).with_context(|| format!("{} is missing", full.display()))?.is_dir() {
            for entry in fs::read_dir(&full)? {
                open.push(relative.join(entry?.file_name()));
            }
        } else {
            files.push(relative);
        }
    }
    files.sort();
    Ok(files)
}

/// Reads everything once, so that the page cache holds it; returns the number of bytes.
pub fn warm(path: &Path) -> Result<u64> {
    let mut buf = vec![0; 1 << 20];
    let mut total = 0;
    for relative in list(path)? {
        let mut file = File::open(join(path, &relative))?;
        loop {
            match file.read(&mut buf)? {
                0 => break,
                n => total += n as u64,
            }
        }
    }
    Ok(total)
}

/// Bytes in all files at or below `path`.
pub fn size(path: &Path) -> Result<u64> {
    let sizes = list(path)?.into_iter().map(|relative| Ok(fs::metadata(join(path, &relative))?.len()));
    sizes.sum()
}

/// Writes and removes a file of `size` bytes, so that the next to fill the page cache gets memory that is already
/// there: in a virtual machine that returns free memory to its host, a first touch costs a second of CPU a GiB.
pub fn prime_memory(scrap: &Path, size: u64) -> Result<()> {
    let mut out = File::create(scrap)?;
    std::io::copy(&mut std::io::repeat(1).take(size), &mut out)?;
    Ok(fs::remove_file(scrap)?)
}

/// The SHA-256 of one file.
pub fn sha256(path: &Path) -> Result<[u8; 32]> {
    let mut file = File::open(path).with_context(|| format!("{} is missing", path.display()))?;
    let mut hasher = Sha256::new();
    let mut buf = vec![0; 1 << 16];
    loop {
        match file.read(&mut buf)? {
            0 => return Ok(hasher.finalize().into()),
            n => hasher.update(&buf[..n]),
        }
    }
}

/// An error that names the first file of `sent` which is not in `arrived` with the same SHA-256; empty files may be
/// missing if `empty_too` is false.
pub fn compare(sent: &Path, arrived: &Path, empty_too: bool) -> Result<()> {
    for relative in list(sent)? {
        let (ours, theirs) = (join(sent, &relative), join(arrived, &relative));
        if !empty_too && !theirs.exists() && fs::metadata(&ours)?.len() == 0 {
            continue;
        }
        ensure!(sha256(&ours)? == sha256(&theirs)?, "{} differs from what was sent", theirs.display());
    }
    Ok(())
}

/// Copies a file or a folder, but of each file above 1 MiB only the first half: what an interrupted program left.
pub fn copy_half(from: &Path, to: &Path) -> Result<()> {
    for (index, relative) in list(from)?.iter().enumerate() {
        let (source, target) = (join(from, relative), join(to, relative));
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        let size = fs::metadata(&source)?.len();
        if size <= 1 << 20 && index % 2 == 1 {
            continue;
        }
        let keep = if size <= 1 << 20 { size } else { size / 2 };
        std::io::copy(&mut File::open(&source)?.take(keep), &mut File::create(&target)?)?;
    }
    Ok(())
}

/// `path` itself if `relative` is empty: joining would add a trailing separator, which no file has.
fn join(path: &Path, relative: &Path) -> PathBuf {
    if relative.as_os_str().is_empty() { path.to_owned() } else { path.join(relative) }
}
