//! Who the node is: a key made once and kept, and a number that grows with each start.

use super::{file, unusable};
use crate::failure::{Failure, Outcome};
use crate::text;
use data_encoding::HEXLOWER_PERMISSIVE;
use ed25519_dalek::SigningKey;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use throng_machine::Entropy as _;
use throng_runtime::entropy::SystemEntropy;

const KEY: &str = "node.key";
const INCARNATION: &str = "incarnation";
/// Far more than either file holds.
const LIMIT: u64 = 4096;

/// The node's key and the number of this start.
pub(crate) struct Identity {
    /// Signs what the node publishes.
    pub(crate) key: SigningKey,
    /// Seconds since 1970 at the start, but always more than at the start before.
    pub(crate) incarnation: u32,
    /// What to tell the person.
    pub(crate) notices: Vec<String>,
}

pub(super) fn load(folder: &Path, now: u64) -> Outcome<Identity> {
    let mut notices = Vec::new();
    let key = key(folder, &mut notices)?;
    let incarnation = incarnation(folder, now, &mut notices)?;
    Ok(Identity { key, incarnation, notices })
}

/// The key; what is there is never overwritten, whatever it is.
fn key(folder: &Path, notices: &mut Vec<String>) -> Outcome<SigningKey> {
    let path = folder.join(KEY);
    let failed = |error: std::io::Error| unusable(&path, &error);
    let Some(bytes) = file::read(&path, LIMIT).map_err(failed)? else {
        let mut seed = [0; 32];
        SystemEntropy::from_system().map_err(failed)?.fill(&mut seed);
        let line = format!("{}\n", HEXLOWER_PERMISSIVE.encode(&seed));
        file::replace(folder, KEY, line.as_bytes()).map_err(failed)?;
        return Ok(SigningKey::from_bytes(&seed));
    };
    let seed = HEXLOWER_PERMISSIVE.decode(bytes.trim_ascii()).ok().and_then(|seed| seed.try_into().ok());
    let seed: [u8; 32] = seed.ok_or_else(|| {
        let path = text::path(&path);
        Failure::failed(format_args!(
            "{path} is damaged and left as it is; put a copy back, or move it away to become someone new"
        ))
    })?;
    let mode = std::fs::metadata(&path).map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).map_err(failed)?;
        let path = text::path(&path);
        notices.push(format!("{path} could be read by others; now only by its owner"));
    }
    Ok(SigningKey::from_bytes(&seed))
}

/// The number of this start, on the disk before anyone hears of it.
fn incarnation(folder: &Path, now: u64, notices: &mut Vec<String>) -> Outcome<u32> {
    let path = folder.join(INCARNATION);
    let bytes = file::read(&path, LIMIT).map_err(|error| unusable(&path, &error))?;
    let text = bytes.as_deref().map(|bytes| String::from_utf8_lossy(bytes).trim().to_owned());
    let last = text.as_deref().and_then(|text| text.parse::<u32>().ok());
    if text.is_some() && last.is_none() {
        notices.push(format!("{} was damaged; counted anew from the clock", text::path(&path)));
    }
    let now = u32::try_from(now).unwrap_or(u32::MAX);
    let next = last.map_or(now, |last| now.max(last.saturating_add(1)));
    file::replace(folder, INCARNATION, format!("{next}\n").as_bytes())
        .map_err(|error| unusable(&path, &error))?;
    Ok(next)
}
