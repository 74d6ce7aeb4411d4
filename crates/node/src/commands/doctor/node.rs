//! A running node by its status: its systems, whether others reach it, and what it refuses.

use super::Findings;
use serde_json::Value;
use std::net::{IpAddr, SocketAddr};

/// More lookups unanswered than one in so many are told.
const UNANSWERED: u64 = 10;

pub(super) fn look(status: &Value, findings: &mut Findings) {
    findings.good(format!("a node runs: throng {}, process {}", word(status, "version"), status["pid"]));
    if status["leaving"] == true {
        findings.bad("it is leaving and takes no more requests");
    }
    let api = address(status, "api");
    if api.is_some_and(|api| !api.ip().is_loopback()) {
        findings
            .bad("its API can be reached from other machines, unencrypted; without --api it is on loopback");
    }
    let systems = status["systems"].as_array().map_or(&[][..], Vec::as_slice);
    systems.iter().for_each(|system| one(system, findings));
    let notices = status["notices"].as_array().into_iter().flatten().filter_map(Value::as_str);
    notices.for_each(|notice| findings.bad(notice));
}

fn one(system: &Value, findings: &mut Findings) {
    let name = word(system, "system");
    match word(system, "standing") {
        "joined" => findings.good(format!("{name}: joined")),
        "joining" => findings.bad(format!(
            "{name}: nobody has let it in yet; check that the address given is right and that a node runs there"
        )),
        "isolated" => findings.bad(format!("{name}: all it knew are gone; check this machine's network")),
        // Not every system stands in one way.
        "" => {}
        other => findings.bad(format!("{name}: {other}")),
    }
    if let Some(disk) = system["disk"].as_str() {
        findings.bad(format!("{name}: {disk}"));
    }
    if let Some(at) = address(system, "address") {
        reach(name, at, findings);
    }
    traffic(name, &system["traffic"], findings);
    lookups(name, &system["counters"], findings);
}

/// Who can call this address.
fn reach(name: &str, at: SocketAddr, findings: &mut Findings) {
    let local = match at.ip() {
        ip if ip.is_loopback() => {
            return findings.bad(format!(
                "{name}: others are told to call {at}, which is this machine alone; start it with --listen ADDR"
            ));
        }
        ip if ip.is_unspecified() => {
            return findings.bad(format!("{name}: nobody has told it yet where it is reached from outside"));
        }
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    };
    if local {
        findings.bad(format!(
            "{name}: {at} is an address of this network alone; to be called from outside, forward port {} of the \
             router (TCP and UDP) to it",
            at.port()
        ));
    } else {
        findings.good(format!("{name}: others call it at {at}"));
    }
}

fn traffic(name: &str, traffic: &Value, findings: &mut Findings) {
    let (sent, received) = (traffic["datagrams_out"].as_u64(), traffic["datagrams_in"].as_u64());
    if let (Some(sent @ 1..), Some(0)) = (sent, received) {
        findings.bad(format!(
            "{name}: {sent} datagrams were sent and none came back; a firewall may drop UDP to this machine"
        ));
    }
}

fn lookups(name: &str, counters: &Value, findings: &mut Findings) {
    let count = |what: &str| counters[what].as_u64().unwrap_or(0);
    let (begun, lost) = (count("lookups begun"), count("lookups unanswered"));
    if lost > 0 && lost.saturating_mul(UNANSWERED) > begun {
        findings.bad(format!(
            "{name}: {lost} of {begun} lookups had no answer; neighbours are dying or the network loses packets"
        ));
    }
    let failed = count("puts and gets failed");
    if failed > 0 {
        findings.bad(format!("{name}: {failed} puts and gets failed; `throng status` counts why"));
    }
}

fn word<'a>(of: &'a Value, field: &str) -> &'a str {
    of[field].as_str().unwrap_or("")
}

fn address(of: &Value, field: &str) -> Option<SocketAddr> {
    of[field].as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::Finding;
    use super::*;
    use serde_json::json;

    fn found(status: Value) -> Vec<Finding> {
        let mut findings = Findings::default();
        look(&status, &mut findings);
        findings.0
    }

    fn ring(changes: Value) -> Value {
        let mut ring = json!({
            "system": "chord", "standing": "joined", "address": "198.51.100.7:7117", "disk": null,
            "traffic": { "datagrams_in": 5, "datagrams_out": 5 },
            "counters": { "lookups begun": 100, "lookups unanswered": 1 }
        });
        for (key, value) in changes.as_object().unwrap() {
            ring[key] = value.clone();
        }
        json!({ "version": "0", "pid": 1, "api": "127.0.0.1:7118", "notices": [], "systems": [ring] })
    }

    #[test]
    fn nothing_is_wrong_with_a_node_that_is_well() {
        assert!(found(ring(json!({}))).iter().all(|finding| finding.good));
    }

    #[test]
    fn each_trouble_is_told_once_with_what_to_do() {
        let cases = [
            (json!({ "standing": "joining" }), "check that the address given is right"),
            (json!({ "standing": "isolated" }), "check this machine's network"),
            (json!({ "address": "127.0.0.1:7117" }), "--listen"),
            (json!({ "address": "192.168.1.5:7117" }), "forward port 7117"),
            (json!({ "address": "[fd00::1]:7117" }), "forward port 7117"),
            (json!({ "disk": "the disk is full" }), "the disk is full"),
            (json!({ "traffic": { "datagrams_in": 0, "datagrams_out": 9 } }), "firewall"),
            (json!({ "counters": { "lookups begun": 10, "lookups unanswered": 5 } }), "5 of 10 lookups"),
        ];
        for (changes, words) in cases {
            let bad: Vec<_> = found(ring(changes)).into_iter().filter(|finding| !finding.good).collect();
            assert_eq!(bad.len(), 1, "{words}: {bad:?}");
            assert!(bad[0].line.contains(words), "{bad:?}");
        }
    }

    #[test]
    fn what_the_node_noticed_and_an_open_api_are_told() {
        let mut status = ring(json!({}));
        status["notices"] = json!(["something happened"]);
        status["api"] = "0.0.0.0:7118".into();
        let bad: Vec<_> = found(status).into_iter().filter(|finding| !finding.good).collect();
        assert!(bad[0].line.contains("API can be reached") && bad[1].line == "something happened", "{bad:?}");
    }
}
