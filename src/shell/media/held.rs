//! Which media ports other programs hold, as the kernel lists all UDP sockets (proc(5)): whoever is
//! told of such a port would be sent nothing. Asked once, at the start; a port that is taken later
//! is found when it cannot be opened.

use super::OpenPorts;
use crate::call::MediaSettings;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The ports of the range that cannot be opened at one of our addresses. What this program has from
/// the one before it is its own.
pub fn by_others(media: &MediaSettings, own: &OpenPorts) -> Vec<u16> {
    let lists = ["/proc/self/net/udp", "/proc/self/net/udp6"];
    // Where there is no list, each port shows it when it is opened.
    let lists = lists.map(|path| fs::read_to_string(path).unwrap_or_default());
    let (first, last) = media.ports;
    let is_own = |port: u16| own.contains_key(&u32::from(port & !1));
    let sockets = lists.iter().flat_map(|list| list.lines().filter_map(local));
    let in_the_way = |(ip, port): &(IpAddr, u16)| {
        (first..=last).contains(port)
            && !is_own(*port)
            && media.homes.iter().any(|home| collides(home.bind, *ip))
    };
    let mut ports: Vec<u16> = sockets.filter(in_the_way).map(|(_, port)| port).collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// Ours of IPv6 are for IPv6 alone; a stranger's at `::` mostly has that of IPv4 too.
fn collides(ours: IpAddr, other: IpAddr) -> bool {
    let same = ours.is_ipv4() == other.is_ipv4();
    ours == other
        || same && (ours.is_unspecified() || other.is_unspecified())
        || other == IpAddr::V6(Ipv6Addr::UNSPECIFIED)
}

/// The local address of a line such as `  12: 0100007F:4E20 00000000:0000 07 …`: numbers of 32 bits
/// as they lie in memory.
fn local(line: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = line.split_whitespace().nth(1)?.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| u32::from_str_radix(address.get(8 * at..8 * at + 8)?, 16).ok();
    let ip = match address.len() {
        8 => Ipv4Addr::from(word(0)?.to_ne_bytes()).into(),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?].map(u32::to_ne_bytes);
            Ipv6Addr::from(<[u8; 16]>::try_from(words.concat()).ok()?).into()
        }
        _ => return None,
    };
    Some((ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{Home, Homes};
    use std::net::UdpSocket;

    #[test]
    fn ports_that_somebody_has_at_our_addresses_are_found_and_no_others() {
        let ip = |text: &str| -> IpAddr { text.parse().unwrap() };
        let bound = |text: &str| {
            let socket = UdpSocket::bind((ip(text), 0)).unwrap();
            let port = socket.local_addr().unwrap().port();
            (socket, port)
        };
        let found = |at: &[&str], ports: (u16, u16)| {
            let homes: Vec<Home> = at.iter().map(|text| Home::at(ip(text))).collect();
            let homes = Homes::new(homes[0], homes.get(1).copied());
            by_others(
                &MediaSettings { homes, ports, ..MediaSettings::default() },
                &OpenPorts::new(),
            )
        };
        for (theirs, ours, collide) in [
            ("127.0.0.1", &["127.0.0.1"][..], true),
            ("127.0.0.1", &["0.0.0.0"], true),
            ("127.0.0.1", &["127.0.0.2"], false),
            ("127.0.0.1", &["::1"], false),
            ("::1", &["::1"], true),
            ("::1", &["127.0.0.1", "::1"], true),
            ("::1", &["127.0.0.1"], false),
            ("0.0.0.0", &["127.0.0.1"], true),
        ] {
            let (_socket, port) = bound(theirs);
            let expected = if collide { vec![port] } else { Vec::new() };
            assert_eq!(found(ours, (port, port)), expected, "{theirs} and {ours:?}");
        }
        let (socket, port) = bound("127.0.0.1");
        drop(socket);
        assert_eq!(found(&["127.0.0.1"], (port, port)).len(), 0);
    }
}
