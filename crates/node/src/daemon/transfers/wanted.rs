//! What a transfer is to fetch, as it is kept in the home: a torrent, a link, or only a file.

use super::Kept;
use crate::daemon::hits;
use data_encoding::{BASE64, HEXLOWER};
use globset::{GlobBuilder, GlobMatcher};
use sha2::{Digest as _, Sha256};
use std::path::Path;
use std::sync::Arc;
use throng_overlay::discovery::Item;
use throng_runtime::session::{FileFilter, Source as Torrent};
use throng_wire::magnet::Magnet;
use throng_wire::metainfo::Metainfo;

/// What is to be fetched, read.
pub(super) struct Wanted {
    /// `None` if only a file is known, and no torrent of it.
    pub(super) torrent: Option<Torrent>,
    pub(super) item: Item,
}

impl Wanted {
    /// Whether trackers are to hear of it.
    pub(super) fn has_trackers(&self) -> bool {
        match &self.torrent {
            Some(Torrent::Metainfo(metainfo)) => !metainfo.trackers.is_empty(),
            Some(Torrent::Magnet(magnet)) => !magnet.trackers.is_empty(),
            None => false,
        }
    }

    /// Eight digits of the swarm's name.
    pub(super) fn id(&self) -> String {
        let item = &self.item;
        let hash = item.info_hash.or(item.sha1).map(|hash| hash.to_vec());
        let hash = hash
            .or(item.tiger.map(|hash| hash.to_vec()))
            .unwrap_or_else(|| Sha256::digest(format!("{}/{}", item.title, item.size).as_bytes()).to_vec());
        let mut id = HEXLOWER.encode(&hash);
        id.truncate(8);
        id
    }
}

/// Reads what is to be fetched.
pub(super) fn wanted(kept: &Kept) -> Result<Wanted, String> {
    if let Some(torrent) = &kept.torrent {
        let bytes = BASE64.decode(torrent.as_bytes()).map_err(|_| "the torrent is not base64")?;
        let metainfo = Metainfo::parse(&bytes).map_err(|error| format!("not a torrent: {error}"))?;
        let info = &metainfo.info;
        let only = info.layout().files().first().filter(|_| info.is_single_file());
        let item = Item {
            title: String::from_utf8_lossy(info.name()).into_owned(),
            size: info.layout().content_length(),
            root: only.and_then(|file| file.pieces_root),
            info_hash: info.swarms().next().map(|hash| hash.0),
            info_hash_v2: info.hash_v2().map(|hash| hash.0),
            ..Item::default()
        };
        return Ok(Wanted { torrent: Some(Torrent::Metainfo(Arc::new(metainfo))), item });
    }
    let known = kept.hit.clone().map(|hit| hit.back().item).unwrap_or_default();
    let Some(link) = &kept.magnet else {
        if known.size == 0 {
            return Err("nobody says how large it is; it cannot be fetched".into());
        }
        return Ok(Wanted { torrent: None, item: known });
    };
    let magnet: Magnet = link.parse().map_err(|error: throng_wire::magnet::MagnetError| error.to_string())?;
    let Some(hash) = magnet.swarms().next().filter(|_| !kept.plain) else {
        let mut item = hits::item_of(&magnet);
        item.size = if item.size == 0 { known.size } else { item.size };
        (item.sha1, item.tiger) = (item.sha1.or(known.sha1), item.tiger.or(known.tiger));
        if item.size == 0 {
            return Err("the link names no swarm and no length (btih, btmh, or xl)".into());
        }
        return Ok(Wanted { torrent: None, item });
    };
    let item = Item {
        title: magnet.name.clone().unwrap_or(known.title),
        size: magnet.length.unwrap_or(known.size),
        root: known.root,
        info_hash: Some(hash.0),
        info_hash_v2: magnet.v2.map(|hash| hash.0),
        sha1: magnet.sha1.or(known.sha1),
        tiger: magnet.tiger_tree.or(known.tiger),
        ft_hash: known.ft_hash,
    };
    Ok(Wanted { torrent: Some(Torrent::Magnet(magnet)), item })
}

/// A torrent that a link led to, with the trackers of the link, in base64.
pub(super) fn whole_torrent(metainfo: &Metainfo, link: Option<&str>) -> String {
    let mut metainfo = metainfo.clone();
    let magnet = link.and_then(|link| link.parse::<Magnet>().ok());
    for url in magnet.into_iter().flat_map(|magnet| magnet.trackers) {
        if !metainfo.trackers.iter().flatten().any(|known| *known == url) {
            metainfo.trackers.push(vec![url]);
        }
    }
    BASE64.encode(&metainfo.encode())
}

/// The link of a hit under which a swarm can be joined; one without a swarm is fetched as a file.
pub(super) fn link_of(item: &Item) -> Option<String> {
    let magnet = hits::magnet(item)?;
    magnet.swarms().next().is_some().then(|| magnet.to_string())
}

/// Which files the patterns want; `None` is all.
pub(super) fn filter(only: &[String]) -> Option<FileFilter> {
    let globs: Vec<GlobMatcher> = only
        .iter()
        .filter_map(|glob| GlobBuilder::new(glob).literal_separator(true).build().ok())
        .map(|glob| glob.compile_matcher())
        .collect();
    if only.is_empty() {
        return None;
    }
    Some(Arc::new(move |_, path: &Path| globs.iter().any(|glob| crate::torrent_file::is_match(glob, path))))
}
