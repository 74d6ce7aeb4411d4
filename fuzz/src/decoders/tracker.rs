//! The tracker protocol, both faces and both directions.

use throng_wire::tracker::http::{
    AnnounceReply, AnnounceRequest, PEERS_MAX, Retry, SCRAPE_MAX, ScrapeReply, TEXT_MAX, announce_url,
    push_failure, push_scrape, scrape_hashes, scrape_query, scrape_url, split_target,
};
use throng_wire::tracker::{CompactV4, CompactV6, encode_v4, encode_v6, push_endpoint, udp};

/// First byte: what to read the rest as.
pub fn tracker_http(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    match kind % 4 {
        0 => query(rest),
        1 => announce_reply(rest),
        2 => scrape_reply(rest),
        _ => url(rest),
    }
}

fn query(target: &[u8]) {
    let (_, query) = split_target(target);
    let hashes: Vec<_> = scrape_hashes(query).take(SCRAPE_MAX).filter_map(Result::ok).collect();
    let mut written = String::new();
    scrape_query(&hashes, &mut written);
    assert_eq!(scrape_hashes(written.as_bytes()).collect::<Result<Vec<_>, _>>(), Ok(hashes));
    let Ok(request) = AnnounceRequest::parse(query) else { return };
    let mut written = String::new();
    request.write_query(&mut written);
    let again = AnnounceRequest::parse(written.as_bytes()).expect("what we write we read");
    assert_eq!(again, request, "{written}");
}

fn announce_reply(body: &[u8]) {
    match AnnounceReply::parse(body) {
        Ok(AnnounceReply::Peers(reply)) => {
            assert!(reply.peers.len() <= 4 * PEERS_MAX && reply.peers.iter().all(|peer| peer.port() != 0));
            let (mut v4, mut v6) = (Vec::new(), Vec::new());
            reply.peers.iter().for_each(|peer| push_endpoint(*peer, &mut v4, &mut v6));
            assert_eq!(CompactV4(&v4).flat_map(encode_v4).collect::<Vec<_>>(), v4);
            assert_eq!(CompactV6(&v6).flat_map(encode_v6).collect::<Vec<_>>(), v6);
            assert!(reply.warning.is_none_or(|text| text.len() <= 3 * TEXT_MAX));
        }
        Ok(AnnounceReply::Failure(failure)) => {
            assert!(!failure.reason.chars().any(char::is_control));
            let mut written = Vec::new();
            push_failure(&failure.reason, failure.retry, &mut written);
            let Ok(AnnounceReply::Failure(again)) = AnnounceReply::parse(&written) else {
                panic!("what we write we read")
            };
            assert_eq!(again.retry, failure.retry);
            assert!(!matches!(failure.retry, Some(Retry::Never)) || written.ends_with(b"5:nevere"));
        }
        Err(_) => {}
    }
}

fn scrape_reply(body: &[u8]) {
    let Ok(ScrapeReply::Files(mut reply)) = ScrapeReply::parse(body) else { return };
    assert!(reply.files.len() <= SCRAPE_MAX);
    let mut written = Vec::new();
    push_scrape(&mut reply.files, &mut written);
    assert_eq!(ScrapeReply::parse(&written), Ok(ScrapeReply::Files(reply)));
}

fn url(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    assert!(announce_url(text, "a=b").ends_with("a=b"));
    let _ = scrape_url(text);
}

/// A datagram, read as a request and as a response.
pub fn tracker_udp(data: &[u8]) {
    udp_request(data);
    udp_response(data);
}

fn udp_request(data: &[u8]) {
    let Ok(request) = udp::Request::parse(data) else { return };
    let mut written = Vec::new();
    match request {
        udp::Request::Connect(connect) => written.extend(connect.encode()),
        udp::Request::Announce(announce) => {
            announce.encode(&mut written);
            assert_eq!(written.len(), data.len());
            let path: Vec<u8> = announce.options.url_data().flatten().copied().collect();
            if let Ok(path) = std::str::from_utf8(&path) {
                let mut options = Vec::new();
                if udp::push_url_data(path, &mut options) {
                    let again: Vec<u8> = udp::Options(&options).url_data().flatten().copied().collect();
                    assert_eq!(again, path.as_bytes());
                }
            }
        }
        udp::Request::Scrape(scrape) => scrape.encode(&mut written),
    }
    assert_eq!(udp::Request::parse(&written), Ok(request));
}

fn udp_response(data: &[u8]) {
    let Ok(response) = udp::Response::parse(data) else { return };
    let _ = response.transaction_id();
    let mut written = Vec::new();
    match response {
        udp::Response::Connect(connect) => written.extend(connect.encode()),
        udp::Response::Announce(announce) => {
            written.extend(announce.header.encode());
            written.extend_from_slice(announce.peers);
            assert_eq!(announce.peers_v4().count(), announce.peers.len() / 6);
            assert_eq!(announce.peers_v6().count(), announce.peers.len() / 18);
        }
        udp::Response::Scrape(scrape) => {
            udp::push_scrape_header(scrape.transaction_id, &mut written);
            scrape.iter().for_each(|entry| udp::push_scrape_entry(entry, &mut written));
            return assert_eq!(written, data[..written.len()]);
        }
        udp::Response::Error { transaction_id, message } => {
            let Ok(message) = std::str::from_utf8(message) else { return };
            udp::push_error(transaction_id, message, &mut written);
        }
    }
    assert_eq!(udp::Response::parse(&written), Ok(response));
}
