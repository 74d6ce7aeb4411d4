//! Which program a peer id comes from (BEP 20), for people to read.
//!
//! A peer id is whatever its sender likes, so nothing may depend on this but display. Known styles: Azureus
//! (`-qB4650-`), mainline (`M7-10-5--`) and Shadow (`S58B-----`); the table holds the clients that still exist and a
//! few that matter to history.

use crate::ids::PeerId;

/// How the four characters of an Azureus-style version are read.
#[derive(Clone, Copy)]
enum Version {
    /// A number each, the last left out unless it is a digit from 1: `4650` is 4.6.5, `0D80` is 0.13.8.
    Dotted,
    /// Two numbers of two digits: `0190` is 1.90.
    Paired,
    /// Transmission's: dotted from 4, before that `2940` is 2.94.
    Transmission,
}

/// Azureus-style codes, sorted.
const CLIENTS: [(&[u8; 2], &str, Version); 38] = [
    (b"7T", "aTorrent", Version::Dotted),
    (b"AZ", "Vuze", Version::Dotted),
    (b"BC", "BitComet", Version::Paired),
    (b"BI", "BiglyBT", Version::Dotted),
    (b"BL", "BitLord", Version::Dotted),
    (b"BT", "BitTorrent", Version::Dotted),
    (b"CD", "Enhanced CTorrent", Version::Paired),
    (b"CT", "CTorrent", Version::Dotted),
    (b"DE", "Deluge", Version::Dotted),
    (b"FC", "FileCroc", Version::Dotted),
    (b"FD", "Free Download Manager", Version::Dotted),
    (b"FW", "FrostWire", Version::Dotted),
    (b"FX", "Freebox", Version::Dotted),
    (b"GT", "anacrolix/torrent", Version::Dotted),
    (b"HL", "Halite", Version::Dotted),
    (b"KG", "KGet", Version::Dotted),
    (b"KT", "KTorrent", Version::Dotted),
    (b"LT", "libtorrent", Version::Dotted),
    (b"LW", "LimeWire", Version::Dotted),
    (b"MO", "MonoTorrent", Version::Dotted),
    (b"MR", "Miro", Version::Dotted),
    (b"PI", "PicoTorrent", Version::Dotted),
    (b"QD", "QQDownload", Version::Dotted),
    (b"SD", "Thunder", Version::Dotted),
    (b"SZ", "Shareaza", Version::Dotted),
    (b"TL", "Tribler", Version::Dotted),
    (b"TR", "Transmission", Version::Transmission),
    (b"Tg", "Throng", Version::Dotted),
    (b"UE", "µTorrent Embedded", Version::Dotted),
    (b"UM", "µTorrent Mac", Version::Dotted),
    (b"UT", "µTorrent", Version::Dotted),
    (b"UW", "µTorrent Web", Version::Dotted),
    (b"WD", "WebTorrent Desktop", Version::Paired),
    (b"WW", "WebTorrent", Version::Paired),
    (b"XL", "Xunlei", Version::Dotted),
    (b"lt", "rTorrent's libTorrent", Version::Dotted),
    (b"qB", "qBittorrent", Version::Dotted),
    (b"rQ", "rqbit", Version::Dotted),
];

/// Mainline-style prefixes.
const MAINLINE: [(&str, &str); 3] = [("A2-", "aria2"), ("M", "BitTorrent"), ("Q", "Queen Bee")];

/// Shadow-style letters.
const SHADOW: [(u8, &str); 7] = [
    (b'A', "ABC"),
    (b'O', "Osprey Permaseed"),
    (b'Q', "BTQueue"),
    (b'R', "Tribler"),
    (b'S', "Shadow's client"),
    (b'T', "BitTornado"),
    (b'U', "UPnP NAT Bit Torrent"),
];

/// The most characters [`printable`] reads.
const MAX_PRINTABLE: usize = 128;

/// The program's name and version, such as "qBittorrent 4.6.5", or "unknown" with the escaped start of the id.
#[must_use]
pub fn client_name(peer_id: &PeerId) -> String {
    let id = peer_id.as_bytes();
    azureus(id)
        .or_else(|| mainline(id))
        .or_else(|| shadow(id))
        .unwrap_or_else(|| format!("unknown ({})", printable(&id[..8])))
}

/// `bytes` (a client's own name, say) made safe to print: what is no letter, digit or visible ASCII is escaped, and
/// 128 characters are kept.
#[must_use]
pub fn printable(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes[..bytes.len().min(4 * MAX_PRINTABLE)].utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '\\' => out.push_str("\\\\"),
                ' '..='~' => out.push(char),
                _ if char.is_alphanumeric() => out.push(char),
                _ => out.extend(char.escape_unicode()),
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    match out.char_indices().nth(MAX_PRINTABLE) {
        Some((end, _)) => out[..end].to_owned(),
        None => out,
    }
}

/// The value of a version character: a digit, or a letter counted on from 10.
fn digit(char: u8) -> Option<u32> {
    char::from(char).to_digit(36).filter(|_| !char.is_ascii_lowercase())
}

/// `-xx1234-`.
fn azureus(id: &[u8; 20]) -> Option<String> {
    let [b'-', code @ .., b'-'] = id.first_chunk::<8>()? else {
        return donkey(id);
    };
    let (&code, version) = code.split_first_chunk::<2>()?;
    if !code.iter().all(u8::is_ascii_graphic) || !version.iter().all(u8::is_ascii_alphanumeric) {
        return None;
    }
    let version: &[u8; 4] = version.first_chunk()?;
    Some(match CLIENTS.iter().find(|(known, ..)| **known == code) {
        Some((_, name, style)) => format!("{name} {}", azureus_version(version, *style)),
        None => format!("{} {}", printable(&code), azureus_version(version, Version::Dotted)),
    })
}

fn azureus_version(version: &[u8; 4], style: Version) -> String {
    let [a, b, c, d] = version.map(|char| digit(char).unwrap_or(0));
    match style {
        Version::Paired => format!("{}.{}", 10 * a + b, 10 * c + d),
        Version::Transmission if a < 4 => format!("{a}.{b}{c}"),
        _ if (1..=9).contains(&d) => format!("{a}.{b}.{c}.{d}"),
        _ => format!("{a}.{b}.{c}"),
    }
}

/// MLdonkey's own: `-ML2.7.2-`.
fn donkey(id: &[u8; 20]) -> Option<String> {
    let version = id.strip_prefix(b"-ML")?.split(|&byte| byte == b'-').next()?;
    let dotted = version.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    (dotted && !version.is_empty()).then(|| format!("MLdonkey {}", printable(version)))
}

/// `M7-10-5--`, or with a longer prefix `A2-1-37-0-`: numbers between dashes.
fn mainline(id: &[u8; 20]) -> Option<String> {
    let (rest, name) =
        MAINLINE.iter().find_map(|(prefix, name)| Some((id.strip_prefix(prefix.as_bytes())?, name)))?;
    let mut parts = rest.split(|&byte| byte == b'-').map(|part| {
        let number = (1..=3).contains(&part.len()) && part.iter().all(u8::is_ascii_digit);
        number.then(|| printable(part))
    });
    let version = [parts.next()??, parts.next()??, parts.next()??].join(".");
    Some(format!("{name} {version}"))
}

/// `S58B-----`: a letter, up to five version characters, dashes up to the ninth byte.
fn shadow(id: &[u8; 20]) -> Option<String> {
    let (letter, rest) = id.split_first()?;
    let (_, name) = SHADOW.iter().find(|(known, _)| known == letter)?;
    let version: Vec<_> = rest[..5].iter().map_while(|&char| digit(char)).map(|n| n.to_string()).collect();
    let dashes = &rest[version.len()..8];
    (!version.is_empty() && dashes.iter().all(|&byte| byte == b'-'))
        .then(|| format!("{name} {}", version.join(".")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(start: &[u8]) -> String {
        let mut id = [b'x'; 20];
        id[..start.len()].copy_from_slice(start);
        client_name(&PeerId(id))
    }

    #[test]
    fn the_table_is_sorted_and_has_no_code_twice() {
        assert!(CLIENTS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn azureus_style_ids_are_named() {
        assert_eq!(name(b"-qB4650-"), "qBittorrent 4.6.5");
        assert_eq!(name(b"-LT20B0-"), "libtorrent 2.0.11");
        assert_eq!(name(b"-lt0D80-"), "rTorrent's libTorrent 0.13.8");
        assert_eq!(name(b"-TR4060-"), "Transmission 4.0.6");
        assert_eq!(name(b"-TR2940-"), "Transmission 2.94");
        assert_eq!(name(b"-BC0190-"), "BitComet 1.90");
        assert_eq!(name(b"-UT355W-"), "µTorrent 3.5.5");
        assert_eq!(name(b"-DE13F0-"), "Deluge 1.3.15");
        assert_eq!(name(b"-AZ4203-"), "Vuze 4.2.0.3");
        assert_eq!(name(b"-zz1234-"), "zz 1.2.3.4");
    }

    #[test]
    fn mainline_shadow_and_donkey_styles_are_named() {
        assert_eq!(name(b"M7-10-5--"), "BitTorrent 7.10.5");
        assert_eq!(name(b"A2-1-37-0-"), "aria2 1.37.0");
        assert_eq!(name(b"Q1-10-0-"), "Queen Bee 1.10.0");
        assert_eq!(name(b"S58B-----"), "Shadow's client 5.8.11");
        assert_eq!(name(b"T03I-----"), "BitTornado 0.3.18");
        assert_eq!(name(b"-ML2.7.2-kgjj"), "MLdonkey 2.7.2");
    }

    #[test]
    fn what_is_not_known_is_shown_escaped() {
        assert_eq!(name(b"\0\x1b[2J\xff\\\n"), "unknown (\\u{0}\\u{1b}[2J\\xff\\\\\\u{a})");
        assert_eq!(name(b"-\x1b\x1b1234-"), "unknown (-\\u{1b}\\u{1b}1234-)");
    }

    #[test]
    fn names_keep_letters_and_lose_what_could_steer_a_terminal() {
        assert_eq!(printable("µTorrent 3.5.5".as_bytes()), "µTorrent 3.5.5");
        assert_eq!(printable("a\u{202e}b\u{7f}\u{85}".as_bytes()), "a\\u{202e}b\\u{7f}\\u{85}");
        assert_eq!(printable(&[b'a'; 10_000]).len(), MAX_PRINTABLE);
        assert!(printable(&[0xff; 10_000]).len() <= MAX_PRINTABLE);
    }

    proptest! {
        #[test]
        fn any_id_gives_a_printable_name(id: [u8; 20]) {
            let name = client_name(&PeerId(id));
            prop_assert!(!name.is_empty() && name.chars().all(|c| c == ' ' || c == '\'' || c.is_alphanumeric() || c.is_ascii_graphic()));
        }

        #[test]
        fn any_short_id_shaped_like_a_client_gives_a_name(start in "[-AMQSTU][A-Za-z0-9.-]{8}-") {
            prop_assert!(!name(start.as_bytes()).is_empty());
        }
    }
}
