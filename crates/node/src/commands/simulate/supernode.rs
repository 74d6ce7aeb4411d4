//! `throng simulate supernode`: one run and what is told of it.

use super::super::Context;
use super::{apart, each_line, report_folder, write_report};
use crate::cli::SimulateSupernodeArgs;
use crate::failure::Outcome;
use crate::units;
use serde_json::{Value, json};
use std::time::Duration;
use throng_node::simulate::memory;
use throng_node::simulate::page::Page;
use throng_node::simulate::plot::{Plot, Shape};
use throng_node::simulate::supernode::run::{Answers, SupernodeFigures, SupernodePlan};

/// Ordinary nodes a supernode unless said: the middle of the range that the network steers to.
const RATIO: u32 = 100;

pub(super) fn run(args: &SimulateSupernodeArgs, context: &Context) -> Outcome {
    report_folder(args.report.as_deref())?;
    let SimulateSupernodeArgs { nodes, files, seed, queries, fail, .. } = *args;
    let supernodes = args.supernodes.unwrap_or(nodes.div_ceil(RATIO).max(2));
    let plan = SupernodePlan { nodes, supernodes, files, seed, queries, fail };
    let ((figures, plan), wall) = apart(context, move |told| {
        let figures = plan.run(|stage| told(stage.to_owned(), json!({ "stage": stage })));
        (figures, plan)
    })?;
    let (rows, object) = (rows(&plan, &figures, wall), figures_json(&plan, &figures, wall));
    context.output.print(each_line(&rows));
    context.output.object(&object);
    write_report(args.report.as_deref(), &object, || page(&plan, &figures, rows))
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * share).round() as usize).copied().unwrap_or(0.0)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn recall(answers: &Answers) -> f64 {
    f64::from(answers.found) / f64::from(answers.asked.max(1))
}

/// Over the messages of a flood that reaches every node once.
fn share_of_flood(plan: &SupernodePlan, figures: &SupernodeFigures) -> f64 {
    figures.messages_per_query / f64::from(plan.nodes + plan.supernodes - 1)
}

fn rows(plan: &SupernodePlan, figures: &SupernodeFigures, wall: Duration) -> Vec<(&'static str, String)> {
    let answers = &figures.answers;
    let seconds = |value: Option<f64>| value.map_or(String::from("never"), |value| format!("{value:.1} s"));
    let found = |answers: &Answers| {
        format!("{} of {}", units::count(answers.found.into()), units::count(answers.asked.into()))
    };
    let mut rows = vec![
        ("ordinary nodes", units::count(plan.nodes.into())),
        ("supernodes", format!("{}, estimated {}", plan.supernodes, figures.estimated)),
        ("links", format!("{:.1} a supernode", figures.links)),
        ("most nodes", format!("{} at one supernode", figures.most_members)),
        ("files", units::count(u64::from(plan.nodes) * u64::from(plan.files))),
        ("seed", plan.seed.to_string()),
        ("all shared after", seconds(figures.formed)),
        ("found", found(answers)),
        (
            "latency",
            format!("{:.0} ms, p99 {:.0} ms", mean(&answers.millis), quantile(&answers.millis, 0.99)),
        ),
        ("messages", format!("{:.1} a search", figures.messages_per_query)),
        ("share of a flood", format!("{:.2} %", share_of_flood(plan, figures) * 100.0)),
        ("queries", format!("{:.1} between supernodes a search", figures.queries_per_query)),
        ("bytes", format!("{:.0} a search", figures.bytes_per_query)),
        (
            "busiest",
            format!("{:.2} messages of one supernode a search", figures.supernode_messages_per_query),
        ),
        ("idle", format!("{:.2} messages a second", figures.idle_messages)),
        ("index", units::size(figures.index_bytes)),
    ];
    if let Some(after) = &figures.after {
        rows.push(("killed", units::plural(figures.killed.into(), "supernode")));
        rows.push(("attached again", seconds(figures.healed)));
        rows.push((
            "on average",
            format!("{:.1} s, p99 {:.1} s", mean(&figures.attach), quantile(&figures.attach, 0.99)),
        ));
        rows.push(("found after", found(after)));
    }
    let memory = |bytes: Option<u64>| bytes.map_or(String::from("unknown"), units::size);
    rows.extend([
        ("busiest node", units::plural(figures.busiest, "message")),
        ("virtual time", format!("{:.0} s", figures.seconds)),
        ("events", units::count(figures.events)),
        ("events/s", units::count(units::per_second(figures.events, wall))),
        ("wall clock", units::duration(wall)),
        ("memory a node", memory(figures.bytes_per_node)),
        ("peak memory", memory(memory::peak_resident())),
        ("trace", format!("{:016x}", figures.trace)),
    ]);
    rows
}

fn figures_json(plan: &SupernodePlan, figures: &SupernodeFigures, wall: Duration) -> Value {
    let answers = &figures.answers;
    let mut object = json!({
        "system": "supernode",
        "nodes": plan.nodes,
        "supernodes": plan.supernodes,
        "files": u64::from(plan.nodes) * u64::from(plan.files),
        "seed": plan.seed,
        "queries": answers.asked,
        "found": answers.found,
        "recall": recall(answers),
        "hits": answers.hits,
        "messages_per_query": figures.messages_per_query,
        "share_of_flood": share_of_flood(plan, figures),
        "bytes_per_query": figures.bytes_per_query,
        "queries_per_query": figures.queries_per_query,
        "supernode_messages_per_query": figures.supernode_messages_per_query,
        "idle_messages_per_second": figures.idle_messages,
        "latency_ms": {
            "mean": mean(&answers.millis), "p50": quantile(&answers.millis, 0.5),
            "p99": quantile(&answers.millis, 0.99),
        },
        "busiest_node_messages": figures.busiest,
        "bytes_per_node": figures.bytes_per_node,
        "index_bytes": figures.index_bytes,
        "links": figures.links,
        "most_ordinary_nodes": figures.most_members,
        "estimated_supernodes": figures.estimated,
        "formed_seconds": figures.formed,
        "virtual_seconds": figures.seconds,
        "events": figures.events,
        "events_per_second": units::per_second(figures.events, wall),
        "wall_seconds": wall.as_secs_f64(),
        "peak_rss_bytes": memory::peak_resident(),
        "trace": format!("{:016x}", figures.trace),
    });
    if figures.killed > 0 {
        object["killed"] = figures.killed.into();
        object["healed_seconds"] = figures.healed.into();
        let attach = &figures.attach;
        object["attach_seconds"] = json!({
            "mean": mean(attach), "p50": quantile(attach, 0.5), "p99": quantile(attach, 0.99),
        });
        object["recall_after"] = figures.after.as_ref().map(recall).into();
    }
    object
}

fn page(plan: &SupernodePlan, figures: &SupernodeFigures, rows: Vec<(&'static str, String)>) -> Page {
    let nodes = units::plural(plan.nodes.into(), "ordinary node");
    let mut plots = vec![steps(
        "Latency",
        "Share of the found files that were found within each time.",
        "milliseconds",
        &figures.answers.millis,
    )];
    if !figures.attach.is_empty() {
        let caption = "Share of the nodes that lost their supernode and had another within each time.";
        plots.push(steps("Attached again", caption, "seconds", &figures.attach));
    }
    Page {
        title: format!("{nodes} of {}", units::plural(plan.supernodes.into(), "supernode")),
        subtitle: format!("throng {}", env!("CARGO_PKG_VERSION")),
        rows: rows.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        tables: Vec::new(),
        notes: vec!["throng simulate supernode --help says what each figure means.".to_owned()],
        plots,
    }
}

/// The share of values up to each.
fn steps(title: &str, caption: &str, x_label: &str, values: &[f64]) -> Plot {
    let count = values.len().max(1) as f64;
    let points = values.iter().zip(1u32..).map(|(value, rank)| (*value, f64::from(rank) / count)).collect();
    Plot {
        title: title.into(),
        caption: caption.into(),
        x_label: x_label.into(),
        y_label: "share".into(),
        x: (0.0, values.last().copied().unwrap_or(1.0).max(1.0)),
        y: (0.0, 1.0),
        shape: Shape::Steps(points),
        marks: Vec::new(),
    }
}
