//! The node's figures as Prometheus reads them (text exposition format 0.0.4).
//!
//! What a system tells of itself is taken from its status, whatever system it is: its traffic and counters become
//! counters, its other numbers values. Names of counters are labels, so that a new one needs no new name here.

use super::report::{NodeStatus, SystemStatus};
use serde_json::Value;
use std::fmt::Write as _;

/// The content type of the format.
pub(crate) const KIND: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All figures.
pub(crate) fn text(status: &NodeStatus) -> String {
    let mut page = Page::default();
    page.family("throng_info", "gauge", "Always 1; the version is a label.");
    page.sample("throng_info", &[("version", &status.version)], 1.0);
    page.family("throng_uptime_seconds", "gauge", "Since this node started.");
    page.sample("throng_uptime_seconds", &[], status.uptime_seconds as f64);
    page.family("throng_notices", "gauge", "Lines that a person may want to act on.");
    page.sample("throng_notices", &[], status.notices.len() as f64);
    process(&mut page);
    let systems: Vec<_> = status.systems.iter().filter_map(System::of).collect();
    standing(&mut page, &systems);
    traffic(&mut page, &systems);
    page.family(
        "throng_system_events_total",
        "counter",
        "What a system counts of itself, by its words for it.",
    );
    for system in &systems {
        for (what, count) in numbers(&system.fields["counters"]) {
            page.sample("throng_system_events_total", &[("system", &system.name), ("what", what)], count);
        }
    }
    page.family("throng_system_value", "gauge", "Other numbers in a system's status.");
    for system in &systems {
        for (what, value) in numbers(&system.fields) {
            page.sample("throng_system_value", &[("system", &system.name), ("what", what)], value);
        }
    }
    page.0
}

fn standing(page: &mut Page, systems: &[System]) {
    page.family("throng_system_joined", "gauge", "1 while the node takes part in the system.");
    for system in systems {
        let joined = f64::from(u8::from(system.fields["standing"] == "joined"));
        page.sample("throng_system_joined", &[("system", &system.name)], joined);
    }
}

fn traffic(page: &mut Page, systems: &[System]) {
    for (name, unit) in
        [("throng_system_bytes_total", "bytes"), ("throng_system_datagrams_total", "datagrams")]
    {
        page.family(name, "counter", "Carried by a system's sockets.");
        for system in systems {
            for direction in ["in", "out"] {
                let count = &system.fields["traffic"][format!("{unit}_{direction}")];
                if let Some(count) = count.as_f64() {
                    page.sample(name, &[("system", &system.name), ("direction", direction)], count);
                }
            }
        }
    }
}

/// Of the process, where the system tells (Linux).
fn process(page: &mut Page) {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let resident = pages.as_deref().and_then(|pages| pages.split(' ').nth(1)?.parse::<u64>().ok());
    if let Some(resident) = resident {
        page.family("process_resident_memory_bytes", "gauge", "Memory of the process.");
        page.sample(
            "process_resident_memory_bytes",
            &[],
            (resident * rustix::param::page_size() as u64) as f64,
        );
    }
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        page.family("process_open_fds", "gauge", "Open files and sockets.");
        page.sample("process_open_fds", &[], files.count() as f64);
    }
}

/// One system's status as it is told.
struct System {
    name: String,
    fields: Value,
}

impl System {
    fn of(status: &SystemStatus) -> Option<System> {
        let fields = serde_json::to_value(status).ok()?;
        Some(System { name: fields["system"].as_str()?.to_owned(), fields })
    }
}

/// The numbers directly in an object.
fn numbers(of: &Value) -> impl Iterator<Item = (&str, f64)> {
    of.as_object().into_iter().flatten().filter_map(|(name, value)| Some((name.as_str(), value.as_f64()?)))
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let label = |(name, value): &(&str, &str)| format!("{name}=\"{}\"", escaped(value));
        let labels = labels.iter().map(label).collect::<Vec<_>>().join(",");
        let braced = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let _ = writeln!(self.0, "{name}{braced} {value}");
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::report::{RingStatus, Standing, Traffic};

    fn status() -> NodeStatus {
        let ring = RingStatus {
            standing: Standing::Joined,
            mode: "ring".into(),
            address: "127.0.0.1:7117".parse().unwrap(),
            estimated_nodes: 12,
            nodes: Vec::new(),
            traffic: Traffic { bytes_in: 1, bytes_out: 2, datagrams_in: 3, datagrams_out: 4 },
            counters: [("dropped: \"odd\"\n".to_owned(), 5)].into(),
            disk: None,
        };
        NodeStatus {
            version: "0.1.0".into(),
            pid: 1,
            api: "127.0.0.1:7118".parse().unwrap(),
            key: String::new(),
            incarnation: 1,
            uptime_seconds: 9,
            leaving: false,
            notices: Vec::new(),
            systems: vec![SystemStatus::Chord(Box::new(ring))],
        }
    }

    #[test]
    fn all_that_a_system_tells_is_a_figure() {
        let page = text(&status());
        for line in [
            "throng_info{version=\"0.1.0\"} 1",
            "throng_uptime_seconds 9",
            "throng_system_joined{system=\"chord\"} 1",
            "throng_system_bytes_total{system=\"chord\",direction=\"out\"} 2",
            "throng_system_datagrams_total{system=\"chord\",direction=\"in\"} 3",
            "throng_system_events_total{system=\"chord\",what=\"dropped: \\\"odd\\\"\\n\"} 5",
            "throng_system_value{system=\"chord\",what=\"estimated_nodes\"} 12",
        ] {
            assert!(page.lines().any(|it| it == line), "{line} is not in\n{page}");
        }
    }

    #[test]
    fn every_sample_follows_the_name_and_kind_of_its_family() {
        let page = text(&status());
        let mut family = "";
        for line in page.lines() {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["#", "HELP", name, ..] => family = name,
                ["#", "TYPE", name, kind] => {
                    assert_eq!(name, family);
                    assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is no {kind}");
                }
                _ => {
                    let (name, value) = (line.split(['{', ' ']).next(), line.rsplit_once(' ').unwrap().1);
                    assert_eq!(name, Some(family), "{line}");
                    value.parse::<f64>().unwrap();
                }
            }
        }
    }
}
