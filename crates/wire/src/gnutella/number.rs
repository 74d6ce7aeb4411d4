//! Fields read from the front of a slice: little-endian numbers, IPv4 addresses as on the wire of IP.

use super::Error;
use std::net::{Ipv4Addr, SocketAddrV4};

pub(super) fn array<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], Error> {
    let (head, tail) = bytes.split_first_chunk().ok_or(Error::Truncated)?;
    *bytes = tail;
    Ok(*head)
}

pub(super) fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8], Error> {
    let (head, tail) = bytes.split_at_checked(count).ok_or(Error::Truncated)?;
    *bytes = tail;
    Ok(head)
}

pub(super) fn u8(bytes: &mut &[u8]) -> Result<u8, Error> {
    array::<1>(bytes).map(|[byte]| byte)
}

pub(super) fn u16(bytes: &mut &[u8]) -> Result<u16, Error> {
    array(bytes).map(u16::from_le_bytes)
}

pub(super) fn u32(bytes: &mut &[u8]) -> Result<u32, Error> {
    array(bytes).map(u32::from_le_bytes)
}

pub(super) fn ip(bytes: &mut &[u8]) -> Result<Ipv4Addr, Error> {
    array::<4>(bytes).map(Ipv4Addr::from)
}

/// Bytes up to a zero, which is taken too.
pub(super) fn text<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], Error> {
    let end = bytes.iter().position(|byte| *byte == 0).ok_or(Error::Unterminated)?;
    let text = take(bytes, end)?;
    take(bytes, 1)?;
    Ok(text)
}

/// Addresses of six bytes each, IPv4 and port; what is left over is ignored.
pub(super) fn addresses(bytes: &[u8]) -> impl Iterator<Item = SocketAddrV4> + use<'_> {
    bytes
        .chunks_exact(6)
        .filter_map(|mut item| Some(SocketAddrV4::new(ip(&mut item).ok()?, u16(&mut item).ok()?)))
}

/// Writes an address as six bytes.
pub(super) fn put_address(out: &mut Vec<u8>, address: SocketAddrV4) {
    out.extend_from_slice(&address.ip().octets());
    out.extend_from_slice(&address.port().to_le_bytes());
}

/// A little-endian number without leading zero bytes, at most eight; the empty one is 0.
pub(super) fn short_number(bytes: &[u8]) -> Option<u64> {
    let mut whole = [0; 8];
    whole.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(u64::from_le_bytes(whole))
}

/// Writes a number without leading zero bytes, at least one byte.
pub(super) fn short_bytes(value: u64) -> Vec<u8> {
    let length = (u64::BITS - value.leading_zeros()).div_ceil(8).max(1) as usize;
    value.to_le_bytes()[..length].to_vec()
}
