//! The stream (TCP) by which ranges are handed over and values too large for a datagram travel.
//!
//! Frames: length (u32, of what follows), kind, content. The opener's first frame is [`Hello`] with the token its
//! datagrams' address was given; the other end answers [`Ready`] or [`Bye`]. A frame over the limit is refused from
//! its first four bytes.

use super::Error;
use super::contact::{Claim, read_vnode, write_vnode};
use super::header::{MAGIC, VERSION};
use super::layout::{Wire, codes, layout};
use super::message::{Cursor, Held, Pull, PutFlags, PutResult};
use super::record::MAX_IMMUTABLE;

/// Bytes of the length before a frame.
const PREFIX: usize = 4;
/// How every stream begins: the length and kind of a [`Hello`], and its magic; of it those are known who share a port with
/// other protocols.
pub const STREAM_START: [u8; 7] = {
    let [high, low] = MAGIC.to_be_bytes();
    [0, 0, 0, 24, 1, high, low]
};
/// Bytes of a frame at most, its length not counted: the largest record and what goes with it.
pub const MAX_FRAME: usize = MAX_IMMUTABLE + 256;

/// Who opens the stream; the address is that of the stream and the port below.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hello {
    /// Which ring.
    pub net_id: u32,
    /// Which of the opener's virtual nodes speaks, below 64.
    pub source: u8,
    /// Which of the other's virtual nodes is meant, below 64.
    pub destination: u8,
    /// Of the opener.
    pub incarnation: u32,
    /// The port of the opener's datagrams, to which the token was given; not 0.
    pub port: u16,
    /// That token.
    pub token: u64,
}

impl<'a> Wire<'a> for Hello {
    fn read(bytes: &mut &'a [u8]) -> Result<Self, Error> {
        if u16::read(bytes)? != MAGIC {
            return Err(Error::Magic);
        }
        let version = u8::read(bytes)?;
        if version != VERSION {
            return Err(Error::Version(version));
        }
        let net_id = u32::read(bytes)?;
        let (source, destination) = (read_vnode(bytes)?, read_vnode(bytes)?);
        let (incarnation, port) = (u32::read(bytes)?, u16::read(bytes)?);
        if port == 0 {
            return Err(Error::Address);
        }
        Ok(Self { net_id, source, destination, incarnation, port, token: u64::read(bytes)? })
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        if self.port == 0 {
            return Err(Error::Address);
        }
        MAGIC.write(out)?;
        VERSION.write(out)?;
        self.net_id.write(out)?;
        write_vnode(self.source, out)?;
        write_vnode(self.destination, out)?;
        self.incarnation.write(out)?;
        self.port.write(out)?;
        self.token.write(out)
    }
}

layout! {
    /// Answers [`Hello`].
    pub struct Ready {
        /// Of the sender.
        pub incarnation: u32,
        /// What it owns.
        pub claim: Claim,
    }

    /// Keep this; answered by [`FrameAck`].
    pub struct FramePut<'a> {
        /// Names it within the stream.
        pub number: u32,
        /// See [`PutFlags`].
        pub flags: PutFlags,
        /// Only if the stored version is this one.
        pub cas: Option<u64>,
        /// The record.
        pub held: Held<'a>,
    }

    /// Keep a copy; answered by [`FrameAck`].
    pub struct FrameCopy<'a> {
        /// Names it within the stream.
        pub number: u32,
        /// What the sender owns.
        pub claim: Claim,
        /// See [`PutFlags`].
        pub flags: PutFlags,
        /// The record.
        pub held: Held<'a>,
    }

    /// Answers [`FramePut`] (again whenever more copies are known) and [`FrameCopy`].
    pub struct FrameAck<'a> {
        /// Which.
        pub number: u32,
        /// What became of it.
        pub result: PutResult,
        /// What is stored instead.
        pub stored: Option<Held<'a>>,
    }

    /// The end of the records asked for by a `Pull`.
    pub struct End {
        /// Records sent for it.
        pub records: u32,
        /// Where to go on; none at the end of the range.
        pub next: Option<Cursor>,
    }

    /// The last frame of whoever closes the stream.
    pub struct Bye {
        /// Why.
        pub reason: ByeReason,
    }
}

codes! {
    /// Why a stream ends.
    pub enum ByeReason {
        /// All is done.
        Done = 0,
        /// The token is not (or no longer) good.
        Token = 1,
        /// Another ring, or no such virtual node here.
        Stranger = 2,
        /// Too much to do.
        Busy = 3,
        /// What was asked for is not the sender's to give.
        NotMine = 4,
        /// A frame could not be understood.
        Malformed = 5,
    }
}

macro_rules! frames {
    ($( $code:literal $name:ident($content:ty), )*) => {
        /// A frame.
        #[allow(missing_docs)] // The structures say it.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Frame<'a> { $( $name($content), )* }

        impl<'a> Frame<'a> {
            fn read(bytes: &mut &'a [u8]) -> Result<Self, Error> {
                match u8::read(bytes)? {
                    $( $code => Wire::read(bytes).map(Self::$name), )*
                    kind => Err(Error::Kind(kind)),
                }
            }

            fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
                match self { $( Self::$name(content) => {
                    out.push($code);
                    content.write(out)
                } )* }
            }
        }
    };
}

frames! {
    0x01 Hello(Hello),
    0x02 Ready(Ready),
    0x03 Put(FramePut<'a>),
    0x04 Copy(FrameCopy<'a>),
    0x05 Ack(FrameAck<'a>),
    0x06 Pull(Pull<'a>),
    0x07 Record(Held<'a>),
    0x08 End(End),
    0x09 Bye(Bye),
}

impl<'a> Frame<'a> {
    /// Decodes the first frame of a stream's bytes and says how many it took; none if it is not whole yet.
    pub fn decode(bytes: &'a [u8]) -> Result<Option<(Self, usize)>, Error> {
        let Some((length, rest)) = bytes.split_first_chunk::<PREFIX>() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| Error::TooLarge)?;
        if length > MAX_FRAME {
            return Err(Error::TooLarge);
        }
        let Some((mut content, _)) = rest.split_at_checked(length) else { return Ok(None) };
        let frame = Self::read(&mut content)?;
        if content.is_empty() { Ok(Some((frame, PREFIX + length))) } else { Err(Error::Trailing) }
    }

    /// Appends the frame; on failure `out` is as before.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        let start = out.len();
        out.extend_from_slice(&[0; PREFIX]);
        let length = self.write(out).and_then(|()| {
            let length = out.len() - start - PREFIX;
            if length > MAX_FRAME {
                Err(Error::TooLarge)
            } else {
                u32::try_from(length).map_err(|_| Error::TooLarge)
            }
        });
        match length {
            Ok(length) => out[start..start + PREFIX].copy_from_slice(&length.to_be_bytes()),
            Err(_) => out.truncate(start),
        }
        length.map(drop)
    }
}
