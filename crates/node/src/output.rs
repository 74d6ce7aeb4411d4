//! What a command says: results on standard output (text, or one JSON object a line), the rest on standard error.
//!
//! With `--json` nothing but objects appears on standard output; each has the key `event`. A reader that went away
//! (`| head`) does not stop the work; a full disk behind `>` fails the command at its end.

use indicatif::MultiProgress;
use serde_json::Value;
use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

/// How much is said on standard error.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Level {
    /// Failures only.
    Quiet,
    /// Progress and what a person may want to act on.
    Normal,
    /// Details too.
    Verbose,
}

/// Where a command's words go; clones go to the same place.
#[derive(Clone)]
pub(crate) struct Output {
    json: bool,
    level: Level,
    /// Progress bars, if standard error is a terminal and they are wanted.
    bars: Option<MultiProgress>,
    /// The first failure to write a result.
    broken: Arc<Mutex<Option<io::Error>>>,
}

impl Output {
    /// As the global options say.
    pub(crate) fn new(json: bool, level: Level) -> Output {
        let bars = io::stderr().is_terminal() && level > Level::Quiet;
        Output { json, level, bars: bars.then(MultiProgress::new), broken: Arc::default() }
    }

    /// Whether results are JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// How much is said on standard error.
    pub(crate) fn level(&self) -> Level {
        self.level
    }

    /// The progress bars, if there are any.
    pub(crate) fn bars(&self) -> Option<&MultiProgress> {
        self.bars.as_ref()
    }

    /// A result as text; not with `--json`.
    pub(crate) fn print(&self, text: impl Display) {
        if !self.json {
            self.write(&text.to_string());
        }
    }

    /// A result or a happening as JSON; not without `--json`. `fields` is an object.
    pub(crate) fn event(&self, event: &str, mut fields: Value) {
        if !self.json {
            return;
        }
        if let Value::Object(fields) = &mut fields {
            fields.insert("event".into(), event.into());
        }
        self.write(&fields.to_string());
    }

    /// A happening that serializes to an object with its own `event`; not without `--json`.
    pub(crate) fn event_of(&self, event: &impl serde::Serialize) {
        if self.json {
            self.write(&serde_json::to_string(event).unwrap_or_default());
        }
    }

    /// A result's bytes, exactly; not with `--json`.
    pub(crate) fn raw(&self, bytes: &[u8]) {
        if !self.json {
            self.apart(|| {
                let mut out = io::stdout().lock();
                if let Err(error) = out.write_all(bytes).and_then(|()| out.flush()) {
                    self.broken.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                }
            });
        }
    }

    /// An object that has its own form, such as the figures of a simulation.
    pub(crate) fn object(&self, object: &Value) {
        if self.json {
            self.write(&object.to_string());
        }
    }

    /// Something a person may want to know now; not with `-q`.
    pub(crate) fn note(&self, text: impl Display) {
        if self.level > Level::Quiet {
            self.say(&text.to_string());
        }
    }

    /// Something only the curious want to know.
    pub(crate) fn detail(&self, text: impl Display) {
        if self.level >= Level::Verbose {
            self.say(&text.to_string());
        }
    }

    /// A line on standard error, whatever the level.
    pub(crate) fn say(&self, text: &str) {
        self.apart(|| {
            // If standard error is gone there is nobody to tell.
            let _ = writeln!(io::stderr().lock(), "{text}");
        });
    }

    /// Why results could not be written, if they could not; a reader that went away is no failure.
    pub(crate) fn broken(&self) -> Option<io::Error> {
        let broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner).take();
        broken.filter(|error| error.kind() != io::ErrorKind::BrokenPipe)
    }

    fn write(&self, line: &str) {
        self.apart(|| {
            let mut out = io::stdout().lock();
            if let Err(error) = writeln!(out, "{line}").and_then(|()| out.flush()) {
                self.broken.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            }
        });
    }

    /// Writes with the bars out of the way.
    fn apart(&self, write: impl FnOnce()) {
        match &self.bars {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }
}

/// Log lines go where notes go, so that they do not tear the bars.
impl io::Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.apart(|| _ = io::stderr().lock().write_all(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
