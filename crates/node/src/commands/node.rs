//! `throng status`, `leave`, `put` and `get`: what is asked of the running node.

use super::Context;
use crate::cli::{GetArgs, PutArgs, StatusArgs};
use crate::daemon::client::Client;
use crate::daemon::home;
use crate::daemon::report::{
    Bytes, GetAnswer, GetRequest, LeaveStep, NodeStatus, PutAnswer, PutRequest, StoredValue,
};
use crate::daemon::view;
use crate::failure::{Failure, Outcome};
use crate::text;
use serde_json::json;
use std::ffi::OsStr;
use std::io::{IsTerminal as _, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;
use tokio::sync::oneshot;

/// What is read of standard input: one byte more than a value may have, so that the node can say so.
const MAX_INPUT: u64 = 64 << 10;
/// How long the process may take to be gone after its last word.
const GONE: Duration = Duration::from_secs(15);
/// Moves to the top left and clears what is below.
const CLEAR: &str = "\x1b[H\x1b[J";

/// Shows what the node knows and does.
pub(crate) fn status(args: &StatusArgs, context: &Context) -> Outcome {
    let client = Client::new(&context.home)?;
    let output = context.output.clone();
    let show = move |status: &NodeStatus, clear: bool| {
        let top = if clear { CLEAR } else { "" };
        output.print(format_args!("{top}{}", view::status(status)));
        output.event("status", serde_json::to_value(status).unwrap_or_default());
    };
    if args.watch {
        let clear = std::io::stdout().is_terminal();
        let watch = move || {
            client.watch("status/watch", |status| {
                show(&status, clear);
                Ok(())
            })
        };
        call(context, watch)?;
        return Err(Failure::failed("the node has stopped"));
    }
    let status = call(context, move || client.get::<NodeStatus>("status"))?;
    show(&status, false);
    Ok(())
}

/// Prints the link to the page of the running node.
pub(crate) fn page(context: &Context) -> Outcome {
    let client = Client::new(&context.home)?;
    let page = client.page();
    // Whether it runs: a node that was killed leaves its address.
    call(context, move || client.get::<NodeStatus>("status"))?;
    context.output.print(&page);
    context.output.event("page", json!({ "page": page }));
    Ok(())
}

/// Asks the node to leave and waits until it is gone.
pub(crate) fn leave(context: &Context) -> Outcome {
    let client = Client::new(&context.home)?;
    let (output, folder) = (context.output.clone(), context.home.clone());
    let wait = move || {
        let mut abandoned = None;
        client.post_and_watch("leave", |step| {
            output.event_of(&step);
            match step {
                LeaveStep::Leaving { systems } => output.note(format_args!("leaving {}", systems.join(", "))),
                LeaveStep::Left { system } => output.detail(format_args!("left {system}")),
                LeaveStep::Stopped { abandoned: names } => abandoned = Some(names),
            }
            Ok(())
        })?;
        if !home::wait_free(&folder, GONE) {
            return Err(Failure::failed(
                "the node has left but its process does not end; see node.lock for it",
            ));
        }
        abandoned.ok_or_else(|| Failure::failed("the node stopped before it had left"))
    };
    let abandoned = call(context, wait)?;
    if abandoned.is_empty() {
        context.output.print("the node has left and stopped");
        return Ok(());
    }
    let names = text::line(&abandoned.join(", "));
    Err(Failure::failed(format_args!(
        "the node has stopped, but {names} had not taken over all it held in time; that stays on its disk"
    )))
}

/// Stores a value in the ring.
pub(crate) fn put(args: &PutArgs, context: &Context) -> Outcome {
    let client = Client::new(&context.home)?;
    let value = args.value.as_deref().map(read_value).transpose()?;
    let request = PutRequest {
        key: Bytes::of(args.key.as_bytes()),
        value: value.as_deref().map(Bytes::of),
        ttl_seconds: (!args.remove).then_some(args.ttl.as_secs()),
    };
    let answer: PutAnswer = call(context, move || client.post("put", &request))?;
    let PutAnswer { copies, of, seq } = answer;
    let key = text::bytes(args.key.as_bytes());
    let done = if args.remove { "removed" } else { "stored" };
    context.output.print(format_args!("{done} {key}, version {seq}, on {copies} of {of} hosts"));
    context.output.event(done, json!({ "key": key, "seq": seq, "copies": copies, "of": of }));
    Ok(())
}

fn read_value(value: &OsStr) -> Outcome<Vec<u8>> {
    if value != "-" {
        return Ok(value.as_bytes().to_vec());
    }
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().take(MAX_INPUT).read_to_end(&mut bytes);
    read.map_err(|error| Failure::failed(format_args!("cannot read standard input: {error}")))?;
    Ok(bytes)
}

/// Reads a value from the ring.
pub(crate) fn get(args: &GetArgs, context: &Context) -> Outcome {
    let client = Client::new(&context.home)?;
    let request = GetRequest { key: Bytes::of(args.key.as_bytes()), writer: args.writer.clone() };
    let GetAnswer { values, hops } = call(context, move || client.post("get", &request))?;
    let newest = values.into_iter().next();
    let StoredValue { value, seq, writer } =
        newest.ok_or_else(|| Failure::failed("the node answered without a value"))?;
    let mut object = json!({ "seq": seq, "writer": writer, "hops": hops });
    object[field("key", &Bytes::of(args.key.as_bytes()))] = content(Bytes::of(args.key.as_bytes()));
    object[field("value", &value)] = content(value.clone());
    context.output.event("value", object);
    let bytes = value.into_bytes().ok_or_else(|| Failure::failed("the node answered with wrong base64"))?;
    if std::io::stdout().is_terminal() {
        context.output.print(text::bytes(&bytes));
    } else {
        context.output.raw(&bytes);
    }
    Ok(())
}

/// What is no UTF-8 has another name, so that nobody takes base64 for text.
fn field(name: &str, of: &Bytes) -> String {
    match of {
        Bytes::Text(_) => name.to_owned(),
        Bytes::Base64(_) => format!("{name}_base64"),
    }
}

fn content(of: Bytes) -> serde_json::Value {
    match of {
        Bytes::Text(text) | Bytes::Base64(text) => text.into(),
    }
}

/// Does something that blocks, unless the person does not want to wait any longer.
pub(super) fn call<T: Send + 'static>(
    context: &Context,
    work: impl FnOnce() -> Outcome<T> + Send + 'static,
) -> Outcome<T> {
    let (tell, told) = oneshot::channel();
    let thread = std::thread::Builder::new().name("ask".into());
    thread
        .spawn(move || tell.send(work()))
        .map_err(|error| Failure::failed(format_args!("cannot start: {error}")))?;
    super::block_on(async {
        tokio::select! {
            answer = told => answer.unwrap_or(Err(Failure::Interrupted)),
            () = context.interrupt.wait() => Err(Failure::Interrupted),
        }
    })?
}
