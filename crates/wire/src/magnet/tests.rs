use proptest::prelude::*;

use super::*;

const V1: &str = "c12fe1c06bba254a9dc9f519b335aa7c1367a88a";
const V2: &str = "caf1e1c30e81cb361b9ee167c4aa64228a7fa4fa9f6105232b28ad099f3a302e";

fn magnet(query: &str) -> Result<Magnet, MagnetError> {
    format!("magnet:?{query}").parse()
}

#[test]
fn every_known_key_is_read() {
    let link = format!(
        "xt=urn:btih:{V1}&xt=urn:btmh:1220{V2}&dn=a+b%20%E2%82%AC&xl=12&tr=http%3A%2F%2Ft%2Fannounce&tr.1=udp%3A%2F%2Fu%3A1\
         &ws=http://w/&x.pe=1.2.3.4:5&x.pe=[2001:db8::1]:6&x.pe=host.example:7&so=0,2,4-6&zz=ignored&noequals"
    );
    let magnet = magnet(&link).unwrap();
    assert_eq!(magnet.v1.unwrap().to_string(), V1);
    assert_eq!(magnet.v2.unwrap().to_string(), V2);
    assert_eq!(magnet.name.as_deref(), Some("a b €"));
    assert_eq!(magnet.length, Some(12));
    assert_eq!(magnet.trackers, ["http://t/announce", "udp://u:1"]);
    assert_eq!(magnet.web_seeds, ["http://w/"]);
    let peers: Vec<_> = magnet.peers.iter().map(ToString::to_string).collect();
    assert_eq!(peers, ["1.2.3.4:5", "[2001:db8::1]:6", "host.example:7"]);
    assert_eq!(magnet.select_only, [0..=0, 2..=2, 4..=6]);
    assert!(magnet.selects(5) && !magnet.selects(3));
    assert_eq!(magnet.swarms().count(), 2);
}

#[test]
fn base_32_hashes_and_other_systems_hashes_are_read() {
    let base32 = BASE32.encode(V1.parse::<InfoHashV1>().unwrap().as_bytes());
    assert_eq!(
        magnet(&format!("xt=urn:btih:{}", base32.to_lowercase())).unwrap().v1.unwrap().to_string(),
        V1
    );
    let tiger = BASE32_NOPAD.encode(&[7; 24]);
    let link = magnet(&format!("xt=urn:bitprint:{base32}.{tiger}&amp;xt=urn:sha1:{base32}")).unwrap();
    assert_eq!((link.tiger_tree, link.sha1.is_some(), link.v1), (Some([7; 24]), true, None));
    assert_eq!(magnet(&format!("xt.1=urn:tree:tiger:{tiger}")).unwrap().tiger_tree, Some([7; 24]));
}

#[test]
fn unusable_links_are_refused_by_name() {
    assert_eq!("http://x/?xt=1".parse::<Magnet>(), Err(MagnetError::NotMagnet));
    assert_eq!("magnet:".parse::<Magnet>(), Err(MagnetError::NotMagnet));
    assert_eq!(magnet("dn=x"), Err(MagnetError::NoHash));
    assert_eq!(magnet("xt=urn:ed2k:00"), Err(MagnetError::NoHash));
    assert_eq!(magnet("xt=urn:btih:00"), Err(MagnetError::Hash));
    assert_eq!(magnet(&format!("xt=urn:btmh:1114{V1}")), Err(MagnetError::Hash));
    assert_eq!(magnet(&format!("xt=urn:btih:{V1}&xt=urn:btih:{}", "0".repeat(40))), Err(MagnetError::Hash));
    assert_eq!(magnet(&"x".repeat(MAX_LEN)), Err(MagnetError::TooLong));
}

#[test]
fn counts_and_lengths_are_bounded_and_damaged_extras_ignored() {
    let numbers: Vec<_> = (0..5_000).map(|n| (2 * n).to_string()).collect();
    let trackers: String = (0..1_000).map(|n| format!("&tr=udp://{n}")).collect();
    let long = "x".repeat(MAX_VALUE_LEN + 1);
    let wild = "&so=9-1,a,-,4294967296,1-2-3&x.pe=nohost&x.pe=a:0&x.pe=a/b:1&dn=";
    let magnet =
        magnet(&format!("xt=urn:btih:{V1}&so={}{trackers}&ws={long}{wild}", &numbers.join(",")[..2_000]))
            .unwrap();
    assert_eq!((magnet.trackers.len(), magnet.select_only.len()), (MAX_ITEMS, MAX_ITEMS));
    assert!(magnet.web_seeds.is_empty() && magnet.peers.is_empty() && magnet.name.is_none());
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        (v1, v2, sha1) in (any::<[u8; 20]>(), proptest::option::of(any::<[u8; 32]>()), proptest::option::of(any::<[u8; 20]>())),
        (tiger, length) in (proptest::option::of(any::<[u8; 24]>()), any::<Option<u64>>()),
        name in proptest::option::of("[^\u{0}]{1,40}"),
        trackers in proptest::collection::btree_set("\\PC{1,30}", 0..5),
        peers in proptest::collection::btree_set((any::<IpAddr>(), 1u16..), 0..4),
        ranges in proptest::collection::btree_set((any::<u16>(), any::<u16>()), 0..4),
    ) {
        let magnet = Magnet {
            v1: Some(InfoHashV1(v1)), v2: v2.map(InfoHashV2), sha1, tiger_tree: tiger, name, length,
            web_seeds: trackers.iter().take(2).cloned().collect(),
            trackers: trackers.into_iter().collect(),
            peers: peers.into_iter().map(|(ip, port)| PeerAddress::Socket(SocketAddr::new(ip, port))).collect(),
            select_only: ranges.into_iter().map(|(a, b)| u32::from(a.min(b))..=u32::from(a.max(b))).collect::<Vec<_>>(),
        };
        let mut unique = magnet.clone();
        unique.select_only = Vec::new();
        magnet.select_only.iter().for_each(|range| push(&mut unique.select_only, range.clone()));
        prop_assert_eq!(magnet.to_string().parse::<Magnet>(), Ok(unique));
    }

    #[test]
    fn arbitrary_text_never_panics(text in "magnet:\\?(xt|dn|tr|so|x.pe|xl)=\\PC{0,60}(&xt=urn:(btih|btmh|sha1|bitprint):\\PC{0,50})?") {
        let _ = text.parse::<Magnet>();
    }
}
