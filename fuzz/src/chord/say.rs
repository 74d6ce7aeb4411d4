//! What peers say: any request, the answers to requests, frames of streams.

use super::words::{Words, header, pick, small_id, writer};
use super::world::{World, home};
use crate::input::Input;
use throng_wire::chord::*;

/// What a peer says, in bytes without header: a closure would borrow longer than the lists live.
pub(super) type Said = (u8, Vec<u8>);

fn said<'a>(message: impl Into<Message<'a>>) -> Said {
    let header =
        Header { net_id: 0, txid: 0, source: 0, destination: 0, flags: Flags(0), incarnation: 0, token: 0 };
    let (message, mut out) = (message.into(), Vec::new());
    // What fits no datagram is not said.
    match (Datagram { header, message }).encode(&mut out) {
        Ok(()) => (message.kind(), out.split_off(HEADER_LEN)),
        Err(_) => said(Nudge {}),
    }
}

/// A request, or something told.
pub(super) fn say(kind: u8, w: &Words, input: &mut Input<'_>) -> Said {
    match kind % 4 {
        0 | 1 => of_the_ring(kind / 4, w, input),
        2 => of_lookups(kind / 4, w, input),
        _ => of_the_store(kind / 4, w, input),
    }
}

fn of_the_ring(kind: u8, w: &Words, input: &mut Input<'_>) -> Said {
    let (contact, claim, prdc) = (w.contacts[0], w.claim, w.maybe(w.contacts[0]));
    let (list, table, epoch) = ((&w.contacts).into(), (&w.rows).into(), w.number as u32);
    let page = Page { index: input.byte() % 3, of: input.byte() % 3 };
    match kind % 16 {
        0 => said(Ping { claim }),
        1 => said(PingReq { target: contact, state: w.maybe(w.number) }),
        2 => said(GetState { known: w.number, skip: input.byte() }),
        3 | 4 => said(Notify { claim, plist: (&w.neighbours).into() }),
        5 => said(Nudge {}),
        6 => said(JoinRead { skip: input.byte() % 4, redirects: input.byte() }),
        7 => said(Leave { prdc, claim, list }),
        8 | 9 => {
            let me = RingId::of(home().socket_addr(), 0);
            let high = if w.flag { me } else { w.keys[1] };
            said(Switch { low: w.keys[0], high, epoch, digest: [input.byte(); 16] })
        }
        10 => said(SmallAdd { joiner: contact, page, table }),
        11 => said(SmallWelcome { epoch, page, table }),
        12 => said(Collapse { epoch, page, table }),
        13 => said(MergeHint { epoch: w.number, contact, ttl: input.byte() }),
        14 => said(Meet { epoch: w.number, prdc, list }),
        _ => said(Events { changes: (&w.changes).into() }),
    }
}

fn of_lookups(kind: u8, w: &Words, input: &mut Input<'_>) -> Said {
    match kind % 8 {
        0..5 => {
            let mut flags = LookFlags::default();
            for flag in [LookFlags::DIRECT, LookFlags::ITERATIVE, LookFlags::LEAF] {
                flags = if input.one_in(3) { flags.with(flag) } else { flags };
            }
            said(Look {
                lookup: w.number,
                key: w.keys[0],
                purpose: pick(Purpose::ALL, input),
                flags,
                ttl: input.byte(),
                back: input.byte() % 20,
                path: input.byte(),
                timeouts: input.byte(),
                initiator: w.contacts[0],
                token: u64::from(input.byte()),
                reply_via: w.maybe(w.contacts[0]),
            })
        }
        5 => said(found(w, u64::from(input.byte()), input)),
        6 => said(TableDigest { nodes: (&w.nodes).into() }),
        _ => said(GetTable { after: w.maybe(w.keys[0]) }),
    }
}

fn found<'a>(w: &'a Words, lookup: u64, input: &mut Input<'_>) -> Found<'a> {
    Found {
        lookup,
        owner: w.neighbours[0],
        prdc: w.maybe(w.contacts[0]),
        path: input.byte(),
        timeouts: input.byte(),
        n_est: u64::from(input.byte()),
        initiator: input.one_in(4).then_some(w.contacts[0]),
        pass: w.number,
        replicas: (&w.contacts[..w.contacts.len() / 2]).into(),
        list: (&w.contacts).into(),
    }
}

fn flags(input: &mut Input<'_>) -> PutFlags {
    [PutFlags::DURABLE, PutFlags::LOCAL, PutFlags::REPAIR, PutFlags::FORWARDED, PutFlags::MOVED]
        .into_iter()
        .filter(|_| input.one_in(3))
        .fold(PutFlags::default(), PutFlags::with)
}

fn of_the_store(kind: u8, w: &Words, input: &mut Input<'_>) -> Said {
    let (held, writer) = (w.held(), writer());
    let (records, claim, [low, high, key]) = ((&held).into(), w.claim, w.keys);
    let key = held.first().map_or(key, |held| held.record.ring_key());
    match kind % 10 {
        0 | 1 => {
            let terms = [Term::new("alpha").expect("a word")];
            let filter = PostingFilter { terms: (&terms).into(), min_size: 0, max_size: w.number, medium: 0 };
            let id = w.ids.first().copied().unwrap_or(RecordId([0; 32]));
            let selectors = [
                Selector::None,
                Selector::All,
                Selector::By(&writer),
                Selector::Newer { id, seq: w.number },
                Selector::Sample(input.u32()),
                Selector::Postings(filter),
            ];
            let selector = pick(&selectors, input);
            said(Get {
                key,
                kinds: KindSet::ALL,
                selector,
                limit: input.byte(),
                cursor: u32::from(input.byte()),
                padding: Padding::of(u16::from(input.byte())),
            })
        }
        2..5 => said(Put { flags: flags(input), cas: input.one_in(4).then_some(w.number), records }),
        5 => {
            let items: Vec<RefreshItem<'_>> = w
                .summaries
                .iter()
                .map(|it| RefreshItem {
                    key: it.key,
                    id: it.id,
                    seq: it.seq,
                    ttl: 60,
                    hash: it.hash,
                    signature: &[1; 64],
                })
                .collect();
            said(Refresh { items: (&items).into() })
        }
        6 => said(Replicate { claim, flags: flags(input), records }),
        7 => said(Digest { low, high, skip: u16::from(input.byte()), nodes: (&w.nodes).into() }),
        8 => {
            let after = w.ids.first().map(|id| Cursor { key: low, id: *id });
            let ids = if w.flag { (&w.ids).into() } else { List::default() };
            said(Pull { low, high, after, ids })
        }
        _ => said(Confirm { low, high }),
    }
}

/// The answer to a request; now and then another. None to what is only told.
pub(super) fn answer(request: &[u8], w: &Words, input: &mut Input<'_>) -> Option<Said> {
    let asked = Datagram::decode(request).ok()?.message;
    if input.one_in(10) {
        return Some(match input.below(5) {
            0 => said(Challenge {}),
            1 => said(Busy { retry_after: input.byte() }),
            2 => said(NotMember { mode: pick(Mode::ALL, input) }),
            3 => said(NotMine { claim: w.claim, prdc: w.maybe(w.contacts[0]) }),
            _ => said(Pong { claim: w.claim, seen: w.contacts[0].address, clock: w.number }),
        });
    }
    let (claim, prdc, epoch) = (w.claim, w.maybe(w.contacts[0]), w.number as u32);
    let (list, table): (Contacts<'_>, List<'_, Row>) = ((&w.contacts).into(), (&w.rows).into());
    Some(match asked {
        Message::Ping(_) => said(Pong { claim, seen: home().socket_addr(), clock: w.number }),
        Message::PingReq(request) => {
            let state = State { digest: w.number, view: w.maybe(view(w, input)) };
            let result = [Relayed::Silent, Relayed::Alive(claim), Relayed::State(state)][input.below(3)];
            said(PingRes { target: request.target, result })
        }
        Message::GetState(_) => {
            said(State { digest: w.number, view: (!input.one_in(6)).then(|| view(w, input)) })
        }
        Message::Notify(_) => said(NotifyAck { prdc, claim }),
        Message::JoinRead(_) => match input.below(4) {
            0 => said(Redirect { contact: w.contacts[0] }),
            1 => said(SmallWelcome { epoch, page: Page::ONLY, table }),
            _ => said(JoinOk { digest: w.number, view: view(w, input) }),
        },
        Message::Leave(_) => said(LeaveAck {}),
        Message::Switch(switch) => said(SwitchAck { epoch: if w.flag { switch.epoch } else { epoch } }),
        Message::SmallAdd(_) | Message::SmallWelcome(_) => said(SmallAck { page: Page::ONLY, table }),
        Message::Collapse(asked) => {
            said(CollapseAck { agree: w.flag, epoch: asked.epoch, page: Page::ONLY, table })
        }
        Message::Meet(meet) => said(MeetAck { epoch: meet.epoch, prdc, list }),
        Message::Look(look) if input.one_in(2) => said(found(w, look.lookup, input)),
        Message::Look(look) => {
            said(LookAck { lookup: look.lookup, verdict: pick(Verdict::ALL, input), next: list })
        }
        Message::TableDigest(_) => said(TableDigestAck { nodes: (&w.nodes).into(), members: list }),
        Message::GetTable(_) => said(Table { members: list, next: w.maybe(small_id(input)) }),
        other => return of_the_stores(other, w, input),
    })
}

fn of_the_stores(asked: Message<'_>, w: &Words, input: &mut Input<'_>) -> Option<Said> {
    let held = w.held();
    let (records, large, claim) = ((&held).into(), (&w.summaries).into(), w.claim);
    Some(match asked {
        Message::Get(_) => {
            let next = input.one_in(4).then(|| u32::from(input.byte()));
            let (count, load, shard_bits) = (u32::from(input.byte()), input.byte(), input.byte() % 12);
            said(Got { claim, count, load, shard_bits, cache: u16::from(input.byte()), next, records, large })
        }
        Message::Put(_) | Message::Refresh(_) | Message::Replicate(_) => {
            let stored = input.one_in(3).then(|| held.first().copied()).flatten();
            let (clock, offset) = (u64::from(input.u32()), i64::from(input.byte()) - 128);
            said(PutAck { load: input.byte(), clock, offset, results: (&w.results).into(), stored })
        }
        Message::Digest(digest) => said(DigestAck {
            low: digest.low,
            high: digest.high,
            nodes: (&w.nodes).into(),
            records: large,
            answered: input.byte() % 4,
            skip: u16::from(input.byte()),
        }),
        Message::Pull(_) => {
            let next = w.ids.first().filter(|_| w.flag).map(|id| Cursor { key: w.keys[0], id: *id });
            said(PullAck { records, large, next })
        }
        Message::Confirm(_) => said(Confirmed { holders: input.byte() % 8, hash: [input.byte() % 2; 16] }),
        _ => return None,
    })
}

fn view<'a>(w: &'a Words, input: &mut Input<'_>) -> View<'a> {
    let skip = if input.one_in(6) { input.byte() } else { 0 };
    View {
        prdc: w.maybe(w.contacts[w.contacts.len() - 1]),
        claim: w.claim,
        mode: if input.one_in(4) { pick(Mode::ALL, input) } else { Mode::Ring },
        mode_epoch: u32::from(input.byte() % 4),
        r: input.byte(),
        n_est: u64::from(input.u32()),
        plist: (&w.neighbours).into(),
        skip,
        total: if input.one_in(6) { input.byte() } else { w.contacts.len() as u8 },
        list: (&w.contacts).into(),
    }
}

/// Frames of a stream, a hello first more often than not.
pub(super) fn frames(world: &World, w: &Words, input: &mut Input<'_>) -> Vec<u8> {
    let (held, number, claim) = (w.held(), w.number as u32, w.claim);
    let from = super::peer(input);
    let Header { net_id, source, destination, incarnation, token, .. } = header(input, world.token(from));
    let hello = Hello { net_id, source, destination, incarnation, port: 4000, token };
    let mut frames = vec![Frame::Ready(Ready { incarnation, claim })];
    if !input.one_in(3) {
        frames[0] = Frame::Hello(hello);
    }
    for held in held {
        frames.push(match input.below(4) {
            0 => Frame::Put(FramePut { number, flags: flags(input), cas: None, held }),
            1 => Frame::Copy(FrameCopy { number, claim, flags: flags(input), held }),
            2 => Frame::Ack(FrameAck { number, result: w.results[0], stored: w.maybe(held) }),
            _ => Frame::Record(held),
        });
    }
    frames.push(match input.below(3) {
        0 => Frame::Pull(Pull { low: w.keys[0], high: w.keys[1], after: None, ids: (&w.ids).into() }),
        1 => Frame::End(End { records: number, next: None }),
        _ => Frame::Bye(Bye { reason: pick(ByeReason::ALL, input) }),
    });
    let mut out = Vec::new();
    frames.iter().for_each(|frame| frame.encode(&mut out).expect("it fits"));
    out
}
