//! The lecture in one minute: join, publish, search by each system, fetch from all of them at once, lose a third of the
//! nodes, search and fetch again, leave.

use super::actor::Actor;
use super::ask::Found;
use super::cast::{Cast, LATECOMER, PERSON};
use super::exhibit::Exhibit;
use super::table::{Row, Table};
use crate::commands::Context;
use crate::failure::{Failure, Outcome};
use crate::progress::{Progress, Standing};
use crate::{text, units};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// The systems that answer searches.
const SYSTEMS: [&str; 4] = ["chord", "directory", "gnutella", "supernode"];
/// Each has the exhibit; between them they are in every system, and in none is all lost with one of them.
const PUBLISHERS: [&str; 6] = ["leaf 1", "leaf 2", "ordinary 1", "ordinary 2", "user 1", "member 1"];
/// A third of the sixteen nodes: of each kind one, two of those that have the exhibit among them.
const VICTIMS: [&str; 5] = ["ultrapeer 3", "supernode 2", "leaf 1", "ordinary 1", "member 2"];
/// How long what was published may take to be found in every system.
const SPREAD: Duration = Duration::from_secs(40);

/// Plays it; `tracker` is the URL of one that runs.
pub(super) fn play(scratch: &Path, exhibit: &Exhibit, tracker: &str, context: &Context) -> Outcome {
    let mut table = Table::default();
    let mut cast = join(scratch, tracker, (context, &mut table))?;
    publish(&cast, exhibit, (context, &mut table))?;
    let person = cast.node(PERSON)?;
    let found = search(person, exhibit, (context, &mut table))?;
    fetch(person, (&found, exhibit, &scratch.join("first-copy")), (context, &mut table))?;
    cast.kill(&VICTIMS);
    say(
        context,
        "killed",
        &format!("killed without a word: {}", VICTIMS.join(", ")),
        json!({ "nodes": VICTIMS }),
    );
    let latecomer = cast.node(LATECOMER)?;
    let found = search(latecomer, exhibit, (context, &mut table))?;
    fetch(latecomer, (&found, exhibit, &scratch.join("second-copy")), (context, &mut table))?;
    table.measure(&cast)?;
    leave(&mut cast, (context, &mut table))?;
    table.print(context);
    Ok(())
}

fn join(scratch: &Path, tracker: &str, (context, table): (&Context, &mut Table)) -> Outcome<Cast> {
    let began = Instant::now();
    let progress = Progress::begin(&context.output, "joining");
    let cast = Cast::start(scratch, tracker)?;
    let all = cast.nodes.len();
    cast.wait_joined(&context.interrupt, |joined| count(&progress, joined, all))?;
    drop(progress);
    table.joined = began.elapsed();
    let line = format!(
        "{all} nodes joined in {}: a directory, 3 ultrapeers and 3 leaves, 2 supernodes and 2 ordinary nodes, 2 users, \
         a ring of {all}, a tracker",
        units::duration(table.joined)
    );
    say(context, "joined", &line, json!({ "nodes": all, "seconds": table.joined.as_secs_f64() }));
    Ok(cast)
}

fn publish(cast: &Cast, exhibit: &Exhibit, (context, table): (&Context, &mut Table)) -> Outcome {
    let began = Instant::now();
    let publishers = PUBLISHERS.map(|name| cast.node(name));
    let publish = |node: Outcome<&Actor>| node?.publish(&exhibit.path, &context.interrupt);
    std::thread::scope(|scope| {
        let work = publishers.map(|node| scope.spawn(move || publish(node)));
        let failed = || Failure::failed("publishing ended by itself; please report this");
        work.into_iter().try_for_each(|one| one.join().map_err(|_| failed())?.map(|_| ()))
    })?;
    table.published = began.elapsed();
    let line = format!(
        "{} ({}) published by {} in {}",
        text::line(&exhibit.name),
        units::size(exhibit.size),
        PUBLISHERS.join(", "),
        units::duration(table.published)
    );
    say(context, "published", &line, json!({ "by": PUBLISHERS, "bytes": exhibit.size }));
    Ok(())
}

/// Searches by each system alone until each has found it, then by all at once.
fn search(person: &Actor, exhibit: &Exhibit, (context, table): (&Context, &mut Table)) -> Outcome<Found> {
    for system in SYSTEMS {
        let deadline = Instant::now() + SPREAD;
        let found = loop {
            let found = person.search(&exhibit.words, Some(system), &context.interrupt)?;
            if !found.hits.is_empty() || Instant::now() > deadline {
                break found;
            }
        };
        let (hits, first) = (found.hits.len(), found.first);
        let when =
            first.map_or("nothing found".into(), |first| format!("first hit after {} ms", first.as_millis()));
        let line = format!("{}: {system}: {}, {when}", person.name, units::plural(hits as u64, "hit"));
        let milliseconds = first.map(|first| first.as_secs_f64() * 1e3);
        say(context, "searched", &line, json!({ "system": system, "hits": hits, "first_ms": milliseconds }));
        if hits == 0 {
            return Err(Failure::failed(format_args!("{system} did not find what was published")));
        }
        table.rows.entry(system).or_insert_with(Row::default).searched(&found);
    }
    person.search(&exhibit.words, None, &context.interrupt)
}

/// Fetches the hit that most systems know, and compares the copy with what was published.
fn fetch(
    person: &Actor,
    (found, exhibit, folder): (&Found, &Exhibit, &Path),
    (context, table): (&Context, &mut Table),
) -> Outcome {
    let best = found.hits.iter().filter(|hit| hit.size == exhibit.size);
    let best = best.max_by_key(|hit| (hit.systems.len(), hit.sources));
    let best = best.ok_or_else(|| Failure::failed("the search over all systems did not find it"))?;
    let progress = Progress::begin(&context.output, "fetching");
    let mut sources: BTreeMap<String, u64> = BTreeMap::new();
    let took = person.fetch((&best.id, folder), &context.interrupt, |event| {
        if let Some(done) = event["done"].as_u64() {
            progress.update(done, exhibit.size);
        }
        note_sources(event, &mut sources);
    })?;
    drop(progress);
    exhibit.check(folder)?;
    table.fetched.push(took);
    let from: Vec<String> =
        sources.iter().map(|(name, bytes)| format!("{} from {name}", units::size(*bytes))).collect();
    let shares = if from.is_empty() { String::new() } else { format!(": {}", from.join(", ")) };
    let line = format!(
        "{}: fetched {} known to {} in {}{shares}; the copy is right",
        person.name,
        text::line(&best.title),
        best.systems.join(", "),
        units::duration(took)
    );
    let fields = json!({ "systems": best.systems, "seconds": took.as_secs_f64(), "from": sources });
    say(context, "fetched", &line, fields);
    Ok(())
}

/// How much came from where, as the transfer tells it.
fn note_sources(event: &Value, sources: &mut BTreeMap<String, u64>) {
    let transfer = if event["transfer"].is_object() { &event["transfer"] } else { event };
    for source in transfer["sources"].as_array().into_iter().flatten() {
        let bytes = source["downloaded"].as_u64().filter(|bytes| *bytes > 0);
        if let (Some(name), Some(bytes)) = (source["name"].as_str(), bytes) {
            sources.insert(text::line(name), bytes);
        }
    }
}

fn leave(cast: &mut Cast, (context, table): (&Context, &mut Table)) -> Outcome {
    let began = Instant::now();
    let progress = Progress::begin(&context.output, "leaving");
    let all = cast.nodes.len();
    cast.leave(|left| count(&progress, left, all))?;
    drop(progress);
    table.left = began.elapsed();
    let line = format!("all left in {}, handing over what they held", units::duration(table.left));
    say(context, "left", &line, json!({ "seconds": table.left.as_secs_f64() }));
    Ok(())
}

/// So many nodes of all.
fn count(progress: &Progress, done: usize, all: usize) {
    let words = format!("{done} of {all} nodes");
    progress.show(|| Standing { done: 0, total: 0, words, fields: json!({ "done": done, "of": all }) });
}

fn say(context: &Context, event: &str, line: &str, fields: Value) {
    context.output.print(line);
    context.output.event(event, fields);
}
