//! A fetch beside an honest seed and a scripted peer, and what must come of it.

use crate::gate::{self, Key};
use crate::peer::Scripted;
use crate::program::{Place, noise};
use serde_json::Value;
use std::net::TcpListener;
use throng_wire::peer::Block;

/// Bytes of the file: sixteen pieces of eight blocks.
pub(crate) const LENGTH: usize = 2 << 20;
pub(crate) const PIECE_LENGTH: usize = 128 << 10;
pub(crate) const BLOCK: usize = 16 << 10;

/// The file everybody wants.
pub(crate) fn file() -> Vec<u8> {
    noise(LENGTH, 77)
}

/// What a block of the file really holds.
pub(crate) fn truth(block: Block) -> Vec<u8> {
    let begin = block.piece as usize * PIECE_LENGTH + block.begin as usize;
    file()[begin..begin + block.length as usize].to_vec()
}

/// A folder with the file and a torrent of it.
pub(crate) fn published(format: &str) -> Place {
    let place = Place::new();
    place.write("file", &file());
    place.publish("file", "t.torrent", &["--format", format, "--piece-length", "128KiB"]);
    place
}

/// How a fetch ended.
pub(crate) struct Ending {
    hostile: String,
    shut_out: Vec<String>,
    complete: Value,
}

impl Ending {
    /// Fails unless the scripted peer was named, for this, and nobody else was.
    pub(crate) fn assert_named(&self, deed: &str) {
        let [notice] = &self.shut_out[..] else { panic!("{:#?}", self.shut_out) };
        for word in [self.hostile.as_str(), deed] {
            assert!(notice.contains(word), "{word:?} is not in {notice:?}");
        }
    }

    /// Fails if anybody was shut out.
    pub(crate) fn assert_nobody_named(&self) {
        assert!(self.shut_out.is_empty(), "{:#?}", self.shut_out);
    }

    /// Bytes fetched that the file did not need.
    pub(crate) fn excess(&self) -> usize {
        self.complete["downloaded"].as_u64().unwrap() as usize - LENGTH
    }

    /// How long the fetch took, as the program says.
    pub(crate) fn seconds(&self) -> f64 {
        self.complete["seconds"].as_f64().unwrap()
    }
}

/// Fetches from `script` and, once that has dropped its key, from an honest seed; the copy must be right.
pub(crate) fn fetch_beside(format: &str, script: impl FnOnce(Scripted, Key) + Send + 'static) -> Ending {
    let place = published(format);
    let (_seed, seed_at) = place.seed("t.torrent", ".", &[]);
    let (honest, key) = gate::before(&seed_at);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let hostile = listener.local_addr().unwrap().to_string();
    let scripted = std::thread::spawn(move || script(Scripted::answer(listener), key));
    let arguments = ["fetch", "t.torrent", "-o", "out", "--listen", "127.0.0.1:0"];
    let peers = ["--peer", hostile.as_str(), "--peer", honest.as_str()];
    let mut fetch = place.start("home-fetch", &[&arguments[..], &peers].concat());
    let mut shut_out = Vec::new();
    let complete = fetch.line("the end of the fetch", |line| {
        let object: Value = serde_json::from_str(line).ok()?;
        shut_out.extend(object["text"].as_str().filter(|text| text.contains("shut out")).map(str::to_owned));
        (object["event"] == "complete").then_some(object)
    });
    assert_eq!(fetch.wait(), 0);
    scripted.join().unwrap();
    assert!(std::fs::read(place.path("out/file")).unwrap() == file(), "the copy is wrong");
    Ending { hostile, shut_out, complete }
}
