//! `throng simulate swarm`: a flash crowd.

use super::super::Context;
use super::{each_line, report_folder, write_report};
use crate::cli::SimulateSwarmArgs;
use crate::failure::{Failure, Outcome};
use crate::units;
use serde_json::{Value, json};
use std::time::Duration;
use throng_node::simulate::figures::CrowdFigures;
use throng_node::simulate::memory;
use throng_node::simulate::page::Page;
use throng_node::simulate::plot::{Mark, Plot, Shape};
use throng_node::simulate::swarm::Crowd;

/// Bars of a distribution.
const BARS: usize = 30;
/// The virtual time a run is given at least.
const LEAST_TIME: Duration = Duration::from_secs(3_600);

pub(super) fn run(args: &SimulateSwarmArgs, context: &Context) -> Outcome {
    let crowd = crowd(args)?;
    report_folder(args.report.as_deref())?;
    let (figures, wall) = simulate(crowd, context)?;
    let (rows, object) = (rows(args, &figures, wall), figures_json(args, &figures, wall));
    context.output.print(each_line(&rows));
    context.output.object(&object);
    write_report(args.report.as_deref(), &object, || page(args, &figures, rows))
}

/// What is to be simulated, if it makes sense.
fn crowd(args: &SimulateSwarmArgs) -> Outcome<Crowd> {
    if args.size == 0 || args.uplink == 0 || args.connections == 0 {
        return Err(Failure::Usage(
            "--size, --uplink and --connections must be more than 0; see --help".into(),
        ));
    }
    let crowd = Crowd {
        nodes: args.nodes,
        seed: args.seed,
        size: args.size,
        piece_length: args.piece_length,
        uplink: args.uplink,
        connections: args.connections,
        super_seed: args.super_seed,
        fail: args.fail,
        hidden: args.hidden,
        liars: args.liars,
        ..Crowd::default()
    };
    crowd.check().map_err(|error| {
        Failure::Usage(format!("there is no such torrent: {error}; choose another --size or --piece-length"))
    })?;
    // Twenty times the least possible time is ample for a crowd that works at all.
    let ample = Duration::try_from_secs_f64(20.0 * crowd.t_star()).unwrap_or(throng_machine::FOREVER);
    Ok(Crowd { until: ample.clamp(LEAST_TIME, throng_machine::FOREVER), ..crowd })
}

/// Runs it, telling how many are done.
fn simulate(crowd: Crowd, context: &Context) -> Outcome<(CrowdFigures, Duration)> {
    let nodes = u64::from(crowd.nodes);
    super::apart(context, move |told| {
        crowd.run(|done, now| {
            let at = now.since(throng_machine::Instant::EPOCH);
            let words = format!("{done} of {nodes} nodes complete at {}", units::duration(at));
            let fields = json!({
                "done": done, "total": nodes, "nodes_complete": done, "nodes": nodes,
                "virtual_seconds": at.as_secs(),
            });
            told(words, fields);
        })
    })
}

/// What people are shown.
fn rows(args: &SimulateSwarmArgs, figures: &CrowdFigures, wall: Duration) -> Vec<(&'static str, String)> {
    let seconds = |value: Option<f64>| value.map_or(String::from("never"), |value| format!("{value:.2} s"));
    let ratio = figures.last().map_or(String::from("-"), |last| format!("{:.3}", last / figures.t_star));
    let memory = |bytes: Option<u64>| bytes.map_or(String::from("unknown"), units::size);
    let (found, queries) = (figures.finished.len() as u64, figures.queries.into());
    let each = |sum: u64| sum / u64::from(figures.queries.max(1));
    let mut rows = vec![
        ("nodes", units::count(args.nodes.into())),
        ("seed", args.seed.to_string()),
        ("file", format!("{} in {}", units::size(args.size), units::plural(figures.pieces.into(), "piece"))),
        ("uplink", units::rate(args.uplink)),
        ("complete", format!("{} of {}", units::count(found), units::count(queries))),
        ("T*", seconds(Some(figures.t_star))),
        ("first", seconds(figures.finished.first().copied())),
        ("median", seconds(figures.quantile(0.5))),
        ("last", seconds(figures.last())),
        ("last / T*", ratio),
        ("seed sent", format!("{:.2} copies", figures.seed_copies)),
        ("messages", format!("{} a download", units::count(each(figures.messages)))),
        ("bytes", format!("{} a download", units::size(each(figures.bytes)))),
        ("busiest node", units::plural(figures.busiest, "message")),
    ];
    rows.extend(adversity_rows(figures));
    rows.extend([
        ("events", units::count(figures.events)),
        ("events/s", units::count(units::per_second(figures.events, wall))),
        ("wall clock", units::duration(wall)),
        ("memory a node", memory(figures.bytes_per_node)),
        ("peak memory", memory(memory::peak_resident())),
        ("trace", format!("{:016x}", figures.trace)),
    ]);
    rows
}

/// What went wrong on purpose, and what came of it.
fn adversity_rows(figures: &CrowdFigures) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    if figures.killed > 0 {
        let healed = figures.healed.map_or(String::from("never"), |seconds| format!("after {seconds:.2} s"));
        rows.push(("killed", units::count(figures.killed.into())));
        rows.push(("healed", healed));
    }
    if figures.hidden > 0 {
        rows.push(("behind NATs", units::count(figures.hidden.into())));
    }
    if figures.liars > 0 {
        let (banned, honest) = (figures.liars_banned, units::count(figures.honest_banned.into()));
        let liars = format!("{banned} of {} shut out by somebody", units::count(figures.liars.into()));
        rows.push(("liars", liars));
        rows.push(("honest shut out", honest));
    }
    rows
}

fn figures_json(args: &SimulateSwarmArgs, figures: &CrowdFigures, wall: Duration) -> Value {
    let each = |sum: u64| sum as f64 / f64::from(figures.queries.max(1));
    let ms = |seconds: Option<f64>| seconds.map(|seconds| seconds * 1_000.0);
    let mut object = json!({
        "system": "swarm",
        "nodes": args.nodes,
        "seed": args.seed,
        "queries": figures.queries,
        "found": figures.finished.len(),
        "recall": figures.finished.len() as f64 / f64::from(figures.queries.max(1)),
        "messages_per_query": each(figures.messages),
        "bytes_per_query": each(figures.bytes),
        "latency_ms": {
            "mean": ms(figures.mean()), "p50": ms(figures.quantile(0.5)), "p99": ms(figures.quantile(0.99)),
        },
        "busiest_node_messages": figures.busiest,
        "bytes_per_node": figures.bytes_per_node,
        "t_star_seconds": figures.t_star,
        "first_seconds": figures.finished.first(),
        "median_seconds": figures.quantile(0.5),
        "last_seconds": figures.last(),
        "last_over_t_star": figures.last().map(|last| last / figures.t_star),
        "pieces": figures.pieces,
        "seed_copies": figures.seed_copies,
        "events": figures.events,
        "events_per_second": units::per_second(figures.events, wall),
        "wall_seconds": wall.as_secs_f64(),
        "peak_rss_bytes": memory::peak_resident(),
        "trace": format!("{:016x}", figures.trace),
    });
    if let Value::Object(keys) = &mut object {
        keys.extend(adversity_json(figures));
    }
    object
}

/// The keys that only runs with adversity have.
fn adversity_json(figures: &CrowdFigures) -> Vec<(String, Value)> {
    let mut keys = Vec::new();
    let mut add = |name: &str, value: Value| keys.push((name.to_owned(), value));
    if figures.killed > 0 {
        add("killed", figures.killed.into());
        add("healed_seconds", figures.healed.into());
    }
    if figures.hidden > 0 {
        add("hidden", figures.hidden.into());
    }
    if figures.liars > 0 {
        add("liars", figures.liars.into());
        add("liars_banned", figures.liars_banned.into());
        add("honest_banned", figures.honest_banned.into());
    }
    keys
}

fn page(args: &SimulateSwarmArgs, figures: &CrowdFigures, rows: Vec<(&'static str, String)>) -> Page {
    let mut plots = vec![completion(figures)];
    plots.extend(distribution(figures));
    Page {
        title: format!("A flash crowd of {}", units::plural(args.nodes.into(), "downloader")),
        subtitle: format!(
            "One seed, {} each host may send, {}; throng {}",
            units::rate(args.uplink),
            units::plural(args.connections as u64, "connection"),
            env!("CARGO_PKG_VERSION"),
        ),
        rows: rows.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        tables: Vec::new(),
        notes: vec![
            "T* is the least possible time, (size / uplink)(1 + floor(log2 nodes) / pieces). Messages are what the \
             simulated network carried, memory a node includes the simulator's own; throng simulate swarm --help \
             says more."
                .to_owned(),
        ],
        plots,
    }
}

/// The share of downloads complete, over time.
fn completion(figures: &CrowdFigures) -> Plot {
    let percent = 100.0 / f64::from(figures.queries.max(1));
    let points = (1u32..).zip(&figures.finished).map(|(count, at)| (*at, f64::from(count) * percent));
    let end = figures.finished.last().copied().unwrap_or(0.0).max(figures.t_star);
    let mut marks = vec![Mark { x: figures.t_star, label: "T*".into() }];
    if let Some((last, healed)) = figures.last().zip(figures.healed) {
        marks.push(Mark { x: last - healed, label: format!("{} killed", figures.killed) });
    }
    Plot {
        title: "Complete over time".into(),
        caption: "Share of the downloads that had the whole file by then; the dashed line at T* is the least possible \
                  time for the last one."
            .into(),
        x_label: "seconds since the start".into(),
        y_label: "% of downloads".into(),
        x: (0.0, end * 1.05),
        y: (0.0, 100.0),
        shape: Shape::Steps(points.collect()),
        marks,
    }
}

/// How many finished when; nothing to show if nobody did.
fn distribution(figures: &CrowdFigures) -> Option<Plot> {
    let (first, last) = (*figures.finished.first()?, *figures.finished.last()?);
    let (least, most) = (first.min(figures.t_star), last.max(figures.t_star));
    // Some width even if all finish at once.
    let width = ((most - least) / BARS as f64).max(0.001);
    let mut counts = vec![0u32; BARS];
    for at in &figures.finished {
        counts[(((at - least) / width) as usize).min(BARS - 1)] += 1;
    }
    let begin = |index: usize| least + index as f64 * width;
    let bars = (0..BARS).zip(&counts).filter(|(_, count)| **count > 0);
    let bars = bars.map(|(index, count)| (begin(index), begin(index + 1), f64::from(*count)));
    Some(Plot {
        title: "When downloads finished".into(),
        caption: format!("Downloads that finished within each {width:.3} s."),
        x_label: "seconds since the start".into(),
        y_label: "downloads".into(),
        x: (least - width, begin(BARS) + width),
        y: (0.0, f64::from(counts.iter().copied().max().unwrap_or(0)) * 1.05),
        shape: Shape::Bars(bars.collect()),
        marks: vec![Mark { x: figures.t_star, label: "T*".into() }],
    })
}
