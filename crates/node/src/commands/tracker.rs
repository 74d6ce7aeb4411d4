//! `throng tracker`.

use super::Context;
use crate::cli::TrackerArgs;
use crate::failure::{Failure, Outcome};
use crate::units;
use serde_json::json;
use std::path::Path;
use throng_runtime::tracker::{TrackerConfig, TrackerError, TrackerServer};

/// Serves until interrupted.
pub(crate) fn run(args: &TrackerArgs, context: &Context) -> Outcome {
    let listen = args.listen.resolve()?;
    let config = TrackerConfig { listen, allow: args.allow.clone(), ..TrackerConfig::default() };
    let server = TrackerServer::start(config).map_err(|error| failure(&error))?;
    let at = server.local_addr();
    context.output.print(format_args!("tracker listening on {at}: http://{at}/announce and udp://{at}"));
    context.output.event(
        "listening",
        json!({ "address": at.to_string(), "http": format!("http://{at}/announce"), "udp": format!("udp://{at}") }),
    );
    super::block_on(context.interrupt.wait())?;
    let metrics = server.metrics();
    server.stop();
    let announces = metrics.udp_announces + metrics.http_announces;
    context.output.note(format_args!("stopped after {}", units::plural(announces, "announce")));
    Err(Failure::Interrupted)
}

fn failure(error: &TrackerError) -> Failure {
    match error {
        TrackerError::Bind(_) => Failure::failed(format_args!("{error}; choose another with --listen")),
        TrackerError::Allow { path, .. } => {
            let hint = if Path::new(path).exists() { "" } else { "; check the path" };
            Failure::failed(format_args!("{error}{hint}"))
        }
        TrackerError::System(_) => Failure::failed(error),
    }
}
