//! From what a search found to what the transfers ask.

use throng_machine::Endpoint;
use throng_overlay::discovery::{self, Item};
use throng_overlay::http::{PushBy, Source};
use throng_wire::gnutella::{Guid, Urn};
use throng_wire::http::Target;

/// The way to a copy that a search found, and what people call it; `None` if HTTP is not how it is fetched, or it has
/// no name there.
pub fn source_of(item: &Item, found: &discovery::Source) -> Option<(String, Source)> {
    let (address, push, target) = match found {
        discovery::Source::Gnutella { at, servent, index, name, firewalled, proxies } => {
            let by_number = || Target::Indexed { index: *index, name: name.clone() };
            let target = item.sha1.map_or_else(by_number, |sha1| Target::Urn(Urn::Sha1(sha1)));
            let push = PushBy::Servent { servent: Guid(*servent), index: *index, proxies: proxies.clone() };
            (callable(*at, *firewalled), push, target)
        }
        discovery::Source::Supernode { at, user, supernode, firewalled } => {
            let push = PushBy::Number { at: *at, supernode: *supernode, user: user.clone() };
            (callable(*at, *firewalled), push, Target::FtHash(item.ft_hash?))
        }
        discovery::Source::Swarm(_) | discovery::Source::Directory { .. } => return None,
    };
    let size = (item.size > 0).then_some(item.size);
    let from = Source { address, push: Some(push), target, size, sha1: item.sha1 };
    Some((name_of(found), from))
}

fn callable(at: Endpoint, firewalled: bool) -> Option<Endpoint> {
    (!firewalled && at.is_dialable()).then_some(at)
}

fn name_of(found: &discovery::Source) -> String {
    match found {
        discovery::Source::Gnutella { at, .. } => format!("gnutella {}", at.socket_addr()),
        discovery::Source::Supernode { at, user, .. } => {
            format!("{} of FastTrack at {}", String::from_utf8_lossy(user), at.socket_addr())
        }
        other => other.system().to_owned(),
    }
}
