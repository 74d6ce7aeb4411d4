//! `throng simulate directory`: one run, and for a report a few smaller ones beside it.

use super::super::Context;
use super::{apart, each_line, report_folder, write_report};
use crate::cli::SimulateDirectoryArgs;
use crate::failure::Outcome;
use crate::units;
use serde_json::{Value, json};
use std::time::Duration;
use throng_node::simulate::directory::run::{Answers, DirectoryFigures, DirectoryPlan};
use throng_node::simulate::memory;
use throng_node::simulate::page::Page;
use throng_node::simulate::plot::{Plot, Shape};
use throng_node::simulate::table::Table;

/// Searches of the smaller runs beside a report.
const FEW: u32 = 200;

type Run = (DirectoryPlan, DirectoryFigures);

pub(super) fn run(args: &SimulateDirectoryArgs, context: &Context) -> Outcome {
    report_folder(args.report.as_deref())?;
    let SimulateDirectoryArgs { nodes, servers, files, seed, queries, fail, .. } = *args;
    let plan = DirectoryPlan { nodes, servers, files, seed, queries, fail };
    let beside = if args.report.is_some() { smaller(&plan) } else { Vec::new() };
    let ((figures, plan), wall) = apart(context, move |told| {
        let figures = plan.run(|stage| told(stage.to_owned(), json!({ "stage": stage })));
        (figures, plan)
    })?;
    let (rows, object) = (rows(&plan, &figures, wall), figures_json(&plan, &figures, wall));
    context.output.print(each_line(&rows));
    context.output.object(&object);
    let (mut runs, _) = apart(context, move |told| {
        let mut runs: Vec<Run> = Vec::new();
        for plan in beside {
            told(format!("{} users, for comparison", plan.nodes), json!({ "beside": plan.nodes }));
            let figures = plan.run(|_| {});
            runs.push((plan, figures));
        }
        runs
    })?;
    runs.push((plan, figures));
    write_report(args.report.as_deref(), &object, || page(&runs, rows))
}

/// The same with fewer users, each a tenth of the next.
fn smaller(plan: &DirectoryPlan) -> Vec<DirectoryPlan> {
    let sizes = [100, 10].map(|part| plan.nodes / part);
    let fits = sizes.into_iter().filter(|nodes| *nodes >= 2.max(plan.servers));
    fits.map(|nodes| DirectoryPlan { nodes, fail: 0.0, queries: plan.queries.min(FEW), ..plan.clone() })
        .collect()
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

fn rows(plan: &DirectoryPlan, figures: &DirectoryFigures, wall: Duration) -> Vec<(&'static str, String)> {
    let answers = &figures.answers;
    let seconds = |value: Option<f64>| value.map_or(String::from("never"), |value| format!("{value:.1} s"));
    let found = |answers: &Answers| {
        format!("{} of {}", units::count(answers.found.into()), units::count(answers.asked.into()))
    };
    let mut rows = vec![
        ("users", units::count(plan.nodes.into())),
        ("directories", plan.servers.to_string()),
        ("files", units::count(u64::from(plan.nodes) * u64::from(plan.files))),
        ("seed", plan.seed.to_string()),
        ("all shared after", seconds(figures.formed)),
        ("found", found(answers)),
        ("hits", format!("{:.1} a search", answers.hits as f64 / f64::from(answers.asked.max(1)))),
        (
            "latency",
            format!("{:.0} ms, p99 {:.0} ms", mean(&answers.millis), quantile(&answers.millis, 0.99)),
        ),
        ("messages", format!("{:.2} a search", figures.messages_per_query)),
        ("bytes", format!("{:.0} a search", figures.bytes_per_query)),
        ("directory", format!("{:.2} messages a search", figures.server_messages_per_query)),
        ("idle", format!("{:.2} messages a second", figures.idle_messages)),
        ("index", units::size(figures.index_bytes)),
    ];
    if let (Some(at_once), Some(after)) = (&figures.at_once, &figures.after) {
        rows.push(("killed", units::count(figures.killed.into())));
        rows.push(("found at once", found(at_once)));
        rows.push(("healed after", seconds(figures.healed)));
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

fn figures_json(plan: &DirectoryPlan, figures: &DirectoryFigures, wall: Duration) -> Value {
    let answers = &figures.answers;
    let mut object = json!({
        "system": "directory",
        "nodes": plan.nodes,
        "servers": plan.servers,
        "files": u64::from(plan.nodes) * u64::from(plan.files),
        "seed": plan.seed,
        "queries": answers.asked,
        "found": answers.found,
        "recall": recall(answers),
        "hits": answers.hits,
        "messages_per_query": figures.messages_per_query,
        "bytes_per_query": figures.bytes_per_query,
        "server_messages_per_query": figures.server_messages_per_query,
        "idle_messages_per_second": figures.idle_messages,
        "latency_ms": {
            "mean": mean(&answers.millis), "p50": quantile(&answers.millis, 0.5),
            "p99": quantile(&answers.millis, 0.99),
        },
        "busiest_node_messages": figures.busiest,
        "bytes_per_node": figures.bytes_per_node,
        "index_bytes": figures.index_bytes,
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
        object["recall_at_failure"] = figures.at_once.as_ref().map(recall).into();
        object["recall_after"] = figures.after.as_ref().map(recall).into();
    }
    object
}

fn page(runs: &[Run], rows: Vec<(&'static str, String)>) -> Page {
    let mut table = Table::new(
        "Load of the busiest directory against the users",
        "Messages are pieces of streams; the index is in memory.",
        &["users", "messages a search", "all hosts' bytes a search", "idle messages/s", "index bytes"],
    );
    for (plan, figures) in runs {
        table.row([
            plan.nodes.to_string(),
            format!("{:.2}", figures.server_messages_per_query),
            format!("{:.0}", figures.bytes_per_query),
            format!("{:.2}", figures.idle_messages),
            figures.index_bytes.to_string(),
        ]);
    }
    let title = runs.last().map_or(String::new(), |(plan, _)| {
        let servers =
            if plan.servers == 1 { "one directory".into() } else { format!("{} directories", plan.servers) };
        format!("{} at {servers}", units::plural(plan.nodes.into(), "user"))
    });
    Page {
        title,
        subtitle: format!("throng {}", env!("CARGO_PKG_VERSION")),
        rows: rows.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        tables: vec![table],
        notes: vec!["throng simulate directory --help says what each figure means.".to_owned()],
        plots: runs.last().map(|(_, figures)| latency(&figures.answers.millis)).into_iter().collect(),
    }
}

/// The share of the searches that were answered within each time.
fn latency(millis: &[f64]) -> Plot {
    let count = millis.len().max(1) as f64;
    let points = millis.iter().zip(1u32..).map(|(time, rank)| (*time, f64::from(rank) / count)).collect();
    Plot {
        title: "Latency".into(),
        caption: "Share of the found files that were found within each time.".into(),
        x_label: "milliseconds".into(),
        y_label: "share".into(),
        x: (0.0, millis.last().copied().unwrap_or(1.0).max(1.0)),
        y: (0.0, 1.0),
        shape: Shape::Steps(points),
        marks: Vec::new(),
    }
}
