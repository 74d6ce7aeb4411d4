//! How servers prove that they know each other's passwords, and the zlib streams behind it (section 9).
//!
//! Invariant: [`Inflater::inflate`] never appends more than it is told to, so what a link sends cannot fill memory.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use md5::{Digest, Md5};

use super::NapsterError;

/// Hexadecimal digits of a proof or a nonce-sized word.
pub const PROOF_LEN: usize = 32;

/// What a server sends as 10011: MD5 of the peer's nonce, its own and the password it sends, in capitals.
pub fn link_proof(peer_nonce: &[u8], own_nonce: &[u8], password: &[u8]) -> [u8; PROOF_LEN] {
    let digest =
        Md5::new().chain_update(peer_nonce).chain_update(own_nonce).chain_update(password).finalize();
    let mut proof = [0; PROOF_LEN];
    for (pair, byte) in proof.chunks_exact_mut(2).zip(digest.iter()) {
        pair.copy_from_slice(&[hex_digit(byte >> 4), hex_digit(byte & 15)]);
    }
    proof
}

fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 }
}

/// Our direction of a link, or of a client's session with a zlib level (N5).
#[derive(Debug)]
pub struct Deflater {
    stream: Compress,
}

impl Deflater {
    /// One zlib stream of that level; 0 stores.
    pub fn new(level: u32) -> Self {
        Deflater { stream: Compress::new(Compression::new(level.min(9)), true) }
    }

    /// Appends `data` compressed and flushed, so that the other side can read all of it.
    pub fn deflate(&mut self, mut data: &[u8], out: &mut Vec<u8>) -> Result<(), NapsterError> {
        loop {
            out.reserve(data.len() / 2 + 64);
            let before = self.stream.total_in();
            let status = self.stream.compress_vec(data, out, FlushCompress::Sync);
            let consumed = (self.stream.total_in() - before) as usize;
            data = &data[consumed..];
            match status {
                // Spare room left means that the flush is complete.
                Ok(Status::Ok | Status::BufError) if data.is_empty() && out.len() < out.capacity() => {
                    return Ok(());
                }
                Ok(Status::Ok | Status::BufError) => {}
                Ok(Status::StreamEnd) | Err(_) => return Err(NapsterError::Inflate),
            }
        }
    }
}

/// The peer's direction of a link.
#[derive(Debug)]
pub struct Inflater {
    stream: Decompress,
}

impl Default for Inflater {
    fn default() -> Self {
        Inflater::new()
    }
}

impl Inflater {
    /// Begins with the stream's header.
    pub fn new() -> Self {
        Inflater { stream: Decompress::new(true) }
    }

    /// Appends at most `room` bytes to `out` and says how much of `input` was taken; call again with the rest (and
    /// with an empty input, if all room was used) once what came out has been dealt with.
    pub fn inflate(&mut self, input: &[u8], out: &mut Vec<u8>, room: usize) -> Result<usize, NapsterError> {
        let (before_in, before_out) = (self.stream.total_in(), self.stream.total_out());
        let start = out.len();
        out.resize(start + room, 0);
        let status = self.stream.decompress(input, &mut out[start..], FlushDecompress::Sync);
        let produced = (self.stream.total_out() - before_out) as usize;
        out.truncate(start + produced.min(room));
        match status {
            Ok(Status::Ok | Status::BufError) => Ok((self.stream.total_in() - before_in) as usize),
            // A link's stream has no end.
            Ok(Status::StreamEnd) | Err(_) => Err(NapsterError::Inflate),
        }
    }
}
