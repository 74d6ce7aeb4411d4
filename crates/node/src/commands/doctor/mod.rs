//! `throng doctor`: why something is slow, or cannot be found or reached; one line for each thing, with what to do.

mod machine;
mod node;
mod work;

use super::Context;
use crate::daemon::client::Client;
use crate::daemon::home::NodeAddress;
use crate::failure::{Failure, Outcome};
use crate::text;
use serde_json::{Value, json};

/// One thing that was looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Finding {
    good: bool,
    /// What was found and, if it is bad, what to do.
    line: String,
}

/// All that was looked at, in order.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn good(&mut self, line: impl Into<String>) {
        self.0.push(Finding { good: true, line: text::line(&line.into()) });
    }

    fn bad(&mut self, line: impl Into<String>) {
        self.0.push(Finding { good: false, line: text::line(&line.into()) });
    }
}

/// Looks at everything; fails if something is wrong.
pub(crate) fn run(context: &Context) -> Outcome {
    let mut findings = Findings::default();
    machine::look(&context.home, &mut findings);
    running(context, &mut findings);
    let bad = findings.0.iter().filter(|finding| !finding.good).count();
    for Finding { good, line } in &findings.0 {
        context.output.print(format_args!("{} {line}", if *good { "ok" } else { "!!" }));
        context.output.event("finding", json!({ "good": good, "line": line }));
    }
    match bad {
        0 => Ok(()),
        1 => Err(Failure::failed("one thing is not as it should be")),
        bad => Err(Failure::failed(format_args!("{bad} things are not as they should be"))),
    }
}

fn running(context: &Context, findings: &mut Findings) {
    match NodeAddress::read(&context.home) {
        Ok(Some(_)) => {}
        Ok(None) => return findings.bad("no node is running on this home; start one with: throng join"),
        Err(failure) => return findings.bad(failure.reason().unwrap_or("node.json cannot be read")),
    }
    // Another thread, so that Ctrl-C ends the wait for a node that does not answer.
    let home = context.home.clone();
    let asked = super::node::call(context, move || {
        let client = Client::new(&home)?;
        let status: Value = client.get("status")?;
        // Of very many the newest: what is wrong with those tells of the others.
        let more = |path: &str| client.get::<Value>(path).unwrap_or_default();
        Ok((status, more("transfers?limit=10000"), more("library?limit=10000")))
    });
    match asked {
        Ok((status, transfers, library)) => {
            node::look(&status, findings);
            work::transfers(&transfers, findings);
            work::library(&library, findings);
        }
        Err(failure) => findings.bad(failure.reason().unwrap_or("the node was not waited for")),
    }
}
