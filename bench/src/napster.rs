//! A user of a Napster directory, by hand: `u16` length, `u16` type, both little-endian, then the data.

use std::io::{BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use socket2::{Domain, Protocol, Socket, Type};

use crate::users::Shared;

/// As much as a frame holds, less what clients of the time left free.
const FRAME: usize = 1_500;
/// How long any one step may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Connects from an address in 127.0.0.0/8 of one's own, counted from 127.1.0.1.
pub fn connect(to: SocketAddr, host: u32) -> Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.bind(&SocketAddr::from((Ipv4Addr::from(0x7f01_0001 + host), 0)).into())?;
    socket.connect(&to.into())?;
    Ok(socket.into())
}

/// A user's connection.
#[derive(Debug)]
pub struct User(BufReader<TcpStream>);

impl User {
    /// Logs in on a connection.
    pub fn login(socket: TcpStream, nick: &str) -> Result<User> {
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let mut user = User(BufReader::with_capacity(512, socket));
        user.send(2, format!("{nick} pw 6699 \"bench\" 5").as_bytes())?;
        user.until(214)?;
        Ok(user)
    }

    /// Sends a frame.
    pub fn send(&mut self, kind: u16, data: &[u8]) -> Result<()> {
        let mut frame = u16::try_from(data.len())?.to_le_bytes().to_vec();
        frame.extend_from_slice(&kind.to_le_bytes());
        frame.extend_from_slice(data);
        Ok(self.0.get_mut().write_all(&frame)?)
    }

    fn frame(&mut self) -> Result<(u16, Vec<u8>)> {
        let mut header = [0; 4];
        self.0.read_exact(&mut header).context("the server closed the connection")?;
        let mut data = vec![0; usize::from(u16::from_le_bytes([header[0], header[1]]))];
        self.0.read_exact(&mut data)?;
        Ok((u16::from_le_bytes([header[2], header[3]]), data))
    }

    /// Reads until a frame of that type; its data.
    pub fn until(&mut self, kind: u16) -> Result<Vec<u8>> {
        loop {
            let (found, data) = self.frame()?;
            match found {
                0 | 404 => bail!("the server says {}", String::from_utf8_lossy(&data)),
                found if found == kind => return Ok(data),
                _ => {}
            }
        }
    }

    /// Shares a folder's files a frame (870); returns when the server has done it.
    pub fn share(&mut self, files: &[Shared]) -> Result<()> {
        let mut data: Vec<u8> = Vec::new();
        let mut folder = "";
        for file in files {
            let Shared { base, size, bitrate, frequency, duration, md5, .. } = file;
            let entry = format!(" \"{base}\" {md5} {size} {bitrate} {frequency} {duration}");
            if !data.is_empty() && (folder != file.folder || data.len() + entry.len() > FRAME) {
                self.send(870, &data)?;
                data.clear();
            }
            if data.is_empty() {
                folder = &file.folder;
                data.extend_from_slice(format!("\"{folder}\"").as_bytes());
            }
            data.extend_from_slice(entry.as_bytes());
        }
        self.send(870, &data)?;
        // Its answer comes when all before it is done.
        self.send(750, b"done")?;
        self.until(750).map(drop)
    }

    /// A search; the names of the hits.
    pub fn find(&mut self, words: &str, most: u32) -> Result<Vec<String>> {
        self.send(200, format!("FILENAME CONTAINS \"{words}\" MAX_RESULTS {most}").as_bytes())?;
        let mut names = Vec::new();
        loop {
            match self.frame()? {
                (201, data) => {
                    let text = String::from_utf8_lossy(&data).into_owned();
                    names.push(text.split('"').nth(1).context("a hit without a name")?.to_owned());
                }
                (202, _) => return Ok(names),
                (404, data) => bail!("the server says {}", String::from_utf8_lossy(&data)),
                _ => {}
            }
        }
    }
}
