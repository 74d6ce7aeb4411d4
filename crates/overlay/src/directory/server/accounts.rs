//! Registered nicks, bans, and passwords being checked. Hashes never come here.

use super::command::{Account, Banned};
use super::people::fold;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Failed passwords are counted for as many addresses at most; more than that in a minute count as failed at once.
const MAX_ADDRESSES: usize = 65_536;

/// Who is registered, who is banned, who guesses.
#[derive(Default)]
pub(super) struct Accounts {
    accounts: BTreeMap<Vec<u8>, Account>,
    bans: BTreeMap<Banned, Vec<u8>>,
    failures: BTreeMap<IpAddr, u32>,
    /// The minute that `failures` is about.
    minute: u64,
}

impl Accounts {
    pub(super) fn find(&self, nick: &[u8]) -> Option<&Account> {
        self.accounts.get(&fold(nick))
    }

    pub(super) fn find_mut(&mut self, nick: &[u8]) -> Option<&mut Account> {
        self.accounts.get_mut(&fold(nick))
    }

    pub(super) fn load(&mut self, account: Account) {
        self.accounts.insert(fold(&account.nick), account);
    }

    pub(super) fn forget(&mut self, nick: &[u8]) {
        self.accounts.remove(&fold(nick));
    }

    pub(super) fn len(&self) -> usize {
        self.accounts.len()
    }

    pub(super) fn ban(&mut self, banned: Banned, reason: Vec<u8>) {
        self.bans.insert(banned, reason);
    }

    pub(super) fn unban(&mut self, banned: &Banned) {
        self.bans.remove(banned);
    }

    /// Why a nick or address may not come in, if so.
    pub(super) fn is_banned(&self, banned: &Banned) -> Option<&[u8]> {
        self.bans.get(banned).map(Vec::as_slice)
    }

    /// Counts a failed password.
    pub(super) fn count_failure(&mut self, from: IpAddr, minute: u64) {
        self.turn(minute);
        if self.failures.len() < MAX_ADDRESSES || self.failures.contains_key(&from) {
            *self.failures.entry(from).or_default() += 1;
        }
    }

    /// Failed passwords of an address in this minute.
    pub(super) fn failures(&mut self, from: IpAddr, minute: u64) -> u32 {
        self.turn(minute);
        let full = self.failures.len() >= MAX_ADDRESSES;
        self.failures.get(&from).copied().unwrap_or(if full { u32::MAX } else { 0 })
    }

    fn turn(&mut self, minute: u64) {
        if self.minute != minute {
            self.minute = minute;
            self.failures.clear();
        }
    }
}
