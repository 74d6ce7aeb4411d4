//! The service manager's side of a node: telling it that the node is ready (sd_notify) and taking over the socket it
//! listens on already (socket activation). Without one nothing happens.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;

/// Tells the service manager; a line for people comes back if it cannot be told.
pub(crate) fn ready() -> Option<String> {
    let to = std::env::var_os("NOTIFY_SOCKET")?;
    let told = send(&to, b"READY=1\nSTATUS=listening\n");
    told.err().map(|error| format!("the service manager at {} cannot be told: {error}", to.to_string_lossy()))
}

/// Tells it that the end has begun, and how long it may take.
pub(crate) fn stopping() {
    if let Some(to) = std::env::var_os("NOTIFY_SOCKET") {
        // It stops us in any case.
        let _ = send(&to, b"STOPPING=1\nSTATUS=handing over\n");
    }
}

fn send(to: &OsStr, state: &[u8]) -> io::Result<()> {
    let address = match to.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(Path::new(to))?,
    };
    UnixDatagram::unbound()?.send_to_addr(state, &address).map(|_| ())
}

/// The API's socket, if the service manager listens on one for us: the first TCP socket it passes.
pub(crate) fn passed_listener() -> io::Result<Option<std::net::TcpListener>> {
    let mut passed = listenfd::ListenFd::from_env();
    for index in 0..passed.len() {
        // Others than TCP are not for the API.
        if let Ok(Some(listener)) = passed.take_tcp_listener(index) {
            listener.set_nonblocking(true)?;
            return Ok(Some(listener));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_manager_is_told_by_path_and_by_abstract_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let at_path = UnixDatagram::bind(&path).unwrap();
        send(path.as_os_str(), b"READY=1\n").unwrap();
        let name = format!("throng-test-{}", std::process::id());
        let abstract_name = SocketAddr::from_abstract_name(&name).unwrap();
        let by_name = UnixDatagram::bind_addr(&abstract_name).unwrap();
        send(OsStr::new(&format!("@{name}")), b"READY=1\n").unwrap();
        for socket in [at_path, by_name] {
            let mut told = [0; 64];
            let length = socket.recv(&mut told).unwrap();
            assert_eq!(&told[..length], b"READY=1\n");
        }
        assert!(send(OsStr::new("/nowhere/notify"), b"READY=1\n").is_err());
    }
}
