//! One GET to one tracker over HTTP or HTTPS: bounded in time, size, redirects and where those may lead.

use super::guard::{self, Reach};
use super::response::{self, Response};
use super::url::{Scheme, Url};
use crate::net::socket::{self, Source};
use rustls::pki_types::ServerName;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use throng_wire::tracker::http::BODY_MAX;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;

/// Redirects followed.
const REDIRECTS: usize = 5;
/// Time for all of one announce over one family.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Addresses of one family tried.
const ADDRESSES: usize = 2;

/// Which addresses of a host to use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    pub(super) fn of(ip: IpAddr) -> Family {
        if ip.to_canonical().is_ipv4() { Family::V4 } else { Family::V6 }
    }
}

/// Makes requests; clones share the certificates.
#[derive(Clone)]
pub(super) struct HttpClient {
    tls: TlsConnector,
    source: Source,
    user_agent: String,
    /// Longest body.
    most: usize,
    /// Whether the person named the URL: it may then lead anywhere on this machine.
    named: bool,
}

impl HttpClient {
    pub(super) fn new(source: Source, user_agent: String) -> HttpClient {
        HttpClient { tls: tls(), source, user_agent, most: BODY_MAX, named: false }
    }

    /// The same for files of at most `most` bytes whose URL the person gave.
    pub(super) fn for_named_files(self, most: usize) -> HttpClient {
        HttpClient { most, named: true, ..self }
    }

    /// The body of a successful answer over one family; else one clause for people.
    pub(super) async fn get(&self, url: Url, family: Family) -> Result<Vec<u8>, String> {
        match tokio::time::timeout(TIMEOUT, self.follow(url, family)).await {
            Ok(result) => result,
            Err(_) => Err(format!("it did not answer within {} seconds", TIMEOUT.as_secs())),
        }
    }

    async fn follow(&self, mut url: Url, family: Family) -> Result<Vec<u8>, String> {
        let mut from = None;
        for _ in 0..=REDIRECTS {
            let (response, reach) = self.once(&url, family, from).await?;
            match response.status {
                200 if response.is_html => {
                    let wanted = if self.named { "the file" } else { "a tracker response" };
                    return Err(format!("it answered with a web page, not {wanted}"));
                }
                200 => return Ok(response.body),
                301 | 302 | 303 | 307 | 308 => {
                    let next = response.location.as_deref().and_then(|location| url.join(location));
                    url = next.filter(|url| url.scheme != Scheme::Udp).ok_or("it redirects to nowhere")?;
                    from = Some(reach);
                }
                // Some trackers put their refusal, in bencode, behind an error status.
                _ if response.body.starts_with(b"d") && !self.named => return Ok(response.body),
                status => return Err(format!("it answered with HTTP status {status}")),
            }
        }
        Err(format!("it redirects more than {REDIRECTS} times"))
    }

    async fn once(
        &self,
        url: &Url,
        family: Family,
        from: Option<Reach>,
    ) -> Result<(Response, Reach), String> {
        let addresses = resolve(url).await?.into_iter().filter(|at| Family::of(at.ip()) == family);
        let mut error = String::from("it has no address of this family");
        for at in addresses.take(ADDRESSES) {
            if self.named {
                guard::may_follow(at.ip(), from)?;
            } else {
                guard::may_contact(url, at.ip(), from)?;
            }
            match self.connect(at).await {
                Ok(stream) => return Ok((self.exchange(url, stream).await?, guard::reach(at.ip()))),
                Err(failed) => error = format!("cannot connect to {at}: {failed}"),
            }
        }
        Err(error)
    }

    async fn connect(&self, at: SocketAddr) -> std::io::Result<TcpStream> {
        socket::outgoing(at, &self.source)?.connect(at).await
    }

    async fn exchange(&self, url: &Url, stream: TcpStream) -> Result<Response, String> {
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {}\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n",
            url.target,
            url.authority(),
            self.user_agent
        );
        if url.scheme != Scheme::Https {
            return send_and_receive(stream, &request, self.most).await;
        }
        let name =
            ServerName::try_from(url.host.clone()).map_err(|_| "its name cannot be in a certificate")?;
        let stream = self.tls.connect(name, stream).await.map_err(|error| format!("TLS failed: {error}"))?;
        send_and_receive(stream, &request, self.most).await
    }
}

async fn send_and_receive(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &str,
    most: usize,
) -> Result<Response, String> {
    let broken = |error: std::io::Error| format!("the connection broke: {error}");
    stream.write_all(request.as_bytes()).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    let mut received = Vec::new();
    loop {
        let ended = match stream.read_buf(&mut received).await {
            Ok(count) => count == 0,
            // Many servers leave TLS without saying goodbye.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => true,
            Err(error) => return Err(broken(error)),
        };
        let too_large = || format!("the answer is larger than {} KiB", most >> 10);
        match response::parse_up_to(&received, ended, most) {
            Ok(Some(response)) => return Ok(response),
            Err(response::ResponseError::TooLarge) => return Err(too_large()),
            Err(error) => return Err(error.to_string()),
            // Chunk heads take room too.
            Ok(None) if received.len() > 2 * most => return Err(too_large()),
            Ok(None) => {}
        }
    }
}

/// TLS as web servers are trusted: by the roots that browsers trust.
pub(crate) fn tls() -> TlsConnector {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider supports the default TLS versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

/// The host's addresses.
pub(crate) async fn resolve(url: &Url) -> Result<Vec<SocketAddr>, String> {
    if let Some(ip) = url.ip() {
        return Ok(vec![SocketAddr::new(ip, url.port)]);
    }
    match lookup_host((url.host.as_str(), url.port)).await {
        Ok(addresses) => Ok(addresses.collect()),
        Err(error) => Err(format!("its name was not found: {error}")),
    }
}
