//! `throng publish` and `throng withdraw`.

use super::Context;
use super::node::call;
use crate::cli::{PublishArgs, WithdrawArgs};
use crate::daemon::client::Client;
use crate::daemon::report::{
    PublicationReport, PublishRequest, PublishStep, SiteAnswer, SiteRequest, Spread, WithdrawAnswer,
    WithdrawRequest,
};
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::progress::Progress;
use crate::{text, units};
use std::collections::BTreeMap;
use std::path::Path;

/// Publishes, and says how far it got.
pub(crate) fn publish(args: &PublishArgs, context: &Context) -> Outcome {
    if args.site {
        return site(args, context);
    }
    let client = Client::new(&context.home)?;
    let paths = args.paths.iter().map(|path| absolute(path)).collect::<Outcome<Vec<_>>>()?;
    let request = PublishRequest { paths, title: args.title.clone(), tags: args.tag.clone() };
    let output = context.output.clone();
    let failed = call(context, move || {
        let mut told = Told::new(output);
        client.ask_and_watch("publish", &request, |step| {
            told.step(step);
            Ok(())
        })?;
        told.finish()
    })?;
    match failed {
        0 => Ok(()),
        1 => Err(Failure::failed("1 path could not be published")),
        failed => Err(Failure::failed(format_args!("{failed} paths could not be published"))),
    }
}

/// Publishes a folder as a site, and says where it is seen.
fn site(args: &PublishArgs, context: &Context) -> Outcome {
    let [folder] = &args.paths[..] else {
        return Err(Failure::Usage("a site is one folder; publish each with a --label of its own".into()));
    };
    if !folder.is_dir() {
        return Err(Failure::failed(format_args!("{} is no folder", text::path(folder))));
    }
    let client = Client::new(&context.home)?;
    let request = SiteRequest { path: absolute(folder)?, label: args.label.clone() };
    let site: SiteAnswer = call(context, move || client.post("sites", &request))?;
    let url = text::line(&site.url);
    context.output.print(format_args!(
        "{url}\nversion {}, named on {} of {} hosts of the ring, and kept there for 7 days unless renewed",
        site.seq, site.copies, site.of
    ));
    context.output.event("site", serde_json::to_value(&site).unwrap_or_default());
    Ok(())
}

fn absolute(path: &Path) -> Outcome<String> {
    let absolute = std::path::absolute(path)
        .map_err(|error| Failure::failed(format_args!("cannot use {}: {error}", text::path(path))))?;
    let shown = text::path(&absolute);
    absolute.into_os_string().into_string().map_err(|_| {
        Failure::failed(format_args!("the name of {shown} is not valid UTF-8; rename it to publish it"))
    })
}

/// What was told so far.
struct Told {
    output: Output,
    progress: Option<Progress>,
    published: Vec<(String, String)>,
    spread: BTreeMap<(String, String), Spread>,
    failed: Option<usize>,
}

impl Told {
    fn new(output: Output) -> Told {
        Told { output, progress: None, published: Vec::new(), spread: BTreeMap::new(), failed: None }
    }

    fn step(&mut self, step: PublishStep) {
        self.output.event_of(&step);
        match step {
            PublishStep::Hashing { done, total, .. } => {
                // The event says it already.
                if !self.output.is_json() {
                    let begin = || Progress::begin(&self.output, "hashing");
                    self.progress.get_or_insert_with(begin).update(done, total);
                }
            }
            PublishStep::Published { publication } => self.published(&publication),
            PublishStep::Spread { id, system, spread } => {
                self.spread.insert((id, system), spread);
            }
            PublishStep::Failed { path, error } => {
                self.clear();
                let (path, error) = (text::line(&path), text::line(&error));
                self.output.note(if error.contains(&path) { error } else { format!("{path}: {error}") });
            }
            PublishStep::Done { failed } => self.failed = Some(failed),
        }
    }

    fn published(&mut self, publication: &PublicationReport) {
        self.clear();
        let (id, title) = (text::line(&publication.id), text::line(&publication.title));
        let files = units::plural(publication.files as u64, "file");
        let size = units::size(publication.size);
        self.output.print(format_args!("published {title}: {files}, {size}, id {id}"));
        self.output.print(text::line(&publication.magnet));
        self.published.push((publication.id.clone(), title));
    }

    fn clear(&mut self) {
        if let Some(progress) = self.progress.take() {
            progress.finish();
        }
    }

    /// Says how far each system got, and how many paths failed.
    fn finish(mut self) -> Outcome<usize> {
        self.clear();
        let several = self.published.len() > 1;
        for (id, title) in &self.published {
            let of = self.spread.iter().filter(|((of, _), _)| of == id);
            for ((_, system), spread) in of {
                let about = if several { format!("{title}: ") } else { String::new() };
                self.output.print(format_args!(
                    "  {about}{}: {}",
                    text::line(system),
                    text::line(&spread.words)
                ));
            }
        }
        self.failed.ok_or_else(|| Failure::failed("the node stopped before all was published"))
    }
}

/// Takes a publication back.
pub(crate) fn withdraw(args: &WithdrawArgs, context: &Context) -> Outcome {
    let client = Client::new(&context.home)?;
    // A path that is there is meant; ids look like no path.
    let path = Path::new(&args.id);
    let id = if path.exists() { absolute(path)? } else { args.id.clone() };
    let answer: WithdrawAnswer = call(context, move || client.post("withdraw", &WithdrawRequest { id }))?;
    context.output.print(format_args!("withdrew {}; its files stay", text::line(&answer.title)));
    context.output.event("withdrawn", serde_json::to_value(&answer).unwrap_or_default());
    Ok(())
}
