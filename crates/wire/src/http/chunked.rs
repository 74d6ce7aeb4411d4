//! Bodies in chunks, as lists of files come (section 11.7): sizes are taken out, bytes handed on.

/// Bytes of a size line at most.
const MAX_LINE: usize = 64;
/// Lines after the last chunk at most.
const MAX_TRAILERS: u32 = 32;

/// Why a body is no row of chunks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the body's chunks are malformed")]
pub struct ChunkError;

/// What stands next in a body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Chunk<'a> {
    /// Bytes of the body.
    Data(&'a [u8]),
    /// More must come.
    More,
    /// The body is over.
    End,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Size,
    Data(u64),
    AfterData,
    Trailers(u32),
    End,
}

/// How far a body has come.
#[derive(Clone, Debug)]
pub struct Chunks {
    state: State,
    line: Vec<u8>,
}

impl Default for Chunks {
    fn default() -> Chunks {
        Chunks { state: State::Size, line: Vec::new() }
    }
}

impl Chunks {
    /// Takes from the front of `bytes`; to be called until it wants more or the body is over.
    pub fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<Chunk<'a>, ChunkError> {
        loop {
            match self.state {
                State::End => return Ok(Chunk::End),
                State::Data(left) => {
                    let taken = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    let (data, rest) = bytes.split_at(taken);
                    *bytes = rest;
                    let left = left - taken as u64;
                    self.state = if left == 0 { State::AfterData } else { State::Data(left) };
                    return Ok(if data.is_empty() { Chunk::More } else { Chunk::Data(data) });
                }
                State::Size | State::AfterData | State::Trailers(_) => {
                    let Some(line) = self.take_line(bytes)? else { return Ok(Chunk::More) };
                    self.on_line(&line)?;
                }
            }
        }
    }

    fn take_line(&mut self, bytes: &mut &[u8]) -> Result<Option<Vec<u8>>, ChunkError> {
        let end = bytes.iter().take(MAX_LINE + 1).position(|byte| *byte == b'\n');
        let taken = end.map_or(bytes.len(), |end| end + 1);
        if self.line.len() + taken > MAX_LINE {
            return Err(ChunkError);
        }
        self.line.extend_from_slice(&bytes[..taken]);
        *bytes = &bytes[taken..];
        Ok(end.map(|_| std::mem::take(&mut self.line)))
    }

    fn on_line(&mut self, line: &[u8]) -> Result<(), ChunkError> {
        let line = line.trim_ascii();
        self.state = match self.state {
            State::Size => {
                let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
                let text = std::str::from_utf8(digits).map_err(|_| ChunkError)?;
                match u64::from_str_radix(text, 16).map_err(|_| ChunkError)? {
                    0 => State::Trailers(0),
                    size => State::Data(size),
                }
            }
            State::AfterData if line.is_empty() => State::Size,
            State::Trailers(_) if line.is_empty() => State::End,
            State::Trailers(count) if count < MAX_TRAILERS => State::Trailers(count + 1),
            _ => return Err(ChunkError),
        };
        Ok(())
    }
}
