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
}
