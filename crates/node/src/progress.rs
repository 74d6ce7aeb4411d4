//! How far a work has come: a bar on a terminal, objects with `--json`, else a line now and then.

use crate::output::{Level, Output};
use crate::units;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two JSON objects.
const JSON_EVERY: Duration = Duration::from_millis(400);
/// Between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Amounts come first, so that bars of several works stand below each other.
const BAR: &str = "{prefix:16} {bar:24} {binary_bytes:>11} of {binary_total_bytes:11} {msg}";

/// For a work whose end is not known.
const WORDS: &str = "{prefix:16} {msg}";

/// One work under way; may be told from several threads.
pub(crate) struct Progress {
    output: Output,
    what: String,
    started: Instant,
    bar: Option<ProgressBar>,
    reported: Mutex<Reported>,
}

/// What was said last.
struct Reported {
    at: Instant,
    line: String,
}

/// How a work stands.
pub(crate) struct Standing {
    /// Bytes done.
    pub(crate) done: u64,
    /// Bytes in all; 0 for a work that has no end, of which only the words are shown.
    pub(crate) total: u64,
    /// What else people want to know.
    pub(crate) words: String,
    /// What else programs want to know, an object.
    pub(crate) fields: Value,
}

impl Progress {
    /// Begins; `what` names it ("hashing").
    pub(crate) fn begin(output: &Output, what: &str) -> Progress {
        let bar = || ProgressBar::no_length().with_style(style(WORDS)).with_prefix(what.to_owned());
        let bar = output.bars().map(|bars| bars.add(bar()));
        let started = Instant::now();
        let reported = Mutex::new(Reported { at: started, line: String::new() });
        Progress { output: output.clone(), what: what.to_owned(), started, bar, reported }
    }

    /// So many bytes are done of so many.
    pub(crate) fn update(&self, done: u64, total: u64) {
        self.show(|| Standing {
            done,
            total,
            words: units::rate(units::per_second(done, self.elapsed())),
            fields: json!({}),
        });
    }

    /// Shows how it stands if it is time to; asked only then.
    pub(crate) fn show(&self, standing: impl FnOnce() -> Standing) {
        match &self.bar {
            Some(bar) => self.draw(bar, &standing()),
            None if self.output.is_json() => {
                if self.is_due(JSON_EVERY) {
                    self.event(standing());
                }
            }
            None => {
                if self.output.level() > Level::Quiet && self.is_due(LINE_EVERY) {
                    self.line(&standing());
                }
            }
        }
    }

    /// It is over; the bar goes away.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// It is over; the bar stays.
    pub(crate) fn keep(&self) {
        if let Some(bar) = &self.bar {
            bar.abandon();
        }
    }

    /// Since it began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn draw(&self, bar: &ProgressBar, standing: &Standing) {
        if bar.length() != Some(standing.total) || standing.total == 0 {
            bar.set_style(style(if standing.total == 0 { WORDS } else { BAR }));
            bar.set_length(standing.total);
        }
        bar.set_position(standing.done);
        bar.set_message(standing.words.clone());
        if self.output.is_json() && self.is_due(JSON_EVERY) {
            self.event(Standing { words: String::new(), fields: standing.fields.clone(), ..*standing });
        }
    }

    fn event(&self, standing: Standing) {
        let mut fields = standing.fields;
        if let Value::Object(fields) = &mut fields {
            fields.insert("what".into(), self.what.clone().into());
            // A work that counts something else than bytes says so itself.
            fields.entry("done").or_insert(standing.done.into());
            fields.entry("total").or_insert(standing.total.into());
        }
        self.output.event("progress", fields);
    }

    fn line(&self, Standing { done, total, words, .. }: &Standing) {
        let what = &self.what;
        let line = match total {
            0 => format!("{what}: {words}"),
            _ => {
                let percent = *done as f64 * 100.0 / *total as f64;
                format!("{what}: {percent:.1} % of {}, {words}", units::size(*total))
            }
        };
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        // What has not changed is not worth another line.
        if reported.line != line {
            self.output.say(&line);
            reported.line = line;
        }
    }

    /// Whether the last report is old enough; if so this is the new one.
    fn is_due(&self, every: Duration) -> bool {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        let due = reported.at.elapsed() >= every;
        if due {
            reported.at = Instant::now();
        }
        due
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are constant and right; if one were not, a plain bar would do.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}
