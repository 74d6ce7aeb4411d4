//! How values lie in bytes: big-endian numbers, tagged options, counted lists, everything in one form only.
//!
//! Lists are not copied: [`List`] is a view, of a slice when a message is built and of the bytes when it was received.
//! Every element is checked when the message is decoded, so that iterating cannot fail. Nothing is allocated.

use super::Error;
use super::id::RingId;
use std::fmt;

/// A value with one encoding.
pub trait Wire<'a>: Copy {
    /// Takes the value off the front of `bytes`.
    fn read(bytes: &mut &'a [u8]) -> Result<Self, Error>;
    /// Appends the value; fails if it has no encoding.
    fn write(&self, out: &mut Vec<u8>) -> Result<(), Error>;
}

/// A value that may be in a [`List`].
pub trait Item<'a>: Wire<'a> {
    /// Entries a list of them may have at most; at most 255.
    const MAX: usize;
}

/// Takes `len` bytes off the front.
pub(super) fn take<'a>(bytes: &mut &'a [u8], len: usize) -> Result<&'a [u8], Error> {
    let (head, rest) = bytes.split_at_checked(len).ok_or(Error::Truncated)?;
    *bytes = rest;
    Ok(head)
}

/// Takes an array off the front, without copying it.
#[inline]
fn take_array<'a, const N: usize>(bytes: &mut &'a [u8]) -> Result<&'a [u8; N], Error> {
    let (head, rest) = bytes.split_first_chunk().ok_or(Error::Truncated)?;
    *bytes = rest;
    Ok(head)
}

macro_rules! number {
    ($($t:ty)*) => {$(
        impl<'a> Wire<'a> for $t {
            fn read(bytes: &mut &'a [u8]) -> Result<Self, Error> {
                take_array(bytes).map(|array| Self::from_be_bytes(*array))
            }

            fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
                out.extend_from_slice(&self.to_be_bytes());
                Ok(())
            }
        }
    )*};
}

number!(u8 u16 u32 u64 i64);

impl<'a> Wire<'a> for bool {
    fn read(bytes: &mut &'a [u8]) -> Result<Self, Error> {
        match u8::read(bytes)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Error::Value),
        }
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        u8::from(*self).write(out)
    }
}

impl<'a, const N: usize> Wire<'a> for [u8; N] {
    fn read(bytes: &mut &'a [u8]) -> Result<Self, Error> {
        take_array(bytes).copied()
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        out.extend_from_slice(self);
        Ok(())
    }
}

impl<'a, const N: usize> Wire<'a> for &'a [u8; N] {
    fn read(bytes: &mut &'a [u8]) -> Result<Self, Error> {
        take_array(bytes)
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        out.extend_from_slice(*self);
        Ok(())
    }
}

/// Bytes behind their number in 16 bits.
impl<'a> Wire<'a> for &'a [u8] {
    fn read(bytes: &mut &'a [u8]) -> Result<Self, Error> {
        let len = u16::read(bytes)?;
        take(bytes, usize::from(len))
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        u16::try_from(self.len()).map_err(|_| Error::TooLarge)?.write(out)?;
        out.extend_from_slice(self);
        Ok(())
    }
}

impl<'a> Wire<'a> for RingId {
    fn read(bytes: &mut &'a [u8]) -> Result<Self, Error> {
        <[u8; 20]>::read(bytes).map(Self)
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        self.0.write(out)
    }
}

impl<'a, T: Wire<'a>> Wire<'a> for Option<T> {
    fn read(bytes: &mut &'a [u8]) -> Result<Self, Error> {
        Ok(if bool::read(bytes)? { Some(T::read(bytes)?) } else { None })
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        self.is_some().write(out)?;
        self.as_ref().map_or(Ok(()), |value| value.write(out))
    }
}

/// A list of a message: a slice if it is to be sent, a checked stretch of the datagram if it was received.
#[derive(Clone, Copy)]
pub struct List<'a, T>(Repr<'a, T>);

#[derive(Clone, Copy)]
enum Repr<'a, T> {
    Slice(&'a [T]),
    Wire { bytes: &'a [u8], count: u8 },
}

impl<'a, T: Item<'a>> List<'a, T> {
    /// A list to be sent.
    pub const fn new(items: &'a [T]) -> Self {
        Self(Repr::Slice(items))
    }

    /// Entries.
    pub const fn len(&self) -> usize {
        match self.0 {
            Repr::Slice(items) => items.len(),
            Repr::Wire { count, .. } => count as usize,
        }
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries in order.
    pub const fn iter(&self) -> Iter<'a, T> {
        Iter(self.0)
    }

    /// The entries, copied.
    pub fn to_vec(&self) -> Vec<T> {
        self.iter().collect()
    }

    /// The first entries of a slice that are encoded in at most `budget` bytes, their count included.
    ///
    /// What a page holds; fails if an entry has no encoding.
    pub fn fitting(items: &'a [T], budget: usize) -> Result<Self, Error> {
        let mut scratch = Vec::new();
        let mut fit = 0;
        for item in items.iter().take(T::MAX) {
            item.write(&mut scratch)?;
            if scratch.len() + 1 > budget {
                break;
            }
            fit += 1;
        }
        Ok(Self::new(&items[..fit]))
    }
}

impl<T> Default for List<'_, T> {
    fn default() -> Self {
        Self(Repr::Slice(&[]))
    }
}

impl<'a, T: Item<'a>> From<&'a [T]> for List<'a, T> {
    fn from(items: &'a [T]) -> Self {
        Self::new(items)
    }
}

impl<'a, T: Item<'a>, const N: usize> From<&'a [T; N]> for List<'a, T> {
    fn from(items: &'a [T; N]) -> Self {
        Self::new(items)
    }
}

impl<'a, T: Item<'a>> From<&'a Vec<T>> for List<'a, T> {
    fn from(items: &'a Vec<T>) -> Self {
        Self::new(items)
    }
}

impl<'a, T: Item<'a>> IntoIterator for List<'a, T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<'a, T: Item<'a> + PartialEq> PartialEq for List<'a, T> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<'a, T: Item<'a> + Eq> Eq for List<'a, T> {}

impl<'a, T: Item<'a> + fmt::Debug> fmt::Debug for List<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a, T: Item<'a>> Wire<'a> for List<'a, T> {
    fn read(bytes: &mut &'a [u8]) -> Result<Self, Error> {
        let count = u8::read(bytes)?;
        if usize::from(count) > T::MAX {
            return Err(Error::TooMany);
        }
        let start = *bytes;
        for _ in 0..count {
            T::read(bytes)?;
        }
        let bytes = &start[..start.len() - bytes.len()];
        Ok(Self(Repr::Wire { bytes, count }))
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        let count = u8::try_from(self.len()).ok().filter(|count| usize::from(*count) <= T::MAX);
        count.ok_or(Error::TooMany)?.write(out)?;
        match self.0 {
            Repr::Slice(items) => items.iter().try_for_each(|item| item.write(out)),
            Repr::Wire { bytes, .. } => {
                out.extend_from_slice(bytes);
                Ok(())
            }
        }
    }
}

/// The entries of a [`List`], in order.
#[derive(Clone, Debug)]
pub struct Iter<'a, T>(Repr<'a, T>);

impl<T: fmt::Debug> fmt::Debug for Repr<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slice(items) => items.fmt(f),
            Self::Wire { count, .. } => write!(f, "{count} entries"),
        }
    }
}

impl<'a, T: Item<'a>> Iterator for Iter<'a, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        match &mut self.0 {
            Repr::Slice(items) => {
                let (first, rest) = items.split_first()?;
                *items = rest;
                Some(*first)
            }
            Repr::Wire { bytes, count } => {
                *count = count.checked_sub(1)?;
                // Checked when the message was decoded.
                T::read(bytes).ok()
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = match self.0 {
            Repr::Slice(items) => items.len(),
            Repr::Wire { count, .. } => usize::from(count),
        };
        (len, Some(len))
    }
}

impl<'a, T: Item<'a>> ExactSizeIterator for Iter<'a, T> {}

/// Declares structures whose encoding is that of their fields in order.
macro_rules! layout {
    ($( $(#[$meta:meta])* pub struct $name:ident $(<$life:lifetime>)? {
        $( $(#[$field_meta:meta])* pub $field:ident: $type:ty, )*
    } )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub struct $name $(<$life>)? { $( $(#[$field_meta])* pub $field: $type, )* }
        $crate::chord::layout::layout!(@wire $name $(<$life>)? { $($field)* });
    )*};
    (@wire $name:ident { $($field:ident)* }) => {
        impl<'a> $crate::chord::layout::Wire<'a> for $name {
            $crate::chord::layout::layout!(@body 'a { $($field)* });
        }
    };
    (@wire $name:ident<$life:lifetime> { $($field:ident)* }) => {
        impl<$life> $crate::chord::layout::Wire<$life> for $name<$life> {
            $crate::chord::layout::layout!(@body $life { $($field)* });
        }
    };
    (@body $life:lifetime { $($field:ident)* }) => {
        #[allow(unused_variables)]
        fn read(bytes: &mut &$life [u8]) -> Result<Self, $crate::chord::Error> {
            Ok(Self { $( $field: $crate::chord::layout::Wire::read(bytes)?, )* })
        }

        #[allow(unused_variables)]
        fn write(&self, out: &mut Vec<u8>) -> Result<(), $crate::chord::Error> {
            $( $crate::chord::layout::Wire::write(&self.$field, out)?; )*
            Ok(())
        }
    };
}

/// Declares enumerations encoded as one byte.
macro_rules! codes {
    ($( $(#[$meta:meta])* pub enum $name:ident {
        $( $(#[$variant_meta:meta])* $variant:ident = $code:literal, )*
    } )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum $name { $( $(#[$variant_meta])* $variant = $code, )* }

        impl $name {
            /// Every one, in the order of their codes.
            pub const ALL: &'static [Self] = &[$( Self::$variant, )*];
        }

        impl<'a> $crate::chord::layout::Wire<'a> for $name {
            fn read(bytes: &mut &'a [u8]) -> Result<Self, $crate::chord::Error> {
                match <u8 as $crate::chord::layout::Wire<'a>>::read(bytes)? {
                    $( $code => Ok(Self::$variant), )*
                    _ => Err($crate::chord::Error::Value),
                }
            }

            fn write(&self, out: &mut Vec<u8>) -> Result<(), $crate::chord::Error> {
                out.push(*self as u8);
                Ok(())
            }
        }
    )*};
}

pub(super) use {codes, layout};
