//! `throng simulate gnutella`: one run, and for a report the other modes beside it.

use super::super::Context;
use super::{apart, each_line, report_folder, write_report};
use crate::cli::{GnutellaMode, GnutellaTopology, GnutellaVictims, SimulateGnutellaArgs};
use crate::failure::Outcome;
use crate::units;
use serde_json::{Value, json};
use std::time::Duration;
use throng_node::simulate::gnutella::graph;
use throng_node::simulate::gnutella::run::{Answers, GnutellaFigures, GnutellaPlan, Mode, Victims};
use throng_node::simulate::memory;
use throng_node::simulate::page::Page;
use throng_node::simulate::plot::{Plot, Shape};
use throng_node::simulate::table::Table;

/// Searches of the runs beside a report.
const FEW: u32 = 50;

type Run = (GnutellaPlan, GnutellaFigures);

pub(super) fn run(args: &SimulateGnutellaArgs, context: &Context) -> Outcome {
    report_folder(args.report.as_deref())?;
    let plan = plan(args);
    let beside = if args.report.is_some() { others(&plan) } else { Vec::new() };
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
            let mode = name(plan.mode);
            told(format!("mode {mode}, for comparison"), json!({ "beside": mode }));
            let figures = plan.run(|_| {});
            runs.push((plan, figures));
        }
        runs
    })?;
    runs.push((plan, figures));
    write_report(args.report.as_deref(), &object, || page(&runs, rows))
}

fn plan(args: &SimulateGnutellaArgs) -> GnutellaPlan {
    let SimulateGnutellaArgs { nodes, ultrapeers, degree, files, seed, queries, fail, .. } = *args;
    let mode = match args.mode {
        GnutellaMode::Flood => Mode::Flood,
        GnutellaMode::Qrp => Mode::Tables,
        GnutellaMode::Dynamic => Mode::Dynamic,
    };
    let shape = match args.topology {
        GnutellaTopology::Power => graph::Shape::Power,
        GnutellaTopology::Regular => graph::Shape::Regular,
    };
    let victims = match args.victims {
        GnutellaVictims::Random => Victims::Random,
        GnutellaVictims::Best => Victims::Best,
    };
    GnutellaPlan { nodes, mode, ultrapeers, shape, degree, files, seed, queries, fail, victims }
}

/// The same in the other modes, each with its usual degree, and without a failure.
fn others(plan: &GnutellaPlan) -> Vec<GnutellaPlan> {
    let modes = [Mode::Flood, Mode::Tables, Mode::Dynamic].into_iter().filter(|mode| *mode != plan.mode);
    let queries = plan.queries.min(FEW);
    modes.map(|mode| GnutellaPlan { mode, degree: None, queries, fail: 0.0, ..plan.clone() }).collect()
}

fn name(mode: Mode) -> &'static str {
    match mode {
        Mode::Flood => "flood",
        Mode::Tables => "qrp",
        Mode::Dynamic => "dynamic",
    }
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

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn rows(plan: &GnutellaPlan, figures: &GnutellaFigures, wall: Duration) -> Vec<(&'static str, String)> {
    let answers = &figures.answers;
    let seconds = |value: Option<f64>| value.map_or(String::from("not yet"), |value| format!("{value:.1} s"));
    let found = |answers: &Answers| {
        let (found, asked) = (units::count(answers.found.into()), units::count(answers.asked.into()));
        format!("{found} of {asked}")
    };
    let mut rows = vec![
        ("servents", units::count(plan.nodes.into())),
        ("mode", name(plan.mode).into()),
        ("ultrapeers", units::count(figures.ultrapeers.into())),
        ("links", format!("{:.1} each", figures.degree)),
        ("seed", plan.seed.to_string()),
        ("linked after", seconds(figures.formed)),
        ("found", found(answers)),
        ("hits", format!("{:.1} a search", answers.hits as f64 / f64::from(answers.asked.max(1)))),
        (
            "first hit",
            format!(
                "{:.0} ms, p99 {:.0} ms",
                quantile(&answers.millis, 0.5),
                quantile(&answers.millis, 0.99)
            ),
        ),
        (
            "messages",
            format!(
                "{:.1} a search, {:.1} of them queries",
                figures.messages_per_query, figures.queries_per_query
            ),
        ),
        ("duplicates", format!("{:.1} a search", figures.duplicates_per_query)),
        ("bytes", format!("{:.0} a search", figures.bytes_per_query)),
        ("idle", format!("{:.1} bytes a second each", figures.idle_bytes)),
    ];
    if let (Some((at_once, later)), Some(after)) = (figures.connected, &figures.after) {
        rows.push(("killed", units::count(figures.killed.into())));
        rows.push(("hang together", format!("{} at once, {} after 30 s", percent(at_once), percent(later))));
        rows.extend(
            figures.recovered.map(|share| ("leaves linked", format!("{} after 30 s", percent(share)))),
        );
        rows.push(("all linked after", seconds(figures.healed)));
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

fn figures_json(plan: &GnutellaPlan, figures: &GnutellaFigures, wall: Duration) -> Value {
    let answers = &figures.answers;
    let mut object = json!({
        "system": "gnutella",
        "nodes": plan.nodes,
        "mode": name(plan.mode),
        "ultrapeers": figures.ultrapeers,
        "degree": figures.degree,
        "files": u64::from(plan.nodes) * u64::from(plan.files),
        "seed": plan.seed,
        "queries": answers.asked,
        "found": answers.found,
        "recall": recall(answers),
        "hits": answers.hits,
        "messages_per_query": figures.messages_per_query,
        "bytes_per_query": figures.bytes_per_query,
        "duplicates_per_query": figures.duplicates_per_query,
        "idle_bytes_per_second": figures.idle_bytes,
        "latency_ms": {
            "mean": mean(&answers.millis), "p50": quantile(&answers.millis, 0.5),
            "p99": quantile(&answers.millis, 0.99),
        },
        "busiest_node_messages": figures.busiest,
        "bytes_per_node": figures.bytes_per_node,
        "formed_seconds": figures.formed,
        "virtual_seconds": figures.seconds,
        "events": figures.events,
        "events_per_second": units::per_second(figures.events, wall),
        "wall_seconds": wall.as_secs_f64(),
        "peak_rss_bytes": memory::peak_resident(),
        "trace": format!("{:016x}", figures.trace),
    });
    if let Some((at_once, later)) = figures.connected {
        object["killed"] = figures.killed.into();
        object["connected"] = json!({ "at_once": at_once, "after_30_s": later });
        object["recovered"] = figures.recovered.into();
        object["healed_seconds"] = figures.healed.into();
        object["recall_after"] = figures.after.as_ref().map(recall).into();
    }
    object
}

fn page(runs: &[Run], rows: Vec<(&'static str, String)>) -> Page {
    let mut table = Table::new(
        "The modes beside each other",
        "Messages are queries and hits, each counted on every link it is sent over.",
        &["mode", "recall", "messages a search", "bytes a search", "first hit, ms", "busiest node"],
    );
    for (plan, figures) in runs {
        table.row([
            name(plan.mode).to_owned(),
            format!("{:.3}", recall(&figures.answers)),
            format!("{:.1}", figures.messages_per_query),
            format!("{:.0}", figures.bytes_per_query),
            format!("{:.0}", quantile(&figures.answers.millis, 0.5)),
            figures.busiest.to_string(),
        ]);
    }
    let title = runs.last().map_or(String::new(), |(plan, _)| {
        format!("{} searching by {}", units::plural(plan.nodes.into(), "servent"), name(plan.mode))
    });
    Page {
        title,
        subtitle: format!("throng {}", env!("CARGO_PKG_VERSION")),
        rows: rows.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        tables: vec![table],
        notes: vec!["throng simulate gnutella --help says what each figure means.".to_owned()],
        plots: runs.last().map(|(_, figures)| latency(&figures.answers.millis)).into_iter().collect(),
    }
}

/// The share of the searches that had their first copy within each time.
fn latency(millis: &[f64]) -> Plot {
    let count = millis.len().max(1) as f64;
    let points = millis.iter().zip(1u32..).map(|(time, rank)| (*time, f64::from(rank) / count)).collect();
    Plot {
        title: "Time to the first hit".into(),
        caption: "Share of the found titles that were found within each time.".into(),
        x_label: "milliseconds".into(),
        y_label: "share".into(),
        x: (0.0, millis.last().copied().unwrap_or(1.0).max(1.0)),
        y: (0.0, 1.0),
        shape: Shape::Steps(points),
        marks: Vec::new(),
    }
}
