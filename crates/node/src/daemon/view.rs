//! The node's status as people read it.

mod gnutella;

use super::report::{
    BitTorrentStatus, DirectorySession, DirectoryStatus, Finger, Neighbour, NodeStatus, Place, RingStatus,
    Standing, SupernodeStatus, SystemStatus, Traffic,
};
use crate::{text, units};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

/// Digits of an id that tell nodes apart at a glance.
const SHORT_ID: usize = 12;

/// What is said when a system has been entered: a line, and the same as JSON.
pub(crate) fn joined(status: &SystemStatus) -> (String, Value) {
    match status {
        SystemStatus::Chord(ring) => {
            let id = ring.nodes.first().map_or("", |place| place.id.as_str());
            let line = format!("chord: joined at {} as {}", ring.address, short(id));
            (line, json!({ "system": "chord", "address": ring.address, "id": id, "mode": ring.mode }))
        }
        SystemStatus::Directory(status) => directory_joined(status),
        SystemStatus::Supernode(status) => supernode_joined(status),
        SystemStatus::Bittorrent(swarms) => {
            let line = format!("bittorrent: ready at {}", swarms.address);
            (line, json!({ "system": "bittorrent", "address": swarms.address }))
        }
        SystemStatus::Gnutella(status) => gnutella::joined(status),
        SystemStatus::Unknown => ("joined".into(), json!({})),
    }
}

/// The whole status, several lines.
pub(crate) fn status(status: &NodeStatus) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "throng {}, process {}, up {}, API on http://{}{}",
        text::line(&status.version),
        status.pid,
        units::duration(Duration::from_secs(status.uptime_seconds)),
        status.api,
        if status.leaving { ", leaving" } else { "" },
    );
    for system in &status.systems {
        match system {
            SystemStatus::Chord(status) => ring(&mut out, status),
            SystemStatus::Directory(status) => directory(&mut out, status),
            SystemStatus::Supernode(status) => supernode(&mut out, status),
            SystemStatus::Bittorrent(status) => swarms(&mut out, status),
            SystemStatus::Gnutella(status) => gnutella::gnutella(&mut out, status),
            SystemStatus::Unknown => out.push_str("a system that this version does not know\n"),
        }
    }
    for notice in &status.notices {
        let _ = writeln!(out, "! {}", text::line(notice));
    }
    out.truncate(out.trim_end().len());
    out
}

fn supernode_joined(status: &SupernodeStatus) -> (String, Value) {
    let line = match status.supernode {
        Some(at) => format!("supernode: attached to {at}"),
        None => format!("supernode: serving at {}", status.address),
    };
    let fields = json!({
        "system": "supernode", "role": status.role, "address": status.address, "supernode": status.supernode,
    });
    (line, fields)
}

fn supernode(out: &mut String, status: &SupernodeStatus) {
    let standing = standing(status.standing);
    let _ = match status.supernode {
        Some(at) => writeln!(
            out,
            "supernode: {standing}, an ordinary node of {at}, knows {}, shares {}",
            units::plural(status.known as u64, "supernode"),
            units::plural(status.shared as u64, "file"),
        ),
        None => writeln!(
            out,
            "supernode: {standing}, {} at {}, {} with {} (index {}), {} of about {}",
            text::line(&status.role),
            status.address,
            units::plural(status.ordinary_nodes.into(), "ordinary node"),
            units::plural(status.files.into(), "file"),
            units::size(status.index_bytes),
            units::plural(status.links.into(), "link"),
            units::plural(status.supernodes.into(), "supernode"),
        ),
    };
    let SupernodeStatus { transfers, .. } = status;
    let _ = writeln!(
        out,
        "  {}, {} waiting, {}",
        units::plural(transfers.uploads as u64, "upload"),
        transfers.waiting,
        units::plural(transfers.downloads as u64, "download"),
    );
    carried(out, &status.traffic);
    counted(out, &status.counters);
}

fn swarms(out: &mut String, status: &BitTorrentStatus) {
    let (torrents, peers) =
        (units::plural(status.torrents as u64, "torrent"), units::plural(status.peers as u64, "peer"));
    let _ = writeln!(
        out,
        "bittorrent: {}, {torrents} ({} complete), {peers}, reached at {}",
        standing(status.standing),
        status.complete,
        status.address
    );
    let _ = writeln!(
        out,
        "  received {} at {}, sent {} at {}",
        units::size(status.downloaded),
        units::rate(status.download_rate),
        units::size(status.uploaded),
        units::rate(status.upload_rate),
    );
    for (url, reason) in &status.trackers_failing {
        let _ = writeln!(out, "  ! tracker {}: {}", text::line(url), text::line(reason));
    }
}

fn ring(out: &mut String, status: &RingStatus) {
    let standing = standing(status.standing);
    let nodes = units::plural(status.estimated_nodes, "node");
    let mode = text::line(&status.mode);
    let _ = writeln!(out, "chord: {standing}, mode {mode}, about {nodes}, reached at {}", status.address);
    status.nodes.iter().for_each(|at| place(out, at));
    carried(out, &status.traffic);
    if let Some(disk) = &status.disk {
        let _ = writeln!(out, "  ! {}", text::line(disk));
    }
    counted(out, &status.counters);
}

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Joining => "joining",
        Standing::Joined => "joined",
        Standing::Isolated => "isolated, looking for the others",
        Standing::Leaving => "leaving",
        Standing::Left => "left",
    }
}

fn carried(out: &mut String, traffic: &Traffic) {
    let _ =
        write!(out, "  received {}, sent {}", units::size(traffic.bytes_in), units::size(traffic.bytes_out));
    if traffic.datagrams_in + traffic.datagrams_out > 0 {
        let (came, went) = (units::count(traffic.datagrams_in), units::count(traffic.datagrams_out));
        let _ = write!(out, " ({came} and {went} datagrams)");
    }
    out.push('\n');
}

fn counted(out: &mut String, counters: &BTreeMap<String, u64>) {
    let counted = counters.iter().filter(|(_, count)| **count > 0);
    let counted: Vec<_> =
        counted.map(|(name, count)| format!("{} {}", text::line(name), units::count(*count))).collect();
    if !counted.is_empty() {
        let _ = writeln!(out, "  counted: {}", counted.join(", "));
    }
}

fn directory_joined(status: &DirectoryStatus) -> (String, Value) {
    let online: Vec<_> = status.directories.iter().filter(|directory| directory.online).collect();
    let names: Vec<String> = online
        .iter()
        .map(|directory| format!("{} as {}", text::line(&directory.name), text::line(&directory.nick)))
        .collect();
    let fields: Vec<_> = online
        .iter()
        .map(|directory| json!({ "address": directory.address, "nick": directory.nick }))
        .collect();
    let fields = json!({ "system": "directory", "directories": fields, "data_port": status.data_port });
    (format!("directory: joined {}", names.join(", ")), fields)
}

fn directory(out: &mut String, status: &DirectoryStatus) {
    let port = match status.data_port {
        Some(port) => format!("peers fetch at port {port}"),
        None => "cannot be called: files are pushed".into(),
    };
    let files = units::plural(status.files, "file");
    let _ = writeln!(out, "directory: {}, {files} to share, {port}", standing(status.standing));
    for session in &status.directories {
        directory_session(out, session);
    }
    let transfers = status.transfers;
    let _ = writeln!(
        out,
        "  uploads {} ({} waiting), downloads {}",
        transfers.uploads, transfers.waiting, transfers.downloads
    );
    carried(out, &status.traffic);
    counted(out, &status.counters);
}

fn directory_session(out: &mut String, session: &DirectorySession) {
    let name = text::line(&session.name);
    let _ = if session.online {
        let (nick, files) = (text::line(&session.nick), units::count(session.files_shared.into()));
        writeln!(out, "  {name}: joined as {nick}, {files} shared")
    } else {
        writeln!(out, "  {name}: not joined")
    };
    if let (Some(users), Some(files), Some(gigabytes)) = (session.users, session.files, session.gigabytes) {
        let (users, files) = (units::plural(users, "user"), units::plural(files, "file"));
        let _ = writeln!(out, "    {users} there, with {files} of {gigabytes} GB");
    }
    if let Some(trouble) = &session.trouble {
        let _ = writeln!(out, "    ! {}", text::line(trouble));
    }
    if let Some(redirect) = &session.redirect {
        let _ = writeln!(out, "    ! it wants its users to go to {}", text::line(redirect));
    }
}

fn place(out: &mut String, place: &Place) {
    let role = match (&place.predecessor, place.active) {
        (_, false) => "owns no keys yet".to_owned(),
        (None, true) => "owns all keys".to_owned(),
        (Some(before), true) => format!("owns the keys after {} up to itself", short(&before.id)),
    };
    let _ = writeln!(out, "  node {} (number {}), {role}", text::line(&place.id), place.index);
    if let Some(before) = &place.predecessor {
        let _ = writeln!(out, "    predecessor   {}", neighbour(before));
    }
    for (number, after) in (1..).zip(&place.successors) {
        let _ = writeln!(out, "    successor {number:<3} {}", neighbour(after));
    }
    if !place.fingers.is_empty() {
        out.push_str("    finger i       start = n + 2^(i-1)   node = the first at or after the start\n");
    }
    for Finger { i, through, start, node } in &place.fingers {
        let rows = if i == through { i.to_string() } else { format!("{i}-{through}") };
        let _ = writeln!(out, "      {rows:<12} {:<21} {}", format!("{}…", short(start)), neighbour(node));
    }
}

fn neighbour(node: &Neighbour) -> String {
    format!("{}… {}", short(&node.id), node.address)
}

fn short(id: &str) -> String {
    text::line(id.get(..SHORT_ID).unwrap_or(id))
}
