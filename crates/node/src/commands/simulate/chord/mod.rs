//! `throng simulate chord`: one ring, or the rows of the specification beside the published figures.

mod tables;

use super::super::Context;
use super::common::{Rows, add_run, run_rows, spread};
use super::{apart, each_line, report_folder, write_report};
use crate::cli::SimulateChordArgs;
use crate::failure::Outcome;
use crate::units;
use serde_json::{Value, json};
use std::time::Duration;
use throng_node::simulate::chord::run::{RingFigures, RingPlan, Stage};
use throng_node::simulate::chord::summary::{mean, printed, quantile};
use throng_node::simulate::page::Page;
use throng_node::simulate::plot::{Plot, Shape};
use throng_overlay::chord::{Config, OneHop};

pub(super) fn run(args: &SimulateChordArgs, context: &Context) -> Outcome {
    report_folder(args.report.as_deref())?;
    if args.table.is_empty() { one_ring(args, context) } else { tables::run(args, context) }
}

fn one_ring(args: &SimulateChordArgs, context: &Context) -> Outcome {
    let plan = plan(args);
    let ((figures, plan), wall) = apart(context, move |told| {
        let figures = plan.run(|stage| told(words(stage), json!({ "stage": format!("{stage:?}") })));
        (figures, plan)
    })?;
    let (rows, object) = (rows(&plan, &figures, wall), figures_json(&plan, &figures, wall));
    context.output.print(each_line(&rows));
    context.output.object(&object);
    write_report(args.report.as_deref(), &object, || page(&plan, &figures, rows))
}

fn plan(args: &SimulateChordArgs) -> RingPlan {
    let one_hop = if args.one_hop { OneHop::default() } else { OneHop { on: 0, off: 0 } };
    let quorum = args.replicas / 2 + 1;
    let config = Config {
        vnodes: args.vnodes,
        base: args.base,
        successors: args.successors,
        replicas: args.replicas,
        write_quorum: quorum,
        read_quorum: quorum,
        one_hop,
        ..Config::default()
    };
    RingPlan {
        nodes: args.nodes,
        seed: args.seed,
        bulk: args.bulk,
        churn: args.churn,
        fail: args.fail,
        lookups: args.lookups,
        values: args.values,
        loss: args.loss,
        config,
    }
}

fn words(stage: Stage) -> String {
    let count = |number: u32| units::count(number.into());
    match stage {
        Stage::Joining(hosts) => format!("{} hosts are joining", count(hosts)),
        Stage::Settling => "the ring forms".into(),
        Stage::Storing(values) => format!("{} values stored", count(values)),
        Stage::Looking(lookups) => format!("{} keys looked up", count(lookups)),
        Stage::Healing => "the survivors repair the ring".into(),
        Stage::Reading(values) => format!("{} values read", count(values)),
    }
}

/// What people are shown.
fn rows(plan: &RingPlan, figures: &RingFigures, wall: Duration) -> Rows {
    let sums = &figures.lookups;
    let seconds = |value: Option<f64>| value.map_or(String::from("never"), |value| format!("{value:.0} s"));
    let half = 0.5 * f64::from(plan.nodes).log2();
    let mut rows = vec![
        ("nodes", units::count(plan.nodes.into())),
        ("seed", plan.seed.to_string()),
        ("ring right after", seconds(figures.formed)),
        ("lookups", format!("{} right of {}", units::count(right(figures)), units::count(sums.asked as u64))),
        ("hops", format!("{}; published: half log2 N = {half:.2}", printed(&sums.hops))),
        ("time-outs", printed(&sums.timeouts)),
        ("wrong", sums.wrong.to_string()),
        ("unanswered", sums.unanswered.to_string()),
        ("latency", format!("{:.0} ms, p99 {:.0} ms", mean(&sums.millis), quantile(&sums.millis, 0.99))),
        ("messages", format!("{:.1} a lookup", figures.messages_per_lookup)),
        ("bytes", format!("{:.0} a lookup", figures.bytes_per_lookup)),
        ("maintenance", format!("{:.0} B/s a host", figures.idle_bytes)),
    ];
    if plan.values > 0 {
        let stored = figures.stored as u64;
        rows.push((
            "values",
            format!(
                "{} stored, {} lost ({} had no copy left)",
                units::count(stored),
                figures.lost,
                figures.doomed
            ),
        ));
        rows.push(("not stored", figures.unstored.to_string()));
    }
    if let Some(spread) = figures.spread {
        let text =
            format!("p1 {:.2}, p99 {:.2}, max {:.1} times the mean", spread.p1, spread.p99, spread.max);
        rows.push(("keys a host", text));
    }
    if figures.killed > 0 {
        rows.push(("killed", units::count(figures.killed as u64)));
        rows.push(("healed after", seconds(figures.healed)));
    }
    rows.extend(figures.trouble.clone().map(|trouble| ("not right", trouble)));
    rows.extend(run_rows(&figures.run, wall));
    rows
}

fn right(figures: &RingFigures) -> u64 {
    (figures.lookups.hops.len() - figures.lookups.wrong) as u64
}

fn figures_json(plan: &RingPlan, figures: &RingFigures, wall: Duration) -> Value {
    let sums = &figures.lookups;
    let keys = figures.spread;
    let mut object = json!({
        "system": "chord",
        "nodes": plan.nodes,
        "seed": plan.seed,
        "queries": sums.asked,
        "found": right(figures),
        "recall": right(figures) as f64 / sums.asked.max(1) as f64,
        "messages_per_query": figures.messages_per_lookup,
        "bytes_per_query": figures.bytes_per_lookup,
        "latency_ms": spread(&sums.millis),
        "hops": {
            "mean": mean(&sums.hops), "p1": quantile(&sums.hops, 0.01), "p99": quantile(&sums.hops, 0.99),
        },
        "timeouts_per_lookup": figures.timeouts(),
        "lookups_failed": sums.unanswered + sums.wrong,
        "lookups_wrong": sums.wrong,
        "values_stored": figures.stored,
        "values_lost": figures.lost,
        "keys_per_node": keys.map(|keys| json!({
            "mean": keys.mean, "p1": keys.p1 * keys.mean, "p99": keys.p99 * keys.mean,
            "max": keys.max * keys.mean,
        })),
        "formed_seconds": figures.formed,
        "trouble": figures.trouble,
        "idle_bytes_per_second": figures.idle_bytes,
    });
    add_run(&mut object, &figures.run, wall);
    if figures.killed > 0 {
        object["killed"] = figures.killed.into();
        object["healed_seconds"] = figures.healed.into();
    }
    object
}

fn page(plan: &RingPlan, figures: &RingFigures, rows: Rows) -> Page {
    Page {
        title: format!("A ring of {}", units::plural(plan.nodes.into(), "node")),
        subtitle: format!("{} lookups; throng {}", figures.lookups.asked, env!("CARGO_PKG_VERSION")),
        rows: rows.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        tables: Vec::new(),
        notes: vec!["throng simulate chord --help says what each figure means.".to_owned()],
        plots: vec![distribution(&figures.lookups.hops)],
    }
}

/// How many lookups took how many hops.
fn distribution(hops: &[u8]) -> Plot {
    let most = hops.last().copied().unwrap_or(1);
    let count = |hop: u8| hops.iter().filter(|taken| **taken == hop).count() as f64;
    let bars: Vec<_> =
        (0..=most).map(|hop| (f64::from(hop) - 0.5, f64::from(hop) + 0.5, count(hop))).collect();
    let tallest = bars.iter().map(|bar| bar.2).fold(1.0, f64::max);
    Plot {
        title: "Hops".into(),
        caption: "Lookups by the number of nodes contacted.".into(),
        x_label: "nodes contacted, the owner included".into(),
        y_label: "lookups".into(),
        x: (-0.5, f64::from(most) + 0.5),
        y: (0.0, tallest * 1.05),
        shape: Shape::Bars(bars),
        marks: Vec::new(),
    }
}
