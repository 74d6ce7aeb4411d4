//! `throng torrent show`: all that is in a torrent file or a magnet link.

use super::Context;
use crate::cli::ShowArgs;
use crate::failure::{Failure, Outcome};
use crate::output::Level;
use crate::{text, torrent_file, units};
use serde_json::{Value, json};
use std::path::Path;
use throng_wire::magnet::Magnet;
use throng_wire::metainfo::{File, Metainfo};

/// Says it.
pub(crate) fn run(args: &ShowArgs, context: &Context) -> Outcome {
    if args.torrent.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("magnet:")) {
        let magnet: Magnet = args.torrent.parse().map_err(Failure::failed)?;
        context.output.print(magnet_text(&magnet));
        context.output.event("magnet", magnet_json(&magnet));
        return Ok(());
    }
    let metainfo = torrent_file::read(Path::new(&args.torrent))?;
    context.output.print(torrent_text(&metainfo, context.output.level() >= Level::Verbose));
    if context.output.is_json() {
        context.output.event("torrent", torrent_json(&metainfo));
    }
    Ok(())
}

/// `hybrid`, `v1` or `v2`.
fn format(metainfo: &Metainfo) -> &'static str {
    match (metainfo.info.hash_v1(), metainfo.info.hash_v2()) {
        (Some(_), Some(_)) => "hybrid",
        (None, _) => "v2",
        _ => "v1",
    }
}

/// Lines of a name and a value.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn add(&mut self, name: &str, value: impl AsRef<str>) {
        self.0.push_str(&format!("{name:14}{}\n", value.as_ref()));
    }

    fn some(&mut self, name: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.add(name, text::line(&value.to_string()));
        }
    }

    fn each<'a>(&mut self, name: &str, values: impl IntoIterator<Item = &'a String>) {
        values.into_iter().for_each(|value| self.add(name, text::line(value)));
    }

    fn finish(self) -> String {
        self.0.trim_end().to_owned()
    }
}

fn torrent_text(metainfo: &Metainfo, padding: bool) -> String {
    let (info, layout) = (&metainfo.info, metainfo.info.layout());
    let mut lines = Lines::default();
    lines.add("name", text::bytes(info.name()));
    lines.add("format", format(metainfo));
    lines.some("info-hash v1", info.hash_v1());
    lines.some("info-hash v2", info.hash_v2());
    let bytes = layout.content_length();
    lines.add("size", format!("{} ({} bytes)", units::size(bytes), units::count(bytes)));
    let (count, length) = (u64::from(layout.piece_count()), u64::from(layout.piece_length()));
    lines.add("pieces", format!("{} of {} each", units::count(count), units::size(length)));
    lines.add("private", if info.is_private() { "yes: peers from its trackers only" } else { "no" });
    lines.some("source", info.source().map(text::bytes));
    let date = metainfo.creation_date.map(|date| units::date(date).unwrap_or_else(|| date.to_string()));
    lines.some("created", date);
    lines.some("created by", metainfo.created_by.as_ref());
    lines.some("comment", metainfo.comment.as_ref());
    for (number, tier) in (1..).zip(&metainfo.trackers) {
        lines.each(&format!("tracker {number}"), tier);
    }
    lines.each("web seed", &metainfo.web_seeds);
    lines.each("http seed", &metainfo.http_seeds);
    lines.add("magnet", torrent_file::magnet(metainfo).to_string());
    lines.add("files", files_line(layout.files()));
    let safe = info.safe_paths();
    for (file, safe) in layout.files().iter().zip(&safe) {
        if padding || !file.attributes.padding {
            lines.add("", file_line(file, &saved_as(metainfo, file, safe)));
        }
    }
    lines.finish()
}

fn files_line(files: &[File]) -> String {
    let padding = files.iter().filter(|file| file.attributes.padding).count() as u64;
    let own = units::count(files.len() as u64 - padding);
    if padding == 0 { own } else { format!("{own} (and {} of padding)", units::count(padding)) }
}

/// Size, marks, path.
fn file_line(file: &File, saved_as: &Option<String>) -> String {
    let marks = [
        (file.attributes.executable, 'x'),
        (file.attributes.hidden, 'h'),
        (file.symlink.is_some(), 'l'),
        (file.attributes.padding, 'p'),
    ];
    let marks: String = marks.iter().filter(|(set, _)| *set).map(|(_, mark)| mark).collect();
    let target = file.symlink.as_ref().map(|to| format!(" -> {}", text::components(to))).unwrap_or_default();
    let saved = saved_as.as_ref().map(|path| format!("  (saved as {path})")).unwrap_or_default();
    format!("{:>11} {marks:3} {}{target}{saved}", units::size(file.length), text::components(&file.path))
}

/// Where the file is put, below the torrent's folder, if that is not what the torrent says.
fn saved_as(metainfo: &Metainfo, file: &File, safe: &Path) -> Option<String> {
    let own = if metainfo.info.is_single_file() {
        safe
    } else {
        safe.strip_prefix(safe.components().next()?).ok()?
    };
    let own = text::path(own);
    (own != text::components(&file.path) && !file.attributes.padding).then_some(own)
}

fn torrent_json(metainfo: &Metainfo) -> Value {
    let (info, layout) = (&metainfo.info, metainfo.info.layout());
    let safe = info.safe_paths();
    let files: Vec<Value> =
        layout.files().iter().zip(&safe).map(|(file, safe)| file_json(file, safe)).collect();
    json!({
        "name": text::bytes(info.name()),
        "format": format(metainfo),
        "info_hash_v1": info.hash_v1().map(|hash| hash.to_string()),
        "info_hash_v2": info.hash_v2().map(|hash| hash.to_string()),
        "bytes": layout.content_length(),
        "pieces": layout.piece_count(),
        "piece_length": layout.piece_length(),
        "private": info.is_private(),
        "single_file": info.is_single_file(),
        "source": info.source().map(text::bytes),
        "creation_date": metainfo.creation_date,
        "created_by": metainfo.created_by,
        "comment": metainfo.comment,
        "trackers": metainfo.trackers,
        "web_seeds": metainfo.web_seeds,
        "http_seeds": metainfo.http_seeds,
        "magnet": torrent_file::magnet(metainfo).to_string(),
        "files": files,
    })
}

fn file_json(file: &File, safe: &Path) -> Value {
    json!({
        "path": text::components(&file.path),
        "saved_as": text::path(safe),
        "bytes": file.length,
        "padding": file.attributes.padding,
        "executable": file.attributes.executable,
        "hidden": file.attributes.hidden,
        "symlink": file.symlink.as_ref().map(|target| text::components(target)),
        "pieces_root": file.pieces_root.map(|root| data_encoding::HEXLOWER.encode(&root)),
    })
}

fn magnet_text(magnet: &Magnet) -> String {
    let mut lines = Lines::default();
    lines.some("name", magnet.name.as_ref());
    lines.some("info-hash v1", magnet.v1);
    lines.some("info-hash v2", magnet.v2);
    lines.some("sha1", magnet.sha1.map(|hash| data_encoding::HEXLOWER.encode(&hash)));
    lines.some("tiger tree", magnet.tiger_tree.map(|hash| data_encoding::BASE32_NOPAD.encode(&hash)));
    lines.some(
        "size",
        magnet.length.map(|bytes| format!("{} ({} bytes)", units::size(bytes), units::count(bytes))),
    );
    lines.each("tracker", &magnet.trackers);
    lines.each("web seed", &magnet.web_seeds);
    magnet.peers.iter().for_each(|peer| lines.some("peer", Some(peer)));
    lines.some("only files", selection(magnet));
    lines.finish()
}

fn magnet_json(magnet: &Magnet) -> Value {
    json!({
        "name": magnet.name,
        "info_hash_v1": magnet.v1.map(|hash| hash.to_string()),
        "info_hash_v2": magnet.v2.map(|hash| hash.to_string()),
        "sha1": magnet.sha1.map(|hash| data_encoding::HEXLOWER.encode(&hash)),
        "tiger_tree": magnet.tiger_tree.map(|hash| data_encoding::BASE32_NOPAD.encode(&hash)),
        "bytes": magnet.length,
        "trackers": magnet.trackers,
        "web_seeds": magnet.web_seeds,
        "peers": magnet.peers.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "only_files": selection(magnet),
    })
}

/// The wanted files as the link writes them, counted from 0.
fn selection(magnet: &Magnet) -> Option<String> {
    let ranges = magnet.select_only.iter().map(|range| match (range.start(), range.end()) {
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first}-{last}"),
    });
    let ranges = ranges.collect::<Vec<_>>().join(",");
    (!ranges.is_empty()).then_some(ranges)
}
