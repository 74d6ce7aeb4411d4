//! Our ultrapeer and a leaf of ours with mldonkey 3.2.1 as a Gnutella leaf, under the conditions of [`crate::mldonkey`].
//!
//! It sends no route table of use and uploads nothing (section 13 of the note), so it searches and fetches only. Spaces
//! in what it asks for are left as they are.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use sha1::{Digest as _, Sha1};
use throng_bench::lab::Host;
use throng_machine::ContentId;
use throng_overlay::discovery::{Item, Ticket};
use throng_overlay::gnutella::Role;
use throng_runtime::gnutella::Offering;

use crate::mldonkey::{MlDonkey, NAME, PATIENCE, SIZE, beside, data, result_of};
use crate::servent::{joins, member};

const HUB: u16 = 6346;
const LEAF: u16 = 6347;
/// Nobody on the Internet is asked for servents.
const OPTIONS: &str = "client_port = 6348\nredirectors = []\nhostfiles = []\nurlfiles = []\n";

fn offering(folder: &Path, bytes: &[u8]) -> Result<Offering> {
    let path = folder.join(NAME);
    fs::write(&path, bytes)?;
    let (title, size, sha1) = (NAME.into(), bytes.len() as u64, Some(Sha1::digest(bytes).into()));
    let item = Item { title, size, sha1, ..Item::default() };
    let modified = fs::metadata(&path)?.modified()?;
    let tiger_level = [].into();
    Ok(Offering { content: ContentId(1), item, tiger_level, path, modified, magnet: String::new() })
}

/// It links with our ultrapeer, finds our leaf's file by its words, and fetches it.
async fn fetches(mldonkey: &MlDonkey, host: &Host, folder: &Path) -> Result<()> {
    let (hub, mut hub_told) = member((host.address, HUB), Role::Ultrapeer)?;
    joins(&hub, &mut hub_told, &[]).await?;
    let (leaf, mut told) = member((host.address, LEAF), Role::Leaf)?;
    let ours = data(SIZE, 0);
    leaf.publish(Ticket(5), &offering(folder, &ours)?);
    joins(&leaf, &mut told, &[(host.address, HUB)]).await?;
    let deadline = Instant::now() + PATIENCE;
    while hub.status().links.len() < 2 {
        ensure!(Instant::now() < deadline, "it does not link: {:?}", hub.status());
        tokio::time::sleep(Duration::from_millis(200)).await;
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
    beside(("gnutella", OPTIONS, HUB), fetches)
}
