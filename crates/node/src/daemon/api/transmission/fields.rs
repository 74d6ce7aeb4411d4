//! A transfer in this interface's words: the fields of `torrent-get`.

use crate::daemon::report::{Proof, TransferDetail, TransferReport, TransferState};
use data_encoding::BASE64;
use serde_json::{Value, json};

/// Fields that need more than what is known of every transfer.
const DETAILS: [&str; 22] = [
    "files",
    "fileStats",
    "file-count",
    "priorities",
    "wanted",
    "peers",
    "peersGettingFromUs",
    "peersSendingToUs",
    "peersFrom",
    "pieces",
    "pieceSize",
    "trackers",
    "trackerStats",
    "trackerList",
    "isPrivate",
    "comment",
    "creator",
    "dateCreated",
    "webseeds",
    "webseedsSendingToUs",
    "availability",
    "primary-mime-type",
];

/// Whether any of these fields needs [`TransferDetail`].
pub(super) fn need_detail<'a>(mut fields: impl Iterator<Item = &'a str>) -> bool {
    fields.any(|field| DETAILS.contains(&field))
}

/// A transfer with its number and, where it was asked for, its detail.
pub(super) struct Torrent<'a> {
    pub(super) number: i64,
    pub(super) report: &'a TransferReport,
    pub(super) detail: Option<&'a TransferDetail>,
    /// Seconds since 1970.
    pub(super) now: i64,
}

impl Torrent<'_> {
    /// One field by its name; `None` for those there are not.
    pub(super) fn field(&self, name: &str) -> Option<Value> {
        self.amount(name)
            .or_else(|| self.state(name))
            .or_else(|| self.time(name))
            .or_else(|| self.inside(name))
    }

    /// Its info-hash, or the node's id for what has none.
    pub(super) fn hash(&self) -> &str {
        hash(self.report)
    }

    fn amount(&self, name: &str) -> Option<Value> {
        let it = self.report;
        let ratio = |of: u64| if of == 0 { -1.0 } else { it.uploaded as f64 / of as f64 };
        let part = |done: u64| if it.size == 0 { 0.0 } else { done as f64 / it.size as f64 };
        let checking = it.state == TransferState::Checking;
        let here = if checking { 0 } else { it.done };
        Some(match name {
            "totalSize" | "sizeWhenDone" => it.size.into(),
            "leftUntilDone" => it.size.saturating_sub(here).into(),
            "haveValid" => here.into(),
            "haveUnchecked" | "bandwidthPriority" | "queuePosition" => 0.into(),
            "desiredAvailable" => if it.peers > 0 { it.size.saturating_sub(here) } else { 0 }.into(),
            "downloadedEver" => it.downloaded.into(),
            "uploadedEver" => it.uploaded.into(),
            "corruptEver" => it.wasted.into(),
            "uploadRatio" => ratio(it.downloaded.max(it.done)).into(),
            "percentDone" | "percentComplete" => part(here).into(),
            "recheckProgress" => if checking { part(it.done) } else { 0.0 }.into(),
            "metadataPercentComplete" => f64::from(u8::from(it.size > 0)).into(),
            "rateDownload" => it.download_rate.into(),
            "rateUpload" => it.upload_rate.into(),
            "pieceCount" => it.pieces.1.into(),
            "peersConnected" => it.peers.into(),
            _ => return None,
        })
    }

    fn state(&self, name: &str) -> Option<Value> {
        let it = self.report;
        let failed = it.state == TransferState::Failed;
        let trouble = failed || (it.state == TransferState::Paused && !is_stopped(it));
        Some(match name {
            "id" => self.number.into(),
            "name" => it.name.clone().into(),
            "hashString" => self.hash().into(),
            "status" => status(it).into(),
            // 3 is a local error, in this interface.
            "error" => if trouble { 3 } else { 0 }.into(),
            "errorString" => {
                if trouble { it.reason.clone().unwrap_or_default() } else { String::new() }.into()
            }
            "isFinished" => false.into(),
            "isStalled" => (it.state == TransferState::Downloading && it.download_rate == 0).into(),
            "downloadDir" => it.folder.clone().into(),
            "magnetLink" => it.magnet.clone().unwrap_or_default().into(),
            "eta" => it.eta_seconds.map_or(json!(-1), Value::from),
            "etaIdle" => (-1).into(),
            "labels" => labels(it),
            "downloadLimited" | "uploadLimited" => false.into(),
            "downloadLimit" | "uploadLimit" | "seedIdleLimit" | "seedRatioLimit" => 0.into(),
            // 0 follows the session, which has no limit.
            "seedRatioMode" | "seedIdleMode" => 0.into(),
            "honorsSessionLimits" => true.into(),
            "peer-limit" | "maxConnectedPeers" => 0.into(),
            _ => return None,
        })
    }

    fn time(&self, name: &str) -> Option<Value> {
        let (it, started) = (self.report, self.report.started_at as i64);
        let complete = it.state == TransferState::Complete;
        let moving = it.download_rate > 0 || it.upload_rate > 0;
        Some(match name {
            "addedDate" | "startDate" => started.into(),
            "activityDate" => if moving { self.now } else { 0 }.into(),
            "doneDate" | "editDate" | "manualAnnounceTime" => 0.into(),
            "secondsDownloading" => if complete { 0 } else { self.now.saturating_sub(started).max(0) }.into(),
            "secondsSeeding" => if complete { self.now.saturating_sub(started).max(0) } else { 0 }.into(),
            _ => return None,
        })
    }

    fn inside(&self, name: &str) -> Option<Value> {
        let detail = self.detail?;
        let (files, peers) = (&detail.files, &detail.peers);
        let of_files =
            |value: &dyn Fn(&crate::daemon::report::FileLine) -> Value| files.iter().map(value).collect();
        let count = |is: &dyn Fn(&crate::daemon::report::PeerLine) -> bool| {
            peers.iter().filter(|peer| is(peer)).count()
        };
        Some(match name {
            "files" => of_files(
                &|file| json!({ "name": file.path, "length": file.size, "bytesCompleted": file.done }),
            ),
            "fileStats" => {
                of_files(&|file| json!({ "bytesCompleted": file.done, "wanted": file.wanted, "priority": 0 }))
            }
            "file-count" => files.len().into(),
            "priorities" => of_files(&|_| 0.into()),
            "wanted" => of_files(&|file| u8::from(file.wanted).into()),
            "peers" => self.peers(),
            "peersGettingFromUs" => count(&|peer| peer.upload_rate > 0).into(),
            "peersSendingToUs" => count(&|peer| peer.download_rate > 0).into(),
            "peersFrom" => {
                json!({ "fromCache": 0, "fromDht": 0, "fromIncoming": 0, "fromLpd": 0, "fromLtep": 0, "fromPex": 0, "fromTracker": peers.len() })
            }
            "pieces" => detail.bitfield.clone().unwrap_or_else(|| BASE64.encode(&[])).into(),
            "pieceSize" => detail.piece_length.into(),
            "trackers" | "trackerStats" => self.trackers(name == "trackerStats"),
            "trackerList" => {
                detail.trackers.iter().map(|tier| tier.join("\n")).collect::<Vec<_>>().join("\n\n").into()
            }
            "isPrivate" => detail.private.into(),
            "comment" => detail.comment.clone().unwrap_or_default().into(),
            "creator" => detail.creator.clone().unwrap_or_default().into(),
            "dateCreated" => detail.created_at.unwrap_or_default().into(),
            "webseeds" => {
                self.report.sources.iter().map(|source| Value::from(source.name.as_str())).collect()
            }
            "webseedsSendingToUs" => {
                self.report.sources.iter().filter(|source| source.download_rate > 0).count().into()
            }
            _ => return None,
        })
    }

    fn peers(&self) -> Value {
        let peers = self.detail.map_or(&[][..], |detail| &detail.peers);
        let line = |peer: &crate::daemon::report::PeerLine| {
            json!({
                "address": peer.address.ip().to_string(), "port": peer.address.port(), "clientName": peer.client,
                "progress": f64::from(peer.percent) / 100.0,
                "rateToClient": peer.download_rate, "rateToPeer": peer.upload_rate,
                "clientIsChoked": peer.choking.1, "peerIsChoked": peer.choking.0,
                "clientIsInterested": peer.interested.0, "peerIsInterested": peer.interested.1,
                "isDownloadingFrom": peer.download_rate > 0, "isUploadingTo": peer.upload_rate > 0,
                "isEncrypted": false, "isIncoming": false, "isUTP": false, "flagStr": flags(peer),
            })
        };
        peers.iter().map(line).collect()
    }

    fn trackers(&self, stats: bool) -> Value {
        let tiers = self.detail.map_or(&[][..], |detail| &detail.trackers);
        let urls = tiers.iter().enumerate().flat_map(|(tier, urls)| urls.iter().map(move |url| (tier, url)));
        let line = |(id, (tier, url)): (usize, (usize, &String))| {
            let host = url.split('/').nth(2).unwrap_or(url);
            match stats {
                false => json!({ "id": id, "tier": tier, "announce": url, "scrape": "", "sitename": host }),
                true => json!({
                    "id": id, "tier": tier, "announce": url, "scrape": "", "host": host, "sitename": host,
                    "announceState": 1, "scrapeState": 0, "isBackup": false, "hasAnnounced": false, "hasScraped": false,
                    "downloadCount": -1, "leecherCount": -1, "seederCount": -1,
                    "lastAnnouncePeerCount": 0, "lastAnnounceResult": "", "lastAnnounceStartTime": 0,
                    "lastAnnounceSucceeded": false, "lastAnnounceTime": 0, "lastAnnounceTimedOut": false,
                    "lastScrapeResult": "", "lastScrapeStartTime": 0, "lastScrapeSucceeded": false, "lastScrapeTime": 0,
                    "lastScrapeTimedOut": false, "nextAnnounceTime": 0, "nextScrapeTime": 0,
                }),
            }
        };
        urls.enumerate().map(line).collect()
    }
}

/// A transfer's info-hash (20 bytes, in hex) where its link has one, else the node's id.
pub(super) fn hash(report: &TransferReport) -> &str {
    let link = report.magnet.as_deref().unwrap_or_default();
    let found = link.split(['?', '&']).find_map(|part| part.strip_prefix("xt=urn:btih:"));
    found.filter(|hash| hash.len() == 40).unwrap_or(&report.id)
}

/// 0 stopped, 2 checking, 4 downloading, 6 seeding.
pub(super) fn status(report: &TransferReport) -> u8 {
    match report.state {
        TransferState::Paused if is_stopped(report) => 0,
        TransferState::Failed => 0,
        TransferState::Opening | TransferState::Checking => 2,
        TransferState::Metadata | TransferState::Downloading | TransferState::Paused => 4,
        TransferState::Complete => 6,
    }
}

/// Whether a person stopped it; other pauses end by themselves.
fn is_stopped(report: &TransferReport) -> bool {
    report.reason.as_deref().is_none_or(|reason| reason == "stopped")
}

/// What nothing proves is told where this interface has room for it.
fn labels(report: &TransferReport) -> Value {
    match report.proof {
        Proof::Unverified => json!(["unverified"]),
        _ => json!([]),
    }
}

fn flags(peer: &crate::daemon::report::PeerLine) -> String {
    let when = |is: bool, letter: &'static str| if is { letter } else { "" };
    let (ours, theirs) = peer.interested;
    [
        when(peer.download_rate > 0, "D"),
        when(ours && peer.choking.1, "d"),
        when(peer.upload_rate > 0, "U"),
        when(theirs && peer.choking.0, "u"),
    ]
    .concat()
}
