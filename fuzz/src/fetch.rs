//! What of the runtime's fetching does no I/O, compiled in here from its files: the runtime itself brings tokio and SQLite.

use crate::input::Input;
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

#[path = "../../crates/runtime/src/fetch/error.rs"]
mod error;
#[path = "../../crates/runtime/src/web/head.rs"]
mod head;
#[allow(dead_code)] // The download asks more of it than the target does.
#[path = "../../crates/runtime/src/fetch/plan.rs"]
mod plan;

pub(crate) use error::RangeError;
use plan::Plan;

/// Sources of a download.
const SOURCES: usize = 6;

/// The answer of a web server to a request for a range: read whole or in any part, it says the same, and never more than was
/// asked for is believed of it.
pub fn web_head(data: &[u8]) {
    let mut input = Input(data);
    let start = u64::from(input.u32());
    let bytes = input.0;
    let whole = head::parse(bytes, start);
    if let Ok(Some((used, head))) = &whole {
        assert!(*used <= bytes.len());
        if let head::Head::Bytes { skip, length, keep } = head {
            assert!(*skip == 0 || *skip == start);
            assert!(!keep || length.is_some(), "a connection is kept only where its end is known");
        }
        assert_eq!(head::parse(&bytes[..*used], start), whole, "what follows does not matter");
        let part = head::parse(&bytes[..used / 2], start);
        assert!(!matches!(part, Ok(Some((length, _))) if length > used / 2));
    }
    if let Err(RangeError::Busy { retry_after, .. }) = whole {
        assert!(retry_after <= Duration::from_secs(3_600), "no server silences itself for longer");
    }
}

/// Who fetches what of a file without a torrent: whatever sources do, no byte is asked of two at once, none beyond the end, what
/// came is where it belongs, and in the end all of it is here.
pub fn plain_plan(data: &[u8]) {
    let mut input = Input(data);
    let (size, block) = (u64::from(input.u32()) % (64 << 20), u64::from(input.u16()) << 6 | 1_024);
    let mut plan = Plan::new(size, block);
    let mut runs: BTreeMap<u32, Range<u64>> = BTreeMap::new();
    let mut now = Duration::ZERO;
    for _ in 0..400 {
        if input.is_empty() {
            break;
        }
        let (action, source) = (input.below(8), input.below(SOURCES) as u32);
        now += Duration::from_millis(u64::from(input.byte()) * 10);
        match action {
            0..=2 => ask(&mut plan, &mut runs, source, now),
            3..=5 => {
                let len = u64::from(input.u16()) * 97;
                receive(&mut plan, &mut runs, (source, len), now);
            }
            6 => {
                plan.give_back(source);
                runs.remove(&source);
            }
            _ => match input.below(3) {
                0 => plan.forget_all_but(source),
                _ => plan.forget(usize::from(input.byte())),
            },
        }
        assert!(plan.done() <= size);
        assert_eq!(plan.is_complete(), plan.done() == size);
    }
    finish(&mut plan, now, size);
}

fn ask(plan: &mut Plan, runs: &mut BTreeMap<u32, Range<u64>>, source: u32, now: Duration) {
    if runs.contains_key(&source) {
        return;
    }
    let Some(choice) = plan.choose(source, now) else { return };
    if let Some((other, end)) = choice.shorten {
        let run = runs.get_mut(&other).expect("only who has a run is to send less");
        assert!(run.start <= end && end <= run.end);
        run.end = end;
    }
    let range = choice.range;
    assert!(range.start < range.end);
    for (other, run) in &runs.clone() {
        let apart = run.end <= range.start || range.end <= run.start || run.is_empty();
        assert!(apart, "{other} fetches {run:?}, and {source} is to fetch {range:?}");
    }
    runs.insert(source, range);
}

fn receive(plan: &mut Plan, runs: &mut BTreeMap<u32, Range<u64>>, (source, len): (u32, u64), now: Duration) {
    let (taken, whole) = plan.received(source, len, now);
    match runs.get_mut(&source) {
        Some(run) => {
            assert_eq!(
                taken,
                run.start..run.end.min(run.start + len),
                "in order, and no more than asked for"
            );
            run.start = taken.end;
        }
        None => assert!(taken.is_empty()),
    }
    for block in whole {
        assert!(plan.is_here(block) && plan.sender(block) == Some(source));
    }
}

/// One patient source brings what is missing.
fn finish(plan: &mut Plan, now: Duration, size: u64) {
    (0..SOURCES as u32).for_each(|source| plan.give_back(source));
    for _ in 0..200_000 {
        let Some(choice) = plan.choose(0, now) else { break };
        plan.received(0, choice.range.end - choice.range.start, now + Duration::from_secs(1));
        plan.give_back(0);
    }
    assert!(plan.is_complete() && plan.done() == size);
}
