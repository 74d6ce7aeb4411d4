//! Everybody on stage: a directory, three ultrapeers with leaves, two supernodes with ordinary nodes, and a ring of all.
//!
//! Every node is a process that takes part in the ring and the swarm; what else it is shows its name. Two people join
//! everything: one who looks and fetches, and one who does so when a third of the nodes has been killed.

use super::actor::{Actor, Begun};
use crate::failure::{Failure, Outcome};
use crate::interrupt::Interrupt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long everybody may take to be let into everything.
const JOIN: Duration = Duration::from_secs(60);
/// How often they are asked whether they are.
const LOOK: Duration = Duration::from_millis(200);
/// Who looks and fetches first.
pub(super) const PERSON: &str = "person";
/// Who does so after the deaths.
pub(super) const LATECOMER: &str = "latecomer";

/// All processes.
pub(super) struct Cast {
    pub(super) directory: Actor,
    pub(super) nodes: Vec<Actor>,
}

/// Addresses that others join by.
struct Doors {
    tracker: String,
    directory: String,
    ring: String,
    ultrapeers: Vec<String>,
    supernodes: Vec<String>,
}

/// What a node takes part in besides the ring and the swarm.
enum Part {
    Ultrapeer,
    Leaf,
    Supernode,
    Ordinary,
    User,
    /// The ring and the swarm only.
    Member,
    Everything,
}

impl Cast {
    /// Starts everybody, those that others join by first.
    pub(super) fn start(scratch: &Path, tracker: &str) -> Outcome<Cast> {
        let listen = ["directory", "--listen", "127.0.0.1:0"];
        let directory = Begun::start("directory", scratch, &listen)?;
        let first = node("ultrapeer 1", scratch, &["--chord", "new", "--gnutella", "ultrapeer"], tracker)?;
        let (directory, first) = (directory.listening()?, first.listening()?);
        let mut doors = Doors {
            tracker: tracker.to_owned(),
            directory: directory.address.to_string(),
            ring: first.address.to_string(),
            ultrapeers: vec![first.address.to_string()],
            supernodes: Vec::new(),
        };
        let mut nodes = vec![first];
        nodes.extend(doors.open(scratch, "ultrapeer 2", &Part::Ultrapeer)?);
        nodes.extend(doors.open(scratch, "ultrapeer 3", &Part::Ultrapeer)?);
        nodes.extend(doors.open(scratch, "supernode 1", &Part::Supernode)?);
        nodes.extend(doors.open(scratch, "supernode 2", &Part::Supernode)?);
        nodes.extend(doors.others(scratch)?);
        Ok(Cast { directory, nodes })
    }

    /// Waits until everybody is let into everything; tells `progress` how many are.
    pub(super) fn wait_joined(&self, interrupt: &Interrupt, mut progress: impl FnMut(usize)) -> Outcome {
        let deadline = Instant::now() + JOIN;
        let mut waiting: Vec<&Actor> = self.nodes.iter().collect();
        while !waiting.is_empty() {
            if interrupt.flag().load(Ordering::Relaxed) {
                return Err(Failure::Interrupted);
            }
            let mut outside = Vec::new();
            for node in waiting {
                outside.extend(node.outside()?.map(|system| (node, system)));
            }
            progress(self.nodes.len() - outside.len());
            if let Some((node, system)) = outside.first().filter(|_| Instant::now() > deadline) {
                let (name, seconds) = (&node.name, JOIN.as_secs());
                return Err(Failure::failed(format_args!(
                    "{name} was not let into {system} within {seconds} s"
                )));
            }
            waiting = outside.into_iter().map(|(node, _)| node).collect();
            if !waiting.is_empty() {
                std::thread::sleep(LOOK);
            }
        }
        Ok(())
    }

    /// A node by its name.
    pub(super) fn node(&self, name: &str) -> Outcome<&Actor> {
        let found = self.nodes.iter().find(|node| node.name == name);
        found.ok_or_else(|| Failure::failed(format_args!("there is no {name} on stage")))
    }

    /// Kills these at once.
    pub(super) fn kill(&mut self, names: &[&str]) {
        self.nodes.iter_mut().filter(|node| names.contains(&node.name.as_str())).for_each(Actor::kill);
    }

    /// Lets everybody who lives leave at once, the directory last; tells `progress` how many have.
    pub(super) fn leave(&mut self, progress: impl Fn(usize) + Sync) -> Outcome {
        let left = AtomicUsize::new(0);
        let leave = |node: &mut Actor| -> Outcome {
            node.leave()?;
            progress(left.fetch_add(1, Ordering::Relaxed) + 1);
            Ok(())
        };
        std::thread::scope(|scope| {
            let leave = &leave;
            let work: Vec<_> = self.nodes.iter_mut().map(|node| scope.spawn(move || leave(node))).collect();
            let failed = || Failure::failed("leaving ended by itself; please report this");
            work.into_iter().try_for_each(|one| one.join().map_err(|_| failed())?)
        })?;
        self.directory.kill();
        Ok(())
    }
}

impl Doors {
    /// Starts one that others join by, and waits until it listens.
    fn open(&mut self, scratch: &Path, name: &str, part: &Part) -> Outcome<Option<Actor>> {
        let actor = self.begin(scratch, name, part)?.listening()?;
        match part {
            Part::Ultrapeer => self.ultrapeers.push(actor.address.to_string()),
            Part::Supernode => self.supernodes.push(actor.address.to_string()),
            _ => {}
        }
        Ok(Some(actor))
    }

    /// Starts all that nobody joins by, all at once.
    fn others(&self, scratch: &Path) -> Outcome<Vec<Actor>> {
        let parts = [
            ("leaf 1", Part::Leaf),
            ("leaf 2", Part::Leaf),
            ("leaf 3", Part::Leaf),
            ("ordinary 1", Part::Ordinary),
            ("ordinary 2", Part::Ordinary),
            ("user 1", Part::User),
            ("user 2", Part::User),
            ("member 1", Part::Member),
            ("member 2", Part::Member),
            (PERSON, Part::Everything),
            (LATECOMER, Part::Everything),
        ];
        let begun: Vec<Begun> =
            parts.iter().map(|(name, part)| self.begin(scratch, name, part)).collect::<Outcome<_>>()?;
        begun.into_iter().map(Begun::listening).collect()
    }

    fn begin(&self, scratch: &Path, name: &str, part: &Part) -> Outcome<Begun> {
        let mut args = vec!["--chord", &self.ring];
        let (gnutella, supernode) = (&self.ultrapeers, &self.supernodes);
        let mut through = |option: &'static str, addresses: &'static str| args.extend([option, addresses]);
        match part {
            Part::Ultrapeer => through("--gnutella", "ultrapeer"),
            Part::Supernode => through("--supernode", "serve"),
            _ => {}
        }
        if matches!(part, Part::Ultrapeer | Part::Leaf | Part::Everything) {
            gnutella.iter().for_each(|at| args.extend(["--gnutella", at]));
        }
        if matches!(part, Part::Supernode | Part::Ordinary | Part::Everything) {
            supernode.iter().for_each(|at| args.extend(["--supernode", at]));
        }
        if matches!(part, Part::User | Part::Everything) {
            args.extend(["--directory", &self.directory]);
        }
        node(name, scratch, &args, &self.tracker)
    }
}

/// Starts a node on free ports of this machine.
fn node(name: &str, scratch: &Path, args: &[&str], tracker: &str) -> Outcome<Begun> {
    let common = ["join", "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--chord-places", "1"];
    let all: Vec<&str> = common.iter().chain(args).chain(&["--tracker", tracker]).copied().collect();
    Begun::start(name, scratch, &all)
}

impl Actor {
    /// The first system that has not let it in yet, if any.
    fn outside(&self) -> Outcome<Option<String>> {
        let status: serde_json::Value = self.client()?.get("status")?;
        let systems = status["systems"].as_array().into_iter().flatten();
        let mut waiting =
            systems.filter(|system| system["standing"].as_str().is_some_and(|at| at != "joined"));
        Ok(waiting.next().map(|system| system["system"].as_str().unwrap_or("a system").to_owned()))
    }
}
