//! `throng simulate gnutella`: one run, and for a report the other modes beside it.

use super::super::Context;
use super::common::{Rows, found, object, run_rows, seconds, steps};
use super::{apart, each_line, report_folder, write_report};
use crate::cli::{GnutellaMode, GnutellaTopology, GnutellaVictims, SimulateGnutellaArgs};
use crate::failure::Outcome;
use crate::units;
use serde_json::{Value, json};
use std::time::Duration;
use throng_node::simulate::gnutella::graph;
use throng_node::simulate::gnutella::plan::{GnutellaFigures, GnutellaPlan, Mode, Victims};
use throng_node::simulate::measure::{Answers, quantile};
use throng_node::simulate::page::Page;
use throng_node::simulate::plot::Plot;
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

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn rows(plan: &GnutellaPlan, figures: &GnutellaFigures, wall: Duration) -> Rows {
    let (common, answers) = (&figures.common, &figures.common.answers);
    let mut rows = vec![
        ("servents", units::count(plan.nodes.into())),
        ("mode", name(plan.mode).into()),
        ("ultrapeers", units::count(figures.ultrapeers.into())),
        ("links", format!("{:.1} each", figures.degree)),
        ("seed", plan.seed.to_string()),
        ("linked after", seconds(common.formed)),
        ("found", found(answers)),
        ("hits", format!("{:.1} a search", answers.hits_each())),
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
                common.messages_per_query, figures.queries_per_query
            ),
        ),
        ("duplicates", format!("{:.1} a search", figures.duplicates_per_query)),
        ("bytes", format!("{:.0} a search", common.bytes_per_query)),
        ("idle", format!("{:.1} bytes a second each", figures.idle_bytes)),
    ];
    if let (Some((at_once, later)), Some(after)) = (figures.connected, &common.after) {
        rows.push(("killed", units::count(common.killed.into())));
        rows.push(("hang together", format!("{} at once, {} after 30 s", percent(at_once), percent(later))));
        rows.extend(
            figures.recovered.map(|share| ("leaves linked", format!("{} after 30 s", percent(share)))),
        );
        rows.push((
            "all linked after",
            common.healed.map_or(String::from("not yet"), |value| seconds(Some(value))),
        ));
        rows.push(("found after", found(after)));
    }
    rows.extend(run_rows(&figures.common.run, wall));
    rows
}

fn figures_json(plan: &GnutellaPlan, figures: &GnutellaFigures, wall: Duration) -> Value {
    let mut object = object("gnutella", (plan.nodes, plan.seed), &figures.common, wall);
    object["mode"] = name(plan.mode).into();
    object["ultrapeers"] = figures.ultrapeers.into();
    object["degree"] = figures.degree.into();
    object["files"] = (u64::from(plan.nodes) * u64::from(plan.files)).into();
    object["duplicates_per_query"] = figures.duplicates_per_query.into();
    object["idle_bytes_per_second"] = figures.idle_bytes.into();
    if let Some((at_once, later)) = figures.connected {
        object["connected"] = json!({ "at_once": at_once, "after_30_s": later });
        object["recovered"] = figures.recovered.into();
    }
    object
}

fn page(runs: &[Run], rows: Rows) -> Page {
    let mut table = Table::new(
        "The modes beside each other",
        "Messages are queries and hits, each counted on every link it is sent over.",
        &["mode", "recall", "messages a search", "bytes a search", "first hit, ms", "busiest node"],
    );
    for (plan, figures) in runs {
        table.row([
            name(plan.mode).to_owned(),
            format!("{:.3}", figures.common.answers.recall()),
            format!("{:.1}", figures.common.messages_per_query),
            format!("{:.0}", figures.common.bytes_per_query),
            format!("{:.0}", quantile(&figures.common.answers.millis, 0.5)),
            figures.common.run.busiest.to_string(),
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
        plots: runs.last().map(|(_, figures)| first_hit(&figures.common.answers)).into_iter().collect(),
    }
}

fn first_hit(answers: &Answers) -> Plot {
    let caption = "Share of the found titles that were found within each time.";
    steps("Time to the first hit", caption, "milliseconds", &answers.millis)
}
