//! Flow control of one link: what waits while the link is full, and what is given up first.
//!
//! A link may have a window of bytes under way; what comes meanwhile waits, the most important first. When too much
//! waits, the least important goes, the oldest first. Nothing is allocated while nothing waits.

use bytes::Bytes;
use std::collections::BTreeMap;
use throng_machine::Instant;

/// How much may be under way and wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlowLimits {
    /// Bytes written and not yet flushed above which messages wait; 32 KiB.
    pub window: u32,
    /// Bytes that may wait; 98,304 as in gtk-gnutella. Above half of it the link is congested until a quarter is left.
    pub waiting: u32,
}

impl Default for FlowLimits {
    fn default() -> FlowLimits {
        FlowLimits { window: 32 << 10, waiting: 98_304 }
    }
}

/// What goes first and what is given up last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Importance {
    /// The kind of message; [`Importance::CONTROL`] is never given up.
    pub class: u8,
    /// Within the kind.
    pub rank: u8,
}

impl Importance {
    /// What the link itself needs, such as route tables: kept in order, never given up.
    pub const CONTROL: Importance = Importance { class: u8::MAX, rank: 0 };
}

/// What became of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pushed {
    /// It waits.
    Waits,
    /// It, or less important ones in its place, were given up: so many.
    Dropped(u32),
    /// Even what may not be given up does not fit: the link must end.
    Overflow,
}

#[derive(Default, Debug)]
struct Waiting {
    /// Ascending importance, then age.
    messages: BTreeMap<(Importance, u32), Bytes>,
    bytes: u32,
    next: u32,
    congested: Option<Instant>,
}

/// What a link has under way and what waits for it.
#[derive(Default, Debug)]
pub struct SendQueue {
    unflushed: u32,
    waiting: Option<Box<Waiting>>,
}

impl SendQueue {
    /// Whether a message may be written at once: nothing waits and the window is open.
    pub fn is_open(&self, limits: &FlowLimits) -> bool {
        self.waiting.is_none() && self.unflushed < limits.window
    }

    /// So many bytes were written to the stream.
    pub fn wrote(&mut self, bytes: usize) {
        self.unflushed = self.unflushed.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
    }

    /// So many bytes left the stream's buffers.
    pub fn flushed(&mut self, bytes: u32) {
        self.unflushed = self.unflushed.saturating_sub(bytes);
    }

    /// Lets a message wait, if there is room or something less important to give up.
    pub fn push(
        &mut self,
        importance: Importance,
        message: Bytes,
        limits: &FlowLimits,
        now: Instant,
    ) -> Pushed {
        let waiting = self.waiting.get_or_insert_default();
        let size = u32::try_from(message.len()).unwrap_or(u32::MAX);
        let mut dropped = 0;
        while waiting.bytes.saturating_add(size) > limits.waiting {
            let Some(least) = waiting.messages.first_entry().filter(|entry| entry.key().0 < importance)
            else {
                let is_control = importance == Importance::CONTROL;
                self.tidy();
                return if is_control { Pushed::Overflow } else { Pushed::Dropped(dropped + 1) };
            };
            waiting.bytes -= least.remove().len() as u32;
            dropped += 1;
        }
        waiting.messages.insert((importance, waiting.next), message);
        waiting.next = waiting.next.wrapping_add(1);
        waiting.bytes += size;
        if waiting.bytes > limits.waiting / 2 {
            waiting.congested.get_or_insert(now);
        }
        if dropped > 0 { Pushed::Dropped(dropped) } else { Pushed::Waits }
    }

    /// The most important message, the oldest of its importance, if the window is open.
    pub fn pop(&mut self, limits: &FlowLimits) -> Option<Bytes> {
        if self.unflushed >= limits.window {
            return None;
        }
        let waiting = self.waiting.as_mut()?;
        let highest = waiting.messages.last_key_value()?.0.0;
        let key = *waiting.messages.range((highest, 0)..).next()?.0;
        let message = waiting.messages.remove(&key)?;
        waiting.bytes -= message.len() as u32;
        if waiting.bytes < limits.waiting / 4 {
            waiting.congested = None;
        }
        self.tidy();
        Some(message)
    }

    /// Gives up all that waits below an importance; how many were.
    pub fn give_up_below(&mut self, importance: Importance) -> u32 {
        let Some(waiting) = &mut self.waiting else { return 0 };
        let kept = waiting.messages.split_off(&(importance, 0));
        let gone = std::mem::replace(&mut waiting.messages, kept);
        waiting.bytes -= gone.values().map(|message| message.len() as u32).sum::<u32>();
        self.tidy();
        gone.len() as u32
    }

    /// Since when more waits than should.
    pub fn congested_since(&self) -> Option<Instant> {
        self.waiting.as_ref()?.congested
    }

    /// Bytes that wait.
    pub fn waiting(&self) -> u32 {
        self.waiting.as_ref().map_or(0, |waiting| waiting.bytes)
    }

    /// Bytes that wait or are under way.
    pub fn backlog(&self) -> u32 {
        self.waiting().saturating_add(self.unflushed)
    }

    fn tidy(&mut self) {
        if self.waiting.as_ref().is_some_and(|waiting| waiting.messages.is_empty()) {
            self.waiting = None;
        }
    }
}
