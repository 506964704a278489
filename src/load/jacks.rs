//! The RTP sockets of the test: one even port for each phone in a call, used again after a rest.
//! The odd port above is held too: reports go there (RFC 3550 section 11), and would else reach
//! whatever socket has it, as the phones' own for SIP.
//!
//! In: asks for a port. Out: slot and socket; and how many packets the tester's own kernel threw
//! away. Knows nothing of calls. May import: nothing of ours.

use super::clock::SECOND;
use super::links;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};

/// A port rests this long, so that late packets of its last call are over.
const REST: u64 = 2 * SECOND;
/// Holds 2 s of voice; the kernel counts about 900 octets for each small packet.
const BUFFER: usize = 256 << 10;
/// The least there is: what does not fit is thrown away.
const UNREAD: usize = 1;

pub struct Jacks {
    next: u16,
    ports: Vec<SocketAddr>,
    /// Where the reports of each port come; nobody reads them.
    reports: Vec<std::net::UdpSocket>,
    resting: VecDeque<(u64, usize)>,
}

pub struct Jack {
    pub slot: usize,
    pub at: SocketAddr,
    /// A new socket, to be handed to the media thread.
    pub socket: Option<std::net::UdpSocket>,
}

impl Jacks {
    pub fn new(from: u16) -> Self {
        Self { next: from & !1, ports: Vec::new(), reports: Vec::new(), resting: VecDeque::new() }
    }

    pub fn take(&mut self, now: u64, ip: IpAddr) -> io::Result<Jack> {
        let rested =
            self.resting.iter().position(|&(at, slot)| at <= now && self.ports[slot].ip() == ip);
        if let Some((_, slot)) = rested.and_then(|place| self.resting.remove(place)) {
            return Ok(Jack { slot, at: self.ports[slot], socket: None });
        }
        while self.next < u16::MAX - 1 {
            let [at, above] = [0, 1].map(|n| SocketAddr::new(ip, self.next + n));
            self.next += 2;
            match links::udp(at, BUFFER).and_then(|own| Ok((own, links::udp(above, UNREAD)?))) {
                Ok((socket, reports)) => {
                    self.ports.push(at);
                    self.reports.push(reports);
                    return Ok(Jack { slot: self.ports.len() - 1, at, socket: Some(socket) });
                }
                Err(taken) if taken.kind() == io::ErrorKind::AddrInUse => {}
                Err(why) => {
                    return Err(io::Error::other(format!(
                        "no socket for another voice: {why}; each takes two open files, see \
                         `ulimit -n`"
                    )));
                }
            }
        }
        Err(io::Error::other("no RTP port is free; give a lower --rtp-from"))
    }

    pub fn give_back(&mut self, now: u64, slot: usize) {
        self.resting.push_back((now + REST, slot));
    }

    /// Packets that the kernel dropped because a socket was full, by slot.
    pub fn dropped(&self) -> BTreeMap<usize, u64> {
        let table = table();
        let of = |at: &SocketAddr| dropped_in(&table, &BTreeSet::from([at.port()]));
        let each = self.ports.iter().map(of).enumerate();
        if table.is_empty() { BTreeMap::new() } else { each.filter(|&(_, n)| n > 0).collect() }
    }
}

/// Packets that the kernel dropped because a socket of ours on one of `ports` was full.
pub fn dropped(ports: &BTreeSet<u16>) -> u64 {
    dropped_in(&table(), ports)
}

fn table() -> String {
    std::fs::read_to_string("/proc/self/net/udp").unwrap_or_default()
}

fn dropped_in(table: &str, ports: &BTreeSet<u16>) -> u64 {
    let rows = table.lines().skip(1).filter_map(|line| {
        let mut words = line.split_whitespace();
        let port = words.nth(1)?.rsplit_once(':')?.1;
        let port = u16::from_str_radix(port, 16).ok()?;
        ports.contains(&port).then(|| words.last()?.parse::<u64>().ok())?
    });
    rows.sum()
}

/// CPU time of this thread so far, in nanoseconds.
pub fn thread_cpu() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, UdpSocket};

    #[test]
    fn a_port_whose_reports_would_reach_somebody_else_is_nobodys() {
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        // Somebody's socket on an odd port, whose even one is free.
        let (even, _others) = std::iter::repeat_with(|| UdpSocket::bind((ip, 0)).expect("a port"))
            .take(1_000)
            .find_map(|socket| {
                let port = socket.local_addr().expect("its address").port();
                let even = port.checked_sub(1).filter(|even| even % 2 == 0)?;
                UdpSocket::bind((ip, even)).is_ok().then_some((even, socket))
            })
            .expect("an odd port with a free one below");
        let mut jacks = Jacks::new(even);
        let jack = jacks.take(0, ip).expect("a jack");
        assert!(jack.at.port() > even, "{}", jack.at);
        assert_eq!(jack.at.port() % 2, 0);
        let above = UdpSocket::bind((ip, jack.at.port() + 1));
        assert!(above.is_err(), "the port for its reports is held");
    }

    #[test]
    fn the_kernels_drops_are_read_for_our_ports_only() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt \
                     uid  timeout inode ref pointer drops\n\
                     1: 0100007F:9C40 00000000:0000 07 00000000:00000000 00:00000000 00000000 \
                     0 0 1 2 ffff 7\n\
                     2: 0100007F:1388 00000000:0000 07 00000000:00000000 00:00000000 00000000 \
                     0 0 1 2 ffff 9\n";
        assert_eq!(dropped_in(table, &BTreeSet::from([40_000])), 7);
        assert_eq!(dropped_in(table, &BTreeSet::from([1, 5_000])), 9);
    }
}
