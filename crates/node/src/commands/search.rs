//! `throng search`.

use super::Context;
use super::node::call;
use crate::cli::SearchArgs;
use crate::daemon::client::Client;
use crate::daemon::report::{HitReport, SearchRequest, SearchStep};
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::{text, units};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Hits that come within this are sorted among each other; a signature that is being looked up has arrived by then.
const TOGETHER: Duration = Duration::from_millis(400);
/// Letters of a title shown.
const TITLE: usize = 60;

/// Searches.
pub(crate) fn run(args: &SearchArgs, context: &Context) -> Outcome {
    let client = Client::new(&context.home)?;
    let request = SearchRequest {
        words: args.words.clone(),
        systems: args.systems.clone(),
        limit: Some(args.limit),
        timeout_seconds: Some(args.timeout.as_secs()),
    };
    let output = context.output.clone();
    let hits = call(context, move || {
        let mut shown = Shown::new(output);
        client.ask_and_watch("search", &request, |step| {
            shown.step(step);
            Ok(())
        })?;
        shown.finish()
    })?;
    if hits > 0 { Ok(()) } else { Err(Failure::failed("nothing was found")) }
}

/// Hits as they are shown: those of a moment together, the best first.
struct Shown {
    output: Output,
    waiting: BTreeMap<String, HitReport>,
    since: Instant,
    shown: usize,
    total: Option<usize>,
}

impl Shown {
    fn new(output: Output) -> Shown {
        Shown { output, waiting: BTreeMap::new(), since: Instant::now(), shown: 0, total: None }
    }

    fn step(&mut self, step: SearchStep) {
        self.output.event_of(&step);
        match step {
            SearchStep::Asked { systems } => {
                self.output.detail(format_args!("asking {}", systems.join(", ")));
            }
            SearchStep::Hit { hit } => {
                if self.waiting.is_empty() {
                    self.since = Instant::now();
                }
                hit.replaces.iter().for_each(|old| _ = self.waiting.remove(old));
                self.waiting.insert(hit.id.clone(), *hit);
            }
            SearchStep::SystemDone { system, trouble: Some(trouble) } => {
                self.output.note(format_args!("{}: {}", text::line(&system), text::line(&trouble)));
            }
            SearchStep::SystemDone { system, trouble: None } => {
                self.output.detail(format_args!("{} has answered", text::line(&system)));
            }
            SearchStep::Done { hits, silent } => {
                self.total = Some(hits);
                if !silent.is_empty() {
                    let silent = text::line(&silent.join(", "));
                    self.output.note(format_args!("{silent} did not answer in time"));
                }
            }
        }
        if self.since.elapsed() >= TOGETHER {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let mut hits: Vec<HitReport> = std::mem::take(&mut self.waiting).into_values().collect();
        hits.sort_by(|one, other| other.rank.total_cmp(&one.rank));
        self.shown += hits.len();
        hits.iter().for_each(|hit| self.output.print(line(hit)));
        self.since = Instant::now();
    }

    fn finish(mut self) -> Outcome<usize> {
        self.flush();
        self.total.ok_or_else(|| Failure::failed("the node stopped before the search was over"))
    }
}

fn line(hit: &HitReport) -> String {
    let title: String = text::line(&hit.title).chars().take(TITLE).collect();
    let size = if hit.size > 0 { units::size(hit.size) } else { "size unknown".into() };
    let live = if hit.live > 0 { format!(", {} live", hit.live) } else { String::new() };
    let sources = units::plural(hit.sources as u64, "source");
    let trust = match (hit.verified, hit.provable) {
        (true, _) => "verified",
        (false, true) => "unsigned",
        (false, false) => "unverified",
    };
    let own = if hit.own { ", yours" } else { "" };
    let systems = text::line(&hit.systems.join("+"));
    format!("{}  {title}  {size}  {sources}{live}  {systems}  {trust}{own}", text::line(&hit.id))
}
