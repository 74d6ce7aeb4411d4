//! Servents of ours for the tests with other Gnutella programs.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use throng_machine::Endpoint;
use throng_overlay::discovery;
use throng_overlay::gnutella::{Command, Config, Event, Identity, Role, RoleChoice};
use throng_overlay::http::Both;
use throng_runtime::gnutella::{Member, MemberConfig, Told};
use throng_runtime::net::socket::Source;
use throng_runtime::net::{NetConfig, Sockets};
use throng_wire::gnutella::Guid;
use tokio::sync::mpsc::UnboundedReceiver;

/// A servent joins within this; gtk-gnutella thinks slowly.
const PATIENCE: Duration = Duration::from_secs(180);

/// The id of the servent that listens there.
pub(crate) fn id_of((address, port): (Ipv4Addr, u16)) -> Guid {
    let mut id = [1; 16];
    id[..4].copy_from_slice(&address.octets());
    id[4..6].copy_from_slice(&port.to_be_bytes());
    Guid::marked(id)
}

/// A servent that listens there, and calls from there.
pub(crate) fn member(at: (Ipv4Addr, u16), role: Role) -> Result<(Member, UnboundedReceiver<Told>)> {
    let listen = SocketAddrV4::new(at.0, at.1);
    let source = Source::default().or_listening(at.0.into());
    let net = NetConfig { listen: Some(listen.into()), datagrams: true, source, ..NetConfig::default() };
    let sockets = Sockets::bind(&net)?;
    let me = Identity { servent: id_of(at), listen, key: [1, at.1.into()] };
    let config = Config { role: RoleChoice::Fixed(role), ..Config::default() };
    Ok(Member::start(MemberConfig::new(me, config), (sockets, net))?)
}

/// It joins by those.
pub(crate) async fn joins(
    member: &Member,
    told: &mut UnboundedReceiver<Told>,
    at: &[(Ipv4Addr, u16)],
) -> Result<()> {
    let entries = at.iter().map(|(address, port)| Endpoint::v4(address.octets(), *port)).collect();
    member.command(Command::Discovery(discovery::Command::Join(entries)));
    let joined = async {
        while let Some(event) = told.recv().await {
            if event == Both::Overlay(Event::Discovery(discovery::Event::Joined)) {
                return Ok(());
            }
        }
        bail!("the servent ended")
    };
    tokio::time::timeout(PATIENCE, joined).await.context("it did not join")?
}
