//! `throng simulate`: runs a scenario, prints its figures as a table or one object.

use super::Context;
use crate::cli::{SimulateCommand, SimulateSwarmArgs};
use crate::failure::{Failure, Outcome};
use crate::progress::{Progress, Standing};
use crate::{text, torrent_file, units};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};
use throng_node::simulate::swarm::{Crowd, CrowdFigures};

/// Simulates.
pub(crate) fn run(command: &SimulateCommand, context: &Context) -> Outcome {
    match command {
        SimulateCommand::Swarm(args) => swarm(args, context),
    }
}

fn swarm(args: &SimulateSwarmArgs, context: &Context) -> Outcome {
    if args.size == 0 || args.uplink == 0 || args.connections == 0 {
        return Err(Failure::Usage(
            "--size, --uplink and --connections must be more than 0; see --help".into(),
        ));
    }
    args.report.as_deref().map(make_report_folder).transpose()?;
    let crowd = Crowd {
        nodes: args.nodes,
        seed: args.seed,
        size: args.size,
        piece_length: args.piece_length,
        uplink: args.uplink,
        connections: args.connections,
        super_seed: args.super_seed,
        ..Crowd::default()
    };
    let (figures, wall) = simulate(crowd, context)?;
    let object = figures_json(args, &figures, wall);
    context.output.print(table(args, &figures, wall));
    context.output.object(&object);
    if let Some(folder) = &args.report {
        torrent_file::write(&folder.join("figures.json"), format!("{object:#}\n").as_bytes())?;
    }
    Ok(())
}

fn make_report_folder(folder: &Path) -> Outcome {
    let failed =
        |error| Failure::failed(format_args!("cannot make the folder {}: {error}", text::path(folder)));
    std::fs::create_dir_all(folder).map_err(failed)
}

/// Runs it on a thread of its own, which ends with the program if the person does not want to wait.
fn simulate(crowd: Crowd, context: &Context) -> Outcome<(CrowdFigures, Duration)> {
    let progress = Progress::begin(&context.output, "simulating");
    let nodes = u64::from(crowd.nodes);
    let (tell, told) = tokio::sync::oneshot::channel();
    let work = move || {
        let began = Instant::now();
        let figures = crowd.run(|done, now| {
            let at = units::duration(now.since(throng_machine::Instant::EPOCH));
            let words = format!("{done} of {nodes} nodes complete at {at}");
            let fields = json!({ "nodes_complete": done, "nodes": nodes });
            progress.show(|| Standing { done: 0, total: 0, words, fields });
        });
        progress.finish();
        // Nobody waits any more if the person stopped it.
        let _ = tell.send((figures, began.elapsed()));
    };
    let thread = std::thread::Builder::new().name("simulation".into()).spawn(work);
    thread.map_err(|error| Failure::failed(format_args!("cannot start a thread: {error}")))?;
    super::block_on(async {
        tokio::select! {
            done = told => done.map_err(|_| Failure::Failed("the simulation failed; please report its arguments".into())),
            () = context.interrupt.wait() => Err(Failure::Interrupted),
        }
    })?
}

/// The value below which that share of sorted values lies.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let index = ((sorted.len() as f64 * share).ceil() as usize).saturating_sub(1);
    sorted.get(index.min(sorted.len().saturating_sub(1))).copied()
}

fn table(args: &SimulateSwarmArgs, figures: &CrowdFigures, wall: Duration) -> String {
    let seconds = |value: Option<f64>| value.map_or(String::from("never"), |value| format!("{value:.2} s"));
    let ratio =
        figures.finished.last().map_or(String::from("-"), |last| format!("{:.3}", last / figures.t_star));
    let rows = [
        ("nodes", units::count(args.nodes.into())),
        ("seed", args.seed.to_string()),
        ("file", format!("{} in {}", units::size(args.size), units::plural(figures.pieces.into(), "piece"))),
        ("uplink", units::rate(args.uplink)),
        (
            "complete",
            format!("{} of {}", units::count(figures.finished.len() as u64), units::count(args.nodes.into())),
        ),
        ("T*", seconds(Some(figures.t_star))),
        ("first", seconds(figures.finished.first().copied())),
        ("median", seconds(quantile(&figures.finished, 0.5))),
        ("last", seconds(last(args, figures))),
        ("last / T*", ratio),
        ("seed sent", format!("{:.2} copies", figures.seed_copies)),
        ("events", units::count(figures.events)),
        ("events/s", units::count(units::per_second(figures.events, wall))),
        ("wall clock", units::duration(wall)),
        ("peak memory", units::size(peak_rss().unwrap_or(0))),
        ("trace", format!("{:016x}", figures.trace)),
    ];
    rows.map(|(name, value)| format!("{name:12} {value}")).join("\n")
}

/// When the last one was complete; `None` if not all were.
fn last(args: &SimulateSwarmArgs, figures: &CrowdFigures) -> Option<f64> {
    figures.finished.last().copied().filter(|_| figures.finished.len() == args.nodes as usize)
}

fn figures_json(args: &SimulateSwarmArgs, figures: &CrowdFigures, wall: Duration) -> Value {
    let last = last(args, figures);
    json!({
        "system": "swarm",
        "nodes": args.nodes,
        "seed": args.seed,
        // A query is a download; what it takes is the time until all is there.
        "queries": args.nodes,
        "latency_ms": latency(&figures.finished),
        "found": figures.finished.len(),
        "recall": figures.finished.len() as f64 / f64::from(args.nodes.max(1)),
        "t_star_seconds": figures.t_star,
        "first_seconds": figures.finished.first(),
        "median_seconds": quantile(&figures.finished, 0.5),
        "last_seconds": last,
        "last_over_t_star": last.map(|last| last / figures.t_star),
        "pieces": figures.pieces,
        "seed_copies": figures.seed_copies,
        "events": figures.events,
        "events_per_second": units::per_second(figures.events, wall),
        "wall_seconds": wall.as_secs_f64(),
        "peak_rss_bytes": peak_rss(),
        "trace": format!("{:016x}", figures.trace),
    })
}

/// Mean, median and 99th percentile in milliseconds.
fn latency(seconds: &[f64]) -> Value {
    let ms = |seconds: Option<f64>| seconds.map(|seconds| seconds * 1_000.0);
    let mean = (!seconds.is_empty()).then(|| seconds.iter().sum::<f64>() / seconds.len() as f64);
    json!({ "mean": ms(mean), "p50": ms(quantile(seconds, 0.5)), "p99": ms(quantile(seconds, 0.99)) })
}

/// The most memory this process has had, where the system says (`VmHWM` of Linux).
fn peak_rss() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_occurred() {
        assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0], 0.5), Some(2.0));
        assert_eq!(quantile(&[1.0], 0.99), Some(1.0));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
