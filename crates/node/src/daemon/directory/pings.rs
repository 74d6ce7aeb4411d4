//! Who of the users that were asked whether they are there has answered.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use throng_machine::Endpoint;
use tokio::sync::oneshot;

/// Through the directory and back; some programs never answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Users waited for at once.
const AT_ONCE: usize = 256;

type Waiting = BTreeMap<(Endpoint, Vec<u8>), Vec<oneshot::Sender<()>>>;

/// Pings under way.
#[derive(Default)]
pub(super) struct Pings(RefCell<Waiting>);

impl Pings {
    /// Whether the user has to be pinged (not where a ping is under way: one search may find many files of a user), and
    /// the answer: `None` if there is none, as that may be the way of the program he uses.
    pub(super) fn wait(
        pings: &Rc<Pings>,
        at: Endpoint,
        nick: Vec<u8>,
    ) -> (bool, impl Future<Output = Option<bool>> + use<>) {
        let (tell, told) = oneshot::channel();
        let mut waiting = pings.0.borrow_mut();
        waiting.retain(|_, waiting| {
            waiting.retain(|one| !one.is_closed());
            !waiting.is_empty()
        });
        let user = (at, nick);
        let is_asked = waiting.contains_key(&user);
        if is_asked || waiting.len() < AT_ONCE {
            waiting.entry(user).or_default().push(tell);
        }
        let answer = async move { tokio::time::timeout(PATIENCE, told).await.ok()?.ok().map(|()| true) };
        (!is_asked, answer)
    }

    /// A user has answered.
    pub(super) fn answered(&self, at: Endpoint, nick: &[u8]) {
        let waiting = self.0.borrow_mut().remove(&(at, nick.to_vec()));
        for one in waiting.into_iter().flatten() {
            // Nobody may wait any more.
            let _ = one.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_counts_for_who_was_asked() {
        let (pings, at) = (Rc::<Pings>::default(), Endpoint::v4([127, 0, 0, 1], 8_888));
        let waits = [&b"anna"[..], b"bert", b"anna"].map(|nick| Pings::wait(&pings, at, nick.to_vec()));
        let [(ping_one, one), (ping_other, other), (ping_again, again)] = waits;
        assert_eq!([ping_one, ping_other, ping_again], [true, true, false], "each user is pinged once");
        pings.answered(at, b"anna");
        assert_eq!((one.await, again.await), (Some(true), Some(true)));
        assert!(Pings::wait(&pings, at, b"anna".to_vec()).0, "that ping is over");
        tokio::select! {
            biased;
            answer = other => panic!("{answer:?}, though nobody answered"),
            () = std::future::ready(()) => {}
        }
    }
}
