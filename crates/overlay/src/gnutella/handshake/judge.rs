//! Whom we take, and with which words others are refused.

use super::super::config::Role;
use super::super::link::Greeting;
use super::super::machine::{Cx, Servent};
use super::super::violation::Violation;
use super::Refused;
use std::time::Duration;
use throng_machine::StreamId;
use throng_wire::gnutella::Headers;

/// Handshakes that one address may begin at once, and how often then. Our own machine may do more, for tests and
/// several nodes on it.
const CALLS: (u32, Duration) = (8, Duration::from_secs(10));

impl Servent {
    /// Whether a caller is taken.
    pub(super) fn judge_call(
        &mut self,
        stream: StreamId,
        headers: &Headers,
        greeting: &Greeting,
        cx: &mut Cx<'_>,
    ) -> Result<(), Refused> {
        if let Some(peer) = self.link(stream).map(|link| link.peer)
            && !peer.ip().is_loopback()
            && !self.guards().calls.spend(peer.ip(), CALLS, cx.now())
        {
            self.blame(peer, Violation::Crowd, cx);
            return Err((429, "Too many connections"));
        }
        judge_protocol(headers)?;
        self.judge_identity(stream, greeting)?;
        match (self.role, greeting.role) {
            (Role::Plain, Role::Plain) | (Role::Ultrapeer, Role::Leaf | Role::Ultrapeer) => {}
            (Role::Leaf, Role::Ultrapeer) => {}
            (Role::Leaf, _) => return Err((503, "Shielded leaf node")),
            (Role::Ultrapeer, Role::Plain) => return Err((403, "Normal nodes refused")),
            (Role::Plain, _) => return Err((403, "Neither leaf nor ultrapeer here")),
        }
        self.room_for(greeting.role)
    }

    /// Whether the one we called is what we look for.
    pub(super) fn judge_answer(
        &self,
        stream: StreamId,
        headers: &Headers,
        greeting: &Greeting,
    ) -> Result<(), Refused> {
        judge_protocol(headers)?;
        self.judge_identity(stream, greeting)?;
        if greeting.deflates && !self.config.deflate {
            return Err((406, "Deflated data was not offered to be read"));
        }
        match (self.role, greeting.role) {
            (Role::Plain, Role::Plain) | (Role::Leaf | Role::Ultrapeer, Role::Ultrapeer) => {}
            (Role::Plain, _) => return Err((403, "Neither leaf nor ultrapeer here")),
            (_, Role::Leaf) => return Err((403, "An ultrapeer is wanted")),
            (_, Role::Plain) => return Err((403, "Normal nodes refused")),
        }
        self.room_for(greeting.role)
    }

    /// Whether there is room for one more of that role.
    pub(super) fn room_for(&self, role: Role) -> Result<(), Refused> {
        let limits = &self.config.limits;
        let most = match (self.role, role) {
            (Role::Leaf, _) => limits.leaf_ultrapeers,
            (Role::Ultrapeer, Role::Leaf) => limits.leaves,
            (Role::Ultrapeer, _) => limits.ultrapeers,
            (Role::Plain, _) => limits.most_plain,
        };
        if self.count_sound(role) < most { Ok(()) } else { Err((503, "Full")) }
    }

    /// Nobody is linked twice, nor with itself.
    fn judge_identity(&self, stream: StreamId, greeting: &Greeting) -> Result<(), Refused> {
        if let Some(guid) = greeting.guid {
            if guid == self.me.servent {
                return Err((409, "This is yourself"));
            }
            let known = |link: &super::Link| link.live().is_some_and(|live| live.greeting.guid == Some(guid));
            if self.links.iter().any(known) {
                return Err((409, "Already connected to this GUID"));
            }
        }
        let address = greeting.listen.filter(|listen| !listen.ip().is_unspecified());
        if let Some(address) = address {
            let same = |link: &super::Link| {
                link.stream != stream && link.live().is_some_and(|live| live.greeting.listen == Some(address))
            };
            if self.links.iter().any(same) {
                return Err((409, "Already connected to this address"));
            }
        }
        Ok(())
    }
}

/// What no servent that speaks our protocol says.
fn judge_protocol(headers: &Headers) -> Result<(), Refused> {
    if headers.find("Accept").is_some() && !headers.lists("Accept", "application/x-gnutella-packets") {
        return Err((406, "Protocol not acceptable"));
    }
    let routing = headers.find("X-Query-Routing").unwrap_or("0.1").trim();
    if !matches!(routing, "0.1" | "0.2") {
        return Err((406, "Query Routing protocol not supported"));
    }
    Ok(())
}
