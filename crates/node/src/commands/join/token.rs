//! The token that opens the API: new at each start, or kept in a file for programs that are told it once.

use crate::failure::{Failure, Outcome};
use crate::text;
use data_encoding::HEXLOWER;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use throng_machine::Entropy as _;
use throng_runtime::entropy::SystemEntropy;

/// Random bytes of a token.
const TOKEN: usize = 32;
/// Characters of a kept one: fewer can be guessed, and no header is longer.
const LENGTHS: std::ops::RangeInclusive<usize> = 16..=256;

/// A new one.
pub(super) fn fresh() -> Outcome<String> {
    let mut token = [0; TOKEN];
    SystemEntropy::from_system().map_err(anyhow::Error::from)?.fill(&mut token);
    Ok(HEXLOWER.encode(&token))
}

/// That of a file, which is made if it is not there.
pub(super) fn kept(file: &Path) -> Outcome<String> {
    let path = text::path(file);
    let cannot = |error: io::Error| Failure::failed(format_args!("cannot use the token of {path}: {error}"));
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
        Ok(mut made) => {
            let token = fresh()?;
            writeln!(made, "{token}").and_then(|()| made.sync_all()).map_err(cannot)?;
            return Ok(token);
        }
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(cannot(error)),
        Err(_) => {}
    }
    let found = std::fs::metadata(file).map_err(cannot)?;
    if found.mode() & 0o077 != 0 {
        return Err(Failure::failed(format_args!(
            "others may read the token of {path}; run: chmod 600 {path}"
        )));
    }
    if found.len() > *LENGTHS.end() as u64 + 2 {
        return Err(Failure::failed(format_args!("{path} is too long to be a token")));
    }
    let token = std::fs::read_to_string(file).map_err(cannot)?.trim().to_owned();
    let usable = token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if !usable || !LENGTHS.contains(&token.len()) {
        return Err(Failure::failed(format_args!(
            "{path} holds no token: {} to {} letters, digits, - and _ are one; remove the file for a new one",
            LENGTHS.start(),
            LENGTHS.end()
        )));
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_kept_token_stays_the_same_and_nobody_else_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let token = kept(&file).unwrap();
        assert_eq!((kept(&file).unwrap(), token.len()), (token.clone(), 64));
        assert_ne!(fresh().unwrap(), token);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(kept(&file).unwrap_err().reason().unwrap().contains("chmod 600"));
    }

    #[test]
    fn what_can_be_guessed_or_sent_wrongly_is_no_token() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        for content in
            ["", "short", "has spaces in the middle of it", "päng-päng-päng-päng", &"x".repeat(300)]
        {
            let options = |options: &mut OpenOptions| {
                options.write(true).create(true).truncate(true).mode(0o600).open(&file)
            };
            options(&mut OpenOptions::new()).unwrap().write_all(content.as_bytes()).unwrap();
            assert!(kept(&file).is_err(), "{content}");
        }
    }
}
