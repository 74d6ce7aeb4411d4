//! Standing searches: asked again every quarter of an hour as long as the node runs, in the next run too; whoever set
//! one up is told of each hit that is new.

use super::common::{Common, unix_time};
use super::report::{StandingAnswer, StandingHit, StandingReport, StandingRequest, StandingsReport};
use super::request::{Refused, Why};
use crate::text;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::Instant;

/// What is kept in the home, and for how long: as good as for ever.
const KIND: &str = "standing";
const LASTS: Duration = Duration::from_secs(3_650 * 86_400);
/// Between two askings, and before the first of a run: systems have to be joined.
const EVERY: Duration = Duration::from_secs(900);
const FIRST: Duration = Duration::from_secs(10);
/// Standing searches at most, and hits remembered of each: the oldest is forgotten, and could be told again.
const MOST: usize = 100;
const MOST_HITS: usize = 1_000;
/// Digits of an id.
const ID: usize = 8;

/// All of them.
pub(super) struct Standing {
    common: Rc<Common>,
    all: BTreeMap<String, One>,
}

struct One {
    kept: Kept,
    due: Instant,
}

/// As it is kept in the home.
#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    id: String,
    words: Vec<String>,
    systems: Vec<String>,
    created: u64,
    hits: Vec<StandingHit>,
}

impl Standing {
    pub(super) fn new(common: Rc<Common>) -> Standing {
        let kept = common.library.kept(KIND);
        let kept = kept.iter().filter_map(|(_, value)| serde_json::from_slice::<Kept>(value).ok());
        let due = Instant::now() + FIRST;
        let all = kept.map(|kept| (kept.id.clone(), One { kept, due })).collect();
        Standing { common, all }
    }

    /// Sets one up, the words checked before; the same words again are the same search.
    pub(super) fn add(&mut self, request: StandingRequest) -> Result<StandingAnswer, Refused> {
        let mut id = data_encoding::HEXLOWER.encode(&Sha256::digest(request.words.join("\n").as_bytes()));
        id.truncate(ID);
        if !self.all.contains_key(&id) && self.all.len() >= MOST {
            return Err(Refused::new(Why::OverQuota, format_args!("at most {MOST} standing searches")));
        }
        let hits = self.all.get(&id).map(|one| one.kept.hits.clone()).unwrap_or_default();
        let StandingRequest { words, systems } = request;
        let kept = Kept { id: id.clone(), words, systems, created: unix_time(), hits };
        self.keep(&kept);
        self.all.insert(id.clone(), One { kept, due: Instant::now() });
        Ok(StandingAnswer { id })
    }

    /// Ends one.
    pub(super) fn remove(&mut self, id: &str) -> Result<(), Refused> {
        if self.all.remove(id).is_none() {
            let reason = format_args!("no standing search is called {}", text::line(id)).to_string();
            return Err(Refused::new(Why::Absent, reason));
        }
        self.common.library.drop_kept(KIND, id);
        Ok(())
    }

    pub(super) fn report(&self) -> StandingsReport {
        let one = |One { kept, .. }: &One| StandingReport {
            id: kept.id.clone(),
            words: kept.words.clone(),
            systems: kept.systems.clone(),
            created_at: kept.created,
            hits: kept.hits.clone(),
        };
        StandingsReport { searches: self.all.values().map(one).collect() }
    }

    /// One that is due, with its words and systems; it is due again later. Nothing while no system is joined.
    pub(super) fn due(&mut self) -> Option<(String, Vec<String>, Vec<String>)> {
        let now = Instant::now();
        let One { kept, due } = self.all.values_mut().find(|one| one.due <= now)?;
        *due = now + EVERY;
        Some((kept.id.clone(), kept.words.clone(), kept.systems.clone()))
    }

    /// A hit of one; the line to be told if it is new.
    pub(super) fn on_hit(&mut self, id: &str, hit: StandingHit) -> Option<String> {
        let One { kept, .. } = self.all.get_mut(id)?;
        if kept.hits.iter().any(|known| known.id == hit.id) {
            return None;
        }
        let line = format!("new for \"{}\": {}  {}", text::line(&kept.words.join(" ")), hit.id, hit.title);
        if kept.hits.len() >= MOST_HITS {
            kept.hits.remove(0);
        }
        kept.hits.push(hit);
        let kept = kept.clone();
        self.keep(&kept);
        Some(line)
    }

    fn keep(&self, kept: &Kept) {
        if let Ok(value) = serde_json::to_vec(kept) {
            self.common.library.keep(KIND, &kept.id, &value, LASTS);
        }
    }
}
