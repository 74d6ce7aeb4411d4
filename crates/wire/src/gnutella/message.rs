//! A payload by its kind.

use super::{
    Bye, Error, Header, Kind, Ping, Pong, Push, QrpError, QrpMessage, Query, QueryHit, VendorMessage,
};

/// A message of a link or a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message<'a> {
    /// Asks for addresses.
    Ping(Ping<'a>),
    /// Answers with one.
    Pong(Pong<'a>),
    /// Ends the link.
    Bye(Bye<'a>),
    /// A route table's message, or what is wrong with it.
    Qrp(Result<QrpMessage<'a>, QrpError>),
    /// A vendor's message.
    Vendor(VendorMessage<'a>),
    /// Asks for a call.
    Push(Push<'a>),
    /// A search.
    Query(Query<'a>),
    /// Its hits.
    QueryHit(QueryHit<'a>),
    /// To be skipped.
    Other(&'a [u8]),
}

impl<'a> Message<'a> {
    /// Reads a payload.
    pub fn parse(header: &Header, payload: &'a [u8]) -> Result<Message<'a>, Error> {
        Ok(match header.kind {
            Kind::Ping => Message::Ping(Ping::parse(payload)),
            Kind::Pong => Message::Pong(Pong::parse(payload)?),
            Kind::Bye => Message::Bye(Bye::parse(payload)?),
            Kind::Qrp => Message::Qrp(QrpMessage::parse(payload)),
            Kind::Vendor => Message::Vendor(VendorMessage::parse(payload)?),
            Kind::Push => Message::Push(Push::parse(payload)?),
            Kind::Query => Message::Query(Query::parse(payload)?),
            Kind::QueryHit => Message::QueryHit(QueryHit::parse(payload)?),
            Kind::Hsep | Kind::Other(_) => Message::Other(payload),
        })
    }
}
