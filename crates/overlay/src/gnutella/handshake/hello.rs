//! What we say of ourselves, and how we read what others say.

use super::super::config::Role;
use super::super::link::Greeting;
use super::super::machine::Servent;
use throng_machine::Endpoint;
use throng_wire::gnutella::{Block, Guid, Handshake, Headers};

/// Servents that a refusal names to be tried instead.
const TRY: usize = 10;
/// Bytes of a name that are kept.
const AGENT: usize = 64;

impl Servent {
    /// The first block of a call.
    pub(super) fn hello(&self, to: Endpoint) -> Block {
        let mut block = Block::new(Handshake::Connect);
        self.describe(&mut block.headers, to);
        if self.config.deflate {
            block.headers.push("Accept-Encoding", "deflate");
        }
        block
    }

    /// The second block, for somebody we take.
    pub(super) fn welcome(&self, to: Endpoint, greeting: &Greeting) -> Block {
        let mut block = Block::status(200, "OK");
        self.describe(&mut block.headers, to);
        if self.config.deflate {
            block.headers.push("Accept-Encoding", "deflate");
        }
        if self.deflates_to(greeting) {
            block.headers.push("Content-Encoding", "deflate");
        }
        self.suggest(&mut block.headers, to);
        block
    }

    /// The second block, for somebody we do not take.
    pub(super) fn refusal(&self, code: u16, text: &str, to: Endpoint) -> Block {
        let mut block = Block::status(code, text);
        block.headers.push("User-Agent", &self.config.agent).push("Remote-IP", to.ip());
        self.suggest(&mut block.headers, to);
        block
    }

    /// What a crawler is answered.
    pub(super) fn census(&self) -> Block {
        let mut block = Block::status(200, "OK");
        block.headers.push("User-Agent", &self.config.agent);
        let list = |role| {
            let of_role = self.links.iter().filter(|link| link.role() == Some(role));
            let addresses: Vec<String> = of_role.map(|link| link.address().to_string()).collect();
            addresses.join(",")
        };
        block.headers.push("X-Ultrapeer", title(self.role == Role::Ultrapeer));
        block
            .headers
            .push("Peers", list(if self.role == Role::Plain { Role::Plain } else { Role::Ultrapeer }));
        block.headers.push("Leaves", list(Role::Leaf));
        block
    }

    fn describe(&self, headers: &mut Headers, to: Endpoint) {
        headers.push("User-Agent", &self.config.agent);
        if let Some(listen) = self.listen() {
            headers.push("Node", listen);
        }
        headers.push("Remote-IP", to.ip());
        headers.push("GUID", self.me.servent.hex().to_lowercase());
        headers.push("Pong-Caching", "0.1").push("Bye-Packet", "0.1").push("GGEP", "0.5");
        headers.push("Vendor-Message", "0.2").push("X-Requeries", "False");
        match self.role {
            Role::Plain => {}
            Role::Leaf => {
                headers.push("X-Ultrapeer", "False").push("X-Query-Routing", "0.1");
            }
            Role::Ultrapeer => {
                headers.push("X-Ultrapeer", "True").push("X-Query-Routing", "0.1");
                headers.push("X-Ultrapeer-Query-Routing", "0.1");
                headers.push("X-Dynamic-Querying", "0.1").push("X-Ext-Probes", "0.1");
                headers.push("X-Degree", self.config.limits.ultrapeers);
                headers.push("X-Max-TTL", self.config.max_ttl);
                if self.count(Role::Ultrapeer) < self.config.limits.ultrapeers {
                    headers.push("X-Ultrapeer-Needed", "True");
                }
            }
        }
    }

    /// Names others to try.
    fn suggest(&self, headers: &mut Headers, to: Endpoint) {
        let name = if self.role == Role::Plain { "X-Try" } else { "X-Try-Ultrapeers" };
        let list: Vec<String> =
            self.known_hosts(TRY, to).iter().map(std::string::ToString::to_string).collect();
        if !list.is_empty() {
            headers.push(name, list.join(","));
        }
    }
}

fn title(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

impl Greeting {
    /// What headers say.
    pub(super) fn read(headers: &Headers) -> Greeting {
        let role = match headers.is_true("X-Ultrapeer") {
            None => Role::Plain,
            Some(false) => Role::Leaf,
            Some(true) => Role::Ultrapeer,
        };
        let number = |name: &str| headers.find(name).and_then(|value| value.trim().parse::<u8>().ok());
        let has = |name: &str| headers.find(name).is_some();
        let agent: String = headers
            .find("User-Agent")
            .unwrap_or_default()
            .chars()
            .filter(|letter| !letter.is_control())
            .collect();
        let node = headers.find("Node").or_else(|| headers.find("X-My-Address"));
        Greeting {
            role,
            agent: agent.chars().take(AGENT).collect::<String>().into(),
            listen: node.and_then(|node| node.trim().parse().ok()),
            guid: headers.find("GUID").and_then(|guid| Guid::from_hex(guid.trim().as_bytes())),
            degree: number("X-Degree").unwrap_or(8),
            max_ttl: number("X-Max-TTL").filter(|ttl| *ttl > 0).unwrap_or(7),
            inflates: headers.lists("Accept-Encoding", "deflate"),
            deflates: headers.lists("Content-Encoding", "deflate"),
            dynamic: has("X-Dynamic-Querying"),
            probes: has("X-Ext-Probes"),
            tables: has("X-Ultrapeer-Query-Routing"),
            vendor: has("Vendor-Message"),
            bye: has("Bye-Packet"),
        }
    }

    /// What is known of a servent of 2000.
    pub(super) fn old() -> Greeting {
        Greeting { bye: false, ..Greeting::read(&Headers::default()) }
    }
}
