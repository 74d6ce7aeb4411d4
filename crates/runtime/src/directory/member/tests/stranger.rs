//! Uploaders that are not ours, and not what they should be.

use super::*;
use throng_wire::napster::{ClientMessage, Frame, Login, MAX_DATA, NickFile, ServerMessage, Share, Speed};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const NAME: &[u8] = b"d\\zebra.mp3";

/// What is wrong with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    /// It sends all of the file whatever it is asked (P2).
    IgnoresOffsets,
    /// It closes a thousand bytes after the offset.
    TooFew,
    /// It goes on after the end.
    TooMany,
}

fn encoded(message: ClientMessage<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode(&mut out).unwrap();
    out
}

/// Logs in, shares, accepts every request.
async fn user(at: SocketAddr, port: u16) {
    let mut stream = TcpStream::connect(at).await.unwrap();
    let login = Login {
        nick: b"zoe",
        password: b"pw",
        port: port.into(),
        client: b"TekNap-1.3g",
        speed: Speed(8),
        email: None,
        build: None,
        zlib_level: None,
    };
    stream.write_all(&encoded(ClientMessage::Login(login))).await.unwrap();
    let share = Share {
        name: NAME,
        md5: b"NOMD5COMPUTED",
        size: SIZE as u64,
        bitrate: 128,
        frequency: 44_100,
        duration: 1,
    };
    stream.write_all(&encoded(ClientMessage::Share(share))).await.unwrap();
    let mut held = Vec::new();
    while stream.read_buf(&mut held).await.is_ok_and(|count| count > 0) {
        while let Ok(Some((frame, length))) = Frame::split(&held, MAX_DATA) {
            let answer = match ServerMessage::decode(frame) {
                Ok(ServerMessage::UploadRequest(wanted)) => {
                    encoded(ClientMessage::AcceptUpload(NickFile { nick: wanted.nick, name: wanted.name }))
                }
                _ => Vec::new(),
            };
            held.drain(..length);
            stream.write_all(&answer).await.unwrap();
        }
    }
}

/// Serves one connection after the other.
async fn uploads(listener: TcpListener, data: Vec<u8>, fault: Fault) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let data = data.clone();
        spawn_local(async move {
            stream.write_all(b"1").await?;
            let mut held = Vec::new();
            // The offset is all that follows the quote, in one segment.
            while !held.last().is_some_and(u8::is_ascii_digit) {
                stream.read_buf(&mut held).await?;
            }
            let text = String::from_utf8_lossy(&held).into_owned();
            let offset: usize = text.rsplit(' ').next().unwrap().parse().unwrap();
            let (from, to) = match fault {
                Fault::IgnoresOffsets => (0, SIZE),
                Fault::TooFew => (offset, (offset + 1_000).min(SIZE)),
                Fault::TooMany => (offset, SIZE),
            };
            stream.write_all(SIZE.to_string().as_bytes()).await?;
            stream.write_all(&data[from..to]).await?;
            if fault == Fault::TooMany {
                stream.write_all(&[0; 100_000]).await?;
            }
            std::io::Result::Ok(())
        });
    }
}

/// bob has found zoe's copy.
fn with(fault: Fault, test: impl AsyncFnOnce(&Member, Copy, &[u8])) {
    local(async {
        let (server, data) = (directory(), data());
        let listener = TcpListener::bind(ANY).await.unwrap();
        spawn_local(user(server.local_addr(), listener.local_addr().unwrap().port()));
        spawn_local(uploads(listener, data.clone(), fault));
        let (bob, mut heard) = member("bob", None, true);
        joins(&bob, &mut heard, server.local_addr()).await;
        let copy = finds(&bob, &mut heard).await;
        test(&bob, copy, &data).await;
    });
}

#[test]
fn an_uploader_that_ignores_offsets_is_found_out_and_read_from_the_beginning() {
    with(Fault::IgnoresOffsets, async |bob, copy, data| {
        let mut source = bob.source(copy);
        for range in [5_000..6_000, 100..70_000, 70_000..80_000, 8_000_000..8_000_001, 0..10] {
            let got = fetch(&mut source, range.clone()).await.unwrap();
            assert!(got == data[range.start as usize..range.end as usize], "{range:?}");
        }
    });
}

#[test]
fn an_uploader_that_closes_early_has_given_what_came() {
    with(Fault::TooFew, async |bob, copy, data| {
        let mut source = bob.source(copy);
        let got = fetch(&mut source, 0..500).await.unwrap();
        assert!(got == data[..500]);
        let got = fetch(&mut source, 0..1_001).await;
        assert_eq!(got, Err(RangeError::Broken("closed too early".into())));
        assert!(bob.violations().too_few > 0);
    });
}

#[test]
fn an_uploader_that_does_not_stop_gives_the_file_and_no_more() {
    with(Fault::TooMany, async |bob, copy, data| {
        let mut source = bob.source(copy);
        let got = fetch(&mut source, SIZE as u64 - 1_000..SIZE as u64).await.unwrap();
        assert!(got == data[SIZE - 1_000..]);
    });
}
