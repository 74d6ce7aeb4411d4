//! A Gnutella servent by hand: shares files, or finds one and fetches it; prints what happens, ends by itself.
//!
//! `servent LISTEN leaf|ultrapeer SECONDS JOIN|- share FILE…` or `… fetch|push WORDS OUT`; `push` has the uploader call
//! us though it could be called. What was fetched is checked by its SHA-1.

use std::fs::File;
use std::net::{SocketAddr, SocketAddrV4};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sha1::{Digest, Sha1};
use throng_machine::{ContentId, Endpoint};
use throng_overlay::discovery::{self, Item, Query, Source, Ticket};
use throng_overlay::gnutella::{Command, Config, Event, Identity, Role, RoleChoice};
use throng_overlay::http::Both;
use throng_runtime::fetch::{Desk, RangeError, RangeSource};
use throng_runtime::gnutella::{Member, MemberConfig, Offering, Told};
use throng_runtime::net::{NetConfig, Sockets};
use throng_wire::gnutella::Guid;
use throng_wire::gnutella::tiger::{TreeHasher, depth_for, height_of, root};
use tokio::sync::mpsc::{self, UnboundedReceiver};

const USAGE: &str = "LISTEN leaf|ultrapeer SECONDS JOIN|- share FILE… | fetch|push WORDS OUT";
/// Bytes asked for at once.
const STEP: u64 = 4 << 20;

type Failure = Box<dyn std::error::Error>;

fn offering(content: u32, path: &Path) -> Result<Offering, Failure> {
    let bytes = std::fs::read(path)?;
    let size = bytes.len() as u64;
    let mut hasher = TreeHasher::new(height_of(size).saturating_sub(depth_for(size)));
    hasher.update(&bytes);
    let level: Arc<[_]> = hasher.finish().into();
    let title = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let sha1 = Some(Sha1::digest(&bytes).into());
    let item = Item { title, size, sha1, tiger: Some(root(&level)), ..Item::default() };
    let modified = std::fs::metadata(path)?.modified()?;
    let magnet = String::new();
    Ok(Offering {
        content: ContentId(content),
        item,
        tiger_level: level,
        path: path.into(),
        modified,
        magnet,
    })
}

/// Searches, each time after a while, until there is a hit.
async fn find(
    member: &Member,
    told: &mut UnboundedReceiver<Told>,
    words: &str,
) -> Result<(Item, Source), Failure> {
    let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
    for number in 1.. {
        let query = Query { words: words.clone(), limit: 1, timeout: Duration::from_secs(30) };
        let ticket = Ticket(number);
        member.command(Command::Discovery(discovery::Command::Find(ticket, query)));
        while let Some(event) = told.recv().await {
            println!("{event:?}");
            match event {
                Both::Overlay(Event::Discovery(discovery::Event::Found { item, source, .. })) => {
                    return Ok((item, source));
                }
                Both::Overlay(Event::Discovery(discovery::Event::Finished(over))) if over == ticket => break,
                _ => {}
            }
        }
    }
    Err("the servent has ended".into())
}

/// Fetches all of it, range after range, waiting where the source is busy.
async fn fetch(mut desk: Desk, item: &Item, out: &File) -> Result<(), Failure> {
    let mut at = 0;
    while at < item.size {
        let (into, mut bytes) = mpsc::channel::<bytes::Bytes>(4);
        let start = at;
        let store = async {
            let mut at = start;
            while let Some(bytes) = bytes.recv().await {
                out.write_all_at(&bytes, at).expect("there is room");
                at += bytes.len() as u64;
            }
            at
        };
        let (fetched, end) = tokio::join!(desk.fetch(at..item.size.min(at + STEP), into), store);
        at = end;
        println!("{at} of {} bytes: {fetched:?}", item.size);
        match fetched {
            Ok(()) => {}
            Err(RangeError::Busy { retry_after, .. }) => tokio::time::sleep(retry_after).await,
            Err(RangeError::Broken(_)) => tokio::time::sleep(Duration::from_secs(3)).await,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

async fn find_and_fetch(
    member: &Member,
    told: &mut UnboundedReceiver<Told>,
    (verb, words, out): (&str, &str, &str),
) -> Result<(), Failure> {
    let (item, mut found) = find(member, told, words).await?;
    if let (Source::Gnutella { firewalled, .. }, "push") = (&mut found, verb) {
        *firewalled = true;
    }
    if let Some(root) = item.tiger {
        let tree = member.tree(&item, &found, root).await;
        println!("tree: {:?}", tree.map(|(level, height)| (level.len(), height)));
    }
    let file = File::options().create(true).truncate(true).read(true).write(true).open(out)?;
    fetch(member.source(&item, &found).ok_or("not a copy of this system")?, &item, &file).await?;
    let sha1: [u8; 20] = Sha1::digest(std::fs::read(out)?).into();
    let right = item.sha1 == Some(sha1);
    println!("FETCHED {right}");
    if right { Ok(()) } else { Err("the copy is wrong".into()) }
}

async fn run(args: &[String]) -> Result<(), Failure> {
    let [listen, role, seconds, join, verb, rest @ ..] = args else { return Err(USAGE.into()) };
    let listen: SocketAddrV4 = listen.parse()?;
    let role = if role == "leaf" { Role::Leaf } else { Role::Ultrapeer };
    let net = NetConfig { listen: Some(listen.into()), datagrams: true, ..NetConfig::default() };
    let sockets = Sockets::bind(&net)?;
    let servent = Guid::marked(listen.ip().octets().repeat(4).try_into().expect("sixteen bytes"));
    let me = Identity { servent, listen, key: [1, 2] };
    let config = Config { role: RoleChoice::Fixed(role), ..Config::default() };
    let (member, mut told) = Member::start(MemberConfig::new(me, config), (sockets, net))?;
    if verb == "share" {
        for (number, path) in (1..).zip(rest) {
            member.publish(Ticket(number), &offering(number, Path::new(path))?);
        }
    }
    let entries = join.parse::<SocketAddr>().map(Endpoint::from).into_iter().collect();
    member.command(Command::Discovery(discovery::Command::Join(entries)));
    let work = async {
        if let ("fetch" | "push", [words, out]) = (verb.as_str(), rest) {
            return find_and_fetch(&member, &mut told, (verb, words, out)).await;
        }
        while let Some(event) = told.recv().await {
            println!("{event:?}");
        }
        Ok(())
    };
    let outcome = tokio::time::timeout(Duration::from_secs(seconds.parse()?), work).await;
    println!("{:?}\n{:?}\n{:?}", member.status(), member.load(), member.violations());
    match outcome {
        Ok(outcome) => outcome,
        Err(_) if verb == "share" => Ok(()),
        Err(_) => Err("too late".into()),
    }
}

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, run(&args))
}
