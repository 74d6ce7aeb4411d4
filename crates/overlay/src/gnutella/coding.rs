//! Deflated links (section 3): one zlib stream each way for the link's life. What is sent waits as it is until it is
//! flushed, and is then deflated without a memory of what was before ([`Packer`]).
//!
//! What comes is inflated in steps of bounded size, each looked at before the next is made, so that a bomb takes no
//! memory; one that goes on inflating beyond what any traffic does ends the link.

use super::pack::{Packer, ZLIB};
use super::violation::Violation;
use flate2::{Decompress, FlushDecompress, Status};

/// Bytes inflated before they are looked at; room for them is cleared each time, so that it is what a link brings at a
/// time.
pub(super) const STEP: usize = 4 << 10;
/// Beyond this much inflated, the ratio counts.
const SPARED: u64 = 1 << 20;
/// Queries and hits deflate to a third, route tables are deflated already; thirty times as much is made up.
const MOST_RATIO: u64 = 30;

/// Bytes that are sent without waiting for more, as gtk-gnutella does.
const FULL: usize = 4 << 10;

/// The receiving side.
pub(super) struct Inflater {
    state: Decompress,
}

/// The sending side.
#[derive(Default, Debug)]
pub(super) struct Deflater {
    /// What is to be deflated and written to the stream.
    waiting: Vec<u8>,
    /// The stream has begun.
    begun: bool,
}

impl Inflater {
    pub(super) fn new() -> Inflater {
        Inflater { state: Decompress::new(true) }
    }

    /// Appends at most [`STEP`] inflated bytes to `out` and takes what they needed off `input`; says whether there may
    /// be more.
    pub(super) fn step(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Result<bool, Violation> {
        let (begin, taken) = (out.len(), self.state.total_in());
        out.resize(begin + STEP, 0);
        let produced = self.state.total_out();
        let status = self.state.decompress(input, &mut out[begin..], FlushDecompress::None);
        let made = (self.state.total_out() - produced) as usize;
        out.truncate(begin + made);
        let used = (self.state.total_in() - taken) as usize;
        *input = input.get(used..).unwrap_or_default();
        match status {
            Ok(Status::StreamEnd) | Err(_) => return Err(Violation::Deflated),
            Ok(Status::Ok | Status::BufError) => {}
        }
        let total = self.state.total_out();
        if total > SPARED && total / MOST_RATIO > self.state.total_in() {
            return Err(Violation::Deflated);
        }
        // What was held back comes alone: there may be more although nothing was taken.
        Ok(made == STEP || (!input.is_empty() && used + made > 0))
    }
}

impl Deflater {
    /// Takes a message; says whether it is the first since the last flush.
    pub(super) fn write(&mut self, message: &[u8]) -> bool {
        let first = self.waiting.is_empty();
        self.waiting.extend_from_slice(message);
        first
    }

    /// Whether more waits than should.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= FULL
    }

    /// All that is to be written, so that the other side can read every message so far.
    pub(super) fn flush(&mut self, packer: &mut Packer) -> Vec<u8> {
        let waiting = std::mem::take(&mut self.waiting);
        let mut out = Vec::new();
        if !waiting.is_empty() && !std::mem::replace(&mut self.begun, true) {
            out.extend_from_slice(&ZLIB);
        }
        packer.pack(&waiting, &mut out);
        out
    }
}

impl std::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflater").field("total_out", &self.state.total_out()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inflate(inflater: &mut Inflater, mut input: &[u8]) -> Result<Vec<u8>, Violation> {
        let mut out = Vec::new();
        while inflater.step(&mut input, &mut out)? {}
        Ok(out)
    }

    #[test]
    fn what_was_flushed_can_be_read_whole_however_it_is_cut() {
        let (mut deflater, mut packer) = (Deflater::default(), Packer::default());
        let mut inflater = Inflater::new();
        for size in [1_usize, 100, 5_000, 200_000, 3] {
            let message: Vec<u8> = (0..size).map(|at| (at * at % 251) as u8).collect();
            assert!(deflater.write(&message[..size.div_ceil(2)]));
            assert!(!deflater.write(&message[size.div_ceil(2)..]));
            let packed = deflater.flush(&mut packer);
            let cut = packed.len() / 3;
            let read = [
                inflate(&mut inflater, &packed[..cut]).unwrap(),
                inflate(&mut inflater, &packed[cut..]).unwrap(),
            ];
            assert_eq!(read.concat(), message);
        }
        assert!(deflater.flush(&mut packer).is_empty(), "nothing new");
    }

    #[test]
    fn a_bomb_is_found_before_it_takes_memory() {
        let mut bomb = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut bomb, &vec![0; 64 << 20]).unwrap();
        let bomb = bomb.finish().unwrap();
        let (mut inflater, mut input, mut made) = (Inflater::new(), &bomb[..], 0);
        let found = loop {
            let mut out = Vec::new();
            let step = inflater.step(&mut input, &mut out);
            made += out.len();
            assert!(out.len() <= STEP);
            if step.is_err() {
                break step;
            }
        };
        assert_eq!(found, Err(Violation::Deflated));
        assert!(made <= 2 << 20, "{made} bytes were made");
    }

    #[test]
    fn broken_data_and_the_end_of_the_stream_are_violations() {
        assert_eq!(inflate(&mut Inflater::new(), &[0x78, 0x9c, 0xff, 0xff, 0xff]), Err(Violation::Deflated));
        let mut whole = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut whole, b"abc").unwrap();
        assert_eq!(inflate(&mut Inflater::new(), &whole.finish().unwrap()), Err(Violation::Deflated));
    }
}
