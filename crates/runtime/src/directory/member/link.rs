//! Asking one of our own nodes for the magnet link of a file (section 12).

use super::copy::Copy;
use super::floor::Piece;
use super::{Member, ranges};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use throng_machine::Endpoint;
use throng_overlay::directory::client::{Command, Part};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// For the directory's word on the user's program; 5 s, as servers answer at once.
const WHOIS: Duration = Duration::from_secs(5);
/// For the link: asking, calling and the 5 s of the protocol; 30 s.
const LINK: Duration = Duration::from_secs(30);

/// Whose turn it is to ask a user: each question takes one of its few upload slots, and one that finds them taken
/// would be put into a queue for a minute.
#[derive(Clone, Default)]
pub(super) struct Turns(Rc<RefCell<BTreeMap<User, Arc<Semaphore>>>>);

/// A user of a directory: which, and the nick.
type User = (Endpoint, Vec<u8>);

impl Turns {
    async fn take(&self, user: User) -> Option<OwnedSemaphorePermit> {
        let turns = {
            let mut all = self.0.borrow_mut();
            all.retain(|_, turns| Arc::strong_count(turns) > 1);
            Arc::clone(all.entry(user).or_insert_with(|| Arc::new(Semaphore::new(1))))
        };
        turns.acquire_owned().await.ok()
    }
}

/// A question under way; withdrawn when nobody waits for the answer any more.
struct Question<'a> {
    member: &'a Member,
    number: u32,
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        ranges::drop_download(self.member, self.number);
    }
}

/// The link, if the user runs our program and says one.
pub(super) async fn ask(member: &Member, copy: Copy) -> Option<String> {
    let ours = timeout(WHOIS, runs_ours(member, copy.server, &copy.nick)).await;
    if ours != Ok(true) {
        return None;
    }
    let _turn = member.turns.take((copy.server, copy.nick.clone())).await?;
    let (number, told) = member.driver.with_app(|floor, _| floor.expect());
    let _question = Question { member, number };
    // Should it not say one after all, it is asked for no byte of the file.
    let download = copy.part(number, Part { from: 0, to: 0 }, true);
    member.command(Command::Download(Box::new(download)));
    let link = async {
        loop {
            match member.driver.with_app(|floor, _| floor.take(number)) {
                Some(Piece::Link(link, from)) => return Some((link, from)),
                Some(Piece::Ended(_) | Piece::Queued(_)) => return None,
                Some(Piece::Bytes(_)) => {}
                None => told.notified().await,
            }
        }
    };
    let (link, from) = timeout(LINK, link).await.ok().flatten()?;
    Some(reachable(std::str::from_utf8(&link).ok()?, from.ip()))
}

async fn runs_ours(member: &Member, at: Endpoint, nick: &[u8]) -> bool {
    member.command(Command::Whois(at, nick.to_vec()));
    loop {
        let (known, told) = member.driver.look(|_, floor| floor.program(at, nick));
        match known {
            Some(ours) => return ours,
            None => told.notified().await,
        }
    }
}

/// The link with the address it came from in place of one the uploader did not know of itself.
fn reachable(link: &str, from: IpAddr) -> String {
    let known = |part: &str| {
        let at: SocketAddr = part.strip_prefix("x.pe=")?.parse().ok()?;
        at.ip().is_unspecified().then(|| format!("x.pe={}", SocketAddr::new(from, at.port())))
    };
    let parts = link.split('&').map(|part| known(part).unwrap_or_else(|| part.to_owned()));
    parts.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_the_uploader_did_not_know_is_the_one_it_answered_from() {
        let from = IpAddr::from([192, 0, 2, 7]);
        let given = |link: &str| reachable(link, from);
        assert_eq!(given("magnet:?xt=a&x.pe=0.0.0.0:7117"), "magnet:?xt=a&x.pe=192.0.2.7:7117");
        assert_eq!(given("magnet:?xt=a&x.pe=[::]:7117&dn=b"), "magnet:?xt=a&x.pe=192.0.2.7:7117&dn=b");
        for link in ["magnet:?xt=a", "magnet:?x.pe=10.0.0.1:1", "magnet:?x.pe=host:1", "x.pe=", ""] {
            assert_eq!(given(link), link);
        }
    }
}
