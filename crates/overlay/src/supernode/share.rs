//! Files and searches of this node in FastTrack's words; the same for both roles.

use super::magnet;
use crate::discovery::Item;
use std::net::SocketAddr;
use throng_wire::fasttrack::{
    self, Comparison, FtHash, Media, Query, Share, TagKind, TagsWriter, Term, Terms,
};

/// Bytes of a file's name at most; the extension is kept.
const MAX_NAME: usize = 255;

/// Shows the share of an item; `None` if it has no FTHash, without which FastTrack cannot name it.
pub(super) fn with<T>(
    item: &Item,
    swarm: Option<SocketAddr>,
    act: impl FnOnce(&Share<'_>) -> T,
) -> Option<T> {
    let hash = FtHash(item.ft_hash?);
    let name = base_name(&item.title);
    let mut tags = TagsWriter::default();
    tags.text(TagKind::FILE_NAME, name.as_bytes());
    if name != item.title {
        // Words of its folders find it too.
        tags.text(TagKind::KEYWORDS, &item.title.as_bytes()[..item.title.len().min(MAX_NAME)]);
    }
    if let Some(magnet) = magnet::write(item, swarm) {
        tags.text(TagKind::MAGNET, &magnet);
    }
    let item = fasttrack::Item { hash, file_id: hash.checksum().into(), size: item.size, tags: tags.tags() };
    Some(act(&Share { media: media_of(name), item }))
}

/// A search for words.
pub(super) fn terms_of_words<'a>(words: &[String], into: &'a mut Vec<u8>) -> Terms<'a> {
    let text = words.join(" ");
    let term = Term { comparison: Comparison::Contains, field: TagKind::ANY, data: text.as_bytes() };
    Query::write_terms(&[term], into)
}

/// A search for a content: by its root if it has one, for that names all of it, else by FTHash.
pub(super) fn terms_of_content<'a>(item: &Item, into: &'a mut Vec<u8>) -> Option<Terms<'a>> {
    let (field, data) = match (&item.root, &item.ft_hash) {
        (Some(root), _) => (TagKind::MAGNET, &root[..]),
        (None, Some(hash)) => (TagKind::HASH, &hash[..]),
        (None, None) => return None,
    };
    Some(Query::write_terms(&[Term { comparison: Comparison::Equals, field, data }], into))
}

/// The last part of a path, cut to what others show.
fn base_name(title: &str) -> &str {
    let name = title.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or(title);
    let mut end = name.len().min(MAX_NAME);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

fn media_of(name: &str) -> Media {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
    match extension.as_str() {
        "mp3" | "ogg" | "oga" | "opus" | "flac" | "wav" | "wma" | "m4a" | "aac" | "aiff" | "mid" => {
            Media::Audio
        }
        "avi" | "mpg" | "mpeg" | "mp4" | "mkv" | "mov" | "wmv" | "asf" | "webm" | "ogv" => Media::Video,
        "jpg" | "jpeg" | "png" | "gif" | "bmp" | "tif" | "tiff" | "webp" | "svg" => Media::Image,
        "txt" | "pdf" | "doc" | "docx" | "odt" | "rtf" | "htm" | "html" | "epub" | "md" => Media::Document,
        "exe" | "msi" | "zip" | "rar" | "7z" | "iso" | "tar" | "gz" | "xz" | "deb" | "rpm" => Media::Software,
        _ => Media::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_shared_by_its_base_name_and_found_by_its_folders() {
        let item = Item { title: "Moon/Night Song.mp3".into(), ft_hash: Some([1; 20]), ..Item::default() };
        with(&item, None, |share| {
            assert_eq!(share.media, Media::Audio);
            let name = share.item.tags.find(TagKind::FILE_NAME).map(|tag| tag.data);
            assert_eq!(name, Some(&b"Night Song.mp3"[..]));
            assert!(share.item.tags.find(TagKind::KEYWORDS).is_some());
            assert!(share.item.tags.find(TagKind::MAGNET).is_none(), "nothing is known beyond FTHash");
        })
        .expect("it has a hash");
        assert!(with(&Item::default(), None, |_| ()).is_none());
        assert_eq!(base_name(&"é".repeat(200)).len(), 254);
    }
}
