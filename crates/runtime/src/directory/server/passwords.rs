//! Passwords as they are kept: argon2id, with the parameters beside each hash so that they can be raised later.
//!
//! Layout: memory in KiB, passes, lanes (three little-endian `u32`), 16 bytes of salt, 32 bytes of hash.

use argon2::{Algorithm, Argon2, Params, Version};

const SALT: usize = 16;
const HASH: usize = 32;
const NUMBERS: usize = 12;
/// Parameters beyond these in the store would be somebody's attempt to stop the server; 256 MiB, 16 passes.
const MOST: [u32; 3] = [256 << 10, 16, 16];

/// Hashes a password with today's parameters (19 MiB, 2 passes: OWASP's choice for argon2id); `None` only for passwords
/// of more than 4 GiB.
pub(super) fn hash(password: &[u8], salt: [u8; SALT]) -> Option<Vec<u8>> {
    let numbers = [Params::DEFAULT_M_COST, Params::DEFAULT_T_COST, Params::DEFAULT_P_COST];
    let mut out: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    out.extend_from_slice(&salt);
    out.extend_from_slice(&digest(password, &salt, numbers)?);
    Some(out)
}

/// Whether it is that password.
pub(super) fn is_right(password: &[u8], kept: &[u8]) -> bool {
    if kept.len() != NUMBERS + SALT + HASH {
        return false;
    }
    let mut numbers = [0; 3];
    for (number, bytes) in numbers.iter_mut().zip(kept.chunks_exact(4)) {
        *number = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    if numbers.iter().zip(MOST).any(|(number, most)| *number > most) {
        return false;
    }
    let (salt, known) = kept[NUMBERS..].split_at(SALT);
    let Some(found) = digest(password, salt, numbers) else { return false };
    // All bytes are looked at, whatever the first ones are.
    found.iter().zip(known).fold(0, |differing, (a, b)| differing | (a ^ b)) == 0
}

fn digest(password: &[u8], salt: &[u8], [memory, passes, lanes]: [u32; 3]) -> Option<[u8; HASH]> {
    let params = Params::new(memory, passes, lanes, Some(HASH)).ok()?;
    let mut out = [0; HASH];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password, salt, &mut out)
        .ok()?;
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_that_was_hashed_is_right() {
        let kept = hash(b"secret", [7; SALT]).unwrap();
        assert!(is_right(b"secret", &kept));
        for wrong in [&b"Secret"[..], b"secret ", b"", b"\xff"] {
            assert!(!is_right(wrong, &kept), "{wrong:?}");
        }
        assert_ne!(kept, hash(b"secret", [8; SALT]).unwrap(), "the salt counts");
    }

    #[test]
    fn what_is_no_hash_is_no_password() {
        let kept = hash(b"", [0; SALT]).unwrap();
        for broken in [&b""[..], &kept[..59], &[0; 60], &[255; 60]] {
            assert!(!is_right(b"", broken), "{broken:?}");
        }
    }
}
