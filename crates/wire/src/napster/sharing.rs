//! Offering files and taking them back (4.2, section 6).

use super::message::record;
use super::{Fields, NapsterError, Payload, Writer};

record! {
    /// One file of type mp3 (100), also a line of a direct browse (7.4).
    pub struct Share<'a> {
        /// Full path, opaque bytes.
        quoted name: &'a [u8],
        /// Any one word; ours is the beginning of the pieces root (section 12).
        word md5: &'a [u8],
        /// Bytes.
        long size: u64,
        /// kbit/s.
        number bitrate: u32,
        /// Hz.
        number frequency: u32,
        /// Seconds.
        number duration: u32,
    }
}

record! {
    /// Several files of one directory (870).
    pub struct ShareDirectory<'a> {
        /// The directory; a server adds `\` if it does not end in one.
        quoted directory: &'a [u8],
        /// The files, six fields each.
        files files: FileRun<'a>,
    }
}

record! {
    /// One file of any type (10300, OpenNap only).
    pub struct ShareTyped<'a> {
        /// Full path.
        quoted name: &'a [u8],
        /// Bytes.
        long size: u64,
        /// Any one word.
        word md5: &'a [u8],
        /// `audio`, `video`, `application`, `image`, `text`; see [`FileKind`](super::FileKind).
        word kind: &'a [u8],
    }
}

record! {
    /// Take a file back (102); the name is not quoted and runs to the end.
    pub struct Unshare<'a> {
        /// Full path as it was shared.
        raw name: &'a [u8],
    }
}

/// A run of files as it lies in a frame: six fields each to the end of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FileRun<'a>(pub &'a [u8]);

impl<'a> FileRun<'a> {
    /// The files in order; ends with an error if the last group is not whole.
    pub fn iter(self) -> Files<'a> {
        Files(Fields::new(self.0))
    }

    /// Appends one more file to the text of a run, with a space between; `Unwritable` leaves it as it was.
    pub fn push(run: &mut Vec<u8>, file: &Share<'_>) -> Result<(), NapsterError> {
        let start = run.len();
        if start > 0 {
            run.push(b' ');
        }
        let mut writer = Writer::new(run);
        file.write(&mut writer);
        let written = writer.finish();
        if written.is_err() {
            run.truncate(start);
        }
        written
    }
}

/// Files of a run; their names are relative to its directory.
#[derive(Debug, Clone)]
pub struct Files<'a>(Fields<'a>);

impl<'a> Iterator for Files<'a> {
    type Item = Result<Share<'a>, NapsterError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut ahead = self.0;
        ahead.next_field()?;
        let file = Share::parse(&mut self.0);
        if file.is_err() {
            self.0 = Fields::new(&[]);
        }
        Some(file)
    }
}
