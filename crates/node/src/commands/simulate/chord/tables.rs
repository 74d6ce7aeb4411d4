//! The rows of the specification, each measured beside the published figure.

use super::super::super::Context;
use super::super::{apart, write_report};
use super::words;
use crate::cli::{RingTable, SimulateChordArgs};
use crate::failure::Outcome;
use crate::units;
use serde_json::{Value, json};
use std::time::Duration;
use throng_node::simulate::chord::{
    balance, churn, distance, failure, hops, loss, merge, million, returns, sessions, traffic,
    words as postings,
};
use throng_node::simulate::memory;
use throng_node::simulate::page::Page;
use throng_node::simulate::plot::Plot;
use throng_node::simulate::table::Table;

/// Hosts and keys of the paper's load experiment.
const BALANCE: (u32, u32) = (10_000, 1_000_000);

/// Sessions of T15: an hour on average, ten minutes away.
const TRACE: returns::Trace = returns::Trace {
    nodes: 500,
    values: 5_000,
    stay: Duration::from_secs(3_600),
    away: Duration::from_secs(600),
    long: Duration::from_secs(4 * 3_600),
};

/// A measured row: its table, plots, and whether the targets were met.
type Measured = (Table, Vec<Plot>, bool);

/// A row without plots.
fn plain((table, holds): (Table, bool)) -> Measured {
    (table, Vec::new(), holds)
}

pub(super) fn run(args: &SimulateChordArgs, context: &Context) -> Outcome {
    let chosen =
        Chosen { tables: args.table.clone(), seed: args.seed, nodes: args.nodes, lookups: args.lookups };
    let (measured, wall) = apart(context, move |told| {
        let mut say = |words: String| told(words, json!({}));
        let mut measured = chosen.still(&mut say);
        measured.extend(chosen.failing(&mut say));
        measured.extend(chosen.moving(&mut say));
        measured.extend(chosen.storing(&mut say));
        measured
    })?;
    tell(args, context, measured, wall)
}

/// What is to be measured, and how.
struct Chosen {
    tables: Vec<RingTable>,
    seed: u64,
    nodes: u32,
    lookups: u32,
}

impl Chosen {
    fn has(&self, table: RingTable) -> bool {
        table.wanted(&self.tables)
    }

    /// Rings in which nothing happens.
    fn still(&self, say: &mut impl FnMut(String)) -> Vec<Measured> {
        let (seed, mut measured) = (self.seed, Vec::new());
        if self.has(RingTable::T1) {
            let progress = |nodes| say(format!("t1: {nodes} nodes"));
            measured.push(hops::table(seed, self.nodes, self.lookups, progress));
        }
        if self.has(RingTable::T3) {
            measured.push(plain((balance::owned(seed, BALANCE.0, BALANCE.1), true)));
        }
        if self.has(RingTable::T4) {
            measured.push(plain((balance::stored(seed, BALANCE.0, BALANCE.1), true)));
        }
        if self.has(RingTable::T11) {
            say("t11".into());
            measured.push(plain(traffic::latency(seed, self.lookups)));
        }
        if self.has(RingTable::T12) {
            let progress = |network: &str| say(format!("t12: {network}"));
            measured.push(plain(distance::stretch(seed, self.nodes, self.lookups, progress)));
        }
        measured
    }

    /// Rings of which a share dies.
    fn failing(&self, say: &mut impl FnMut(String)) -> Vec<Measured> {
        let (seed, mut measured) = (self.seed, Vec::new());
        if self.has(RingTable::T5) {
            let progress = |copies, share| say(format!("t5: {copies} copies, {share} dead"));
            measured.push(plain(loss::table(seed, self.nodes, self.nodes * 10, progress)));
        }
        if self.has(RingTable::T6) {
            measured.push(failure::table(seed, self.lookups, |share| say(format!("t6: {share} dead"))));
        }
        if self.has(RingTable::T7) {
            measured.push(plain(failure::healing(seed, |share| say(format!("t7: {share} dead")))));
        }
        measured
    }

    /// Rings whose nodes come and go, or that are cut and mended.
    fn moving(&self, say: &mut impl FnMut(String)) -> Vec<Measured> {
        let (seed, lookups, mut measured) = (self.seed, self.lookups, Vec::new());
        if self.has(RingTable::T8) {
            measured.push(plain(sessions::retries(seed, lookups, |rate| say(format!("t8: {rate}")))));
        }
        if self.has(RingTable::T9) {
            measured.push(churn::table(seed, lookups, |rate, going| say(format!("t9: {rate} {going:?}"))));
        }
        if self.has(RingTable::T10) {
            let progress = |loss, rate| say(format!("t10: {loss} lost, {rate}"));
            measured.push(plain(sessions::impaired(seed, lookups, progress)));
        }
        if self.has(RingTable::T16) {
            measured
                .push(plain(sessions::short(seed, lookups, |minutes| say(format!("t16: {minutes} min")))));
        }
        if self.has(RingTable::T17) {
            measured.push(plain(merge::table(seed, |sizes| say(format!("t17: {sizes}")))));
        }
        measured
    }

    /// Rings that keep something.
    fn storing(&self, say: &mut impl FnMut(String)) -> Vec<Measured> {
        let (seed, nodes, mut measured) = (self.seed, self.nodes, Vec::new());
        if self.has(RingTable::T13) {
            say("t13".into());
            measured.push(plain(distance::internet(seed, nodes, self.lookups.min(2_000))));
        }
        if self.has(RingTable::T14) {
            say("t14".into());
            measured.push(plain(traffic::maintenance(seed, nodes, 10)));
        }
        if self.has(RingTable::T15) {
            let progress = |minute| say(format!("t15: minute {minute}"));
            measured.push(plain(returns::table(seed, TRACE, progress)));
        }
        if self.has(RingTable::T18) {
            say("t18".into());
            measured.push(plain(postings::common(seed, nodes.min(1_000), 10)));
        }
        if self.has(RingTable::T19) {
            say("t19".into());
            measured.push(plain(postings::several(seed, (nodes, nodes * 10), self.lookups.min(1_000))));
        }
        if self.has(RingTable::T20) {
            let progress = |stage| say(format!("t20: {}", words(stage)));
            measured.push(plain(million::table(seed, nodes, progress)));
        }
        measured
    }
}

fn tell(args: &SimulateChordArgs, context: &Context, measured: Vec<Measured>, wall: Duration) -> Outcome {
    for (table, _, _) in &measured {
        context.output.print(format_args!("{}\n{}\n", table.text(), table.caption));
    }
    let objects: Vec<Value> = measured
        .iter()
        .map(|(table, _, holds)| json!({ "title": table.title, "head": table.head, "rows": table.rows, "holds": holds }))
        .collect();
    let object = json!({
        "system": "chord", "seed": args.seed, "tables": objects, "wall_seconds": wall.as_secs_f64(),
        "peak_rss_bytes": memory::peak_resident(),
    });
    context.output.object(&object);
    write_report(args.report.as_deref(), &object, || {
        let (mut tables, mut plots) = (Vec::new(), Vec::new());
        for (table, drawn, _) in measured {
            tables.push(table);
            plots.extend(drawn);
        }
        Page {
            title: "The ring beside its published figures".into(),
            subtitle: format!("seed {}, throng {}", args.seed, env!("CARGO_PKG_VERSION")),
            rows: vec![("wall clock".into(), units::duration(wall))],
            tables,
            notes: Vec::new(),
            plots,
        }
    })
}
