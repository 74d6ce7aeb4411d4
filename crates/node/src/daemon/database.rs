//! The ring as a database: requests of the API in its terms, and its answers and failures as people read them.

use super::report::{Bytes, GetAnswer, GetRequest, PutAnswer, PutRequest, StoredValue};
use super::request::{Refused, Reply, Why};
use super::system::System;
use crate::{text, units};
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use std::rc::Rc;
use std::time::Duration;
use throng_overlay::chord::{Failure, Put, Value, Want};
use tokio::task::spawn_local;

/// How long a value is kept unless said; the ring's own figure for values that change.
const TTL: Duration = Duration::from_secs(86_400);
/// Bytes of a key; the ring's limit.
const MAX_KEY: usize = 255;
/// Bytes of a value; the ring's limit.
const MAX_VALUE: usize = 1_000;

type Store = Result<Rc<dyn System>, &'static str>;

/// Stores, and answers when that is done.
pub(super) fn put(store: Store, request: PutRequest, reply: Reply<PutAnswer>) {
    let work = usable(store).and_then(|store| Ok((store, as_put(request)?)));
    let work = work.and_then(|(store, put)| match store.database() {
        Some(database) => Ok(database.put(put)),
        None => Err(nowhere()),
    });
    match work {
        Err(refused) => _ = reply.send(Err(refused)),
        Ok(work) => {
            _ = spawn_local(async move {
                let answer =
                    work.await.map(|kept| PutAnswer { copies: kept.copies, of: kept.of, seq: kept.seq });
                let _ = reply.send(answer.map_err(refusal));
            })
        }
    }
}

/// Reads, and answers when that is done.
pub(super) fn get(store: Store, request: GetRequest, reply: Reply<GetAnswer>) {
    let key = request.key.clone();
    let work = usable(store).and_then(|store| Ok((store, as_want(request)?)));
    let work = work.and_then(|(store, want)| match store.database() {
        Some(database) => Ok(database.get(want)),
        None => Err(nowhere()),
    });
    match work {
        Err(refused) => _ = reply.send(Err(refused)),
        Ok(work) => {
            _ = spawn_local(async move {
                let answer = work.await.map_err(refusal).and_then(|got| {
                    let values: Vec<_> = got.values.iter().map(stored).collect();
                    let absent = || {
                        Refused::new(Why::Absent, format_args!("the ring has no value for {}", shown(&key)))
                    };
                    if values.is_empty() { Err(absent()) } else { Ok(GetAnswer { values, hops: got.hops }) }
                });
                let _ = reply.send(answer);
            })
        }
    }
}

fn usable(store: Store) -> Result<Rc<dyn System>, Refused> {
    store.map_err(|reason| Refused::new(Why::Conflict, reason))
}

fn nowhere() -> Refused {
    Refused::new(Why::Conflict, "this node is in no ring")
}

fn as_put(request: PutRequest) -> Result<Put, Refused> {
    let name = key(request.key)?;
    let Some(value) = request.value else { return Ok(Put::Remove { name }) };
    let value = value.into_bytes().ok_or_else(|| Refused::new(Why::Wrong, "the value is not base64"))?;
    if value.len() > MAX_VALUE {
        let reason =
            format!("a value has at most {} bytes, not {}", units::count(MAX_VALUE as u64), value.len());
        return Err(Refused::new(Why::TooLarge, reason));
    }
    let ttl = request.ttl_seconds.map_or(TTL, Duration::from_secs);
    if ttl.is_zero() {
        return Err(Refused::new(Why::Wrong, "a value must be kept for at least a second"));
    }
    Ok(Put::Entry { name, value, ttl })
}

fn as_want(request: GetRequest) -> Result<Want, Refused> {
    let wrong = || Refused::new(Why::Wrong, "a writer is 64 hexadecimal digits");
    let writer = request.writer.map(|writer| {
        let bytes = HEXLOWER_PERMISSIVE.decode(writer.as_bytes()).map_err(|_| wrong())?;
        <[u8; 32]>::try_from(bytes).map_err(|_| wrong())
    });
    Ok(Want::Entry { name: key(request.key)?, writer: writer.transpose()? })
}

fn key(key: Bytes) -> Result<Vec<u8>, Refused> {
    let key = key.into_bytes().ok_or_else(|| Refused::new(Why::Wrong, "the key is not base64"))?;
    match key.len() {
        0 => Err(Refused::new(Why::Wrong, "the key is empty")),
        1..=MAX_KEY => Ok(key),
        length => {
            Err(Refused::new(Why::TooLarge, format_args!("a key has at most {MAX_KEY} bytes, not {length}")))
        }
    }
}

fn stored(value: &Value) -> StoredValue {
    StoredValue { value: Bytes::of(&value.bytes), seq: value.seq, writer: HEXLOWER.encode(&value.writer) }
}

fn shown(key: &Bytes) -> String {
    match key {
        Bytes::Text(key) => text::line(key),
        Bytes::Base64(key) => format!("the key {}", text::line(key)),
    }
}

/// A failure of the ring, in a line that says what to do.
fn refusal(failure: Failure) -> Refused {
    match failure {
        Failure::NotJoined => {
            Refused::new(Why::Conflict, "the ring has not been joined yet; see: throng status")
        }
        Failure::Unanswered => {
            Refused::new(Why::Unanswered, "nobody in the ring answered in time; try again")
        }
        Failure::Partial { copies, needed } => Refused::new(
            Why::Unanswered,
            format_args!("only {copies} of the {needed} hosts needed have stored it; try again"),
        ),
        Failure::Conflict { seq } => {
            Refused::new(Why::Conflict, format_args!("the ring has a newer version, {seq}; read it first"))
        }
        Failure::OverQuota { limit, retry_after } => Refused::new(
            Why::OverQuota,
            format_args!("refused by the ring: {}; try again in {retry_after} s", text::line(limit)),
        ),
        Failure::TooLarge => Refused::new(Why::TooLarge, "the key or the value is too long"),
        Failure::Busy => Refused::new(Why::Busy, "too many puts and gets at once in this node; try again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put_of(key: Bytes, value: Option<Bytes>, ttl_seconds: Option<u64>) -> Result<Put, Why> {
        as_put(PutRequest { key, value, ttl_seconds }).map_err(|refused| refused.why)
    }

    #[test]
    fn a_request_is_checked_before_the_ring_hears_of_it() {
        let text = |length: usize| Bytes::Text("x".repeat(length));
        let entry = Put::Entry { name: b"k".into(), value: b"\xff".into(), ttl: TTL };
        assert_eq!(put_of(text(0), Some(text(1)), None), Err(Why::Wrong));
        assert_eq!(put_of(text(256), Some(text(1)), None), Err(Why::TooLarge));
        assert_eq!(put_of(text(255), Some(text(1_001)), None), Err(Why::TooLarge));
        assert_eq!(put_of(text(1), Some(text(1)), Some(0)), Err(Why::Wrong));
        assert_eq!(put_of(text(1), Some(Bytes::Base64("?".into())), None), Err(Why::Wrong));
        assert_eq!(put_of(Bytes::Text("k".into()), Some(Bytes::of(b"\xff")), None), Ok(entry));
        assert_eq!(put_of(Bytes::Text("k".into()), None, None), Ok(Put::Remove { name: b"k".into() }));
        for writer in ["", "12", &"zz".repeat(32)] {
            let get = GetRequest { key: text(1), writer: Some(writer.to_owned()) };
            assert_eq!(as_want(get).unwrap_err().why, Why::Wrong, "{writer}");
        }
    }
}
