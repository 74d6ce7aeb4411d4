//! A door in front of the honest seed: connections to it wait until the key is dropped, then reach the seed.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// Opens the gate when dropped, so also when the script that holds it fails.
pub(crate) struct Key(#[allow(dead_code, reason = "dropping it is its use")] Sender<()>);

/// Stands before `seed`; returns the address to dial instead of it.
pub(crate) fn before(seed: &str) -> (String, Key) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (key, opened) = channel();
    let seed = seed.to_owned();
    // Ends with the test's process.
    thread::spawn(move || keep(&listener, &opened, &seed));
    (address, Key(key))
}

fn keep(listener: &TcpListener, opened: &Receiver<()>, seed: &str) {
    // Nothing is ever sent: this ends when the key is gone.
    let _ = opened.recv();
    for visitor in listener.incoming() {
        let (visitor, seed) = (visitor.unwrap(), TcpStream::connect(seed).unwrap());
        let (back, forth) = (visitor.try_clone().unwrap(), seed.try_clone().unwrap());
        thread::spawn(move || pump(visitor, forth));
        thread::spawn(move || pump(seed, back));
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream) {
    // However one side ends, the other is told.
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
