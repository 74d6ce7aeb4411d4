//! What is told of every run: the same rows, the same keys, the same plot of how fast files were found.

use crate::units;
use serde_json::{Value, json};
use std::time::Duration;
use throng_node::simulate::measure::{Answers, Figures, Run, mean, quantile};
use throng_node::simulate::memory;
use throng_node::simulate::plot::{Plot, Shape};

/// Names and values, one a line of the terminal's table.
pub(super) type Rows = Vec<(&'static str, String)>;

/// `12 of 40`.
pub(super) fn found(answers: &Answers) -> String {
    format!("{} of {}", units::count(answers.found.into()), units::count(answers.asked.into()))
}

/// Seconds with one decimal, or that it never was.
pub(super) fn seconds(value: Option<f64>) -> String {
    value.map_or(String::from("never"), |value| format!("{value:.1} s"))
}

/// The mean of the times until files were found, and the slowest hundredth.
pub(super) fn latency(answers: &Answers) -> String {
    format!("{:.0} ms, p99 {:.0} ms", mean(&answers.millis), quantile(&answers.millis, 0.99))
}

/// What the run itself took.
pub(super) fn run_rows(run: &Run, wall: Duration) -> Rows {
    let memory = |bytes: Option<u64>| bytes.map_or(String::from("unknown"), units::size);
    vec![
        ("busiest node", units::plural(run.busiest, "message")),
        ("virtual time", format!("{:.0} s", run.seconds)),
        ("events", units::count(run.events)),
        ("events/s", units::count(units::per_second(run.events, wall))),
        ("wall clock", units::duration(wall)),
        ("memory a node", memory(run.bytes_per_node)),
        ("peak memory", memory(memory::peak_resident())),
        ("trace", format!("{:016x}", run.trace)),
    ]
}

/// The keys that every system has.
pub(super) fn object(system: &str, (nodes, seed): (u32, u64), figures: &Figures, wall: Duration) -> Value {
    let answers = &figures.answers;
    let mut object = json!({
        "system": system,
        "nodes": nodes,
        "seed": seed,
        "queries": answers.asked,
        "found": answers.found,
        "recall": answers.recall(),
        "hits": answers.hits,
        "messages_per_query": figures.messages_per_query,
        "bytes_per_query": figures.bytes_per_query,
        "latency_ms": spread(&answers.millis),
        "formed_seconds": figures.formed,
    });
    add_run(&mut object, &figures.run, wall);
    if figures.killed > 0 {
        object["killed"] = figures.killed.into();
        object["healed_seconds"] = figures.healed.into();
        object["recall_after"] = figures.after.as_ref().map(Answers::recall).into();
    }
    object
}

/// Adds what the run itself took.
pub(super) fn add_run(object: &mut Value, run: &Run, wall: Duration) {
    object["busiest_node_messages"] = run.busiest.into();
    object["bytes_per_node"] = run.bytes_per_node.into();
    object["virtual_seconds"] = run.seconds.into();
    object["events"] = run.events.into();
    object["events_per_second"] = units::per_second(run.events, wall).into();
    object["wall_seconds"] = wall.as_secs_f64().into();
    object["peak_rss_bytes"] = memory::peak_resident().into();
    object["trace"] = format!("{:016x}", run.trace).into();
}

/// Mean, median and slowest hundredth of ascending values.
pub(super) fn spread(values: &[f64]) -> Value {
    json!({ "mean": mean(values), "p50": quantile(values, 0.5), "p99": quantile(values, 0.99) })
}

/// The share of ascending values up to each.
pub(super) fn steps(title: &str, caption: &str, x_label: &str, values: &[f64]) -> Plot {
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

/// How fast files were found.
pub(super) fn latency_plot(answers: &Answers) -> Plot {
    let caption = "Share of the found files that were found within each time.";
    steps("Latency", caption, "milliseconds", &answers.millis)
}
