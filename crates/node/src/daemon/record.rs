//! Signed publications in the ring: under the name of their swarm, by whoever published them.

use super::common::{Common, Happening};
use data_encoding::HEXLOWER;
use std::time::Duration;
use throng_overlay::chord::{Put, Want};
use throng_overlay::discovery::Item;
use throng_overlay::publication::{Publication, Verified};
use tokio::task::spawn_local;

/// How long a record is kept; renewed by the ring's machine while the node runs.
const TTL: Duration = Duration::from_secs(86_400);

/// The name of a swarm's records.
fn name(info_hash: &[u8; 20]) -> Vec<u8> {
    format!("throng publication {}", HEXLOWER.encode(info_hash)).into_bytes()
}

/// Signs a publication and stores that in the ring, if there is one; a failure is tried again by the next version.
pub(super) fn store(common: &Common, publication: &Publication) {
    let Some(ring) = common.database() else { return };
    let Some(info_hash) = publication.item.info_hash else { return };
    let put = Put::Entry { name: name(&info_hash), value: publication.sign(&common.key), ttl: TTL };
    spawn_local(async move {
        if let Some(work) = ring.database().map(|database| database.put(put)) {
            // Without it hits are found all the same, only not known to be ours.
            let _ = work.await;
        }
    });
}

/// Takes a signed publication out of the ring.
pub(super) fn remove(common: &Common, info_hash: &[u8; 20]) {
    let Some(ring) = common.database() else { return };
    let put = Put::Remove { name: name(info_hash) };
    spawn_local(async move {
        if let Some(work) = ring.database().map(|database| database.put(put)) {
            // It expires by itself.
            let _ = work.await;
        }
    });
}

/// Looks for what was signed of a hit, if that can be; told as [`Happening::Signed`].
pub(super) fn look_up(common: &Common, hit: &str, item: &Item) -> bool {
    let (Some(ring), Some(info_hash)) = (common.database(), item.info_hash) else { return false };
    let (hit, teller, item) = (hit.to_owned(), common.teller(), item.clone());
    spawn_local(async move {
        let want = Want::Entry { name: name(&info_hash), writer: None };
        let work = ring.database().map(|database| database.get(want));
        let got = match work {
            Some(work) => work.await.ok(),
            None => None,
        };
        let records = got.iter().flat_map(|got| &got.values);
        let records: Vec<Verified> = records.filter_map(|value| Publication::verify(&value.bytes)).collect();
        let records = records.into_iter().filter(|verified| agrees(&item, verified)).collect();
        // Nobody listens any more at the end of the program.
        let _ = teller.send(Happening::Signed { hit, records });
    });
    true
}

/// Whether what was signed is about the item: its swarm, or one file of it.
fn agrees(item: &Item, verified: &Verified) -> bool {
    let signed = &verified.publication.item;
    signed.info_hash == item.info_hash
        && (signed.root.is_none() || item.root.is_none() || signed.root == item.root)
}
