//! Taking a piece back (BEP 54, `lt_donthave`): four bytes, the piece's number, after the extended id.

use super::PeerWireError;

/// The bytes of the payload.
pub const DONT_HAVE_LEN: usize = 4;

/// The payload that says the sender no longer has `piece`.
#[must_use]
pub fn encode_dont_have(piece: u32) -> [u8; DONT_HAVE_LEN] {
    piece.to_be_bytes()
}

/// The piece the sender no longer has; `ExtensionLength` unless the payload is four bytes.
pub fn decode_dont_have(payload: &[u8]) -> Result<u32, PeerWireError> {
    payload.try_into().map(u32::from_be_bytes).map_err(|_| PeerWireError::ExtensionLength)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_is_the_number_of_the_piece() {
        assert_eq!(encode_dont_have(0x0102_0304), [1, 2, 3, 4]);
        assert_eq!(decode_dont_have(&[1, 2, 3, 4]), Ok(0x0102_0304));
    }

    #[test]
    fn any_other_length_is_refused() {
        for len in [0, 3, 5] {
            assert_eq!(decode_dont_have(&[0; 5][..len]), Err(PeerWireError::ExtensionLength));
        }
    }
}
