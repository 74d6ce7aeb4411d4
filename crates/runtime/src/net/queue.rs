//! What waits to leave on one stream: control bytes, shared bytes, and extents read as late as possible.
//!
//! Invariant: the lengths of the `Control` items sum to the unsent bytes of `control`.

use super::{Application, Read};
use bytes::Bytes;
use std::collections::VecDeque;
use std::io::IoSlice;
use std::ops::Range;
use throng_machine::Extent;

/// Segments of one vectored write: 32 blocks with their headers, half of what Linux takes.
const MAX_SEGMENTS: usize = 64;
/// Memory an idle queue keeps for control bytes.
const KEPT_CONTROL: usize = 4 << 10;

enum Item {
    Control(usize),
    Shared(Bytes),
    Extent(Extent),
}

/// Bytes and names of bytes that wait for a stream to take them.
#[derive(Default)]
pub(super) struct OutQueue {
    items: VecDeque<Item>,
    control: Vec<u8>,
    sent: usize,
}

enum Segment {
    Control(Range<usize>),
    Shared(usize),
    Data(Range<usize>),
}

/// What the next write is made of.
pub(super) struct Gathered {
    segments: Vec<Segment>,
    len: usize,
    /// Why gathering stopped, if an extent could not be read at once.
    pub(super) stopped_by: Option<Read>,
}

impl Gathered {
    /// Empty, with room for a whole write; meant to be reused.
    pub(super) fn new() -> Gathered {
        Gathered { segments: Vec::with_capacity(MAX_SEGMENTS), len: 0, stopped_by: None }
    }

    /// Bytes gathered.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    fn clear(&mut self) {
        self.segments.clear();
        self.len = 0;
        self.stopped_by = None;
    }

    fn is_full(&self) -> bool {
        self.segments.len() >= MAX_SEGMENTS
    }
}

impl OutQueue {
    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Appends bytes, copied.
    pub(super) fn push_control(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.control.extend_from_slice(bytes);
        match self.items.back_mut() {
            Some(Item::Control(len)) => *len += bytes.len(),
            _ => self.items.push_back(Item::Control(bytes.len())),
        }
    }

    /// Appends shared bytes.
    pub(super) fn push_shared(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.items.push_back(Item::Shared(bytes));
        }
    }

    /// Appends file data by name.
    pub(super) fn push_extent(&mut self, extent: Extent) {
        if extent.len > 0 {
            self.items.push_back(Item::Extent(extent));
        }
    }

    /// Prepares a write of up to `room` bytes, reading extents into `data`, contiguous ones in one go.
    pub(super) fn gather<A: Application>(
        &self,
        room: usize,
        data: &mut [u8],
        app: &mut A,
        gathered: &mut Gathered,
    ) {
        gathered.clear();
        let room = room.min(data.len());
        let (mut control, mut filled) = (self.sent, 0);
        let mut run: Option<Run> = None;
        for (index, item) in self.items.iter().enumerate() {
            let left = room.saturating_sub(gathered.len);
            if left == 0 || gathered.is_full() {
                break;
            }
            let (segment, len) = match item {
                Item::Control(len) => {
                    control += len;
                    (Segment::Control(control - len..control), *len)
                }
                Item::Shared(bytes) => (Segment::Shared(index), bytes.len()),
                Item::Extent(extent) => {
                    let part =
                        Extent { len: extent.len.min(u32::try_from(left).unwrap_or(u32::MAX)), ..*extent };
                    if !run.as_mut().is_some_and(|run| run.extend(part)) {
                        if let Some(run) = run.take()
                            && !run.read(app, data, gathered)
                        {
                            return;
                        }
                        let (segments, before) = (gathered.segments.len(), gathered.len);
                        run = Some(Run { extent: part, at: filled, segments, before });
                    }
                    filled += part.len as usize;
                    (Segment::Data(filled - part.len as usize..filled), part.len as usize)
                }
            };
            gathered.segments.push(segment);
            gathered.len += len;
        }
        if let Some(run) = run {
            run.read(app, data, gathered);
        }
    }

    /// The gathered segments as the system takes them; `slices` is filled from its beginning.
    pub(super) fn slices<'a>(
        &'a self,
        gathered: &Gathered,
        data: &'a [u8],
        slices: &mut [IoSlice<'a>; MAX_SEGMENTS],
    ) -> usize {
        for (segment, slice) in gathered.segments.iter().zip(slices.iter_mut()) {
            *slice = IoSlice::new(match segment {
                Segment::Control(range) => &self.control[range.clone()],
                Segment::Data(range) => &data[range.clone()],
                Segment::Shared(index) => match &self.items[*index] {
                    Item::Shared(bytes) => bytes,
                    _ => &[],
                },
            });
        }
        gathered.segments.len()
    }

    /// An array to be filled by [`OutQueue::slices`].
    pub(super) fn no_slices<'a>() -> [IoSlice<'a>; MAX_SEGMENTS] {
        [IoSlice::new(&[]); MAX_SEGMENTS]
    }

    /// Forgets the first `count` bytes: they have left.
    pub(super) fn advance(&mut self, mut count: usize) {
        while count > 0
            && let Some(front) = self.items.front_mut()
        {
            let taken = match front {
                Item::Control(len) => {
                    let taken = count.min(*len);
                    *len -= taken;
                    self.sent += taken;
                    taken
                }
                Item::Shared(bytes) => {
                    let taken = count.min(bytes.len());
                    *bytes = bytes.slice(taken..);
                    taken
                }
                Item::Extent(extent) => {
                    let taken = count.min(extent.len as usize);
                    extent.offset += taken as u64;
                    extent.len -= taken as u32;
                    taken
                }
            };
            count -= taken;
            if front.is_spent() {
                self.items.pop_front();
            }
        }
        self.compact();
    }

    /// Puts data that was read elsewhere in the place of the extents that name it, from the front.
    pub(super) fn fill_in(&mut self, read: Extent, bytes: &Bytes) {
        let mut at = 0usize;
        for item in &mut self.items {
            let Item::Extent(extent) = item else { continue };
            let left = bytes.len().saturating_sub(at);
            let follows = extent.content == read.content && extent.offset == read.offset + at as u64;
            if !follows || left < extent.len as usize {
                break;
            }
            let end = at + extent.len as usize;
            *item = Item::Shared(bytes.slice(at..end));
            at = end;
        }
    }

    /// The first extent and those that follow it in content and queue, up to `limit` bytes unless the first is longer.
    pub(super) fn first_run(&self, limit: u32) -> Option<Extent> {
        let mut extents = self.items.iter().filter_map(|item| match item {
            Item::Extent(extent) => Some(*extent),
            _ => None,
        });
        let mut run = extents.next()?;
        for next in extents {
            let joined = run.len.saturating_add(next.len);
            if next.content != run.content || next.offset != run.offset + u64::from(run.len) || joined > limit
            {
                break;
            }
            run.len = joined;
        }
        Some(run)
    }

    fn compact(&mut self) {
        if self.sent == self.control.len() {
            self.control.clear();
            self.control.shrink_to(KEPT_CONTROL);
            self.sent = 0;
        } else if self.sent > self.control.len() / 2 + KEPT_CONTROL {
            self.control.drain(..self.sent);
            self.sent = 0;
        }
    }
}

impl Item {
    fn is_spent(&self) -> bool {
        match self {
            Item::Control(len) => *len == 0,
            Item::Shared(bytes) => bytes.is_empty(),
            Item::Extent(extent) => extent.len == 0,
        }
    }
}

/// Extents that follow each other, to be read by one call.
struct Run {
    extent: Extent,
    at: usize,
    segments: usize,
    before: usize,
}

impl Run {
    fn extend(&mut self, next: Extent) -> bool {
        let follows = next.content == self.extent.content
            && next.offset == self.extent.offset + u64::from(self.extent.len);
        if follows {
            self.extent.len += next.len;
        }
        follows
    }

    /// Reads the run; if that fails now, takes back all segments from its first on and says so.
    fn read<A: Application>(&self, app: &mut A, data: &mut [u8], gathered: &mut Gathered) -> bool {
        let into = &mut data[self.at..self.at + self.extent.len as usize];
        let read = app.read_now(self.extent, into);
        if read == Read::Done {
            return true;
        }
        gathered.segments.truncate(self.segments);
        gathered.stopped_by = Some(read);
        gathered.len = self.before;
        false
    }
}

#[cfg(test)]
impl OutQueue {
    /// Bytes of memory held, shared ones aside.
    pub(super) fn memory(&self) -> usize {
        self.control.capacity() + self.items.capacity() * size_of::<Item>()
    }
}
