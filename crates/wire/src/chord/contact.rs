//! Who is meant: a virtual node's address, index and incarnation (chord.md 1.3), and what it claims to own (2.9).

use super::Error;
use super::id::{IdRule, MAX_VNODES, RingId, own};
use super::layout::{Item, List, Wire, codes, layout};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const FAMILY_V4: u8 = 4;
const FAMILY_V6: u8 = 6;

/// A virtual node; 12 bytes with an IPv4 address, 24 with an IPv6 one.
///
/// Two of equal address and index but different incarnation are different nodes; the lower one is dead.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Contact {
    /// Where its host is reached; never an IPv4-mapped IPv6 address.
    pub address: SocketAddr,
    /// Which of the host's nodes, below 64.
    pub vnode: u8,
    /// When its process started, in seconds, kept growing over restarts.
    pub incarnation: u32,
}

impl Contact {
    /// A contact, its address in the shortest form.
    pub fn new(address: SocketAddr, vnode: u8, incarnation: u32) -> Self {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        Self { address, vnode, incarnation }
    }

    /// Its place on the ring; none if the rule allows no such index.
    pub fn id(&self, rule: IdRule) -> Option<RingId> {
        rule.id(self.address, self.vnode)
    }
}

/// Contacts of a message.
pub type Contacts<'a> = List<'a, Contact>;

impl Item<'_> for Contact {
    /// More do not fit into a datagram.
    const MAX: usize = 100;
}

/// Whether somebody can be reached at an IPv4 address.
#[inline]
const fn is_possible_v4(ip: Ipv4Addr) -> bool {
    !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast()
}

/// Whether somebody can be reached at an IPv6 address; mapped ones are to be written as IPv4.
#[inline]
const fn is_possible_v6(ip: Ipv6Addr) -> bool {
    !ip.is_unspecified() && !ip.is_multicast() && ip.to_ipv4_mapped().is_none()
}

/// Decoding contacts is most of the work of a simulated ring, hence in as few steps as possible.
impl<'a> Wire<'a> for SocketAddr {
    #[inline]
    fn read(bytes: &mut &'a [u8]) -> Result<Self, Error> {
        let (ip, port, possible) = match u8::read(bytes)? {
            FAMILY_V4 => {
                let [a, b, c, d, high, low] = <[u8; 6]>::read(bytes)?;
                let ip = Ipv4Addr::new(a, b, c, d);
                (IpAddr::V4(ip), u16::from_be_bytes([high, low]), is_possible_v4(ip))
            }
            FAMILY_V6 => {
                let [ip @ .., high, low] = <[u8; 18]>::read(bytes)?;
                let ip = Ipv6Addr::from(ip);
                (IpAddr::V6(ip), u16::from_be_bytes([high, low]), is_possible_v6(ip))
            }
            _ => return Err(Error::Address),
        };
        if possible && port != 0 { Ok(Self::new(ip, port)) } else { Err(Error::Address) }
    }

    #[inline]
    fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        let [high, low] = self.port().to_be_bytes();
        match self.ip().to_canonical() {
            IpAddr::V4(ip) if is_possible_v4(ip) && self.port() != 0 => {
                let [a, b, c, d] = ip.octets();
                out.extend_from_slice(&[FAMILY_V4, a, b, c, d, high, low]);
                Ok(())
            }
            IpAddr::V6(ip) if is_possible_v6(ip) && self.port() != 0 => {
                out.push(FAMILY_V6);
                out.extend_from_slice(&ip.octets());
                out.extend_from_slice(&[high, low]);
                Ok(())
            }
            _ => Err(Error::Address),
        }
    }
}

impl Item<'_> for SocketAddr {
    /// Addresses one provider may announce.
    const MAX: usize = 8;
}

impl<'a> Wire<'a> for Contact {
    #[inline]
    fn read(bytes: &mut &'a [u8]) -> Result<Self, Error> {
        let address = SocketAddr::read(bytes)?;
        let [vnode, incarnation @ ..] = <[u8; 5]>::read(bytes)?;
        let incarnation = u32::from_be_bytes(incarnation);
        if vnode < MAX_VNODES { Ok(Self { address, vnode, incarnation }) } else { Err(Error::Vnode(vnode)) }
    }

    #[inline]
    fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        self.address.write(out)?;
        if self.vnode >= MAX_VNODES {
            return Err(Error::Vnode(self.vnode));
        }
        let [a, b, c, d] = self.incarnation.to_be_bytes();
        out.extend_from_slice(&[self.vnode, a, b, c, d]);
        Ok(())
    }
}

/// An index below 64.
pub(super) fn read_vnode(bytes: &mut &[u8]) -> Result<u8, Error> {
    let vnode = u8::read(bytes)?;
    if vnode < MAX_VNODES { Ok(vnode) } else { Err(Error::Vnode(vnode)) }
}

/// An index below 64.
pub(super) fn write_vnode(vnode: u8, out: &mut Vec<u8>) -> Result<(), Error> {
    if vnode < MAX_VNODES { vnode.write(out) } else { Err(Error::Vnode(vnode)) }
}

/// What a node says it owns: `(low, itself]` while it is active, nothing before (2.9).
///
/// A node alone has its own id as `low` and owns the whole ring.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Claim {
    /// It owns nothing yet.
    #[default]
    Inactive,
    /// It owns what lies after `low` up to itself.
    Active {
        /// Where its range begins, exclusive.
        low: RingId,
        /// Grows whenever the range changes.
        epoch: u32,
    },
}

impl Claim {
    /// Whether anything is owned.
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Active { .. })
    }

    /// Where the range begins, exclusive; none while nothing is owned.
    pub const fn low(self) -> Option<RingId> {
        match self {
            Self::Inactive => None,
            Self::Active { low, .. } => Some(low),
        }
    }

    /// Whether the node with this claim and the id `me` owns a key.
    pub fn owns(self, me: RingId, key: RingId) -> bool {
        self.low().is_some_and(|low| own(low, key, me))
    }
}

impl<'a> Wire<'a> for Claim {
    fn read(bytes: &mut &'a [u8]) -> Result<Self, Error> {
        Ok(if bool::read(bytes)? {
            Self::Active { low: RingId::read(bytes)?, epoch: u32::read(bytes)? }
        } else {
            Self::Inactive
        })
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        self.is_active().write(out)?;
        match self {
            Self::Inactive => Ok(()),
            Self::Active { low, epoch } => {
                low.write(out)?;
                epoch.write(out)
            }
        }
    }
}

layout! {
    /// A node and what it last said it owns.
    pub struct Neighbour {
        /// The node.
        pub contact: Contact,
        /// What it owns.
        pub claim: Claim,
    }
}

impl Item<'_> for Neighbour {
    /// Predecessors are known up to R; a few more are allowed for a larger R.
    const MAX: usize = 16;
}

codes! {
    /// How a node takes part (2.5).
    pub enum Mode {
        /// Alone; it owns everything.
        Solo = 0,
        /// One of so few that each knows all.
        Small = 1,
        /// One of many.
        Ring = 2,
        /// Of no ring at the moment: it looks for one and keeps its data.
        Joining = 3,
        /// Most of its neighbours are unreachable at once; it answers for nobody.
        Detached = 4,
    }
}
