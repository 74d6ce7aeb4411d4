//! How messages are declared: a record of fields, each with the codec that reads and writes it, and a table of types.
//!
//! The codec of a field is the name of a method of both [`Fields`] and [`Writer`]: `word`, `quoted`, `number` …

use super::{Fields, NapsterError, Writer};

/// What the data of a frame holds.
pub trait Payload<'a>: Sized {
    /// Reads the known fields; more may follow and are ignored.
    fn parse(fields: &mut Fields<'a>) -> Result<Self, NapsterError>;
    /// Writes the fields; an error stays in the writer.
    fn write(&self, writer: &mut Writer<'_>);
}

/// Declares a message of one line of fields.
macro_rules! record {
    (@impl [$($life:lifetime)?] $payload:lifetime $name:ident { $($codec:ident $field:ident),* }) => {
        impl<$payload> $crate::napster::Payload<$payload> for $name$(<$life>)? {
            fn parse(fields: &mut $crate::napster::Fields<$payload>) -> Result<Self, $crate::napster::NapsterError> {
                Ok(Self { $($field: fields.$codec()?),* })
            }
            fn write(&self, writer: &mut $crate::napster::Writer<'_>) {
                $(writer.$codec(self.$field);)*
            }
        }
    };
    ($(#[$meta:meta])* pub struct $name:ident<'a> {
        $($(#[$doc:meta])* $codec:ident $field:ident: $type:ty),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name<'a> { $($(#[$doc])* pub $field: $type),* }
        $crate::napster::message::record!(@impl ['a] 'a $name { $($codec $field),* });
    };
    ($(#[$meta:meta])* pub struct $name:ident {
        $($(#[$doc:meta])* $codec:ident $field:ident: $type:ty),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name { $($(#[$doc])* pub $field: $type),* }
        $crate::napster::message::record!(@impl [] 'a $name { $($codec $field),* });
    };
}

/// Declares the messages of one direction: type number, variant, payload.
macro_rules! messages {
    ($(#[$meta:meta])* pub enum $name:ident<'a> {
        $($(#[$doc:meta])* $code:literal => $variant:ident $(($bind:ident: $payload:ty))?,)*
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name<'a> {
            $($(#[$doc])* $variant $(($payload))?,)*
            /// A type that means nothing in this direction.
            Other($crate::napster::Frame<'a>),
        }

        impl<'a> $name<'a> {
            /// Reads a frame; `MissingField`, `NotANumber` or `OutOfRange` if its fields are not what its type needs.
            pub fn decode(frame: $crate::napster::Frame<'a>) -> Result<Self, $crate::napster::NapsterError> {
                Ok(match frame.kind {
                    $($code => $name::$variant $(({
                        <$payload as $crate::napster::Payload<'a>>::parse(&mut $crate::napster::Fields::new(frame.data))?
                    }))?,)*
                    _ => $name::Other(frame),
                })
            }

            /// The type number.
            pub fn kind(&self) -> u16 {
                match self {
                    $($name::$variant { .. } => $code,)*
                    $name::Other(frame) => frame.kind,
                }
            }

            /// Appends the frame; `Unwritable` or `TooLong` if it cannot be expressed, with nothing appended.
            pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), $crate::napster::NapsterError> {
                $crate::napster::frame::write_frame(out, self.kind(), |out| {
                    let mut writer = $crate::napster::Writer::new(out);
                    match self {
                        $($name::$variant $(($bind))? => { $($crate::napster::Payload::write($bind, &mut writer);)? })*
                        $name::Other(frame) => writer.binary(frame.data),
                    }
                    writer.finish()
                })
            }
        }
    };
}

pub(super) use {messages, record};

record! {
    /// A nick (or channel, or server) alone in its frame.
    pub struct Nick<'a> {
        /// Whom it is about.
        alone nick: &'a [u8],
    }
}

record! {
    /// Free text; may be empty.
    pub struct Text<'a> {
        /// The text.
        raw text: &'a [u8],
    }
}

record! {
    /// A number alone in its frame.
    pub struct Number {
        /// The number.
        number value: u32,
    }
}

record! {
    /// A nick and free text.
    pub struct NickText<'a> {
        /// To or from whom.
        word nick: &'a [u8],
        /// The rest behind one space.
        text text: &'a [u8],
    }
}
