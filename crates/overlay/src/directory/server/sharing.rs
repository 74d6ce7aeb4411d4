//! Files offered and taken back (section 6, N8 to N10).
//!
//! Where we differ from both servers on purpose: sizes are 64 bits, so that 4 GiB is not 0; the joined name of an 870
//! is refused when it is too long, not cut, as nobody could ask for it by the cut one; names that the protocol cannot
//! express (quotes, line ends) are refused, not passed on broken. The md5 word is kept if it begins with 32
//! hexadecimal digits, by those (as G); other words are given back as 32 zeros, as ordinary builds do.

use super::people::PersonId;
use super::{Cx, Server, owner};
use crate::keyword_index::{Attributes, DocId, Entry, Kind};
use throng_wire::napster::{
    FileKind, ServerMessage, Share, ShareDirectory, ShareTyped, Text, round_bitrate, round_frequency,
};

/// The longest name of a file; bytes (N8).
const MAX_FILE_NAME: usize = 256;

/// A file as it was offered.
struct Offer<'a> {
    name: &'a [u8],
    md5: &'a [u8],
    attributes: Attributes,
}

impl<'a> Offer<'a> {
    fn of(share: &Share<'a>, name: &'a [u8], kind: Kind) -> Offer<'a> {
        let attributes = Attributes {
            kind,
            size: share.size,
            bitrate: round_bitrate(share.bitrate),
            frequency: round_frequency(share.frequency),
            duration: share.duration,
        };
        Offer { name, md5: share.md5, attributes }
    }
}

impl Server {
    pub(super) fn on_share(&mut self, who: PersonId, share: &Share<'_>, cx: &mut Cx<'_>) {
        if let Err(reason) = self.share(who, &Offer::of(share, share.name, Kind::Mp3)) {
            self.refuse_share(who, reason, cx);
        }
    }

    pub(super) fn on_share_typed(&mut self, who: PersonId, share: &ShareTyped<'_>, cx: &mut Cx<'_>) {
        let Some(kind) = FileKind::from_word(share.kind) else {
            return self.notice_parts(who, &[share.kind, b": invalid type"], cx);
        };
        let plain = Share {
            name: share.name,
            md5: share.md5,
            size: share.size,
            bitrate: 0,
            frequency: 0,
            duration: 0,
        };
        if let Err(reason) = self.share(who, &Offer::of(&plain, plain.name, index_kind(kind))) {
            self.refuse_share(who, reason, cx);
        }
    }

    pub(super) fn on_share_directory(&mut self, who: PersonId, run: &ShareDirectory<'_>, cx: &mut Cx<'_>) {
        let mut name = run.directory.to_vec();
        if name.last() != Some(&b'\\') {
            name.push(b'\\');
        }
        let directory = name.len();
        for file in run.files.iter() {
            let outcome = match file {
                Err(_) => Err("parameters are unparsable"),
                Ok(file) if file.size == 0 => Err("invalid size"),
                Ok(file) => {
                    name.truncate(directory);
                    name.extend_from_slice(file.name);
                    self.share(who, &Offer::of(&file, &name, Kind::Mp3))
                }
            };
            match outcome {
                Ok(()) => {}
                Err("duplicate file") => self.refuse_share(who, "Duplicate file", cx),
                Err(reason) => self.refuse_share(who, reason, cx),
            }
        }
    }

    fn share(&mut self, who: PersonId, offer: &Offer<'_>) -> Result<(), &'static str> {
        let Some(person) = self.people.get(who) else { return Ok(()) };
        if person.files >= self.config.max_files {
            return Err("too many files");
        }
        if offer.name.len() > MAX_FILE_NAME {
            return Err("filename too long");
        }
        if offer.name.is_empty() || offer.name.iter().any(|byte| matches!(byte, b'"' | b'\r' | b'\n' | 0)) {
            return Err("invalid filename");
        }
        if self.index.find(owner(who), offer.name).is_some() {
            return Err("duplicate file");
        }
        if person.files == 0 {
            self.index.set_speed(owner(who), person.speed.into());
        }
        let key = parse_md5(offer.md5);
        let key = key.as_ref().map_or(&[][..], |key| key);
        let entry = Entry { name: offer.name, key, attributes: offer.attributes };
        self.index.insert(owner(who), &entry).map_err(|_| "the server has no room for more files")?;
        let (files, bytes) = (person.files + 1, person.bytes.saturating_add(offer.attributes.size));
        self.people.set_shares(who, files, bytes);
        self.mark_untold(who);
        Ok(())
    }

    fn refuse_share(&mut self, who: PersonId, reason: &str, cx: &mut Cx<'_>) {
        self.metrics.shares_refused += 1;
        match reason {
            "too many files" => {
                let text = format!("You may only share {} files", self.config.max_files);
                self.notice(who, text.as_bytes(), cx);
            }
            reason => self.notice(who, reason.as_bytes(), cx),
        }
    }

    pub(super) fn on_unshare(&mut self, who: PersonId, name: &[u8], cx: &mut Cx<'_>) {
        let Some(doc) = self.index.find(owner(who), name) else {
            return self.notice(who, b"Not sharing that file", cx);
        };
        let size = self.index.with(doc, |hit| hit.entry.attributes.size).unwrap_or(0);
        self.index.remove(doc);
        let Some(person) = self.people.get(who) else { return };
        let (files, bytes) = (person.files.saturating_sub(1), person.bytes.saturating_sub(size));
        self.people.set_shares(who, files, bytes);
        self.mark_untold(who);
    }

    /// 110; answered with how many there were (G).
    pub(super) fn on_unshare_all(&mut self, who: PersonId, cx: &mut Cx<'_>) {
        let count = self.index.remove_owner(owner(who));
        self.people.set_shares(who, 0, 0);
        self.mark_untold(who);
        self.answer(who, &ServerMessage::UnsharedAll(Text { text: count.to_string().as_bytes() }), cx);
    }

    fn mark_untold(&mut self, who: PersonId) {
        if let Some(person) = self.people.get_mut(who) {
            person.untold = true;
        }
    }

    /// A user's file of that name, ASCII case aside.
    pub(super) fn shared_file(&self, who: PersonId, name: &[u8]) -> Option<DocId> {
        self.index.find(owner(who), name)
    }
}

pub(super) const fn index_kind(kind: FileKind) -> Kind {
    match kind {
        FileKind::Mp3 => Kind::Mp3,
        FileKind::Audio => Kind::Audio,
        FileKind::Video => Kind::Video,
        FileKind::Application => Kind::Application,
        FileKind::Image => Kind::Image,
        FileKind::Text => Kind::Text,
    }
}

/// The 16 bytes of an md5 word by its first 32 hexadecimal digits, as G; `None` for zeros and other words.
pub(super) fn parse_md5(word: &[u8]) -> Option<[u8; 16]> {
    let digits = word.first_chunk::<32>()?;
    let mut md5 = [0; 16];
    for (byte, pair) in md5.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |byte: u8| char::from(byte).to_digit(16);
        *byte = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
    }
    (md5 != [0; 16]).then_some(md5)
}

/// The md5 word of a key.
pub(super) fn md5_word(key: &[u8]) -> [u8; 32] {
    let mut word = [b'0'; 32];
    for (pair, byte) in word.chunks_exact_mut(2).zip(key) {
        let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_md5_word_is_kept_by_its_first_32_digits() {
        let word = b"62837DA508c5b15b6465453833176ef4-129148";
        let key = parse_md5(word).unwrap();
        assert_eq!(md5_word(&key), *b"62837da508c5b15b6465453833176ef4");
        for other in [&b"NOMD5COMPUTED"[..], b"0", b"", &[b'0'; 32], &[b'f'; 31], &[b'g'; 32]] {
            assert_eq!(parse_md5(other), None);
        }
        assert_eq!(md5_word(&[]), [b'0'; 32]);
    }
}
