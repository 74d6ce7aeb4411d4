//! Lists: pages that fit, both representations alike.

use super::*;

#[test]
fn a_page_takes_as_many_entries_as_fit() {
    let list: Vec<Contact> = (1..=100).map(v4).collect();
    assert_eq!(Contacts::fitting(&list, 1 + 3 * 12).unwrap().len(), 3);
    assert_eq!(Contacts::fitting(&list, 1 + 3 * 12 - 1).unwrap().len(), 2);
    assert_eq!(Contacts::fitting(&list, 0).unwrap().len(), 0);
    assert_eq!(Contacts::fitting(&list, MAX_PAYLOAD).unwrap().len(), 99);
    let long: Vec<Contact> = (1..=60).map(v6).collect();
    assert_eq!(Contacts::fitting(&long, MAX_PAYLOAD).unwrap().len(), 49);
    assert_eq!(Contacts::fitting(&list, usize::MAX).unwrap().len(), Contact::MAX);
}

#[test]
fn a_received_list_is_equal_to_the_one_sent() {
    let list = [v4(1), v6(2), v4(3)];
    let mut bytes = Vec::new();
    Contacts::new(&list).write(&mut bytes).unwrap();
    let received = Contacts::read(&mut bytes.as_slice()).unwrap();
    assert_eq!((received, received.len(), received.to_vec()), (Contacts::new(&list), 3, list.to_vec()));
    assert_eq!(received.iter().len(), 3);
    assert_ne!(received, Contacts::new(&list[..2]));
    // Passed on, it is copied as it came.
    let mut again = Vec::new();
    received.write(&mut again).unwrap();
    assert_eq!(again, bytes);
}

#[test]
fn a_mapped_address_is_sent_as_ipv4() {
    let mapped = Contact::new("[::ffff:192.0.2.1]:6881".parse().unwrap(), 1, 0x0a0b_0c0d);
    assert_eq!(mapped, v4(1));
}

#[test]
fn prefixes_cover_the_keys_from_their_first_to_their_last() {
    let key = RingId::hash(b"key");
    for level in 0..=Prefix::MAX_LEVEL {
        let prefix = Prefix::of(key, level);
        assert!(prefix.covers(key) && prefix.covers(prefix.first()) && prefix.covers(prefix.last()));
        assert!(prefix.first() <= key && key <= prefix.last());
        if level > 0 {
            assert!(!prefix.covers(prefix.last().add_pow(0)), "{level}");
            assert!(!prefix.covers(prefix.first().minus(RingId::power(0))), "{level}");
        }
        match prefix.child(key.nibble(level)) {
            Some(child) => assert_eq!(child, Prefix::of(key, level + 1)),
            None => assert_eq!(level, Prefix::MAX_LEVEL),
        }
    }
    assert_eq!(Prefix::ROOT.child(16), None);
}
