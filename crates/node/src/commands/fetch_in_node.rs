//! `throng fetch` where a node runs: it does the work, and goes on when the command is interrupted.

use super::node::call;
use super::{Context, fetch};
use crate::cli::FetchArgs;
use crate::daemon::client::Client;
use crate::daemon::report::{FetchAnswer, FetchRequest, NodeStatus, Proof, TransferReport, TransferState};
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::progress::{Progress, Standing};
use crate::{text, torrent_file, units};
use data_encoding::BASE64;
use std::path::Path;

/// The node that is to do it: the one of this home, unless the person wants a place of its own to listen.
pub(super) fn node(args: &FetchArgs, context: &Context) -> Option<Client> {
    if args.network.listen.is_some() {
        return None;
    }
    let client = Client::new(&context.home).ok()?;
    client.get::<NodeStatus>("status").is_ok().then_some(client)
}

/// Fetches in the node, and shows how far it is.
pub(super) fn run(args: &FetchArgs, client: Client, context: &Context) -> Outcome {
    if args.network.upload_limit.is_some() || args.download_limit.is_some() {
        context.output.note("limits are the node's: give them to throng join, or fetch with --listen");
    }
    let requests = args.sources.iter().map(|source| request(source, args, context));
    let requests = requests.collect::<Outcome<Vec<_>>>()?;
    let output = context.output.clone();
    let outcome = call(context, move || fetch_all(&client, &requests, &output));
    if matches!(outcome, Err(Failure::Interrupted)) {
        context.output.note("the node goes on fetching; see: throng status");
    }
    outcome
}

/// All begin at once; they are shown one after another. Fails if any does.
fn fetch_all(client: &Client, requests: &[FetchRequest], output: &Output) -> Outcome {
    let mut outcomes = Vec::new();
    let mut begun = Vec::new();
    for request in requests {
        match client.post::<FetchAnswer>("fetch", request) {
            Ok(answer) => begun.push(answer.id),
            Err(failure) => outcomes.push(Err(failure)),
        }
    }
    outcomes.extend(begun.iter().map(|transfer| watch(client, transfer, output)));
    let mut failed: Vec<Failure> = outcomes.into_iter().filter_map(Result::err).collect();
    let Some(last) = failed.pop() else { return Ok(()) };
    failed.iter().filter_map(Failure::reason).for_each(|reason| output.note(reason));
    Err(last)
}

fn watch(client: &Client, transfer: &str, output: &Output) -> Outcome {
    output.detail(format_args!("transfer {transfer}"));
    let mut shown = Shown { context: output.clone(), progress: None, notices: 0, last: None };
    client.watch(&format!("transfers/{transfer}/watch"), |report: TransferReport| {
        shown.show(report);
        Ok(())
    })?;
    shown.finish()
}

fn request(source: &str, args: &FetchArgs, context: &Context) -> Outcome<FetchRequest> {
    let output = std::path::absolute(&args.output).map_err(anyhow::Error::from)?;
    let shown = text::path(&output);
    let output = output.into_os_string().into_string();
    let output =
        output.map_err(|_| Failure::failed(format_args!("the name of {shown} is not valid UTF-8")))?;
    let begins = |start: &str| source.get(..start.len()).is_some_and(|text| text.eq_ignore_ascii_case(start));
    let torrent = if begins("http://") || begins("https://") {
        Some(fetch::download(source, context)?.encode())
    } else if !begins("magnet:") && Path::new(source).exists() {
        Some(torrent_file::read(Path::new(source))?.encode())
    } else {
        None
    };
    Ok(FetchRequest {
        source: torrent.is_none().then(|| source.to_owned()),
        torrent: torrent.map(|bytes| BASE64.encode(&bytes)),
        output,
        only: args.only.iter().map(|glob| glob.glob().to_owned()).collect(),
        peers: fetch::peers(args, context)?,
    })
}

struct Shown {
    context: Output,
    progress: Option<(&'static str, Progress)>,
    notices: usize,
    last: Option<TransferReport>,
}

impl Shown {
    fn show(&mut self, report: TransferReport) {
        for notice in report.notices.iter().skip(self.notices) {
            self.context.note(text::line(notice));
            self.context.event("notice", serde_json::json!({ "text": notice }));
        }
        self.notices = self.notices.max(report.notices.len());
        let what = match report.state {
            TransferState::Opening | TransferState::Complete | TransferState::Failed => "",
            TransferState::Checking => "checking",
            TransferState::Metadata => "asking peers",
            TransferState::Downloading => "fetching",
            TransferState::Paused => "paused",
        };
        if self.progress.as_ref().is_some_and(|(shown, _)| *shown != what)
            && let Some((_, progress)) = self.progress.take()
        {
            progress.finish();
        }
        if !what.is_empty() {
            let begin = || (what, Progress::begin(&self.context, what));
            self.progress.get_or_insert_with(begin).1.show(|| standing(&report));
        }
        self.last = Some(report);
    }

    fn finish(mut self) -> Outcome {
        if let Some((_, progress)) = self.progress.take() {
            progress.finish();
        }
        let last = self.last.ok_or_else(|| Failure::failed("the node answered without a transfer"))?;
        let name = text::line(&last.name);
        match last.state {
            TransferState::Complete => {
                let proof = match last.proof {
                    Proof::Pieces => "every piece checked",
                    Proof::TigerTree => "every block checked",
                    Proof::Sha1 => "checked as a whole",
                    Proof::FtHash => "only parts could be checked",
                    Proof::Unverified => "unverified: nothing is known that could prove it",
                };
                let (size, folder) = (units::size(last.size), text::line(&last.folder));
                self.context.print(format_args!("fetched {name} into {folder}: {size}, {proof}"));
                for source in last.sources.iter().filter(|source| source.downloaded > 0) {
                    let (name, size) = (text::line(&source.name), units::size(source.downloaded));
                    self.context.detail(format_args!("{size} from {name}"));
                }
                self.context.event("complete", serde_json::to_value(&last).unwrap_or_default());
                Ok(())
            }
            TransferState::Failed => {
                let reason = last.reason.as_deref().unwrap_or("for no reason it told");
                Err(Failure::failed(format_args!("{name}: {}", text::line(reason))))
            }
            _ => {
                Err(Failure::failed("the node stopped, or the transfer was removed, before it was complete"))
            }
        }
    }
}

fn standing(report: &TransferReport) -> Standing {
    let mut words = vec![units::plural(report.peers as u64, "peer")];
    let sources = report.sources.iter().filter(|source| !source.dropped).count();
    if sources > 0 {
        words.push(units::plural(sources as u64, "other source"));
    }
    match report.state {
        TransferState::Downloading => {
            words.push(units::rate(report.download_rate));
            words.extend(
                report
                    .eta_seconds
                    .map(|eta| format!("{} left", units::duration(std::time::Duration::from_secs(eta)))),
            );
        }
        TransferState::Paused => words = report.reason.iter().map(|reason| text::line(reason)).collect(),
        _ => {}
    }
    let fields = serde_json::to_value(report).unwrap_or_default();
    Standing { done: report.done, total: report.size, words: words.join(", "), fields }
}
