//! `throng browse`: all that a Gnutella servent shares, asked of itself.

use super::{Context, block_on};
use crate::cli::BrowseArgs;
use crate::failure::{Failure, Outcome};
use crate::{text, units};
use data_encoding::{BASE32_NOPAD, HEXLOWER};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use throng_machine::{Endpoint, Entropy as _};
use throng_overlay::gnutella::{Config, Identity, Role, RoleChoice};
use throng_runtime::entropy::SystemEntropy;
use throng_runtime::gnutella::{Member, MemberConfig};
use throng_runtime::net::socket::Source;
use throng_runtime::net::{NetConfig, Sockets};
use throng_wire::gnutella::{Guid, Message, Record, frame};
use throng_wire::magnet::Magnet;
use tokio::task::LocalSet;

/// Asks, and says what it has.
pub(crate) fn run(args: &BrowseArgs, context: &Context) -> Outcome {
    let at = args.servent.resolve()?.first().copied();
    let at = at.ok_or_else(|| Failure::failed(format_args!("{} has no address", args.servent)))?;
    let list = block_on(async {
        let asked = LocalSet::new();
        tokio::select! {
            list = asked.run_until(browse(at)) => list,
            () = context.interrupt.wait() => Err(Failure::Interrupted),
        }
    })??;
    let mut files = 0;
    let mut rest = &list[..];
    while let Some((header, payload, used)) = frame(rest).map_err(Failure::failed)? {
        rest = &rest[used..];
        if let Ok(Message::QueryHit(hit)) = Message::parse(&header, payload) {
            for record in hit.records() {
                files += 1;
                context.output.print(line(&record));
                context.output.event("file", object(&record));
            }
        }
    }
    context.output.note(format_args!("{} at {at}", units::plural(files, "file")));
    Ok(())
}

/// A servent that joins nothing asks for the list.
async fn browse(at: SocketAddr) -> Outcome<Vec<u8>> {
    let mut entropy = SystemEntropy::from_system().map_err(anyhow::Error::from)?;
    let mut id = [0; 16];
    entropy.fill(&mut id);
    let key = [entropy.next_u64(), entropy.next_u64()];
    let listen = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
    let me = Identity { servent: Guid::marked(id), listen, key };
    let net = NetConfig { listen: None, datagrams: false, source: Source::default(), ..NetConfig::default() };
    let cannot = |error: std::io::Error| Failure::failed(format_args!("cannot start: {error}"));
    let sockets = Sockets::bind(&net).map_err(cannot)?;
    let config = Config { role: RoleChoice::Fixed(Role::Leaf), ..Config::default() };
    let (member, _told) = Member::start(MemberConfig::new(me, config), (sockets, net)).map_err(cannot)?;
    let list = member.browse(Endpoint::from(at)).await;
    Ok(list.map_err(|error| Failure::failed(format_args!("{at}: {error}")))?.to_vec())
}

/// What the record says, as a link by which the file can be fetched.
fn magnet(record: &Record<'_>) -> Option<Magnet> {
    let (sha1, tiger_tree) = (record.sha1(), record.tiger_root());
    let name = Some(String::from_utf8_lossy(record.name).into_owned());
    let known = sha1.is_some() || tiger_tree.is_some();
    known.then(|| Magnet { name, length: Some(record.size), sha1, tiger_tree, ..Magnet::default() })
}

fn line(record: &Record<'_>) -> String {
    let hash = record
        .sha1()
        .map_or_else(|| "no hash".into(), |sha1| format!("urn:sha1:{}", BASE32_NOPAD.encode(&sha1)));
    format!("{:>11}  {}  {hash}", units::size(record.size), text::bytes(record.name))
}

fn object(record: &Record<'_>) -> Value {
    json!({
        "name": text::bytes(record.name),
        "bytes": record.size,
        "number": record.index,
        "sha1": record.sha1().map(|sha1| HEXLOWER.encode(&sha1)),
        "tiger_tree": record.tiger_root().map(|root| BASE32_NOPAD.encode(&root)),
        "magnet": magnet(record).map(|magnet| magnet.to_string()),
    })
}
