//! Contacts that were of our ring or of another: asked now and then, so that parted rings find each other (2.8).

use super::node::Node;
use std::time::Duration;
use throng_machine::Instant;

/// Old and foreign contacts, at most as many as configured.
#[derive(Clone, Default, Debug)]
pub(crate) struct Passive {
    /// All of them.
    pub contacts: Vec<Contact>,
    /// When to ask the next.
    pub probe_at: Option<Instant>,
    /// The one asked last, until it is known what came of it.
    pub asked: Option<Node>,
    /// The next question was put off; at most once between two, so that nobody can put them off for ever.
    pub put_off: bool,
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contact {
    /// Who.
    pub node: Node,
    /// Since when it is kept.
    pub since: Instant,
    /// Not asked before.
    pub not_before: Instant,
    /// How long it is left alone after the next failure.
    pub backoff: Duration,
}

impl Passive {
    /// Keeps a contact; the oldest makes room.
    pub(crate) fn add(&mut self, node: Node, most: usize, now: Instant, first: Duration) {
        if let Some(known) = self
            .contacts
            .iter_mut()
            .find(|contact| contact.node.endpoint == node.endpoint && contact.node.vnode == node.vnode)
        {
            if known.node.incarnation <= node.incarnation {
                (known.node, known.since) = (node, now);
            }
            return;
        }
        if self.contacts.len() >= most.max(1) {
            let oldest = (0..self.contacts.len()).min_by_key(|at| self.contacts[*at].since).unwrap_or(0);
            self.contacts.swap_remove(oldest);
        }
        self.contacts.push(Contact { node, since: now, not_before: now, backoff: first });
    }

    /// Forgets a contact that is of our own ring: its death, or another cut, brings it back.
    pub(crate) fn forget(&mut self, node: &Node) {
        self.contacts.retain(|contact| contact.node != *node);
    }

    /// Asks the next not before `due`, unless it was put off since the last.
    pub(crate) fn put_off(&mut self, due: Instant) {
        if let Some(at) = self.probe_at.as_mut().filter(|_| !self.put_off) {
            *at = due.max(*at);
            self.put_off = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use throng_machine::Endpoint;
    use throng_wire::chord::IdRule;

    fn node(host: u8) -> Node {
        Node::new(IdRule::Open, Endpoint::v4([10, 0, 0, host], 1), 0, 1).expect("index 0 exists")
    }

    #[test]
    fn questions_are_put_off_once_and_no_longer() {
        let s = |seconds| Instant::EPOCH + Duration::from_secs(seconds);
        let mut passive = Passive { probe_at: Some(s(60)), ..Passive::default() };
        passive.put_off(s(300));
        passive.put_off(s(600));
        assert_eq!(passive.probe_at, Some(s(300)));
        passive.put_off = false;
        passive.put_off(s(100));
        assert_eq!(passive.probe_at, Some(s(300)), "never brought forward");
    }

    #[test]
    fn who_is_of_our_own_ring_is_forgotten_and_comes_back_by_dying() {
        let (now, first) = (Instant::EPOCH, Duration::from_secs(60));
        let mut passive = Passive::default();
        passive.add(node(1), 4, now, first);
        passive.add(node(2), 4, now, first);
        passive.forget(&node(1));
        assert_eq!(passive.contacts.iter().map(|contact| contact.node).collect::<Vec<_>>(), [node(2)]);
        passive.add(node(1), 4, now, first);
        assert_eq!(passive.contacts.len(), 2);
    }
}
