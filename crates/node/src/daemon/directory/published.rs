//! How many directories know of each publication. They do not answer, so it is how many were told in this session.

use std::collections::{BTreeMap, BTreeSet};
use throng_machine::ContentId;
use throng_overlay::discovery::{Event, Ticket};

/// All publications.
#[derive(Default)]
pub(super) struct Published {
    of: BTreeMap<Ticket, Publication>,
    /// Those not told everywhere, or not known to be.
    open: BTreeSet<Ticket>,
}

struct Publication {
    content: ContentId,
    /// As told last: at so many of so many.
    told: Option<(u32, u32)>,
}

impl Published {
    pub(super) fn add(&mut self, ticket: Ticket, content: ContentId) {
        self.of.insert(ticket, Publication { content, told: None });
        self.open.insert(ticket);
    }

    pub(super) fn remove(&mut self, ticket: Ticket) -> Option<ContentId> {
        self.open.remove(&ticket);
        self.of.remove(&ticket).map(|publication| publication.content)
    }

    pub(super) fn len(&self) -> usize {
        self.of.len()
    }

    /// A directory came or went: everything is to be looked at again.
    pub(super) fn reopen(&mut self) {
        self.open = self.of.keys().copied().collect();
    }

    /// What has changed since it was told last.
    pub(super) fn progress(&mut self, told: impl Fn(ContentId) -> (u32, u32)) -> Vec<Event> {
        let mut news = Vec::new();
        self.open.retain(|ticket| {
            let Some(publication) = self.of.get_mut(ticket) else { return false };
            let (at, of) = told(publication.content);
            if publication.told.replace((at, of)) != Some((at, of)) {
                news.push(Event::Published { ticket: *ticket, at, of });
            }
            at < of
        });
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_told_once_and_what_is_told_everywhere_is_not_looked_at_again() {
        let mut published = Published::default();
        published.add(Ticket(3), ContentId(7));
        let step = |at, of| Event::Published { ticket: Ticket(3), at, of };
        assert_eq!(published.progress(|_| (0, 2)), [step(0, 2)]);
        assert_eq!(published.progress(|_| (0, 2)), []);
        assert_eq!(published.progress(|_| (1, 2)), [step(1, 2)]);
        assert_eq!(published.progress(|_| (2, 2)), [step(2, 2)]);
        assert_eq!(published.progress(|_| unreachable!("it is told everywhere")), []);
        published.reopen();
        assert_eq!(published.progress(|_| (1, 2)), [step(1, 2)], "one was lost");
        assert_eq!((published.remove(Ticket(3)), published.len()), (Some(ContentId(7)), 0));
        assert_eq!(published.progress(|_| unreachable!("nothing is left")), []);
    }
}
