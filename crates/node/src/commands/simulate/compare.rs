//! `throng simulate compare`: every system in turn, a table of all, and a page with plots.

use super::super::Context;
use super::common::object;
use super::{apart, report_folder, write_report};
use crate::cli::{ComparedSystem, SimulateCompareArgs};
use crate::failure::Outcome;
use crate::units;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use throng_node::simulate::compare::System;
use throng_node::simulate::compare::figures::{Compared, Phase};
use throng_node::simulate::compare::workload::Workload;
use throng_node::simulate::measure::quantile;
use throng_node::simulate::page::Page;
use throng_node::simulate::plot::{Plot, Shape};
use throng_node::simulate::table::Table;

/// A system, what was measured, and how long that took.
type Row = (System, Compared, Duration);

pub(super) fn run(args: &SimulateCompareArgs, context: &Context) -> Outcome {
    report_folder(args.report.as_deref())?;
    let SimulateCompareArgs { nodes, files, queries, seed, .. } = *args;
    let systems = systems(&args.only);
    let (rows, _) = apart(context, move |told| {
        let workload = Workload::new(nodes, files, queries, seed);
        let mut study = |system: System| {
            let (name, began) = (system.name(), Instant::now());
            let mut stage =
                |stage: &str| told(format!("{name}: {stage}"), json!({ "system": name, "stage": stage }));
            let compared = system.study(&workload, &mut stage);
            (system, compared, began.elapsed())
        };
        systems.into_iter().map(&mut study).collect::<Vec<Row>>()
    })?;
    let figures: Value = rows.iter().map(|row| row_json((nodes, seed), row)).collect();
    let tables = [living(&rows), dying(&rows)];
    let text: Vec<String> = tables.iter().map(Table::text).collect();
    context.output.print(text.join("\n").trim_end());
    context.output.object(&figures);
    write_report(args.report.as_deref(), &figures, || page(args, &rows, tables.to_vec()))
}

fn systems(only: &[ComparedSystem]) -> Vec<System> {
    let system = |chosen: &ComparedSystem| match chosen {
        ComparedSystem::Directory => System::Directory,
        ComparedSystem::Flood => System::Flood,
        ComparedSystem::Dynamic => System::Dynamic,
        ComparedSystem::Supernode => System::Supernode,
        ComparedSystem::Chord => System::Chord,
        ComparedSystem::Bittorrent => System::BitTorrent,
    };
    let chosen: Vec<System> = only.iter().map(system).collect();
    System::ALL.into_iter().filter(|system| chosen.is_empty() || chosen.contains(system)).collect()
}

/// A system's name, marked if it has no search.
fn name(system: System) -> String {
    let mark = if system.searches() { "" } else { " *" };
    format!("{}{mark}", system.name())
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Of messages and bytes, as precise as they are of use.
fn number(value: f64) -> String {
    if value < 10.0 { format!("{value:.2}") } else { units::count(value.round() as u64) }
}

fn living(rows: &[Row]) -> Table {
    let mut table = Table::new(
        "What searching and publishing cost",
        "* no search by words: sources of an info-hash that is known, from the tracker. Messages are datagrams and \
         pieces of streams, what is sent while nobody asks taken off; the busiest host's are those it sends and receives.",
        &[
            "system",
            "recall",
            "messages/search",
            "bytes/search",
            "median ms",
            "p99 ms",
            "busiest host/search",
            "messages/file published",
            "bytes/file published",
            "idle messages/s each",
        ],
    );
    for (system, compared, _) in rows {
        let common = &compared.common;
        table.row([
            name(*system),
            percent(common.answers.recall()),
            number(common.messages_per_query),
            number(common.bytes_per_query),
            format!("{:.0}", quantile(&common.answers.millis, 0.5)),
            format!("{:.0}", quantile(&common.answers.millis, 0.99)),
            number(compared.busiest_per_query),
            number(compared.publish.messages),
            number(compared.publish.bytes),
            format!("{:.2}", compared.idle.messages),
        ]);
    }
    table
}

fn dying(rows: &[Row]) -> Table {
    let mut table = Table::new(
        "What is still found when users lose power, at once → two minutes later",
        "Of what the living share. The busiest host is the directory, the tracker, a supernode, an ultrapeer or any node.",
        &["system", "nobody", "10 %", "30 %", "50 %", "the busiest host"],
    );
    let both = |phase: &Phase| {
        let [at_once, later] = [&phase.at_once, &phase.later].map(|answers| percent(answers.recall()));
        format!("{at_once} → {later}")
    };
    for (system, compared, _) in rows {
        let before = percent(compared.common.answers.recall());
        let deaths = compared.deaths.iter().map(both);
        let cells = [name(*system), before].into_iter().chain(deaths);
        table.row(cells.chain(std::iter::once(both(&compared.beheaded))));
    }
    table
}

fn phase_json(phase: &Phase) -> Value {
    json!({
        "share": phase.share,
        "recall_at_once": phase.at_once.recall(),
        "recall_later": phase.later.recall(),
        "stale_hits_at_once": phase.at_once.stale,
    })
}

fn row_json(size: (u32, u64), (system, compared, wall): &Row) -> Value {
    let mut object = object(system.name(), size, &compared.common, *wall);
    let fields = [
        ("searches_by_words", system.searches().into()),
        ("publish_messages", compared.publish.messages.into()),
        ("publish_bytes", compared.publish.bytes.into()),
        ("idle_messages_per_second", compared.idle.messages.into()),
        ("idle_bytes_per_second", compared.idle.bytes.into()),
        ("busiest_messages_per_query", compared.busiest_per_query.into()),
        ("deaths", compared.deaths.iter().map(phase_json).collect()),
        ("beheaded", phase_json(&compared.beheaded)),
    ];
    fields.into_iter().for_each(|(key, value)| object[key] = value);
    object
}

fn page(args: &SimulateCompareArgs, rows: &[Row], tables: Vec<Table>) -> Page {
    let users = units::plural(args.nodes.into(), "user");
    let recall = |title: &str, caption: &str, of: fn(&Phase) -> f64| Plot {
        title: title.into(),
        caption: caption.into(),
        x_label: "% of the users dead".into(),
        y_label: "% found".into(),
        x: (0.0, 50.0),
        y: (0.0, 100.0),
        shape: Shape::Lines(rows.iter().map(|row| (name(row.0), survival(&row.1, of))).collect()),
        marks: Vec::new(),
    };
    let plots = vec![
        columns(
            "Messages a search",
            "All hosts together; each line is ten times the one below.",
            rows,
            |row| row.common.messages_per_query,
        ),
        columns("Messages a published file", "Until it can be found wherever it ever can be.", rows, |row| {
            row.publish.messages
        }),
        columns("Load of the busiest host", "Messages it sends and receives for each search.", rows, |row| {
            row.busiest_per_query
        }),
        latency(rows),
        recall("Found at once", "Searches asked at the moment at which users lose power.", |phase| {
            phase.at_once.recall()
        }),
        recall(
            "Found two minutes later",
            "The same when the survivors have repaired what they can.",
            |phase| phase.later.recall(),
        ),
    ];
    Page {
        title: format!("{users}, {} systems", rows.len()),
        subtitle: format!("throng {}", env!("CARGO_PKG_VERSION")),
        rows: vec![
            ("users".into(), units::count(args.nodes.into())),
            ("files".into(), units::count(u64::from(args.nodes) * u64::from(args.files))),
            ("searches a phase".into(), units::count(args.queries.into())),
            ("seed".into(), args.seed.to_string()),
        ],
        tables,
        notes: vec!["throng simulate compare --help says what each figure means.".to_owned()],
        plots,
    }
}

/// Per cent found against per cent dead.
fn survival(compared: &Compared, of: fn(&Phase) -> f64) -> Vec<(f64, f64)> {
    let before = (0.0, compared.common.answers.recall() * 100.0);
    let deaths = compared.deaths.iter().map(|phase| (phase.share * 100.0, of(phase) * 100.0));
    std::iter::once(before).chain(deaths).collect()
}

fn columns(title: &str, caption: &str, rows: &[Row], of: fn(&Compared) -> f64) -> Plot {
    let columns: Vec<_> = rows.iter().map(|row| (name(row.0), of(&row.1))).collect();
    let most = columns.iter().map(|column| column.1).fold(1.0, f64::max);
    Plot {
        title: title.into(),
        caption: caption.into(),
        x_label: String::new(),
        y_label: "messages, ten times as many each step".into(),
        x: (0.0, 1.0),
        // From a hundredth, so that less than one message is seen too.
        y: (-2.0, most.log10().ceil().max(0.0)),
        shape: Shape::Columns(columns),
        marks: Vec::new(),
    }
}

/// How fast the median, the slower tenth and so on were answered.
fn latency(rows: &[Row]) -> Plot {
    let shares = || (1u32..=20).map(|part| f64::from(part) / 20.0);
    let line = |(system, compared, _): &Row| {
        let millis = &compared.common.answers.millis;
        (name(*system), shares().map(|share| (quantile(millis, share), share)).collect::<Vec<_>>())
    };
    let slow = |row: &Row| quantile(&row.1.common.answers.millis, 0.95);
    Plot {
        title: "Latency".into(),
        caption: "Share of the found files that were found within each time.".into(),
        x_label: "milliseconds".into(),
        y_label: "share".into(),
        x: (0.0, rows.iter().map(slow).fold(1.0, f64::max)),
        y: (0.0, 1.0),
        shape: Shape::Lines(rows.iter().map(line).collect()),
        marks: Vec::new(),
    }
}
