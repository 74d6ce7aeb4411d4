//! Signed publications in the ring, under the names of their swarms, by whoever published them; and who has them.

use super::common::{Common, Happening};
use data_encoding::HEXLOWER;
use std::collections::BTreeSet;
use std::time::Duration;
use throng_overlay::chord::{Put, Want, content_id};
use throng_overlay::discovery::{Item, Source};
use throng_overlay::publication::{Publication, Verified};
use throng_wire::ids::{InfoHash, InfoHashV2};
use tokio::task::spawn_local;

/// How long a record is kept; renewed by the ring's machine while the node runs.
const TTL: Duration = Duration::from_secs(86_400);

/// The name of a swarm's records.
fn name(info_hash: &[u8; 20]) -> Vec<u8> {
    format!("throng publication {}", HEXLOWER.encode(info_hash)).into_bytes()
}

/// The swarms of an item: a hybrid has one of v1 and one of v2, and who looks for it may know either.
pub(super) fn swarms(item: &Item) -> BTreeSet<[u8; 20]> {
    let v2 = item.info_hash_v2.map(|hash| InfoHash::from(InfoHashV2(hash)).0);
    item.info_hash.into_iter().chain(v2).collect()
}

/// Signs a publication and stores that in the ring, if there is one; a failure is tried again by the next version.
pub(super) fn store(common: &Common, publication: impl FnOnce() -> Publication) {
    if common.database().is_none() {
        // Signing would take longer than all else that is done for a publication.
        return;
    }
    let publication = publication();
    let value = publication.sign(&common.key);
    let put = |swarm| Put::Entry { name: name(&swarm), value: value.clone(), ttl: TTL };
    put_all(common, swarms(&publication.item).into_iter().map(put).collect());
}

/// Takes the signed publications of an item out of the ring.
pub(super) fn remove(common: &Common, item: &Item) {
    let put = |swarm| Put::Remove { name: name(&swarm) };
    put_all(common, swarms(item).into_iter().map(put).collect());
}

fn put_all(common: &Common, puts: Vec<Put>) {
    let Some(ring) = common.database() else { return };
    spawn_local(async move {
        for put in puts {
            if let Some(work) = ring.database().map(|database| database.put(put)) {
                // Without it hits are found all the same, only not known to be ours; and what stays expires.
                let _ = work.await;
            }
        }
    });
}

/// Looks for what was signed of a hit, if that can be; told as [`Happening::Signed`].
pub(super) fn look_up(common: &Common, hit: &str, item: &Item) -> bool {
    let (Some(ring), false) = (common.database(), swarms(item).is_empty()) else { return false };
    let (hit, teller, item) = (hit.to_owned(), common.teller(), item.clone());
    spawn_local(async move {
        let mut records = Vec::new();
        for swarm in swarms(&item) {
            let want = Want::Entry { name: name(&swarm), writer: None };
            let work = ring.database().map(|database| database.get(want));
            let got = match work {
                Some(work) => work.await.ok(),
                None => None,
            };
            let values = got.iter().flat_map(|got| &got.values);
            let signed = values.filter_map(|value| Publication::verify(&value.bytes));
            records.extend(signed.filter(|verified| agrees(&item, verified)));
        }
        // Nobody listens any more at the end of the program.
        let _ = teller.send(Happening::Signed { hit, records });
    });
    true
}

/// Asks the ring who has what a transfer fetches; told as [`Happening::Holders`]. A search names one or two holders of each
/// hit; here are all.
pub(super) fn who_has(common: &Common, transfer: &str, item: Item) {
    let Some(ring) = common.database() else { return };
    let (transfer, teller) = (transfer.to_owned(), common.teller());
    spawn_local(async move {
        let want = Want::Providers(content_id(&item));
        let Some(work) = ring.database().map(|database| database.get(want)) else { return };
        let Ok(got) = work.await else { return };
        let holders = got.values.iter().filter_map(|value| value.source);
        let sources = holders.filter(|at| at.is_dialable()).map(Source::Swarm).collect();
        let _ = teller.send(Happening::Holders { transfer, item, sources });
    });
}

/// Whether what was signed is about the item: its swarm, or one file of it.
fn agrees(item: &Item, verified: &Verified) -> bool {
    let signed = &verified.publication.item;
    !swarms(signed).is_disjoint(&swarms(item))
        && (signed.root.is_none() || item.root.is_none() || signed.root == item.root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hybrid_is_known_by_both_of_its_swarms() {
        let v2 = [7; 32];
        let hybrid = Item { info_hash: Some([1; 20]), info_hash_v2: Some(v2), ..Item::default() };
        assert_eq!(swarms(&hybrid), BTreeSet::from([[1; 20], [7; 20]]));
        let by_v2 = Item { info_hash: Some([7; 20]), info_hash_v2: Some(v2), ..Item::default() };
        assert_eq!(swarms(&by_v2), BTreeSet::from([[7; 20]]));
        assert!(!swarms(&hybrid).is_disjoint(&swarms(&by_v2)));
        assert!(swarms(&Item::default()).is_empty());
    }
}
