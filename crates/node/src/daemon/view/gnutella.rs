//! The servent's status as people read it.

use super::{carried, counted, standing};
use crate::daemon::report::{GnutellaLink, GnutellaStatus};
use crate::{text, units};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::Duration;

/// What is said when it has been let in.
pub(super) fn joined(status: &GnutellaStatus) -> (String, Value) {
    let role = text::line(&status.role);
    let at = status.address.map_or(String::new(), |at| format!(", reached at {at}"));
    let line =
        format!("gnutella: joined as {role}, {}{at}", units::plural(status.links.len() as u64, "link"));
    (line, json!({ "system": "gnutella", "role": role, "address": status.address }))
}

pub(super) fn gnutella(out: &mut String, status: &GnutellaStatus) {
    let at = status.address.map_or("address not known yet".into(), |at| format!("reached at {at}"));
    let firewalled = if status.firewalled { ", nobody can call it" } else { "" };
    let role = text::line(&status.role);
    let _ = writeln!(out, "gnutella: {}, {role}, {at}{firewalled}", standing(status.standing));
    let (files, size) = (status.files, units::size(status.kibibytes.saturating_mul(1_024)));
    let _ = writeln!(
        out,
        "  shares {} of {size}, {} under way, {} waiting",
        units::plural(files, "file"),
        units::plural(status.uploads, "upload"),
        units::count(status.uploads_waiting),
    );
    let tables = &status.tables;
    let _ = writeln!(
        out,
        "  remembers {} and the ways to {}; knows {}; carries on {}",
        units::plural(tables.queries, "query"),
        units::plural(tables.servents, "servent"),
        units::plural(tables.known, "other"),
        units::plural(status.searches + status.searches_for_leaves, "search"),
    );
    status.links.iter().for_each(|one| link(out, one));
    carried(out, &status.traffic);
    counted(out, &status.counters);
}

fn link(out: &mut String, link: &GnutellaLink) {
    let arrow = if link.outgoing { "->" } else { "<-" };
    let deflated = match (link.deflated_in, link.deflated_out) {
        (true, true) => ", deflated",
        (true, false) => ", deflated in",
        (false, true) => ", deflated out",
        (false, false) => "",
    };
    let table =
        link.table_words.map_or(String::new(), |words| format!(", {}", units::plural(words.into(), "word")));
    let waiting = if link.waiting_bytes > 0 {
        format!(", {} waiting", units::size(link.waiting_bytes))
    } else {
        String::new()
    };
    let _ = writeln!(
        out,
        "  {arrow} {} {} {}, up {}, {} in ({}), {} out ({}){table}{deflated}{waiting}",
        link.address,
        text::line(&link.role),
        text::line(&link.agent),
        units::duration(Duration::from_secs(link.up_seconds)),
        units::count(link.messages_in),
        units::size(link.bytes_in),
        units::count(link.messages_out),
        units::size(link.bytes_out),
    );
}
