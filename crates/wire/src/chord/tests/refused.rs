//! Bad input: other protocols, unknown kinds, lists and codes out of range, and answers that must be short.

use super::*;
use proptest::prelude::*;

fn changed(message: Message<'_>, at: usize, to: u8) -> Result<(), Error> {
    let mut bytes = encoded(message);
    bytes[at] = to;
    Datagram::decode(&bytes).map(drop)
}

#[test]
fn other_protocols_versions_and_kinds_are_refused() {
    let ping = Ping { claim: ACTIVE }.into();
    assert_eq!(Datagram::decode(b""), Err(Error::Truncated));
    assert_eq!(
        Datagram::decode(b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"),
        Err(Error::Magic)
    );
    assert_eq!(changed(ping, 0, 0), Err(Error::Magic));
    assert_eq!(changed(ping, 2, 2), Err(Error::Version(2)));
    assert_eq!(changed(ping, 3, 0xff), Err(Error::Kind(0xff)));
    assert_eq!(changed(ping, 16, 64), Err(Error::Vnode(64)));
    assert_eq!(changed(ping, 17, 64), Err(Error::Vnode(64)));
    assert_eq!(changed(ping, 32, 2), Err(Error::Value), "a flag is 0 or 1");
}

#[test]
fn a_datagram_over_the_limit_is_refused_unread_and_not_sent() {
    assert_eq!(Datagram::decode(&[0; MAX_DATAGRAM + 1]), Err(Error::TooLarge));
    let list: Vec<Contact> = (1..=60).map(v6).collect();
    let message = Meet { epoch: 1, prdc: None, list: (&list).into() }.into();
    let mut out = vec![1, 2];
    assert_eq!(Datagram { header: HEADER, message }.encode(&mut out), Err(Error::TooLarge));
    assert_eq!(out, [1, 2], "what fails leaves nothing behind");
}

#[test]
fn lists_over_their_limit_are_refused() {
    let many: Vec<Neighbour> =
        (0..17).map(|at| Neighbour { contact: v4(at), claim: Claim::Inactive }).collect();
    let message = Notify { claim: Claim::Inactive, plist: (&many).into() }.into();
    assert_eq!(Datagram { header: HEADER, message }.encode(&mut Vec::new()), Err(Error::TooMany));
    let notify = Notify { claim: Claim::Inactive, plist: List::default() }.into();
    assert_eq!(changed(notify, 33, 17), Err(Error::TooMany), "before the entries are looked at");
}

#[test]
fn padding_is_zeros_and_no_more_than_an_answer_may_need() {
    let padding = Padding::of(u16::MAX);
    let get = |padding| Get {
        key: filled(0),
        kinds: KindSet::ALL,
        selector: Selector::None,
        limit: 0,
        cursor: 0,
        padding,
    };
    let bytes = encoded(get(padding).into());
    assert!((MAX_DATAGRAM..MAX_DATAGRAM + 9).contains(&(3 * bytes.len())), "{}", bytes.len());
    let last = bytes.len() - 1;
    assert_eq!(changed(get(padding).into(), last, 0), Ok(()));
    assert_eq!(changed(get(padding).into(), last, 1), Err(Error::Value), "one encoding only");
    let length = encoded(get(Padding::NONE).into()).len() - 2;
    assert_eq!(changed(get(padding).into(), length, 0xff), Err(Error::TooLarge));
}

#[test]
fn addresses_nobody_has_are_refused() {
    let redirect = Redirect { contact: v4(1) }.into();
    assert_eq!(changed(redirect, 32, 5), Err(Error::Address), "family");
    let decode = |contact: &str| {
        let mut bytes = encoded(Nudge {}.into());
        bytes[3] = 0x0c;
        bytes.extend(hex(contact));
        Datagram::decode(&bytes).map(drop)
    };
    assert_eq!(decode("04 v4\nc0000201 ip\n1ae1 port\n0a vnode\n00000001 incarnation"), Ok(()));
    for bad in [
        "04 v4\nc0000201 ip\n0000 port\n0a vnode\n00000001 incarnation",
        "04 v4\n00000000 ip\n1ae1 port\n0a vnode\n00000001 incarnation",
        "04 v4\ne0000001 multicast\n1ae1 port\n0a vnode\n00000001 incarnation",
        "04 v4\nffffffff broadcast\n1ae1 port\n0a vnode\n00000001 incarnation",
        "06 v6\n00000000000000000000ffffc0000201 mapped\n1ae1 port\n0a vnode\n00000001 incarnation",
        "06 v6\n00000000000000000000000000000000 ip\n1ae1 port\n0a vnode\n00000001 incarnation",
    ] {
        assert_eq!(decode(bad), Err(Error::Address), "{bad}");
    }
    let vnode = "04 v4\nc0000201 ip\n1ae1 port\n40 vnode\n00000001 incarnation";
    assert_eq!(decode(vnode), Err(Error::Vnode(64)));
}

#[test]
fn a_contact_nobody_can_be_is_not_sent() {
    let fails = |contact: Contact| {
        let message = Redirect { contact }.into();
        Datagram { header: HEADER, message }.encode(&mut Vec::new()).unwrap_err()
    };
    assert_eq!(fails(Contact::new(([192, 0, 2, 1], 0).into(), 0, 0)), Error::Address);
    assert_eq!(fails(Contact::new(([0, 0, 0, 0], 1).into(), 0, 0)), Error::Address);
    assert_eq!(fails(Contact { vnode: 64, ..v4(1) }), Error::Vnode(64));
    let header = Header { source: 64, ..HEADER };
    assert_eq!(Datagram { header, message: Nudge {}.into() }.encode(&mut Vec::new()), Err(Error::Vnode(64)));
}

#[test]
fn a_prefix_has_one_encoding() {
    let nodes = [TreeNode { prefix: Prefix::of(filled(0xab), 3), count: 1, hash: [0; 16] }];
    let digest = Digest { low: filled(1), high: filled(2), skip: 0, nodes: (&nodes).into() }.into();
    let at = 32 + 20 + 20 + 2 + 1;
    assert_eq!(encoded(digest)[at..at + 3], [3, 0xab, 0xa0]);
    assert_eq!(changed(digest, at + 2, 0xa1), Err(Error::Value), "digits after the last");
    assert_eq!(changed(digest, at, 41), Err(Error::Value));
}

const LOOK: Look = Look {
    lookup: 0,
    key: RingId::MIN,
    purpose: Purpose::Key,
    flags: LookFlags::DIRECT,
    ttl: 0,
    back: 0,
    path: 0,
    timeouts: 0,
    initiator: Contact {
        address: std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1),
        vnode: 0,
        incarnation: 0,
    },
    token: 0,
    reply_via: None,
};

#[test]
fn a_refusal_is_never_longer_than_any_request() {
    let shortest = [
        Message::from(Ping { claim: Claim::Inactive }),
        PingReq { target: v4(1), state: None }.into(),
        GetState { known: 0, skip: 0 }.into(),
        Notify { claim: Claim::Inactive, plist: List::default() }.into(),
        JoinRead { skip: 0, redirects: 0 }.into(),
        Leave { prdc: None, claim: Claim::Inactive, list: List::default() }.into(),
        Switch { low: filled(0), high: filled(0), epoch: 0, digest: [0; 16] }.into(),
        SmallAdd { joiner: v4(1), page: Page::ONLY, table: List::default() }.into(),
        Collapse { epoch: 0, page: Page::ONLY, table: List::default() }.into(),
        Get {
            key: filled(0),
            kinds: KindSet::ALL,
            selector: Selector::None,
            limit: 0,
            cursor: 0,
            padding: Padding::NONE,
        }
        .into(),
        Put { flags: PutFlags::default(), cas: None, records: List::default() }.into(),
        Replicate { claim: Claim::Inactive, flags: PutFlags::default(), records: List::default() }.into(),
        Digest { low: filled(0), high: filled(0), skip: 0, nodes: List::default() }.into(),
        Pull { low: filled(0), high: filled(0), after: None, ids: List::default() }.into(),
        Confirm { low: filled(0), high: filled(0) }.into(),
        Meet { epoch: 0, prdc: None, list: List::default() }.into(),
        Refresh { items: List::default() }.into(),
        TableDigest { nodes: List::default() }.into(),
        GetTable { after: None }.into(),
        LOOK.into(),
    ];
    let challenge = encoded(Challenge {}.into()).len();
    let not_member = encoded(NotMember { mode: Mode::Joining }.into()).len();
    let busy = encoded(Busy { retry_after: u8::MAX }.into()).len();
    for message in shortest {
        let length = encoded(message).len();
        assert!(challenge <= length && not_member <= length && busy <= length, "{}", message.name());
    }
    // The answers an address gets before it is proved are at most three times what it sent.
    let pong = encoded(Pong { claim: ACTIVE, seen: v6(1).address, clock: 0 }.into()).len();
    assert!(pong <= 3 * encoded(Ping { claim: Claim::Inactive }.into()).len());
    let redirect = encoded(Redirect { contact: v6(1) }.into()).len();
    assert!(redirect <= 3 * encoded(JoinRead { skip: 0, redirects: 0 }.into()).len());
}

proptest! {
    #[test]
    fn any_bytes_give_a_message_that_is_stable_or_an_error(kind: u8, payload in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut bytes = encoded(Nudge {}.into());
        bytes[3] = kind;
        bytes.extend(payload);
        if let Ok(datagram) = Datagram::decode(&bytes) {
            let mut again = Vec::new();
            datagram.encode(&mut again).unwrap();
            prop_assert_eq!(again, bytes);
        }
    }
}
