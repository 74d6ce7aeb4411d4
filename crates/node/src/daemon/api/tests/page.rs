//! The page, its sessions and its events; and what pages of others get.

use super::*;

/// `None` unless the answer sets a session.
fn session(answer: &Answer) -> Option<String> {
    let line = answer.head.lines().find_map(|line| line.strip_prefix("set-cookie: "))?;
    assert!(
        line.contains("httponly") && line.contains("samesite=strict") && line.contains("path=/"),
        "{line}"
    );
    let cookie = line.split(';').next()?.to_owned();
    (!cookie.ends_with('=')).then_some(cookie)
}

impl Stage {
    async fn with_cookie(&self, line: &str, cookie: &str, more: &str) -> Answer {
        let at = self.at;
        self.send(&format!(
            "{line} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\nCookie: {cookie}\r\n{more}\r\n"
        ))
        .await
    }
}

#[test]
fn the_page_is_given_to_all_and_says_nothing_of_the_node() {
    run(false, async |stage| {
        let at = stage.at;
        let head = format!("HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n");
        for asset in crate::web::ASSETS {
            let answer = stage.send(&format!("GET {} {head}\r\n", asset.path)).await;
            assert_eq!(answer.status, 200, "{}", asset.path);
            assert!(answer.head.contains(&format!("content-type: {}", asset.kind)), "{}", answer.head);
            assert!(answer.head.contains("script-src 'self'"), "{}", answer.head);
            assert_eq!(answer.body.as_bytes(), asset.bytes);
            let tag = answer.head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
            let again = stage.send(&format!("GET {} {head}If-None-Match: {tag}\r\n\r\n", asset.path)).await;
            assert_eq!((again.status, again.body.as_str()), (304, ""));
        }
        let rebound =
            format!("GET / HTTP/1.1\r\nHost: evil.example:{}\r\nConnection: close\r\n\r\n", at.port());
        assert_eq!(stage.send(&rebound).await.status, 403);
    });
}

#[test]
fn the_page_asks_nobody_but_its_own_node() {
    for asset in crate::web::ASSETS {
        let text = std::str::from_utf8(asset.bytes).unwrap();
        // The only addresses of others are names of the namespace kind, and the node's own as it is shown.
        let foreign = text.split("http").skip(1).filter(|rest| {
            let named = ["://www.w3.org/2000/svg", "://${"].iter().any(|known| rest.starts_with(known));
            (rest.starts_with("://") || rest.starts_with("s://")) && !named
        });
        assert_eq!(foreign.count(), 0, "{}", asset.path);
        assert!(!text.contains("innerHTML") && !text.contains("eval("), "{}", asset.path);
    }
}

#[test]
fn a_browser_shows_the_token_once_and_is_let_in_by_its_cookie() {
    run(false, async |stage| {
        let at = stage.at;
        let own = format!("Origin: http://{at}\r\n");
        let cookie = session(&stage.ask("POST /api/v1/login", &own, "").await).unwrap();
        assert!(cookie.starts_with(&format!("throng-{}=", at.port())) && !cookie.contains(TOKEN), "{cookie}");
        assert_eq!(stage.with_cookie("GET /api/v1/status", &cookie, "").await.status, 200);
        let put = format!("{own}Content-Type: application/json\r\nContent-Length: 2\r\n");
        assert_eq!(
            stage.with_cookie("POST /api/v1/put", &cookie, &format!("{put}\r\n{{}}")).await.status,
            400
        );
        let out = stage.with_cookie("POST /api/v1/logout", &cookie, &own).await;
        assert_eq!((out.status, session(&out)), (204, None));
        assert_eq!(stage.with_cookie("GET /api/v1/status", &cookie, "").await.status, 401);
    });
}

#[test]
fn nobody_gets_a_session_without_the_token() {
    run(false, async |stage| {
        for cookie in ["", "throng-1=x", &format!("throng-{}={TOKEN}", stage.at.port())] {
            let own = format!("Origin: http://{}\r\nContent-Length: 0\r\n", stage.at);
            let answer = stage.with_cookie("POST /api/v1/login", cookie, &own).await;
            assert_eq!((answer.status, session(&answer)), (401, None));
        }
    });
}

/// A rebound name, a page of another site, one of another port of this machine, and a form that hides where it is from:
/// each as a browser would send it, with the cookie of the person who is logged in.
#[test]
fn pages_of_others_get_nothing_even_from_a_browser_that_is_logged_in() {
    run(false, async |stage| {
        let at = stage.at;
        let cookie = session(&stage.ask("POST /api/v1/login", "", "").await).unwrap();
        let rebound = format!(
            "GET /api/v1/status HTTP/1.1\r\nHost: evil.example:{}\r\nConnection: close\r\nCookie: {cookie}\r\n\r\n",
            at.port()
        );
        assert_eq!(stage.send(&rebound).await.status, 403);
        let cases = [
            ("GET /api/v1/status", "Origin: http://evil.example\r\n"),
            ("GET /api/v1/status", "Sec-Fetch-Site: cross-site\r\n"),
            ("GET /api/v1/status", "Sec-Fetch-Site: same-site\r\n"),
            ("GET /api/v1/status", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n"),
            ("GET /api/v1/events", "Sec-Fetch-Site: same-site\r\n"),
            ("GET /", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n"),
            ("POST /api/v1/leave", "Content-Length: 0\r\n"),
            ("POST /api/v1/leave", "Origin: null\r\nContent-Length: 0\r\n"),
            ("POST /api/v1/leave", "Origin: http://127.0.0.1:1\r\nContent-Length: 0\r\n"),
            ("POST /api/v1/leave", "Sec-Fetch-Site: same-origin\r\nContent-Length: 0\r\n"),
        ];
        for (line, more) in cases {
            let answer = stage.with_cookie(line, &cookie, more).await;
            assert_eq!(answer.status, 403, "{line} {more}");
            assert!(!answer.head.contains("access-control"), "{}", answer.head);
            assert!(!answer.body.contains("incarnation"), "{line} {more}");
        }
        for (line, more) in [
            ("GET /", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n"),
            ("GET /", "Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\n"),
            ("GET /api/v1/status", "Sec-Fetch-Site: same-origin\r\n"),
        ] {
            assert_eq!(stage.with_cookie(line, &cookie, more).await.status, 200, "{line} {more}");
        }
    });
}

#[test]
fn the_page_is_told_how_the_node_stands() {
    run(false, async |stage| {
        let mut socket = TcpStream::connect(stage.at).await.unwrap();
        let head = format!(
            "GET /api/v1/events HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n",
            stage.at
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).contains("\n\n") {
            assert!(socket.read_buf(&mut seen).await.unwrap() > 0);
        }
        let seen = String::from_utf8(seen).unwrap();
        assert!(seen.to_ascii_lowercase().contains("content-type: text/event-stream"), "{seen}");
        assert!(seen.contains("event: status\ndata: {") && seen.contains("\"incarnation\":5"), "{seen}");
    });
}
