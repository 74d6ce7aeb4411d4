//! Message ids and servent ids: 16 bytes.

use data_encoding::{BASE32_NOPAD, HEXUPPER};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};

/// A message id (MUID) or servent id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Guid(pub [u8; 16]);

impl Guid {
    /// From random bytes, with the two marks of a modern servent.
    pub fn marked(mut random: [u8; 16]) -> Guid {
        random[8] = 0xff;
        random[15] = 0;
        Guid(random)
    }

    /// A query's id that tells where hits may be sent out of band: address in the first four bytes, port in 13 and 14.
    pub fn with_address(self, address: SocketAddrV4) -> Guid {
        let mut bytes = self.0;
        bytes[..4].copy_from_slice(&address.ip().octets());
        bytes[13..15].copy_from_slice(&address.port().to_le_bytes());
        Guid(bytes)
    }

    /// Where hits may be sent, as a query's id tells it.
    pub fn address(&self) -> SocketAddrV4 {
        let [a, b, c, d, ..] = self.0;
        SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), u16::from_le_bytes([self.0[13], self.0[14]]))
    }

    /// Whether it is all zeros, which no servent's id may be.
    pub fn is_zero(&self) -> bool {
        self.0 == [0; 16]
    }

    /// 32 digits, as in the GUID header and in GIV.
    pub fn hex(&self) -> String {
        HEXUPPER.encode(&self.0)
    }

    /// 26 characters, as push proxies take it.
    pub fn base32(&self) -> String {
        BASE32_NOPAD.encode(&self.0)
    }

    /// Reads 32 digits of any case.
    pub fn from_hex(text: &[u8]) -> Option<Guid> {
        let bytes =
            data_encoding::HEXUPPER_PERMISSIVE.decode(text.get(..32).filter(|_| text.len() == 32)?).ok()?;
        Some(Guid(bytes.try_into().ok()?))
    }

    /// Reads 26 characters of any case.
    pub fn from_base32(text: &[u8]) -> Option<Guid> {
        let text = text.to_ascii_uppercase();
        let bytes = (text.len() == 26).then(|| BASE32_NOPAD.decode(&text).ok())??;
        Some(Guid(bytes.try_into().ok()?))
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_recorded_query_tells_its_sender() {
        let id = Guid::from_hex(b"644100023102d753dae8d5a4a9ca18ad").unwrap();
        assert_eq!(id.address(), SocketAddrV4::new(Ipv4Addr::new(100, 65, 0, 2), 6346));
        assert_eq!(Guid([7; 16]).with_address(id.address()).address(), id.address());
    }

    #[test]
    fn ids_are_read_as_they_are_written() {
        let id = Guid::marked([0xab; 16]);
        assert_eq!((id.0[8], id.0[15], id.is_zero()), (0xff, 0, false));
        assert_eq!(Guid::from_hex(id.hex().to_lowercase().as_bytes()), Some(id));
        assert_eq!(Guid::from_base32(id.base32().as_bytes()), Some(id));
        assert_eq!((Guid::from_hex(b"00"), Guid::from_base32(b"AA")), (None, None));
    }
}
