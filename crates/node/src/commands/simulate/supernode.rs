//! `throng simulate supernode`: one run and what is told of it.

use super::super::Context;
use super::common::{Rows, found, latency, latency_plot, object, run_rows, seconds, spread, steps};
use super::{apart, each_line, report_folder, write_report};
use crate::cli::SimulateSupernodeArgs;
use crate::failure::Outcome;
use crate::units;
use serde_json::{Value, json};
use std::time::Duration;
use throng_node::simulate::measure::{mean, quantile};
use throng_node::simulate::page::Page;
use throng_node::simulate::supernode::run::{SupernodeFigures, SupernodePlan};

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

/// Over the messages of a flood that reaches every node once.
fn share_of_flood(plan: &SupernodePlan, figures: &SupernodeFigures) -> f64 {
    figures.common.messages_per_query / f64::from(plan.nodes + plan.supernodes - 1)
}

fn rows(plan: &SupernodePlan, figures: &SupernodeFigures, wall: Duration) -> Rows {
    let (common, answers) = (&figures.common, &figures.common.answers);
    let mut rows = vec![
        ("ordinary nodes", units::count(plan.nodes.into())),
        ("supernodes", format!("{}, estimated {}", plan.supernodes, figures.estimated)),
        ("links", format!("{:.1} a supernode", figures.links)),
        ("most nodes", format!("{} at one supernode", figures.most_members)),
        ("files", units::count(u64::from(plan.nodes) * u64::from(plan.files))),
        ("seed", plan.seed.to_string()),
        ("all shared after", seconds(common.formed)),
        ("found", found(answers)),
        ("latency", latency(answers)),
        ("messages", format!("{:.1} a search", common.messages_per_query)),
        ("share of a flood", format!("{:.2} %", share_of_flood(plan, figures) * 100.0)),
        ("queries", format!("{:.1} between supernodes a search", figures.queries_per_query)),
        ("bytes", format!("{:.0} a search", common.bytes_per_query)),
        (
            "busiest",
            format!("{:.2} messages of one supernode a search", figures.supernode_messages_per_query),
        ),
        ("idle", format!("{:.2} messages a second", figures.idle_messages)),
        ("index", units::size(figures.index_bytes)),
    ];
    if let Some(after) = &common.after {
        rows.push(("killed", units::plural(common.killed.into(), "supernode")));
        rows.push(("attached again", seconds(common.healed)));
        if figures.stranded > 0 {
            rows.push(("stranded", units::plural(figures.stranded.into(), "ordinary node")));
        }
        rows.push((
            "on average",
            format!("{:.1} s, p99 {:.1} s", mean(&figures.attach), quantile(&figures.attach, 0.99)),
        ));
        rows.push(("found after", found(after)));
    }
    rows.extend(run_rows(&figures.common.run, wall));
    rows
}

fn figures_json(plan: &SupernodePlan, figures: &SupernodeFigures, wall: Duration) -> Value {
    let mut object = object("supernode", (plan.nodes, plan.seed), &figures.common, wall);
    let fields = [
        ("supernodes", plan.supernodes.into()),
        ("files", (u64::from(plan.nodes) * u64::from(plan.files)).into()),
        ("share_of_flood", share_of_flood(plan, figures).into()),
        ("queries_per_query", figures.queries_per_query.into()),
        ("supernode_messages_per_query", figures.supernode_messages_per_query.into()),
        ("idle_messages_per_second", figures.idle_messages.into()),
        ("index_bytes", figures.index_bytes.into()),
        ("links", figures.links.into()),
        ("most_ordinary_nodes", figures.most_members.into()),
        ("estimated_supernodes", figures.estimated.into()),
    ];
    fields.into_iter().for_each(|(key, value)| object[key] = value);
    if figures.common.killed > 0 {
        object["attach_seconds"] = spread(&figures.attach);
        object["stranded"] = figures.stranded.into();
        object["unattached_at_searches"] = figures.unattached.into();
    }
    object
}

fn page(plan: &SupernodePlan, figures: &SupernodeFigures, rows: Rows) -> Page {
    let nodes = units::plural(plan.nodes.into(), "ordinary node");
    let mut plots = vec![latency_plot(&figures.common.answers)];
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
