//! Users of the cluster: those connected here and those told by linked servers, by number and by nick.
//!
//! A user's number is its owner's in the keyword index. A hundred thousand idle ones are usual, so a user is small:
//! what few have (lists, channels) is boxed, and names of programs are kept once.

use super::command::Level;
use super::connections::ConnId;
use hashbrown::HashTable;
use siphasher::sip::SipHasher13;
use std::hash::Hasher as _;
use std::net::Ipv4Addr;
use throng_wire::napster::Speed;

/// A user's number; used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct PersonId(pub(super) u32);

/// A linked server's number in the table of servers; used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct ServerId(pub(super) u16);

/// Where a user is connected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Home {
    /// Here.
    Here(ConnId),
    /// To that server.
    There(ServerId),
}

/// The name of a program, kept once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ClientId(u32);

/// What few users have.
#[derive(Default, Debug)]
pub(super) struct Lists {
    /// Folded nicks whose coming and going is told.
    pub(super) watched: Vec<Box<[u8]>>,
    /// Folded nicks that are not heard.
    pub(super) ignored: Vec<Box<[u8]>>,
    /// Names of channels.
    pub(super) channels: Vec<Box<[u8]>>,
}

/// A user online.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) nick: Box<[u8]>,
    pub(super) home: Home,
    pub(super) client: ClientId,
    /// As the connection came, never as anybody says; unspecified for IPv6, which the protocol cannot express.
    pub(super) ip: Ipv4Addr,
    pub(super) connect_port: u16,
    /// Data port; 0 is firewalled.
    pub(super) port: u16,
    pub(super) speed: u8,
    pub(super) level: Level,
    pub(super) registered: bool,
    /// Share totals have changed and linked servers are not told yet.
    pub(super) untold: bool,
    pub(super) downloads: u16,
    pub(super) uploads: u16,
    pub(super) total_downloads: u32,
    pub(super) total_uploads: u32,
    pub(super) files: u32,
    pub(super) bytes: u64,
    /// Unix time in seconds.
    pub(super) login: u64,
    pub(super) lists: Option<Box<Lists>>,
}

impl Person {
    pub(super) const fn is_firewalled(&self) -> bool {
        self.port == 0
    }

    pub(super) const fn speed(&self) -> Speed {
        Speed(self.speed as u32)
    }

    pub(super) fn ignores(&self, nick: &[u8]) -> bool {
        let ignored = self.lists.iter().flat_map(|lists| &lists.ignored);
        ignored.into_iter().any(|ignored| ignored.eq_ignore_ascii_case(nick))
    }

    pub(super) fn channels(&self) -> &[Box<[u8]>] {
        self.lists.as_ref().map_or(&[], |lists| &lists.channels)
    }

    pub(super) fn lists(&mut self) -> &mut Lists {
        self.lists.get_or_insert_default()
    }
}

/// Nicks are compared without regard to ASCII case.
pub(super) fn fold(nick: &[u8]) -> Vec<u8> {
    nick.to_ascii_lowercase()
}

/// All users.
pub(super) struct People {
    slots: Vec<Option<Person>>,
    free: Vec<u32>,
    nicks: HashTable<u32>,
    clients: Vec<(Box<[u8]>, u32)>,
    free_clients: Vec<u32>,
    client_table: HashTable<u32>,
    seed: [u64; 2],
    count: u32,
    /// Files and bytes of all.
    pub(super) files: u64,
    pub(super) bytes: u64,
}

impl People {
    pub(super) fn new(seed: [u64; 2]) -> People {
        People {
            slots: Vec::new(),
            free: Vec::new(),
            nicks: HashTable::new(),
            clients: Vec::new(),
            free_clients: Vec::new(),
            client_table: HashTable::new(),
            seed,
            count: 0,
            files: 0,
            bytes: 0,
        }
    }

    pub(super) const fn len(&self) -> u32 {
        self.count
    }

    pub(super) fn find(&self, nick: &[u8]) -> Option<PersonId> {
        let same = |number: &u32| self.nick_of(*number).eq_ignore_ascii_case(nick);
        self.nicks.find(hash(nick, self.seed), same).copied().map(PersonId)
    }

    pub(super) fn get(&self, who: PersonId) -> Option<&Person> {
        self.slots.get(who.0 as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, who: PersonId) -> Option<&mut Person> {
        self.slots.get_mut(who.0 as usize)?.as_mut()
    }

    /// Adds a user whose nick nobody has.
    pub(super) fn add(&mut self, person: Person) -> PersonId {
        let hash_of = hash(&person.nick, self.seed);
        let number = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            (self.slots.len() - 1) as u32
        });
        self.slots[number as usize] = Some(person);
        let (slots, seed) = (&self.slots, self.seed);
        let rehash =
            |number: &u32| slots[*number as usize].as_ref().map_or(0, |person| hash(&person.nick, seed));
        self.nicks.insert_unique(hash_of, number, rehash);
        self.count += 1;
        PersonId(number)
    }

    pub(super) fn remove(&mut self, who: PersonId) -> Option<Person> {
        let hash = hash(&self.get(who)?.nick, self.seed);
        if let Ok(entry) = self.nicks.find_entry(hash, |number| *number == who.0) {
            entry.remove();
        }
        let person = self.slots.get_mut(who.0 as usize)?.take()?;
        self.free.push(who.0);
        self.count -= 1;
        self.files -= u64::from(person.files);
        self.bytes -= person.bytes;
        self.release_client(person.client);
        Some(person)
    }

    /// Sets a user's totals and the cluster's with them.
    pub(super) fn set_shares(&mut self, who: PersonId, files: u32, bytes: u64) {
        let Some(person) = self.slots.get_mut(who.0 as usize).and_then(Option::as_mut) else { return };
        self.files = self.files - u64::from(person.files) + u64::from(files);
        // What linked servers say may be anything.
        let bytes = bytes.min(1 << 50);
        self.bytes = self.bytes - person.bytes + bytes;
        (person.files, person.bytes) = (files, bytes);
    }

    /// Numbers of all users in order.
    pub(super) fn ids(&self) -> impl Iterator<Item = PersonId> {
        let there = |(at, slot): (usize, &Option<Person>)| slot.as_ref().map(|_| PersonId(at as u32));
        self.slots.iter().enumerate().filter_map(there)
    }

    /// Keeps a program's name; the first 32 bytes (N2).
    pub(super) fn keep_client(&mut self, name: &[u8]) -> ClientId {
        let name = &name[..name.len().min(throng_wire::napster::MAX_CLIENT)];
        let hash_of = hash(name, self.seed);
        let clients = &mut self.clients;
        if let Some(number) = self.client_table.find(hash_of, |number| *clients[*number as usize].0 == *name)
        {
            clients[*number as usize].1 += 1;
            return ClientId(*number);
        }
        let number = self.free_clients.pop().unwrap_or(clients.len() as u32);
        match clients.get_mut(number as usize) {
            Some(slot) => *slot = (name.into(), 1),
            None => clients.push((name.into(), 1)),
        }
        let seed = self.seed;
        self.client_table.insert_unique(hash_of, number, |number| hash(&clients[*number as usize].0, seed));
        ClientId(number)
    }

    pub(super) fn client(&self, client: ClientId) -> &[u8] {
        &self.clients[client.0 as usize].0
    }

    /// Gives a program's name back that no user was added with.
    pub(super) fn release_client(&mut self, client: ClientId) {
        let (name, uses) = &mut self.clients[client.0 as usize];
        *uses -= 1;
        if *uses == 0 {
            let hash = hash(name, self.seed);
            if let Ok(entry) = self.client_table.find_entry(hash, |number| *number == client.0) {
                entry.remove();
            }
            *name = Box::default();
            self.free_clients.push(client.0);
        }
    }

    fn nick_of(&self, number: u32) -> &[u8] {
        self.slots[number as usize].as_ref().map_or(&[], |person| &person.nick)
    }
}

/// The keyed hash of bytes without their ASCII case.
fn hash(bytes: &[u8], seed: [u64; 2]) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(seed[0], seed[1]);
    bytes.iter().for_each(|byte| hasher.write_u8(byte.to_ascii_lowercase()));
    hasher.finish()
}
