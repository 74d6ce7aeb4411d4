//! `throng simulate directory`: one run, and for a report a few smaller ones beside it.

use super::super::Context;
use super::common::{Rows, found, latency, latency_plot, object, run_rows, seconds};
use super::{apart, each_line, report_folder, write_report};
use crate::cli::SimulateDirectoryArgs;
use crate::failure::Outcome;
use crate::units;
use serde_json::{Value, json};
use std::time::Duration;
use throng_node::simulate::directory::run::{DirectoryFigures, DirectoryPlan};
use throng_node::simulate::measure::Answers;
use throng_node::simulate::page::Page;
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

fn rows(plan: &DirectoryPlan, figures: &DirectoryFigures, wall: Duration) -> Rows {
    let (common, answers) = (&figures.common, &figures.common.answers);
    let mut rows = vec![
        ("users", units::count(plan.nodes.into())),
        ("directories", plan.servers.to_string()),
        ("files", units::count(u64::from(plan.nodes) * u64::from(plan.files))),
        ("seed", plan.seed.to_string()),
        ("all shared after", seconds(common.formed)),
        ("found", found(answers)),
        ("hits", format!("{:.1} a search", answers.hits_each())),
        ("latency", latency(answers)),
        ("messages", format!("{:.2} a search", common.messages_per_query)),
        ("bytes", format!("{:.0} a search", common.bytes_per_query)),
        ("directory", format!("{:.2} messages a search", figures.server_messages_per_query)),
        ("idle", format!("{:.2} messages a second", figures.idle_messages)),
        ("index", units::size(figures.index_bytes)),
    ];
    if let (Some(at_once), Some(after)) = (&common.at_once, &common.after) {
        rows.push(("killed", units::count(common.killed.into())));
        rows.push(("found at once", found(at_once)));
        rows.push(("healed after", seconds(common.healed)));
        rows.push(("found after", found(after)));
    }
    rows.extend(run_rows(&figures.common.run, wall));
    rows
}

fn figures_json(plan: &DirectoryPlan, figures: &DirectoryFigures, wall: Duration) -> Value {
    let mut object = object("directory", (plan.nodes, plan.seed), &figures.common, wall);
    object["servers"] = plan.servers.into();
    object["files"] = (u64::from(plan.nodes) * u64::from(plan.files)).into();
    object["server_messages_per_query"] = figures.server_messages_per_query.into();
    object["idle_messages_per_second"] = figures.idle_messages.into();
    object["index_bytes"] = figures.index_bytes.into();
    if let Some(at_once) = &figures.common.at_once {
        object["recall_at_failure"] = Answers::recall(at_once).into();
    }
    object
}

fn page(runs: &[Run], rows: Rows) -> Page {
    let mut table = Table::new(
        "Load of the busiest directory against the users",
        "Messages are pieces of streams; the index is in memory.",
        &["users", "messages a search", "all hosts' bytes a search", "idle messages/s", "index bytes"],
    );
    for (plan, figures) in runs {
        table.row([
            plan.nodes.to_string(),
            format!("{:.2}", figures.server_messages_per_query),
            format!("{:.0}", figures.common.bytes_per_query),
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
        plots: runs.last().map(|(_, figures)| latency_plot(&figures.common.answers)).into_iter().collect(),
    }
}
