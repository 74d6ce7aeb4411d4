//! What `seed`, `fetch` and `demo` share: starting a session.

use super::Context;
use crate::cli::{ListenAddress, NetworkArgs, bind_reason};
use crate::failure::{Failure, Outcome};
use crate::{text, units};
use serde_json::json;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use throng_runtime::session::{Session, SessionConfig};
use throng_swarm::Config;

/// The port BitTorrent clients have always used first.
const PORT: u16 = 6881;

/// Starts a session as the arguments say, and tells where it listens.
pub(super) fn start(args: &NetworkArgs, download_limit: Option<u64>, context: &Context) -> Outcome<Session> {
    let (upload_limit, download_limit) = (units::limit(args.upload_limit), units::limit(download_limit));
    let swarm = Config { upload_limit, download_limit, ..Config::default() };
    let config = SessionConfig { home: home(context), swarm, ..SessionConfig::default() };
    let session = match &args.listen {
        Some(listen) => listen_on(listen, config)?,
        None => listen_anywhere(config)?,
    };
    if let Some(at) = session.local_addr() {
        context.output.print(format_args!("listening on {at}"));
        context.output.event("listening", json!({ "address": at.to_string() }));
    }
    Ok(session)
}

/// The folder for the resume state. Without one the work can be done all the same.
fn home(context: &Context) -> Option<PathBuf> {
    match std::fs::create_dir_all(&context.home) {
        Ok(()) => Some(context.home.clone()),
        Err(error) => {
            let home = text::path(&context.home);
            context.output.note(format_args!(
                "cannot keep state in {home} ({error}): files are checked anew next time; choose another with --home"
            ));
            None
        }
    }
}

fn listen_on(listen: &ListenAddress, config: SessionConfig) -> Outcome<Session> {
    let at = listen.resolve()?;
    Session::start(SessionConfig { listen: Some(at), ..config }).map_err(|error| not_started(&error, listen))
}

/// The usual port, any other if that is taken; IPv4 alone where there is no IPv6.
fn listen_anywhere(config: SessionConfig) -> Outcome<Session> {
    let mut last = None;
    for ip in [IpAddr::from([0u16; 8]), IpAddr::from([0; 4])] {
        for port in [PORT, 0] {
            let at = SocketAddr::new(ip, port);
            match Session::start(SessionConfig { listen: Some(at), ..config.clone() }) {
                Ok(session) => return Ok(session),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = Some((at, error)),
                Err(error) => {
                    last = Some((at, error));
                    break;
                }
            }
        }
    }
    Err(last.map_or(Failure::Interrupted, |(at, error)| not_started(&error, at)))
}

fn not_started(error: &io::Error, listen: impl std::fmt::Display) -> Failure {
    match error.kind() {
        io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable | io::ErrorKind::PermissionDenied => {
            Failure::failed(format_args!("cannot listen on {listen}: {}", bind_reason(error)))
        }
        _ => Failure::failed(format_args!("cannot start on {listen}: {error}")),
    }
}
