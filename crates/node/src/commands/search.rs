//! `throng search`.

use super::Context;
use super::node::call;
use crate::cli::SearchArgs;
use crate::daemon::client::Client;
use crate::daemon::report::{
    HitReport, SearchRequest, SearchStep, StandingAnswer, StandingRequest, StandingsReport,
};
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::{text, units};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Hits that come within this after the first are sorted among each other.
const TOGETHER: Duration = Duration::from_millis(200);
/// Letters of a title shown.
const TITLE: usize = 60;

/// Searches.
pub(crate) fn run(args: &SearchArgs, context: &Context) -> Outcome {
    let client = Client::new(&context.home)?;
    if args.standing || args.list_standing || args.end_standing.is_some() {
        return standing(args, client, context);
    }
    let request = SearchRequest {
        words: args.words.clone(),
        systems: args.systems.clone(),
        limit: Some(args.limit),
        timeout_seconds: args.timeout.map(|time| time.as_secs()),
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

/// Sets up, shows or ends standing searches.
fn standing(args: &SearchArgs, client: Client, context: &Context) -> Outcome {
    let output = context.output.clone();
    if let Some(id) = args.end_standing.clone() {
        let path = format!("standing/{id}/remove");
        call(context, move || client.post::<serde_json::Value>(&path, &serde_json::json!({})))?;
        output.print("ended");
        return Ok(());
    }
    if args.standing {
        let request = StandingRequest { words: args.words.clone(), systems: args.systems.clone() };
        let StandingAnswer { id } = call(context, move || client.post("standing", &request))?;
        output.print(format_args!("standing search {id}; new hits are notices of the node"));
        output.event("standing", serde_json::json!({ "id": id }));
        return Ok(());
    }
    let StandingsReport { searches } = call(context, move || client.get("standing"))?;
    for search in &searches {
        output.event("standing", serde_json::to_value(search).map_err(anyhow::Error::from)?);
        let words = text::line(&search.words.join(" "));
        output.print(format_args!(
            "{}  {words}  {}",
            search.id,
            units::plural(search.hits.len() as u64, "hit")
        ));
        for hit in &search.hits {
            output.print(format_args!("  {}  {}  {}", hit.id, text::line(&hit.title), units::size(hit.size)));
        }
    }
    Ok(())
}

/// Hits as they are shown: those of a moment together, the best first.
struct Shown {
    output: Output,
    waiting: BTreeMap<String, HitReport>,
    since: Instant,
    /// What was shown of each: whether it was verified, and whether a source had answered.
    shown: BTreeMap<String, (bool, bool)>,
    total: Option<usize>,
}

impl Shown {
    fn new(output: Output) -> Shown {
        let (waiting, shown) = (BTreeMap::new(), BTreeMap::new());
        Shown { output, waiting, since: Instant::now(), shown, total: None }
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
                let is_first = self.shown.is_empty();
                hit.replaces.iter().for_each(|old| _ = self.waiting.remove(old));
                self.waiting.insert(hit.id.clone(), *hit);
                if is_first {
                    self.flush();
                }
            }
            SearchStep::SystemDone { system, trouble: Some(trouble) } => {
                self.output.note(format_args!("{}: {}", text::line(&system), text::line(&trouble)));
            }
            SearchStep::SystemDone { system, trouble: None } => {
                self.output.detail(format_args!("{} has answered", text::line(&system)));
            }
            SearchStep::Done { hits, dead, silent, took_ms, .. } => {
                self.total = Some(hits);
                self.output.detail(format_args!("over after {took_ms} ms"));
                if dead > 0 {
                    let dead = units::plural(dead as u64, "hit");
                    self.output.note(format_args!("{dead} more: no source of these answers"));
                }
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
        for hit in hits {
            let now = (hit.verified, hit.live > 0);
            // Only what makes a difference to whoever chooses is worth a second line.
            if self.shown.insert(hit.id.clone(), now) != Some(now) {
                self.output.print(line(&hit));
            }
        }
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
    let live = match (hit.live, hit.checked) {
        (0, 0) if !hit.own => ", unchecked".into(),
        (0, 1..) => ", none answers".into(),
        (0, 0) => String::new(),
        (live, _) => format!(", {live} live"),
    };
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
