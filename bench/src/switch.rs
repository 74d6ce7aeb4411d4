//! A network of namespaces whose links lose and delay packets and can be cut: what `tc netem` is for, on kernels that
//! are built without it too. A process of ours (`drivers/switch.py`) carries every packet from TUN device to TUN device.

use std::io::{BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::lab::{Host, Namespace};

/// Hosts that reach each other through the switch and nothing else.
#[derive(Debug)]
pub struct Switch {
    hosts: Vec<Host>,
    process: Child,
    /// Closing it ends the process.
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// What became of packets so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Carried {
    /// Arrived.
    pub delivered: u64,
    /// Lost by chance.
    pub lost: u64,
    /// Stopped at the cut.
    pub cut: u64,
}

impl Switch {
    /// Makes so many hosts, at most 250, with links that neither lose nor delay; losses will follow the seed. Needs root,
    /// iproute2, python3 and /dev/net/tun.
    pub fn new(hosts: u8, seed: u64) -> Result<Self> {
        ensure!(hosts <= 250, "there is no room for {hosts} hosts");
        let hosts = (1..=hosts).map(host).collect::<Result<Vec<_>>>()?;
        let mut command = Command::new("python3");
        command
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/drivers/switch.py"))
            .args(["--seed", &seed.to_string()]);
        command.args(hosts.iter().map(|host| format!("{}:{}", host.namespace.pid(), host.address)));
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let orders = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().context("the switch has no output")?);
        let mut switch = Self { hosts, process, orders, answers };
        switch.answer().context("the switch could not be started (python3 and /dev/net/tun are needed)")?;
        Ok(switch)
    }

    /// The hosts, 10.77.0.1 first.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// From now on each packet is lost with this probability, or arrives after this time.
    pub fn link(&mut self, loss: f64, delay: Duration) -> Result<()> {
        self.order(&format!("link {loss} {}", delay.as_secs_f64())).map(drop)
    }

    /// Cuts these hosts off from the others.
    pub fn split<'a>(&mut self, side: impl IntoIterator<Item = &'a Host>) -> Result<()> {
        let side: Vec<_> = side.into_iter().map(|host| host.address.to_string()).collect();
        self.order(&format!("split {}", side.join(" "))).map(drop)
    }

    /// Ends the cut.
    pub fn heal(&mut self) -> Result<()> {
        self.order("heal").map(drop)
    }

    /// What became of packets so far.
    pub fn carried(&mut self) -> Result<Carried> {
        let line = self.order("count")?;
        let mut numbers = line.split_whitespace().skip(1).map(str::parse);
        let mut next = || numbers.next().context("a number is missing")?.map_err(anyhow::Error::from);
        Ok(Carried { delivered: next()?, lost: next()?, cut: next()? })
    }

    fn order(&mut self, order: &str) -> Result<String> {
        let orders = self.orders.as_mut().context("the switch has ended")?;
        writeln!(orders, "{order}")?;
        orders.flush()?;
        self.answer()
    }

    fn answer(&mut self) -> Result<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        ensure!(line.starts_with("ok"), "the switch failed: {line}");
        Ok(line)
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ended = self.process.wait();
    }
}

fn host(number: u8) -> Result<Host> {
    let namespace = Namespace::new()?;
    let address = Ipv4Addr::new(10, 77, 0, number);
    namespace.run("ip tuntap add dev eth0 mode tun")?;
    namespace.run(&format!("ip address add {address}/24 dev eth0"))?;
    namespace.run("ip link set eth0 up")?;
    Ok(Host { address, namespace })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    /// How long an echo may take.
    const PATIENCE: Duration = Duration::from_millis(400);

    /// How many of 50 datagrams arrive, and the least time one took.
    fn send(from: &Host, to: &Host) -> (usize, Duration) {
        let receiver = to.namespace.enter(|| Ok(UdpSocket::bind((to.address, 7))?)).unwrap();
        let sender = from.namespace.enter(|| Ok(UdpSocket::bind((from.address, 0))?)).unwrap();
        receiver.set_read_timeout(Some(PATIENCE)).unwrap();
        let began = std::time::Instant::now();
        for number in 0..50u8 {
            sender.send_to(&[number], (to.address, 7)).unwrap();
        }
        let mut first = None;
        let arrived = std::iter::from_fn(|| {
            receiver.recv(&mut [0; 8]).ok()?;
            first.get_or_insert_with(|| began.elapsed());
            Some(())
        });
        (arrived.count(), first.unwrap_or_default())
    }

    #[test]
    fn links_lose_delay_and_can_be_cut() {
        let tun = std::fs::OpenOptions::new().read(true).write(true).open("/dev/net/tun");
        if !rustix::process::geteuid().is_root() || tun.is_err() {
            eprintln!("skipped: needs root for network namespaces, and /dev/net/tun");
            return;
        }
        let mut switch = Switch::new(3, 7).unwrap();
        let [a, b, c] = switch.hosts().to_vec().try_into().unwrap();
        assert_eq!(send(&a, &b).0, 50);
        switch.link(0.5, Duration::from_millis(100)).unwrap();
        let (arrived, first) = send(&a, &b);
        assert!((10..=40).contains(&arrived), "{arrived} of 50 arrived");
        assert!(first >= Duration::from_millis(100), "{first:?}");
        switch.link(0.0, Duration::ZERO).unwrap();
        switch.split([&a]).unwrap();
        assert_eq!((send(&a, &b).0, send(&b, &c).0), (0, 50));
        switch.heal().unwrap();
        assert_eq!(send(&a, &b).0, 50);
        let carried = switch.carried().unwrap();
        assert_eq!((carried.cut, carried.lost + carried.delivered), (50, 200));
    }
}
