//! What a running node fetches and publishes: why nothing comes, and why nobody finds it.

use super::Findings;
use serde_json::Value;

/// Transfers and publications that are told one by one; of more, how many.
const TOLD: usize = 20;

/// `transfers` is the answer of `GET /api/v1/transfers`.
pub(super) fn transfers(transfers: &Value, findings: &mut Findings) {
    let all = transfers["transfers"].as_array().map_or(&[][..], Vec::as_slice);
    let bad: Vec<_> = all.iter().filter_map(slow).collect();
    tell(all.len(), "transfer", bad, findings);
}

/// Why nothing comes.
fn slow(transfer: &Value) -> Option<String> {
    let name = transfer["name"].as_str().unwrap_or("a transfer");
    let reason = transfer["reason"].as_str().unwrap_or("no reason was given");
    let why = match transfer["state"].as_str() {
        Some("failed") => format!("it cannot go on: {reason}"),
        Some("paused") if reason != "stopped" => format!("it waits: {reason}"),
        Some("metadata") => {
            "nobody has told what is in it yet; more sources may: trackers, peers, a search".into()
        }
        Some("downloading") if transfer["download_rate"].as_u64() == Some(0) => nobody(transfer),
        _ => return None,
    };
    Some(format!("{name}: {why}"))
}

fn nobody(transfer: &Value) -> String {
    let troubled = transfer["sources"].as_array().into_iter().flatten().find_map(|source| {
        Some(format!("; {} says: {}", source["name"].as_str()?, source["trouble"].as_str()?))
    });
    let troubled = troubled.unwrap_or_default();
    match transfer["peers"].as_u64() {
        Some(0) | None => format!("nothing comes: no peer is connected{troubled}"),
        Some(peers) => {
            format!("nothing comes from {peers} connected peers: none has or gives what is missing{troubled}")
        }
    }
}

/// `library` is the answer of `GET /api/v1/library`.
pub(super) fn library(library: &Value, findings: &mut Findings) {
    let all = library["publications"].as_array().map_or(&[][..], Vec::as_slice);
    let bad: Vec<_> = all.iter().filter_map(hidden).collect();
    tell(all.len(), "publication", bad, findings);
}

/// Why nobody finds it.
fn hidden(publication: &Value) -> Option<String> {
    let title = publication["title"].as_str().unwrap_or("a publication");
    if let Some(trouble) = publication["trouble"].as_str() {
        return Some(format!("{title}: {trouble}"));
    }
    let systems = publication["systems"].as_object()?;
    let at = |name: &String| systems[name]["at"].as_u64().unwrap_or(0);
    let nowhere: Vec<_> = systems.keys().filter(|name| at(name) == 0).map(String::as_str).collect();
    (!nowhere.is_empty()).then(|| format!("{title}: cannot be found through {} (yet)", nowhere.join(", ")))
}

fn tell(all: usize, what: &str, bad: Vec<String>, findings: &mut Findings) {
    let count = bad.len();
    if all > 0 && count == 0 {
        findings.good(crate::units::plural(all as u64, what) + " and nothing wrong with any");
    }
    bad.into_iter().take(TOLD).for_each(|line| findings.bad(line));
    if count > TOLD {
        findings.bad(format!("and {} more like these", crate::units::plural((count - TOLD) as u64, what)));
    }
}

#[cfg(test)]
mod tests {
    use super::super::Finding;
    use super::*;
    use serde_json::json;

    fn told(look: fn(&Value, &mut Findings), of: Value) -> Vec<Finding> {
        let mut findings = Findings::default();
        look(&of, &mut findings);
        findings.0
    }

    #[test]
    fn a_transfer_that_gets_nothing_says_why() {
        let one = |more: Value| {
            let mut transfer = json!({ "name": "a", "state": "downloading", "download_rate": 0, "peers": 0 });
            more.as_object().unwrap().iter().for_each(|(key, value)| transfer[key] = value.clone());
            told(transfers, json!({ "transfers": [transfer] }))
        };
        let cases = [
            (json!({}), "no peer is connected"),
            (json!({ "peers": 2 }), "from 2 connected peers"),
            (json!({ "sources": [{ "name": "web seed", "trouble": "404" }] }), "web seed says: 404"),
            (json!({ "state": "failed", "reason": "disk full" }), "cannot go on: disk full"),
            (json!({ "state": "metadata" }), "what is in it"),
        ];
        for (more, words) in cases {
            let findings = one(more);
            assert!(findings.len() == 1 && !findings[0].good, "{findings:?}");
            assert!(findings[0].line.contains(words), "{findings:?}");
        }
        for more in [
            json!({ "download_rate": 5 }),
            json!({ "state": "complete" }),
            json!({ "state": "paused", "reason": "stopped" }),
        ] {
            assert!(one(more)[0].good);
        }
    }

    #[test]
    fn a_publication_that_a_system_does_not_have_is_told_and_many_are_counted() {
        let one =
            |at: u64| json!({ "title": "t", "systems": { "chord": { "at": 3 }, "directory": { "at": at } } });
        assert!(told(library, json!({ "publications": [one(1)] }))[0].good);
        let bad = told(library, json!({ "publications": [one(0)] }));
        assert!(bad[0].line.contains("directory") && !bad[0].line.contains("chord"), "{bad:?}");
        let many = told(library, json!({ "publications": vec![one(0); 25] }));
        assert_eq!(many.len(), 21);
        assert_eq!(many[20].line, "and 5 publications more like these");
    }

    #[test]
    fn a_node_of_another_version_that_answers_otherwise_is_no_trouble() {
        assert!(told(transfers, Value::Null).is_empty());
        assert!(told(library, json!({ "publications": 3 })).is_empty());
    }
}
