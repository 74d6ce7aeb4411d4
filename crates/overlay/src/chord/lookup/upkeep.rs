//! Keeping fingers right and warm (sections 3.3 and 3.4): one slot after the other is looked up anew, the first nodes of
//! its interval are pinged for a nearer one, and whoever has been silent for a while is pinged, which also keeps the
//! mappings of NATs open.

use super::super::bulk::phase;
use super::super::core::{Core, Received};
use super::super::node::Node;
use super::super::rpc::Purpose;
use super::fingers::Frame;
use super::{Call, Context, FoundAt, Goal, Instant, Lookups};
use std::time::Duration;
use throng_machine::Deadline;
use throng_wire::chord::{Contact, GetState, Message, Mode, Ping};

/// After joining, slots are looked up so many times faster until each has been once.
const HASTE: u32 = 60;
/// Pings sent at one time at most.
const BURST: usize = 4;
/// Pause between such bursts.
const BREATH: Duration = Duration::from_millis(100);

/// When fingers are looked after next.
#[derive(Clone, Default, Debug)]
pub(crate) struct Upkeep {
    refresh_at: Option<Instant>,
    warm_at: Option<Instant>,
    /// Whose slot is next.
    turn: usize,
}

impl Upkeep {
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let mut deadline = Deadline::none();
        deadline.at(self.refresh_at).at(self.warm_at);
        deadline.earliest()
    }

    /// Fingers changed: somebody may have to be pinged at once.
    pub(crate) fn warm_soon(&mut self, now: Instant) {
        self.warm_at = Some(now);
    }
}

impl Lookups {
    /// The successor list of a virtual node changed, or it became a member: its fingers begin elsewhere.
    pub(crate) fn reframe(&mut self, core: &mut Core, at: usize, now: Instant) {
        let Some(vnode) = core.vnodes.get_mut(at) else { return };
        let frame = Frame::of(vnode.node.id, &vnode.list, &core.config);
        vnode.fingers.frame(frame);
        if vnode.mode != Mode::Ring {
            return;
        }
        if !vnode.fingers.is_filled() {
            let soon = now + core.config.timers.finger_refresh / HASTE;
            self.upkeep.refresh_at = Some(self.upkeep.refresh_at.map_or(soon, |at| at.min(soon)));
        }
        if self.upkeep.warm_at.is_none() {
            self.upkeep.warm_soon(now);
        }
    }

    /// Begins to look after the fingers of a ring that was computed, at a time of this host's own.
    pub(crate) fn begin_upkeep(&mut self, core: &Core, now: Instant) {
        let timers = &core.config.timers;
        self.upkeep.refresh_at = Some(now + phase(core, timers.finger_refresh));
        self.upkeep.warm_at = Some(now + phase(core, timers.finger_ping));
        if core.config.one_hop.on > 0 {
            self.table.check_from(now + phase(core, timers.stabilise.1));
        }
    }

    /// Looks after fingers when it is time.
    pub(crate) fn keep_up(&mut self, core: &mut Core, cx: &mut Context<'_>) {
        if self.upkeep.warm_at.is_some_and(|at| at <= cx.now()) {
            self.warm(core, cx);
        }
        if self.upkeep.refresh_at.is_some_and(|at| at <= cx.now()) {
            self.refresh(core, cx);
        }
    }

    fn warm(&mut self, core: &mut Core, cx: &mut Context<'_>) {
        let (every, now) = (core.config.timers.finger_ping, cx.now());
        let mut sent = 0;
        let mut next = Deadline::none();
        for at in 0..core.vnodes.len() {
            while sent < BURST
                && let Some(node) = core.vnodes[at].fingers.next_to_warm(every, now)
            {
                sent += usize::from(ping(core, at, node, cx));
            }
            next.at(core.vnodes[at].fingers.warm_at(every, now));
        }
        // Whoever enters later is silent for the first time after `every`.
        self.upkeep.warm_at = core
            .vnodes
            .iter()
            .any(|vnode| vnode.mode == Mode::Ring)
            .then(|| next.earliest().map_or(now + every, |next| next.max(now + BREATH).min(now + every)));
    }

    fn refresh(&mut self, core: &mut Core, cx: &mut Context<'_>) {
        let every = core.config.timers.finger_refresh;
        let members: Vec<usize> =
            (0..core.vnodes.len()).filter(|at| core.vnodes[*at].mode == Mode::Ring).collect();
        let Some(at) = members.get(self.upkeep.turn % members.len().max(1)).copied() else {
            self.upkeep.refresh_at = None;
            return;
        };
        self.upkeep.turn = self.upkeep.turn.wrapping_add(1);
        let key = core.vnodes[at].fingers.next_refresh(cx.rng());
        let filled = members.iter().all(|at| core.vnodes[*at].fingers.is_filled());
        let hasty = key.is_some() && !filled;
        let pause = every / members.len() as u32 / if hasty { HASTE } else { 1 };
        self.upkeep.refresh_at = Some(cx.now() + spread(pause, cx));
        if let Some(key) = key {
            self.start(core, (at, key, Goal::Finger { at: at as u8 }, None), cx);
        }
    }

    /// The owner of a slot's start is known: it is asked for those that follow, or only whether it is there.
    pub(crate) fn survey(&mut self, core: &mut Core, at: usize, found: &FoundAt, cx: &mut Context<'_>) {
        let Some(owner) = core.stranger(&found.owner.contact) else { return };
        let beyond = core.vnodes.get(at).is_some_and(|vnode| !vnode.list.holds(&owner));
        if !beyond {
            return;
        }
        if core.config.fingers.candidates > 1 {
            let request = Message::GetState(GetState { known: 0, skip: 0 });
            core.call(cx, (at, owner), Purpose::Lookup(Call::Survey), &request);
        } else {
            ping(core, at, owner, cx);
        }
    }

    /// The first node of an interval tells who follows it: strangers among them are pinged, and the nearest is kept.
    pub(crate) fn on_survey(
        &mut self,
        core: &mut Core,
        from: &Received,
        message: &Message<'_>,
        cx: &mut Context<'_>,
    ) {
        let Message::State(state) = message else { return };
        let Some(view) = state.view else { return };
        let list: Vec<Contact> = view.list.to_vec();
        let nodes: Vec<Node> = list.iter().filter_map(|contact| core.stranger(contact)).collect();
        let Some(vnode) = core.vnodes.get(from.at) else { return };
        let mut strangers: Vec<Node> = vnode.fingers.candidates(&from.from, nodes).collect();
        for _ in 0..core.config.fingers.probes {
            if strangers.is_empty() {
                break;
            }
            let chosen = cx.rng().below(strangers.len() as u32) as usize;
            let node = strangers.swap_remove(chosen);
            ping(core, from.at, node, cx);
        }
    }

    /// A pinged node answers; if it is of no ring it is no finger.
    pub(crate) fn on_warm_answer(&mut self, core: &mut Core, from: &Received, message: &Message<'_>) {
        if matches!(message, Message::NotMember(_)) {
            core.vnodes.iter_mut().for_each(|vnode| vnode.fingers.dropped(&from.from));
        }
    }
}

/// Pings a node, unless it is being pinged; says whether it was sent.
pub(crate) fn ping(core: &mut Core, at: usize, node: Node, cx: &mut Context<'_>) -> bool {
    let warm = Purpose::Lookup(Call::Warm);
    if core.rpc.iter().any(|pending| pending.to == node && pending.purpose == warm) {
        return false;
    }
    let claim = core.vnodes.get(at).map(|vnode| vnode.claim).unwrap_or_default();
    core.call(cx, (at, node), warm, &Message::Ping(Ping { claim })).is_some()
}

/// A period with a fifth of chance, so that nodes do not fall into step.
fn spread(pause: Duration, cx: &mut Context<'_>) -> Duration {
    pause.mul_f64(0.9 + f64::from(cx.rng().below(1_000)) / 5_000.0)
}
