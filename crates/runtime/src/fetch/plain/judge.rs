//! Whether what came is right, and who lied if it is not.

use super::PlainState;
use super::work::Work;
use std::io;
use throng_wire::gnutella::tiger;

impl Work {
    pub(super) fn is_right(&self, block: usize) -> io::Result<bool> {
        Ok(self.wish.tiger_level.get(block) == Some(&self.digest(block)?))
    }

    /// The root of the tiger tree over a block.
    fn digest(&self, block: usize) -> io::Result<[u8; 24]> {
        let range = self.plan.range(block);
        let mut bytes = vec![0; (range.end - range.start) as usize];
        self.store.read(range.start, &mut bytes)?;
        let leaves: Vec<_> = bytes.chunks(tiger::LEAF).map(tiger::leaf).collect();
        Ok(tiger::root(&leaves))
    }

    pub(super) fn drop_liar(&mut self, id: u32) {
        let Some(entry) = self.entries.get_mut(&id).filter(|entry| entry.runs.is_some()) else { return };
        (entry.runs, entry.limit) = (None, None);
        entry.patience.trouble = Some("sent wrong data".into());
        let line = format!("{} sent wrong data and was shut out", entry.name);
        self.plan.give_back(id);
        self.notice(line);
    }

    /// All is here: whether it is right, or cannot be known. False if it has to be fetched again.
    pub(super) fn finish(&mut self) -> bool {
        self.snapshot.state = PlainState::Checking;
        self.tell();
        match self.store.proof(&self.wish) {
            Ok(Some(proof)) => {
                self.name_liars();
                match self.store.complete() {
                    Ok(path) => self.snapshot.state = PlainState::Complete(proof, path),
                    Err(error) => {
                        self.snapshot.state =
                            PlainState::Failed(format!("cannot give the file its name: {error}"));
                    }
                }
                true
            }
            Ok(None) => {
                self.on_wrong();
                false
            }
            Err(error) => {
                self.snapshot.state = PlainState::Failed(format!("cannot be read: {error}"));
                true
            }
        }
    }

    /// The whole is wrong.
    fn on_wrong(&mut self) {
        self.snapshot.wasted += self.wish.size;
        self.snapshot.state = PlainState::Fetching;
        let senders = self.plan.senders();
        if let ([only], _) | (_, Some(only)) = (senders.as_slice(), self.alone.as_ref()) {
            let only = *only;
            self.drop_liar(only);
            self.alone = None;
            self.plan.forget_all_but(u32::MAX);
            return self.choose_alone(&senders);
        }
        if senders.is_empty() {
            self.notice("what was here from an earlier run is wrong; fetched again".into());
        } else {
            self.notice(
                "the file is wrong as a whole; fetched again from one source at a time to find who lies"
                    .into(),
            );
        }
        for block in 0..self.plan.len() {
            if let (Some(by), Ok(digest)) = (self.plan.sender(block), self.digest(block)) {
                self.suspects.insert(block, (by, digest));
            }
        }
        self.choose_alone(&senders);
        self.plan.forget_all_but(self.alone.unwrap_or(u32::MAX));
    }

    /// The source that sent most is tried alone.
    fn choose_alone(&mut self, senders: &[u32]) {
        let live = |id: &&u32| self.entries.get(id).is_some_and(|entry| entry.runs.is_some());
        let best = senders.iter().filter(live).max_by_key(|id| self.plan.total(**id));
        self.alone = best.copied().filter(|_| senders.len() > 1);
    }

    /// The file is right: whose blocks were not?
    fn name_liars(&mut self) {
        let suspects = std::mem::take(&mut self.suspects);
        let wrong = suspects
            .iter()
            .filter(|(block, (_, digest))| self.digest(**block).is_ok_and(|right| right != *digest));
        let mut liars: Vec<u32> = wrong.map(|(_, (by, _))| *by).collect();
        liars.sort_unstable();
        liars.dedup();
        liars.into_iter().for_each(|liar| self.drop_liar(liar));
    }
}
