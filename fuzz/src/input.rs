//! A cursor over the fuzzer's bytes; behind their end everything is zero, so that every input is a whole program.

/// What is left of an input.
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((byte, rest)) => {
                self.0 = rest;
                *byte
            }
            None => 0,
        }
    }

    /// A number below `bound` (at most 256); zero if `bound` is.
    pub fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { usize::from(self.byte()) % bound }
    }

    /// The next bit of a byte of its own: one in `odds`.
    pub fn one_in(&mut self, odds: usize) -> bool {
        self.below(odds) == odds - 1
    }

    /// Two bytes, big-endian.
    pub fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// Four bytes, big-endian.
    pub fn u32(&mut self) -> u32 {
        u32::from(self.u16()) << 16 | u32::from(self.u16())
    }

    /// At most `count` bytes.
    pub fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// As many bytes as the next byte says.
    pub fn run(&mut self) -> &'a [u8] {
        let count = usize::from(self.byte());
        self.bytes(count)
    }

    /// Cuts `whole` into parts whose lengths come from the input: one part if the first length is zero.
    pub fn split<'w>(&mut self, mut whole: &'w [u8]) -> Vec<&'w [u8]> {
        let mut parts = Vec::new();
        while !whole.is_empty() {
            let length = match usize::from(self.byte()) {
                0 => whole.len(),
                // Short parts cut headers, long ones blocks.
                length @ 1..128 => length,
                length => (length - 127) * 512,
            };
            let (part, rest) = whole.split_at(length.min(whole.len()));
            parts.push(part);
            whole = rest;
        }
        parts
    }
}
