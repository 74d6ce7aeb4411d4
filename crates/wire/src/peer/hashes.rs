//! Asking for and sending the hashes of a file's merkle tree (BEP 52, messages 21 to 23).
//!
//! `pieces-root[32] base-layer[4] index[4] length[4] proof-layers[4]`, for `hashes` followed by the hashes: `length`
//! of the base layer, then one uncle a proof layer, nearest the leaves first. The first log2(length) - 1 proof
//! layers follow from the hashes themselves and are left out, though counted.

use super::{PeerWireError, array_at, u32_at};

/// The most base-layer hashes one request may ask for; peers in the wild refuse more, and it covers the leaves of a
/// piece of 128 MiB.
pub const MAX_HASH_REQUEST: u32 = 8192;
/// The layers above the leaves of the largest possible file: 2^63 bytes in blocks of 2^14.
pub const MAX_TREE_HEIGHT: u32 = 49;
/// The bytes of the request fields.
pub(super) const REQUEST_LEN: u32 = 48;
/// The most hashes in one message: the base layer and an uncle a layer.
pub(super) const MAX_HASHES: u32 = MAX_HASH_REQUEST + MAX_TREE_HEIGHT;

/// A range of hashes of one layer of a file's tree, with what proves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashRequest {
    /// The root of the file's tree, which names the file.
    pub pieces_root: [u8; 32],
    /// The layers above the leaves (16 KiB blocks) at which the range lies.
    pub base_layer: u32,
    /// The first hash asked for, counted in the base layer; a multiple of `length`.
    pub index: u32,
    /// The hashes asked for: a power of two, at most [`MAX_HASH_REQUEST`].
    pub length: u32,
    /// The ancestor layers asked for.
    pub proof_layers: u32,
}

impl HashRequest {
    /// Checks what the request alone can show; `HashRange` where no file could have such a range. One hash alone is
    /// allowed, since peers ask so at the end of a layer.
    pub fn validate(&self) -> Result<(), PeerWireError> {
        let size_ok = self.length.is_power_of_two() && self.length <= MAX_HASH_REQUEST;
        let aligned = size_ok && self.index.is_multiple_of(self.length);
        // Every layer of the tree is below 2^(height - layer) hashes wide, and a proof ends below the root.
        let room = MAX_TREE_HEIGHT.checked_sub(self.base_layer).filter(|&room| room > self.proof_layers);
        let end = u64::from(self.index) + u64::from(self.length);
        match room {
            Some(room) if aligned && end <= 1_u64 << room => Ok(()),
            _ => Err(PeerWireError::HashRange),
        }
    }

    /// The uncle hashes that follow the base layer's in the answer, or `HashRange` for an impossible request.
    pub fn uncles(&self) -> Result<u32, PeerWireError> {
        self.validate()?;
        // A single hash has its own sibling as first uncle, so its answer holds one more than the layers asked for.
        Ok((self.proof_layers + 1).saturating_sub(self.length.ilog2()))
    }

    /// Reads the 48 bytes of fields from the start of `bytes`; the caller checks the range.
    pub(super) fn decode(bytes: &[u8]) -> Option<HashRequest> {
        Some(HashRequest {
            pieces_root: array_at(bytes, 0)?,
            base_layer: u32_at(bytes, 32)?,
            index: u32_at(bytes, 36)?,
            length: u32_at(bytes, 40)?,
            proof_layers: u32_at(bytes, 44)?,
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.pieces_root);
        for field in [self.base_layer, self.index, self.length, self.proof_layers] {
            out.extend_from_slice(&field.to_be_bytes());
        }
    }
}

/// Hashes with the fields of the request they answer; the counts agree, the hashes themselves are unproved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hashes<'a> {
    /// The request this answers.
    pub request: HashRequest,
    /// The hashes of the base layer, then the uncles from the leaves up.
    pub hashes: &'a [[u8; 32]],
}

impl<'a> Hashes<'a> {
    /// The base layer's hashes and the uncles; empty slices where the counts do not agree.
    #[must_use]
    pub fn parts(&self) -> (&'a [[u8; 32]], &'a [[u8; 32]]) {
        usize::try_from(self.request.length)
            .ok()
            .and_then(|at| self.hashes.split_at_checked(at))
            .unwrap_or_default()
    }

    pub(super) fn decode(bytes: &'a [u8]) -> Result<Hashes<'a>, PeerWireError> {
        let request = HashRequest::decode(bytes).ok_or(PeerWireError::HashCount)?;
        let (hashes, rest) = bytes[REQUEST_LEN as usize..].as_chunks::<32>();
        let expected = u64::from(request.length) + u64::from(request.uncles()?);
        if !rest.is_empty() || hashes.len() as u64 != expected {
            return Err(PeerWireError::HashCount);
        }
        Ok(Hashes { request, hashes })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn request(
        base_layer: u32,
        index: u32,
        length: u32,
        proof_layers: u32,
    ) -> HashRequest {
        HashRequest { pieces_root: [0x11; 32], base_layer, index, length, proof_layers }
    }

    #[test]
    fn a_length_must_be_a_power_of_two_within_the_limit() {
        for length in [1, 2, 512, MAX_HASH_REQUEST] {
            assert_eq!(request(0, 0, length, 0).validate(), Ok(()));
        }
        for length in [0, 3, 511, MAX_HASH_REQUEST + 1, MAX_HASH_REQUEST * 2, u32::MAX, 1 << 31] {
            assert_eq!(request(0, 0, length, 0).validate(), Err(PeerWireError::HashRange), "{length}");
        }
    }

    #[test]
    fn an_index_must_be_a_multiple_of_the_length() {
        assert_eq!(request(0, 1536, 512, 0).validate(), Ok(()));
        assert_eq!(request(0, 1537, 512, 0).validate(), Err(PeerWireError::HashRange));
        assert_eq!(request(0, 256, 512, 0).validate(), Err(PeerWireError::HashRange));
    }

    #[test]
    fn a_range_outside_the_largest_tree_is_refused() {
        assert_eq!(request(48, 0, 2, 0).validate(), Ok(()));
        assert_eq!(request(48, 2, 2, 0).validate(), Err(PeerWireError::HashRange));
        assert_eq!(request(49, 0, 1, 0).validate(), Err(PeerWireError::HashRange));
        assert_eq!(request(u32::MAX, 0, 2, 0).validate(), Err(PeerWireError::HashRange));
        assert_eq!(request(0, 0, 2, 48).validate(), Ok(()));
        assert_eq!(request(0, 0, 2, 49).validate(), Err(PeerWireError::HashRange));
        assert_eq!(request(0, 0, 2, u32::MAX).validate(), Err(PeerWireError::HashRange));
        assert_eq!(request(0, u32::MAX - 1, 2, 0).validate(), Ok(()));
    }

    #[test]
    fn proof_layers_inside_the_requested_range_have_no_uncle() {
        assert_eq!(request(0, 0, 2, 5).uncles(), Ok(5));
        assert_eq!(request(0, 0, 4, 5).uncles(), Ok(4));
        assert_eq!(request(4, 512, 512, 9).uncles(), Ok(1));
        assert_eq!(request(0, 0, 512, 8).uncles(), Ok(0));
        assert_eq!(request(0, 0, 512, 0).uncles(), Ok(0));
        assert_eq!(request(4, 512, 1, 9).uncles(), Ok(10));
    }

    #[test]
    fn hashes_come_apart_into_layer_and_uncles() {
        let all = [[1; 32], [2; 32], [3; 32]];
        let hashes = Hashes { request: request(0, 0, 2, 1), hashes: &all };
        assert_eq!(hashes.parts(), (&all[..2], &all[2..]));
        let short = Hashes { request: request(0, 0, 4, 1), hashes: &all };
        assert_eq!(short.parts(), (&[][..], &[][..]));
    }
}
