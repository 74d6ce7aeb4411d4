//! Ranges of files over one connection, which is kept for the next range of the same server.

use super::head::{self, Head};
use crate::fetch::{RangeError, RangeSource, Ranging};
use crate::net::socket::{self, Source};
use crate::trackers::guard::{self, Reach};
use crate::trackers::http;
use crate::trackers::url::{Scheme, Url};
use bytes::{Bytes, BytesMut};
use rustls::pki_types::ServerName;
use std::future::Future;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;

/// Redirects followed.
const REDIRECTS: usize = 5;
/// Addresses of a host tried.
const ADDRESSES: usize = 3;
/// Time for a connection, for a head, and between two parts of a body.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes read at once.
const CHUNK: usize = 128 << 10;
/// Of a server that sends whole files only, what lies before the wanted part is read up to this.
const MAX_SKIP: u64 = 4 << 20;

trait Duplex: AsyncRead + AsyncWrite + Unpin + Send + Sync {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Duplex for T {}

/// An open connection with what was read of it and not used.
struct Line {
    url: Url,
    reach: Reach,
    stream: Box<dyn Duplex>,
    rest: BytesMut,
}

/// Asks web servers for ranges, one at a time.
pub(crate) struct WebClient {
    tls: TlsConnector,
    from: Source,
    user_agent: String,
    /// Kept from the last range if the server allows it.
    line: Option<Line>,
}

impl WebClient {
    pub(crate) fn new(from: Source, user_agent: String) -> WebClient {
        WebClient { tls: http::tls(), from, user_agent, line: None }
    }

    /// Sends a range of the file at `url` into `into`.
    pub(crate) async fn fetch(
        &mut self,
        url: &Url,
        range: Range<u64>,
        into: &mpsc::Sender<Bytes>,
    ) -> Result<(), RangeError> {
        let (mut url, mut from) = (url.clone(), None);
        for _ in 0..=REDIRECTS {
            let fresh = !self.line.as_ref().is_some_and(|line| is_same_server(&line.url, &url));
            // Taken out: whoever drops this future leaves no half-read answer behind.
            let (mut line, head) = match self.ask(&url, &range, from).await {
                // A kept connection may have ended meanwhile.
                Err(RangeError::Broken(_)) if !fresh => self.ask(&url, &range, from).await?,
                asked => asked?,
            };
            match head {
                Head::Moved(location) => {
                    let next = url.join(&location).filter(|url| url.scheme != Scheme::Udp);
                    url = next.ok_or_else(|| RangeError::Gone("it redirects to nowhere".into()))?;
                    from = Some(line.reach);
                }
                Head::Bytes { skip, length, keep } => {
                    line.body(range.clone(), (skip, length), into).await?;
                    self.line = (keep && length == Some(range.end - range.start)).then_some(line);
                    return Ok(());
                }
            }
        }
        Err(RangeError::Gone(format!("it redirects more than {REDIRECTS} times")))
    }

    async fn ask(
        &mut self,
        url: &Url,
        range: &Range<u64>,
        from: Option<Reach>,
    ) -> Result<(Line, Head), RangeError> {
        let kept = self.line.take().filter(|line| is_same_server(&line.url, url));
        let mut line = match kept {
            Some(line) => {
                // The guard looks at the whole URL, not at the server alone.
                self.line_allowed(&line, url, from)?;
                line
            }
            None => self.connect(url, from).await?,
        };
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {}\r\nAccept-Encoding: identity\r\nRange: bytes={}-{}\r\n\r\n",
            url.target,
            url.authority(),
            self.user_agent,
            range.start,
            range.end.saturating_sub(1)
        );
        in_time(async {
            line.stream.write_all(request.as_bytes()).await.map_err(broken)?;
            line.stream.flush().await.map_err(broken)
        })
        .await?;
        let head = in_time(line.head(range.start)).await?;
        Ok((line, head))
    }

    fn line_allowed(&self, line: &Line, url: &Url, from: Option<Reach>) -> Result<(), RangeError> {
        let near = line.reach < Reach::Public && url.target.contains('?');
        if near || from.is_some_and(|from| line.reach < from) {
            return Err(RangeError::Gone("it leads where it must not".into()));
        }
        Ok(())
    }

    async fn connect(&self, url: &Url, from: Option<Reach>) -> Result<Line, RangeError> {
        let found = in_time(async { http::resolve(url).await.map_err(RangeError::Broken) }).await?;
        let mut failed = RangeError::Broken("its name has no address".into());
        for at in found.into_iter().take(ADDRESSES) {
            guard::may_read(url, at.ip(), from).map_err(RangeError::Gone)?;
            match in_time(self.open(url, at)).await {
                Ok(stream) => {
                    let (reach, rest) = (guard::reach(at.ip()), BytesMut::new());
                    return Ok(Line { url: url.clone(), reach, stream, rest });
                }
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    async fn open(&self, url: &Url, at: SocketAddr) -> Result<Box<dyn Duplex>, RangeError> {
        let connect = async { socket::outgoing(at, &self.from)?.connect(at).await };
        let stream: TcpStream =
            connect.await.map_err(|error| RangeError::Broken(format!("cannot connect to {at}: {error}")))?;
        if url.scheme != Scheme::Https {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(url.host.clone())
            .map_err(|_| RangeError::Gone("its name cannot be in a certificate".into()))?;
        let stream = self.tls.connect(name, stream).await;
        Ok(Box::new(stream.map_err(|error| RangeError::Broken(format!("TLS failed: {error}")))?))
    }
}

impl Line {
    async fn more(&mut self) -> Result<usize, RangeError> {
        self.rest.reserve(CHUNK);
        match self.stream.read_buf(&mut self.rest).await {
            Ok(count) => Ok(count),
            // Many servers leave TLS without saying goodbye.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(0),
            Err(error) => Err(broken(error)),
        }
    }

    async fn head(&mut self, start: u64) -> Result<Head, RangeError> {
        loop {
            if let Some((used, head)) = head::parse(&self.rest, start)? {
                let _ = self.rest.split_to(used);
                return Ok(head);
            }
            if self.more().await? == 0 {
                return Err(RangeError::Broken("it ended before it answered".into()));
            }
        }
    }

    /// Passes on the wanted part of what follows.
    async fn body(
        &mut self,
        range: Range<u64>,
        (mut skip, length): (u64, Option<u64>),
        into: &mpsc::Sender<Bytes>,
    ) -> Result<(), RangeError> {
        if skip > MAX_SKIP {
            return Err(RangeError::Gone("it sends whole files only".into()));
        }
        let mut left = range.end - range.start;
        if length.is_some_and(|length| length < skip + left) {
            return Err(RangeError::Gone("its file is shorter".into()));
        }
        while left > 0 {
            if self.rest.is_empty() && in_time(self.more()).await? == 0 {
                return Err(RangeError::Broken("it ended in the middle".into()));
            }
            let skipped = skip.min(self.rest.len() as u64);
            let _ = self.rest.split_to(skipped as usize);
            skip -= skipped;
            let part = self.rest.split_to(left.min(self.rest.len() as u64) as usize).freeze();
            left -= part.len() as u64;
            if !part.is_empty() && into.send(part).await.is_err() {
                return Err(RangeError::Broken("nobody wants the rest".into()));
            }
        }
        Ok(())
    }
}

fn is_same_server(one: &Url, other: &Url) -> bool {
    (one.scheme, one.host.as_str(), one.port) == (other.scheme, other.host.as_str(), other.port)
}

fn broken(error: std::io::Error) -> RangeError {
    RangeError::Broken(error.to_string())
}

async fn in_time<T>(work: impl Future<Output = Result<T, RangeError>>) -> Result<T, RangeError> {
    let late = || RangeError::Broken(format!("nothing came for {} seconds", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(late()))
}

/// One file of a web server.
pub struct WebFile {
    text: String,
    url: Url,
    client: WebClient,
}

impl WebFile {
    /// The file at an `http` or `https` URL; `None` if it is none. Requests leave from `from`.
    pub fn new(url: &str, from: Source, user_agent: &str) -> Option<WebFile> {
        let parsed = Url::parse(url).filter(|url| url.scheme != Scheme::Udp)?;
        Some(WebFile {
            text: url.to_owned(),
            url: parsed,
            client: WebClient::new(from, user_agent.to_owned()),
        })
    }
}

impl RangeSource for WebFile {
    fn name(&self) -> String {
        format!("web server {}", self.text)
    }

    fn fetch(&mut self, range: Range<u64>, into: mpsc::Sender<Bytes>) -> Ranging<'_> {
        Box::pin(async move { self.client.fetch(&self.url, range, &into).await })
    }
}
