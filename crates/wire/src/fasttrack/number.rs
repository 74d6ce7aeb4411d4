//! Fixed and variable-length numbers, read from the front of a slice.

use super::Error;
use std::net::{Ipv4Addr, SocketAddrV4};

/// Takes so many bytes off the front.
pub(crate) fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8], Error> {
    let (head, tail) = bytes.split_at_checked(count).ok_or(Error::Truncated)?;
    *bytes = tail;
    Ok(head)
}

/// Takes an array off the front.
pub(crate) fn array<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], Error> {
    let (head, tail) = bytes.split_first_chunk().ok_or(Error::Truncated)?;
    *bytes = tail;
    Ok(*head)
}

/// One byte.
pub(crate) fn u8(bytes: &mut &[u8]) -> Result<u8, Error> {
    array::<1>(bytes).map(|[byte]| byte)
}

/// Two bytes.
pub(crate) fn u16(bytes: &mut &[u8]) -> Result<u16, Error> {
    array(bytes).map(u16::from_be_bytes)
}

/// Four bytes.
pub(crate) fn u32(bytes: &mut &[u8]) -> Result<u32, Error> {
    array(bytes).map(u32::from_be_bytes)
}

/// An IPv4 address and a port.
pub(crate) fn address(bytes: &mut &[u8]) -> Result<SocketAddrV4, Error> {
    let ip: [u8; 4] = array(bytes)?;
    Ok(SocketAddrV4::new(Ipv4Addr::from(ip), u16(bytes)?))
}

/// Writes an IPv4 address and a port.
pub(crate) fn put_address(out: &mut Vec<u8>, address: SocketAddrV4) {
    out.extend_from_slice(&address.ip().octets());
    out.extend_from_slice(&address.port().to_be_bytes());
}

/// Bytes up to the next occurrence of `end`, which is taken too.
pub(crate) fn until<'a>(bytes: &mut &'a [u8], end: u8) -> Result<&'a [u8], Error> {
    let at = bytes.iter().position(|byte| *byte == end).ok_or(Error::Truncated)?;
    let head = take(bytes, at)?;
    take(bytes, 1)?;
    Ok(head)
}

/// A base-128 number, most significant group first, at most 64 bits. Longer forms than needed are read: the free
/// programs do so too.
pub(crate) fn vint(bytes: &mut &[u8]) -> Result<u64, Error> {
    let mut value = 0u64;
    loop {
        let byte = u8(bytes)?;
        if value >> 57 != 0 {
            return Err(Error::Number);
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
}

/// Writes a base-128 number in its shortest form.
pub(crate) fn put_vint(out: &mut Vec<u8>, value: u64) {
    let groups = (u64::BITS - value.leading_zeros()).div_ceil(7).max(1);
    for group in (0..groups).rev() {
        let more = if group > 0 { 0x80 } else { 0 };
        out.push((value >> (7 * group)) as u8 & 0x7f | more);
    }
}

/// Takes a field with its length before it.
pub(crate) fn counted<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], Error> {
    let length = vint(bytes)?;
    let length = usize::try_from(length).map_err(|_| Error::Length)?;
    if length > bytes.len() {
        return Err(Error::Length);
    }
    take(bytes, length)
}

/// Writes a field with its length before it.
pub(crate) fn put_counted(out: &mut Vec<u8>, field: &[u8]) {
    put_vint(out, field.len() as u64);
    out.extend_from_slice(field);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn variable_numbers_are_written_as_in_the_note() {
        let known: [(u64, &[u8]); 6] = [
            (0, &[0]),
            (127, &[0x7f]),
            (128, &[0x81, 0x00]),
            (4_464, &[0xa2, 0x70]),
            (3_146_505, &[0x81, 0xc0, 0x86, 0x09]),
            (u64::MAX, &[0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
        ];
        for (value, bytes) in known {
            let mut out = Vec::new();
            put_vint(&mut out, value);
            assert_eq!(out, bytes, "{value}");
            assert_eq!(vint(&mut &out[..]), Ok(value));
        }
    }

    #[test]
    fn numbers_of_more_than_64_bits_and_cut_ones_are_refused() {
        assert_eq!(
            vint(&mut &[0x83, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f][..]),
            Err(Error::Number)
        );
        assert_eq!(vint(&mut &[0x81][..]), Err(Error::Truncated));
        assert_eq!(counted(&mut &[0x02, 0x00][..]), Err(Error::Length));
        assert_eq!(counted(&mut &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f][..]), Err(Error::Length));
    }

    proptest! {
        #[test]
        fn every_number_survives(value: u64) {
            let mut out = Vec::new();
            put_vint(&mut out, value);
            let mut rest = &out[..];
            prop_assert_eq!(vint(&mut rest), Ok(value));
            prop_assert!(rest.is_empty());
        }
    }
}
