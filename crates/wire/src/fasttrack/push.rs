//! Asking a node behind a firewall to connect (type 0D, different in each direction).

use super::Error;
use super::number::{address, put_address, u32};
use std::net::SocketAddrV4;

/// From a node to its supernode: make that node call me.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PushRequest<'a> {
    /// Returned in the call: `GIVE id`.
    pub id: u32,
    /// Where to call.
    pub from: SocketAddrV4,
    /// Who is to call, as the hit named it.
    pub target: SocketAddrV4,
    /// Its supernode, as the reply named it.
    pub supernode: SocketAddrV4,
    /// Its user's name.
    pub user: &'a [u8],
}

impl<'a> PushRequest<'a> {
    /// Reads the body.
    pub fn parse(mut body: &'a [u8]) -> Result<PushRequest<'a>, Error> {
        let bytes = &mut body;
        let id = u32(bytes)?;
        let (from, target, supernode) = (address(bytes)?, address(bytes)?, address(bytes)?);
        Ok(PushRequest { id, from, target, supernode, user: bytes })
    }

    /// Appends the body.
    pub fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id.to_be_bytes());
        [self.from, self.target, self.supernode].iter().for_each(|address| put_address(out, *address));
        out.extend_from_slice(self.user);
    }
}

/// From a supernode to its node: call there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PushOrder {
    /// To be said in the call.
    pub id: u32,
    /// Where to call.
    pub to: SocketAddrV4,
}

impl PushOrder {
    /// Reads the body.
    pub fn parse(mut body: &[u8]) -> Result<PushOrder, Error> {
        let bytes = &mut body;
        Ok(PushOrder { id: u32(bytes)?, to: address(bytes)? })
    }

    /// Appends the body.
    pub fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id.to_be_bytes());
        put_address(out, self.to);
    }
}
