//! The log: on standard error, past the progress bars, as lines for people or as objects for programs.

use crate::cli::LogFormat;
use crate::output::Output;
use serde_json::{Map, Value};
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Begins it; `THRONG_LOG` sets what it shows.
pub(crate) fn start(output: &Output, filter: &str, format: LogFormat) {
    let filter = std::env::var("THRONG_LOG").unwrap_or_else(|_| filter.to_owned());
    let output = output.clone();
    let log = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        .with_writer(move || output.clone())
        .with_ansi(false);
    // Fails only if there is a log already.
    let _ = match format {
        LogFormat::Text => log.with_target(false).without_time().try_init(),
        LogFormat::Json => log.event_format(Objects).try_init(),
    };
}

/// One object a line.
struct Objects;

impl<S, N> FormatEvent<S, N> for Objects
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let meta = event.metadata();
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let own = [
            ("time", Value::from(seconds)),
            ("level", meta.level().as_str().to_ascii_lowercase().into()),
            ("target", meta.target().into()),
        ];
        own.into_iter().for_each(|(key, value)| _ = fields.0.insert(key.to_owned(), value));
        writeln!(out, "{}", Value::Object(fields.0))
    }
}

/// What an event says; `message` is its text.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_logged_event_is_one_object_with_its_fields_whatever_they_hold() {
        let page = Page::default();
        let to = page.clone();
        let log = tracing_subscriber::fmt().with_writer(move || to.clone()).event_format(Objects).finish();
        tracing::subscriber::with_default(log, || {
            tracing::warn!(peer = "a\n\"b", count = 3, up = true, "it \u{1b}[31m went");
        });
        let bytes = page.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text.lines().count(), 1, "{text:?}");
        let object: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&object["level"], &object["peer"], &object["count"]),
            (&"warn".into(), &"a\n\"b".into(), &3.into())
        );
        assert_eq!((&object["up"], &object["message"]), (&true.into(), &"it \u{1b}[31m went".into()));
        assert!(object["time"].as_f64() > Some(1e9) && object["target"].as_str().is_some());
    }
}
