//! The closing table: what each system carried and how quickly it answered.

use super::ask::Found;
use super::cast::Cast;
use crate::commands::Context;
use crate::failure::Outcome;
use crate::units;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// What is told at the end.
#[derive(Default)]
pub(super) struct Table {
    pub(super) joined: Duration,
    pub(super) published: Duration,
    pub(super) fetched: Vec<Duration>,
    pub(super) left: Duration,
    pub(super) rows: BTreeMap<&'static str, Row>,
}

/// One system.
#[derive(Default)]
pub(super) struct Row {
    searches: u32,
    hits: usize,
    first: Duration,
    /// Bytes that left nodes of this system, control and data.
    bytes: u64,
    /// Messages or datagrams that left them.
    messages: u64,
}

impl Row {
    /// A search of it brought something.
    pub(super) fn searched(&mut self, found: &Found) {
        self.searches += 1;
        self.hits += found.hits.len();
        self.first += found.first.unwrap_or(found.took);
    }
}

impl Table {
    /// Asks all who live what their systems have carried.
    pub(super) fn measure(&mut self, cast: &Cast) -> Outcome {
        for node in cast.nodes.iter().filter(|node| node.is_alive()) {
            let status: Value = node.client()?.get("status")?;
            for system in status["systems"].as_array().into_iter().flatten() {
                let name = system["system"].as_str().unwrap_or_default();
                if let Some(row) =
                    self.rows.iter_mut().find_map(|(known, row)| (*known == name).then_some(row))
                {
                    let traffic = |key: &str| system["traffic"][key].as_u64().unwrap_or_default();
                    row.bytes += traffic("bytes_out");
                    row.messages += traffic("messages_out") + traffic("datagrams_out");
                }
            }
        }
        Ok(())
    }

    /// Prints it.
    pub(super) fn print(&self, context: &Context) {
        let output = &context.output;
        output.print(format_args!(
            "{:<10} {:>8} {:>5} {:>14} {:>10} {:>12}",
            "system", "searches", "hits", "to first hit", "messages", "bytes sent"
        ));
        for (name, row) in &self.rows {
            let first = row.first.checked_div(row.searches).unwrap_or_default();
            let messages = if row.messages > 0 { units::count(row.messages) } else { "-".into() };
            output.print(format_args!(
                "{name:<10} {:>8} {:>5} {:>14} {messages:>10} {:>12}",
                row.searches,
                row.hits,
                format!("{} ms", first.as_millis()),
                units::size(row.bytes)
            ));
            output.event(
                "system",
                json!({ "system": name, "searches": row.searches, "hits": row.hits,
                    "first_hit_ms": first.as_secs_f64() * 1e3, "messages": row.messages, "bytes": row.bytes }),
            );
        }
        let fetched: Vec<String> = self.fetched.iter().map(|took| units::duration(*took)).collect();
        output.print(format_args!(
            "joined in {}, published in {}, fetched in {}, left in {}",
            units::duration(self.joined),
            units::duration(self.published),
            fetched.join(" and "),
            units::duration(self.left)
        ));
    }
}
