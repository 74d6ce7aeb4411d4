//! How large the network is (type 09).

use super::Error;
use super::number::{array, u32};

/// Users, files and volume of the whole network. A genuine network has many: giFT leaves a supernode that tells of
/// fewer than 100,000 users.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Statistics {
    /// Users online.
    pub users: u32,
    /// Files shared.
    pub files: u32,
    /// GB shared.
    pub gigabytes: u64,
}

/// Six kinds of media follow the sum, each with files and volume.
const KINDS: usize = 6;

impl Statistics {
    /// Reads the sum and leaves the rest.
    pub fn parse(mut body: &[u8]) -> Result<Statistics, Error> {
        let bytes = &mut body;
        let (users, files) = (u32(bytes)?, u32(bytes)?);
        let [mantissa, exponent] = [array(bytes)?, array(bytes)?].map(u16::from_be_bytes);
        let shift = i32::from(exponent) - 30;
        let gigabytes = match u32::try_from(shift) {
            Ok(left) if left < 48 => u64::from(mantissa) << left,
            Ok(_) => return Err(Error::Value),
            Err(_) => u64::from(mantissa).checked_shr(shift.unsigned_abs()).unwrap_or(0),
        };
        Ok(Statistics { users, files, gigabytes })
    }

    /// Appends the body: the sum, and all of it under the first kind.
    pub fn put(&self, out: &mut Vec<u8>) {
        let (mantissa, exponent) = self.volume();
        let volume = [mantissa.to_be_bytes(), exponent.to_be_bytes()].concat();
        out.extend_from_slice(&self.users.to_be_bytes());
        out.extend_from_slice(&self.files.to_be_bytes());
        out.extend_from_slice(&volume);
        out.extend_from_slice(&self.files.to_be_bytes());
        out.extend_from_slice(&volume);
        out.resize(out.len() + 8 * (KINDS - 1), 0);
    }

    /// The volume as mantissa and exponent, the mantissa as long as fits.
    fn volume(&self) -> (u16, u16) {
        let surplus = (u64::BITS - self.gigabytes.leading_zeros()).saturating_sub(16);
        ((self.gigabytes >> surplus) as u16, 30 + surplus as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_of_any_size_are_told_within_their_sixteen_bits() {
        for gigabytes in [0, 1, 65_535, 65_536, 28_000, 7_000_000_000] {
            let mut body = Vec::new();
            Statistics { users: 3_000_000, files: 700_000_000, gigabytes }.put(&mut body);
            assert_eq!(body.len(), 12 + 6 * 8);
            let read = Statistics::parse(&body).unwrap();
            assert_eq!((read.users, read.files), (3_000_000, 700_000_000));
            assert!(read.gigabytes <= gigabytes && gigabytes - read.gigabytes <= gigabytes >> 15);
        }
        assert_eq!(Statistics::parse(&[0; 11]), Err(Error::Truncated));
        assert_eq!(Statistics::parse(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff]), Err(Error::Value));
    }
}
