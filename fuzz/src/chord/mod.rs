//! The ring machine under a list of operations: peers that say anything, answers true and false, time, commands.
//!
//! At the end there is silence, and then an honest stranger must get an answer: that finds state that is stuck, not only
//! panics. What must hold after every call is in `world`.

mod say;
mod words;
mod world;

use std::time::Duration;

use crate::input::Input;
use say::{answer, say};
use throng_machine::StreamEnd;
use throng_overlay::chord::{Command, PersistId, Put, Start, Want};
use throng_overlay::discovery::{self, Item, Query, Ticket};
use words::{Words, peer};
use world::World;

/// The most operations of one input.
const MAX_STEPS: usize = 300;

/// Runs the operations in `data`.
pub fn chord_machine(data: &[u8]) {
    let mut input = Input(data);
    let mut world = World::new(input.below(4));
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        step(&mut world, &mut input);
    }
    world.finish();
}

fn step(world: &mut World, input: &mut Input<'_>) {
    match input.below(24) {
        0 => start(world, input),
        1 | 2 => store(world, input),
        3 => discover(world, input),
        4..9 => request(world, input),
        9..15 => reply(world, input),
        15 => {
            let (who, bytes) = (peer(input), input.run());
            world.datagram(who, bytes);
        }
        16 => replay(world, input),
        17 => world.answer_all(),
        18 => world.advance(Duration::from_millis(u64::from(input.u16()) % 4_000)),
        19 => world.advance(Duration::from_secs(u64::from(input.byte()))),
        20 => persisted(world, input),
        21 | 22 => stream(world, input),
        _ => world.spurious(),
    }
}

fn start(world: &mut World, input: &mut Input<'_>) {
    match input.below(6) {
        0 => world.start(Start::New),
        5 => world.leave(),
        _ => {
            let contacts = (0..input.below(4)).map(|_| peer(input)).collect();
            world.start(Start::Join(contacts));
        }
    }
}

fn store(world: &mut World, input: &mut Input<'_>) {
    let ticket = Ticket(u32::from(input.byte()));
    let (name, value) = (vec![b'a' + input.byte() % 4; 1 + input.below(300)], input.run().to_vec());
    let ttl = Duration::from_secs(u64::from(input.u16()));
    let command = match input.below(9) {
        0 | 1 => Command::Put(ticket, Put::Entry { name, value, ttl }),
        2 => Command::Put(ticket, Put::Remove { name }),
        3 => Command::Put(ticket, Put::Immutable { value: value.repeat(1 + input.below(256)) }),
        4 => {
            let cas = input.one_in(3).then(|| u64::from(input.byte()));
            Command::Put(ticket, Put::Mutable { salt: name, value, cas })
        }
        5 => Command::Get(ticket, Want::Entry { name, writer: input.one_in(3).then(words::writer) }),
        6 => Command::Get(ticket, Want::Immutable([input.byte(); 32])),
        7 => Command::Get(ticket, Want::Mutable { key: words::writer(), salt: name }),
        _ => Command::Get(ticket, Want::Providers([input.byte() % 4; 32])),
    };
    world.command(command);
}

fn discover(world: &mut World, input: &mut Input<'_>) {
    let ticket = Ticket(u32::from(input.byte()));
    let command = match input.below(6) {
        0 | 1 => {
            let item = Item {
                title: ["Alpha beta", "beta GAMMA", "", "a"][input.below(4)].into(),
                size: u64::from(input.u16()),
                root: input.one_in(2).then(|| [input.byte() % 4; 32]),
                ..Item::default()
            };
            discovery::Command::Publish(ticket, item)
        }
        2 => discovery::Command::Withdraw(ticket),
        3 => discovery::Command::Cancel(ticket),
        4 => {
            let words = (0..input.below(4)).map(|at| ["alpha", "beta", "x", ""][at].to_string()).collect();
            let timeout = Duration::from_secs(u64::from(input.byte()));
            discovery::Command::Find(ticket, Query { words, limit: u32::from(input.byte()), timeout })
        }
        _ => discovery::Command::Join((0..input.below(3)).map(|_| peer(input)).collect()),
    };
    world.command(Command::Discovery(command));
}

/// A peer asks or tells something.
fn request(world: &mut World, input: &mut Input<'_>) {
    let (who, kind) = (peer(input), input.byte());
    let words = Words::new(world, input);
    let token = match input.below(8) {
        0 => 0,
        1 => u64::from(input.u32()),
        _ => world.token(who),
    };
    let header = words::header(input, token);
    world.say(who, header, say(kind, &words, input));
}

/// A peer answers one of the latest requests, mostly with what it was asked for.
fn reply(world: &mut World, input: &mut Input<'_>) {
    let Some((who, request)) = world.asked(input.below(24)) else { return };
    let words = Words::new(world, input);
    let Some(message) = answer(&request, &words, input) else { return };
    let who = if input.one_in(16) { peer(input) } else { who };
    world.reply(who, &request, message);
}

/// What was said to the machine, or by it, comes again from somebody else.
fn replay(world: &mut World, input: &mut Input<'_>) {
    let (who, own) = (peer(input), input.one_in(3));
    let Some((_, mut bytes)) = world.asked(input.below(24)) else { return };
    if input.one_in(2) {
        let at = input.below(bytes.len().min(256));
        bytes[at] ^= 1 << input.below(8);
    }
    world.datagram(if own { world::home() } else { who }, &bytes);
}

fn persisted(world: &mut World, input: &mut Input<'_>) {
    match input.below(8) {
        0 => world.command(Command::Persisted(PersistId(u64::from(input.byte())), true)),
        1 => {
            let words = Words::new(world, input);
            let record = if input.one_in(2) { words.record(input) } else { input.run().to_vec() };
            world.command(Command::Restore { record, remaining: input.u32() });
        }
        failed => world.persisted(failed != 2),
    }
}

fn stream(world: &mut World, input: &mut Input<'_>) {
    let which = input.below(6);
    match input.below(8) {
        0 => world.accept(peer(input)),
        1 => world.opened(which),
        2 => {
            let end = [StreamEnd::Finished, StreamEnd::Broken, StreamEnd::Refused][input.below(3)];
            world.closed(which, end);
        }
        3 => {
            let bytes = input.run();
            world.bytes(which, bytes);
        }
        _ => {
            let words = Words::new(world, input);
            let bytes = say::frames(world, &words, input);
            input.split(&bytes).into_iter().for_each(|part| world.bytes(which, part));
        }
    }
}
