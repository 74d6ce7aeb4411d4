//! Our ultrapeer and a leaf of ours with mldonkey 3.2.1 as a Gnutella leaf, under the conditions of [`crate::mldonkey`].
//!
//! It sends no route table of use and uploads nothing (section 13 of the note), so it searches and fetches only. Spaces
//! in what it asks for are left as they are.

use std::fs;
use std::net::{SocketAddr, SocketAddrV4};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use sha1::{Digest as _, Sha1};
use throng_bench::lab::{Host, Lab};
use throng_machine::{ContentId, Endpoint};
use throng_overlay::discovery::{self, Item, Ticket};
use throng_overlay::gnutella::{Command, Config, Event, Identity, Role, RoleChoice};
use throng_overlay::http::Both;
use throng_runtime::gnutella::{Member, MemberConfig, Offering, Told};
use throng_runtime::net::socket::Source;
use throng_runtime::net::{NetConfig, Sockets};
use throng_wire::gnutella::Guid;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::mldonkey::{MlDonkey, NAME, PATIENCE, SIZE, data, result_of};
use crate::wanted::program;

const HUB: u16 = 6346;
const LEAF: u16 = 6347;
/// Nobody on the Internet is asked for servents.
const OPTIONS: &str = "client_port = 6348\nredirectors = []\nhostfiles = []\nurlfiles = []\n";

/// A servent of ours at the host's address.
fn member(host: &Host, role: Role, port: u16) -> Result<(Member, UnboundedReceiver<Told>)> {
    let listen = SocketAddrV4::new(host.address, port);
    let source = Source::default().or_listening(host.address.into());
    let net = NetConfig { listen: Some(listen.into()), datagrams: true, source, ..NetConfig::default() };
    let sockets = Sockets::bind(&net)?;
    let me = Identity { servent: Guid::marked([port as u8; 16]), listen, key: [1, port.into()] };
    let config = Config { role: RoleChoice::Fixed(role), ..Config::default() };
    Ok(Member::start(MemberConfig::new(me, config), (sockets, net))?)
}

fn offering(folder: &Path, bytes: &[u8]) -> Result<Offering> {
    let path = folder.join(NAME);
    fs::write(&path, bytes)?;
    let (title, size, sha1) = (NAME.into(), bytes.len() as u64, Some(Sha1::digest(bytes).into()));
    let item = Item { title, size, sha1, ..Item::default() };
    let modified = fs::metadata(&path)?.modified()?;
    let tiger_level = [].into();
    Ok(Offering { content: ContentId(1), item, tiger_level, path, modified, magnet: String::new() })
}

async fn joins(member: &Member, told: &mut UnboundedReceiver<Told>, at: Vec<Endpoint>) -> Result<()> {
    member.command(Command::Discovery(discovery::Command::Join(at)));
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

/// It links with our ultrapeer, finds our leaf's file by its words, and fetches it.
async fn fetches(mldonkey: &MlDonkey, host: &Host, folder: &Path) -> Result<()> {
    let (hub, mut hub_told) = member(host, Role::Ultrapeer, HUB)?;
    joins(&hub, &mut hub_told, Vec::new()).await?;
    let (leaf, mut told) = member(host, Role::Leaf, LEAF)?;
    let ours = data(SIZE, 0);
    leaf.publish(Ticket(5), &offering(folder, &ours)?);
    let at = Endpoint::from(SocketAddr::from((host.address, HUB)));
    joins(&leaf, &mut told, vec![at]).await?;
    let deadline = Instant::now() + PATIENCE;
    while hub.status().links.len() < 2 {
        ensure!(Instant::now() < deadline, "it does not link: {:?}", hub.status());
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    let mut searched = Instant::now();
    mldonkey.ask("s serenade quokka")?;
    let number = mldonkey.shows("vr", |page| {
        if searched.elapsed().as_secs() > 30 {
            searched = Instant::now();
            // The first may have come before our leaf's words did.
            _ = mldonkey.ask("s quokka serenade");
        }
        result_of(page, NAME)
    });
    let number = number.await.with_context(|| format!("it searches; {:?}", hub.status()))?;
    mldonkey.page(&format!("/results?d={number}"))?;
    let got = mldonkey.fetched(NAME, SIZE).await.with_context(|| format!("{:?}", leaf.violations()))?;
    ensure!(got == ours, "what it fetched differs");
    Ok(())
}

#[test]
fn mldonkey_as_a_leaf_of_our_ultrapeer_searches_and_fetches() -> Result<()> {
    let Some(program) = program("THRONG_MLDONKEY") else { return Ok(()) };
    let mut lab = Lab::bridged()?;
    let (ours, its) = (lab.host()?, lab.host()?);
    let folder = tempfile::Builder::new().prefix("throng-ml-").tempdir()?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    let its_folder = folder.path().join("mldonkey");
    let to = SocketAddrV4::new(ours.address, HUB);
    let mldonkey = MlDonkey::start(&program, &its, &its_folder, ("gnutella", OPTIONS, to))?;
    let outcome = ours.namespace.enter(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let fetching = fetches(&mldonkey, &ours, folder.path());
        tokio::task::LocalSet::new().block_on(&runtime, fetching)
    });
    let log = fs::read_to_string(its_folder.join("log")).unwrap_or_default();
    outcome.with_context(|| format!("its log: {log}"))
}
