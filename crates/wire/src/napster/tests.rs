//! Hex snapshots with a legend, the servers' parsing rule, and what strict writing refuses.

use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;

/// The bytes of a snapshot: in each line the first word is hex, the others are its legend.
pub(super) fn hex(snapshot: &str) -> Vec<u8> {
    let digits: String = snapshot.lines().filter_map(|line| line.split_whitespace().next()).collect();
    data_encoding::HEXLOWER.decode(digits.as_bytes()).expect("a snapshot starts its lines with hex")
}

#[track_caller]
fn check_client(message: ClientMessage<'_>, snapshot: &str) {
    let mut out = Vec::new();
    message.encode(&mut out).unwrap();
    assert_eq!(out, hex(snapshot));
    let (frame, length) = Frame::split(&out, MAX_DATA).unwrap().unwrap();
    assert_eq!((ClientMessage::decode(frame), length), (Ok(message), out.len()));
}

#[track_caller]
fn check_server(message: ServerMessage<'_>, snapshot: &str) {
    let mut out = Vec::new();
    message.encode(&mut out).unwrap();
    assert_eq!(out, hex(snapshot));
    let (frame, length) = Frame::split(&out, MAX_DATA).unwrap().unwrap();
    assert_eq!((ServerMessage::decode(frame), length), (Ok(message), out.len()));
}

fn share() -> Share<'static> {
    Share { name: b"a b.mp3", md5: b"0", size: 5, bitrate: 128, frequency: 44_100, duration: 9 }
}

#[test]
fn a_login_has_its_fields_in_order() {
    let login = Login {
        nick: b"al",
        password: b"pw",
        port: 6701,
        client: b"Throng/1",
        speed: Speed::DSL,
        email: None,
        build: None,
        zlib_level: None,
    };
    check_client(
        ClientMessage::Login(login),
        "1700          length of the data, little-endian
         0200          login
         616c20        al
         707720        pw
         3637303120    6701, the data port
         225468726f6e672f3122  the client, quoted
         2038          8, DSL",
    );
}

#[test]
fn messages_without_fields_are_a_header() {
    for (message, code) in [(ClientMessage::DownloadBegun, "da00"), (ClientMessage::AskStats, "d600")] {
        check_client(message, &format!("0000 length\n{code} type"));
    }
    check_server(ServerMessage::SearchEnd, "0000 length\nca00 type");
}

#[test]
fn files_are_shared_by_name_and_five_words() {
    check_client(
        ClientMessage::Share(share()),
        "1900                length
         6400                share
         226120622e6d703322  the name, quoted
         2030                md5 word
         2035                bytes
         20313238            kbit/s
         203434313030        Hz
         2039                seconds",
    );
    let mut run = Vec::new();
    FileRun::push(&mut run, &share()).unwrap();
    FileRun::push(&mut run, &Share { name: b"c", ..share() }).unwrap();
    let directory = ShareDirectory { directory: b"C:\\", files: FileRun(&run) };
    let mut out = Vec::new();
    ClientMessage::ShareDirectory(directory).encode(&mut out).unwrap();
    let data = br#""C:\" "a b.mp3" 0 5 128 44100 9 "c" 0 5 128 44100 9"#;
    assert_eq!(&out[4..], data);
    let names: Vec<_> = directory.files.iter().map(|file| file.unwrap().name).collect();
    assert_eq!(names, [&b"a b.mp3"[..], b"c"]);
}

#[test]
fn a_run_of_files_ends_with_an_error_where_a_group_is_not_whole() {
    let run = FileRun(br#""a" 0 1 2 3 4 "b" 0 1"#);
    let files: Vec<_> = run.iter().collect();
    assert!(matches!(files[..], [Ok(_), Err(NapsterError::MissingField)]));
}

#[test]
fn addresses_are_little_endian_decimal_numbers() {
    let contact = Contact {
        nick: b"al",
        ip: Ipv4Addr::LOCALHOST,
        port: 6701,
        name: b"x",
        md5: b"0",
        speed: Some(Speed(8)),
    };
    check_server(
        ServerMessage::DownloadReady(contact),
        "1800              length
         cc00              the file can be had
         616c20            al
         313637373733343320  16777343 is 127.0.0.1
         3637303120        6701
         22782220          the name
         302038            md5 word and speed",
    );
    assert_eq!(ip_from_number(33_579_786), Ipv4Addr::new(10, 99, 0, 2));
    assert_eq!(ip_to_number(Ipv4Addr::new(10, 99, 0, 1)), 16_802_570);
}

#[test]
fn a_hit_has_nine_fields_and_an_empty_md5_shifts_them_into_nonsense() {
    let hit = |md5: &str| format!("\"a b\" {md5}5000000 128 44100 10 fire 16777343 5");
    let text = hit("00 ");
    let Ok(ServerMessage::Hit(hit_read)) = ServerMessage::decode(Frame { kind: 201, data: text.as_bytes() })
    else {
        panic!("a good hit");
    };
    assert_eq!((hit_read.name, hit_read.size, hit_read.nick), (&b"a b"[..], 5_000_000, &b"fire"[..]));
    let shifted = hit("");
    assert!(ServerMessage::decode(Frame { kind: 201, data: shifted.as_bytes() }).is_err());
}

#[test]
fn sizes_over_two_gigabytes_are_understood_signed_and_unsigned() {
    for text in ["-1294967296", "3000000000"] {
        assert_eq!(Fields::new(text.as_bytes()).long(), Ok(3_000_000_000));
    }
    assert_eq!(Fields::new(b"4294967296").long(), Ok(1 << 32));
    assert_eq!(Fields::new(b"99999999999999999999999").long(), Ok(u64::MAX));
    assert_eq!(Fields::new(b"-99999999999").long(), Err(NapsterError::OutOfRange));
    assert_eq!(Fields::new(b"99999999999").number(), Ok(u32::MAX));
}

#[test]
fn fields_are_cut_by_the_rule_of_the_servers() {
    let mut fields = Fields::new(b" \t\r\nbare \"with space\"glued \"\" \"open to the end");
    let read: Vec<_> = std::iter::from_fn(|| fields.next_field()).collect();
    assert_eq!(read, [&b"bare"[..], b"with space", b"glued", b"", b"open to the end"]);
    assert_eq!(Fields::new(b"6 ").next_field(), Some(&b"6"[..]));
    assert_eq!(Fields::new(b"8\0junk").number(), Ok(8));
    assert_eq!(Fields::new(b"x8").number(), Err(NapsterError::NotANumber));
    assert_eq!(Fields::new(b"70000").port(), Err(NapsterError::OutOfRange));
}

#[test]
fn a_ping_is_passed_on_byte_for_byte() {
    for (data, args) in [("alice ", " "), ("alice", ""), ("alice some args", " some args"), ("a  b", "  b")] {
        let frame = Frame { kind: 751, data: data.as_bytes() };
        let Ok(ClientMessage::Ping(ping)) = ClientMessage::decode(frame) else { panic!("{data}") };
        assert_eq!(ping.args, args.as_bytes(), "{data}");
        let mut out = Vec::new();
        ServerMessage::Ping(Ping { nick: b"bob", ..ping }).encode(&mut out).unwrap();
        assert_eq!(out[4..], [b"bob", args.as_bytes()].concat());
    }
}

#[test]
fn what_cannot_be_expressed_is_not_written() {
    let bad_name: [&[u8]; 3] = [b"a\"b", b"a\nb", b"a\0b"];
    let bad_word: [&[u8]; 4] = [b"", b"a b", b"a\tb", b"a\"b"];
    for name in bad_name {
        let mut out = vec![7];
        let message = ClientMessage::Share(Share { name, ..share() });
        assert_eq!((message.encode(&mut out), out), (Err(NapsterError::Unwritable), vec![7]));
    }
    for md5 in bad_word {
        let mut out = Vec::new();
        let message = ClientMessage::Share(Share { md5, ..share() });
        assert_eq!((message.encode(&mut out), out.len()), (Err(NapsterError::Unwritable), 0));
        let mut run = Vec::from(&b"before"[..]);
        assert!(FileRun::push(&mut run, &Share { md5, ..share() }).is_err() && run == b"before");
    }
}

#[test]
fn a_frame_holds_2048_bytes_and_no_more() {
    let mut out = Vec::new();
    ClientMessage::Search(Text { text: &[b'x'; 2_048] }).encode(&mut out).unwrap();
    assert_eq!(Frame::split(&out, MAX_DATA).unwrap().unwrap().1, 2_052);
    let long = ClientMessage::Search(Text { text: &[b'x'; 2_049] });
    let refused = NapsterError::TooLong { length: 2_049, limit: 2_048 };
    assert_eq!((long.encode(&mut out), out.len()), (Err(refused), 2_052));
    assert_eq!(Frame::split(&[1, 8], MAX_DATA), Err(refused));
    assert!(ServerMessage::Motd(Text { text: &[b'x'; 70_000] }).encode(&mut out).is_err());
}

#[test]
fn nicks_are_what_both_servers_take() {
    for nick in ["a", "Bob_1", "aaaaaaaaaaaaaaaaaaa", "x-y", "[a]{b}|~"] {
        assert!(is_valid_nick(nick.as_bytes()), "{nick}");
    }
    let bad =
        ["", "bad?nick", "aaaaaaaaaaaaaaaaaaaa", "#a", "&a", ":a", "-a", "a b", "a.b", "a\\b", "OperServ"];
    for nick in bad.into_iter().chain(["operator", "a\"", "ä", "a\u{7f}", "a,b", "a%", "a$", "a*", "a!"]) {
        assert!(!is_valid_nick(nick.as_bytes()), "{nick}");
    }
}

#[test]
fn rates_are_rounded_as_the_servers_do() {
    for (told, kept) in [(131, 144), (0, 8), (999, 8), (128, 128), (320, 320)] {
        assert_eq!(round_bitrate(told), kept);
    }
    for (told, kept) in
        [(22_050, 24_000), (11_025, 16_000), (8_000, 16_000), (0, 16_000), (96_000, 16_000), (44_100, 44_100)]
    {
        assert_eq!(round_frequency(told), kept);
    }
}

#[test]
fn speeds_have_names_and_limits() {
    assert!(Speed(0).is_valid() && Speed(10).is_valid() && !Speed(11).is_valid());
    assert_eq!((Speed(8).label(), Speed(99).label()), ("DSL", "unknown"));
    assert_eq!((Speed::from_bits(56_000), Speed::from_bits(100_000_000)), (Speed(4), Speed::T3));
}

#[test]
fn a_link_survives_compression_at_every_level() {
    for level in [0, 1, 6, 9, 99] {
        let (mut deflater, mut inflater) = (Deflater::new(level), Inflater::new());
        for length in [0usize, 1, 100, 5_000, 100_000] {
            let data: Vec<u8> = (0..length).map(|at| (at * at % 251) as u8).collect();
            let mut wire = Vec::new();
            deflater.deflate(&data, &mut wire).unwrap();
            assert!(wire.is_empty() || wire.ends_with(&[0, 0, 0xff, 0xff]), "a sync flush, level {level}");
            let (mut clear, mut rest) = (Vec::new(), wire.as_slice());
            loop {
                let before = clear.len();
                let taken = inflater.inflate(rest, &mut clear, 1_000).unwrap();
                rest = &rest[taken..];
                if rest.is_empty() && clear.len() == before {
                    break;
                }
            }
            assert!(clear == data, "level {level}, {length} bytes");
        }
    }
}

#[test]
fn a_bomb_inflates_no_further_than_it_is_let() {
    let mut wire = Vec::new();
    Deflater::new(9).deflate(&vec![0; 10 << 20], &mut wire).unwrap();
    assert!(wire.len() < 20_000);
    let (mut inflater, mut clear) = (Inflater::new(), Vec::new());
    let taken = inflater.inflate(&wire, &mut clear, 4_096).unwrap();
    assert!(clear.len() == 4_096 && taken < wire.len());
    assert_eq!(Inflater::new().inflate(b"not zlib", &mut clear, 10), Err(NapsterError::Inflate));
}

#[test]
fn a_message_passed_on_carries_its_sender() {
    let frame = Frame { kind: 211, data: b"ben 500" };
    let mut out = Vec::new();
    encode_relayed(b"anna", frame, &mut out).unwrap();
    let expected = hex("0d00          length
         d300          browse
         3a616e6e6120  :anna
         62656e20353030  ben 500");
    assert_eq!(out, expected);
    let (read, _) = Frame::split(&out, MAX_DATA).unwrap().unwrap();
    assert_eq!(relayed(read), Some((&b"anna"[..], frame)));
    assert_eq!(relayed(frame), None);
    assert_eq!(
        relayed(Frame { kind: 110, data: b":anna" }),
        Some((&b"anna"[..], Frame { kind: 110, data: b"" }))
    );
}

fn word() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>().prop_filter("bare", |byte| !b" \t\r\n\"\0".contains(byte)), 1..30)
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>().prop_filter("quoted", |byte| !b"\r\n\"\0".contains(byte)), 0..300)
}

proptest! {
    #[test]
    fn shares_and_hits_round_trip(name in name(), md5 in word(), size: u64, numbers: [u32; 5], nick in word(), ip: u32) {
        let [bitrate, frequency, duration, speed, weight] = numbers;
        let share = Share { name: &name, md5: &md5, size, bitrate, frequency, duration };
        let mut out = Vec::new();
        ClientMessage::Share(share).encode(&mut out).unwrap();
        let (frame, length) = Frame::split(&out, MAX_DATA).unwrap().unwrap();
        prop_assert_eq!(length, out.len());
        prop_assert_eq!(ClientMessage::decode(frame), Ok(ClientMessage::Share(share)));

        let (ip, speed, weight) = (ip_from_number(ip), Speed(speed), Some(weight).filter(|weight| weight % 2 == 0));
        let (name, md5, nick) = (&name[..], &md5[..], &nick[..]);
        let hit = Hit { name, md5, size, bitrate, frequency, duration, nick, ip, speed, weight };
        out.clear();
        ServerMessage::Hit(hit).encode(&mut out).unwrap();
        let (frame, _) = Frame::split(&out, MAX_DATA).unwrap().unwrap();
        prop_assert_eq!(ServerMessage::decode(frame), Ok(ServerMessage::Hit(hit)));
    }

    #[test]
    fn what_any_bytes_decode_to_is_written_and_read_the_same(kind in kinds(), data in proptest::collection::vec(any::<u8>(), 0..200)) {
        let frame = Frame { kind, data: &data };
        let mut out = Vec::new();
        if let Ok(message) = ClientMessage::decode(frame) && message.encode(&mut out).is_ok() {
            let (again, _) = Frame::split(&out, MAX_DATA).unwrap().unwrap();
            prop_assert_eq!(ClientMessage::decode(again), Ok(message));
        }
        out.clear();
        if let Ok(message) = ServerMessage::decode(frame) && message.encode(&mut out).is_ok() {
            let (again, _) = Frame::split(&out, MAX_DATA).unwrap().unwrap();
            prop_assert_eq!(ServerMessage::decode(again), Ok(message));
        }
        out.clear();
        if let Ok(message) = LinkMessage::decode(frame) && message.encode(&mut out).is_ok() {
            let (again, _) = Frame::split(&out, MAX_DATA).unwrap().unwrap();
            prop_assert_eq!(LinkMessage::decode(again), Ok(message));
        }
    }

    #[test]
    fn frames_round_trip_and_no_prefix_is_taken_for_one(kind: u16, data in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut out = Vec::new();
        Frame { kind, data: &data }.encode(&mut out).unwrap();
        for end in 0..out.len() {
            prop_assert_eq!(Frame::split(&out[..end], MAX_DATA), Ok(None));
        }
        prop_assert_eq!(Frame::split(&out, MAX_DATA), Ok(Some((Frame { kind, data: &data }, out.len()))));
    }

    #[test]
    fn cut_frames_never_panic(kind in kinds(), name in name(), cut in 0usize..300) {
        let text = [b"nick 16777343 6701 \"", name.as_slice(), b"\" 0 8 1 2 3 4"].concat();
        let data = &text[..cut.min(text.len())];
        _ = ClientMessage::decode(Frame { kind, data });
        _ = ServerMessage::decode(Frame { kind, data });
        _ = LinkMessage::decode(Frame { kind, data });
    }
}

/// Mostly types that mean something.
fn kinds() -> impl Strategy<Value = u16> {
    prop_oneof![
        0u16..22,
        100u16..111,
        200u16..222,
        300u16..327,
        400u16..411,
        500u16..502,
        600u16..643,
        700u16..760,
        800u16..930,
        10_000u16..10_030,
        10_100u16..10_120,
        10_262u16..10_305
    ]
}
