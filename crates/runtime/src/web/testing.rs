//! A web server for tests: ranges of one folder's files, and ways to misbehave.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// How a server answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Manner {
    /// Right.
    Honest,
    /// The last byte of each block is wrong.
    Liar,
    /// The whole file, whatever was asked for.
    WholeFiles,
    /// Breaks the connection after so many bytes of an answer.
    BreaksAfter(usize),
    /// 16 KiB every 20 ms, until the server ends.
    Slow,
    /// Sends a head and then nothing.
    Stalls,
    /// This status, with `Retry-After: 1`.
    Status(u16),
    /// Sends elsewhere.
    Redirect(String),
}

/// A running server; it ends with the value.
pub(crate) struct WebServer {
    at: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
}

impl WebServer {
    pub(crate) fn start(root: &Path, manner: Manner) -> WebServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let (asked, stop) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<AtomicBool>::default());
        let (log, over, root) = (asked.clone(), stop.clone(), root.to_owned());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let (log, over, root, manner) = (log.clone(), over.clone(), root.clone(), manner.clone());
                std::thread::spawn(move || serve(&stream, &root, &manner, (&log, &over)));
            }
        });
        WebServer { at, asked, stop }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.at)
    }

    /// What was asked for: `path start-end`.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.at);
    }
}

fn serve(stream: &TcpStream, root: &Path, manner: &Manner, (log, over): (&Mutex<Vec<String>>, &AtomicBool)) {
    let mut lines = BufReader::new(stream).lines();
    while !over.load(Ordering::SeqCst) {
        let Some(Ok(first)) = lines.next() else { return };
        let path = first.split(' ').nth(1).unwrap().trim_start_matches('/').to_owned();
        let mut range = String::new();
        for line in lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()) {
            range = line.strip_prefix("Range: bytes=").map_or(range, str::to_owned);
        }
        log.lock().unwrap().push(format!("{path} {range}"));
        if answer(stream, &root.join(path), &range, (manner, over)).is_none() {
            return;
        }
    }
}

/// `None` if the connection is to end.
fn answer(
    mut stream: &TcpStream,
    path: &PathBuf,
    range: &str,
    (manner, over): (&Manner, &AtomicBool),
) -> Option<()> {
    match manner {
        Manner::Status(status) => {
            let head = format!("HTTP/1.1 {status} So\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n");
            return stream.write_all(head.as_bytes()).ok();
        }
        Manner::Redirect(to) => {
            let head = format!("HTTP/1.1 302 There\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
            return stream.write_all(head.as_bytes()).ok();
        }
        _ => {}
    }
    let Ok(mut bytes) = std::fs::read(path) else {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").ok();
    };
    if *manner == Manner::WholeFiles {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", bytes.len());
        stream.write_all(head.as_bytes()).ok()?;
        return stream.write_all(&bytes).ok();
    }
    if *manner == Manner::Liar {
        bytes.chunks_mut(16 << 10).for_each(|block| *block.last_mut().unwrap() ^= 1);
    }
    let (start, end) = range.split_once('-').unwrap();
    let (start, end) = (start.parse::<usize>().unwrap(), end.parse::<usize>().unwrap() + 1);
    let part = bytes.get(start..end)?;
    let total = bytes.len();
    let head = format!(
        "HTTP/1.1 206 Part\r\nContent-Range: bytes {start}-{}/{total}\r\nContent-Length: {}\r\n\r\n",
        end - 1,
        part.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    match manner {
        Manner::Stalls => std::thread::park(),
        Manner::Slow => {
            for chunk in part.chunks(16 << 10) {
                if over.load(Ordering::SeqCst) {
                    return None;
                }
                stream.write_all(chunk).ok()?;
                // It is to be slow; nothing is waited for.
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        }
        Manner::BreaksAfter(most) if part.len() > *most => {
            stream.write_all(&part[..*most]).ok()?;
            return None;
        }
        _ => stream.write_all(part).ok()?,
    }
    Some(())
}
