//! The procedure of RFC 3263 section 4, as a function of what is known so far.
//!
//! In: a place, facts, dice. Out: servers in the order to try them, or the questions that are
//! still open. Asks nobody and remembers nothing.

use super::Question;
use super::place::{Place, Server};
use crate::base::{Rng, limits};
use crate::sip::{Record, RecordKind, Transport};
use std::cmp::Reverse;
use std::net::{IpAddr, SocketAddr};

pub enum Step {
    Ask(Vec<Question>),
    Done(Vec<Server>),
}

/// `known` gives the records of a question that was answered; none of them where there are none.
pub fn locate<'a>(
    place: &Place,
    known: &dyn Fn(&Question) -> Option<&'a [Record]>,
    rng: &mut Rng,
) -> Step {
    let transport = place.transport.unwrap_or(Transport::Udp);
    let port = place.port.unwrap_or(transport.default_port());
    // Section 4.2: "If TARGET is a numeric IP address, the client uses that address."
    if let Some(ip) = place.numeric() {
        return Step::Done(vec![Server { transport, addr: SocketAddr::new(ip, port) }]);
    }
    let itself = Target { host: place.host.clone(), port, transport };
    // "If the TARGET was not a numeric IP address, but a port is present", no SRV is asked.
    if place.port.is_some() {
        return addresses(&[itself], known);
    }
    let services = match services(place, known) {
        Ok(services) => services,
        Err(question) => return Step::Ask(vec![question]),
    };
    let open: Vec<_> = services
        .iter()
        .map(|(_, name)| Question::new(name, RecordKind::Srv))
        .filter(|question| known(question).is_none())
        .collect();
    if !open.is_empty() {
        return Step::Ask(open);
    }
    // The weights decide anew each time that a place is found, after the last answer came: until
    // then the order does not matter, for all targets are asked about.
    let mut targets = Vec::new();
    let mut withheld = false;
    for (transport, name) in services {
        let records = known(&Question::new(&name, RecordKind::Srv)).unwrap_or_default();
        withheld |= !records.is_empty();
        targets.extend(ordered(records, rng).into_iter().map(|(host, port)| Target {
            host,
            port,
            transport,
        }));
    }
    // "If no SRV records were found, the client performs an A or AAAA record lookup of the domain
    // name." A target of "." is a record: the service is decidedly not there (RFC 2782).
    if targets.is_empty() && !withheld {
        targets.push(itself);
    }
    addresses(&targets, known)
}

struct Target {
    host: String,
    port: u16,
    transport: Transport,
}

/// Section 4.1: which transports there are, best first, and where their SRV records stand.
fn services<'a>(
    place: &Place,
    known: &dyn Fn(&Question) -> Option<&'a [Record]>,
) -> Result<Vec<(Transport, String)>, Question> {
    let of = |transport| (transport, srv_name(transport, &place.host));
    if let Some(transport) = place.transport {
        return Ok(vec![of(transport)]);
    }
    let question = Question::new(&place.host, RecordKind::Naptr);
    let Some(records) = known(&question) else {
        return Err(question);
    };
    let mut offered: Vec<_> = records.iter().filter_map(offer).collect();
    offered.sort_by_key(|&(order, preference, ..)| (order, preference));
    offered.truncate(limits::DNS_SERVICES_MAX);
    if offered.is_empty() {
        return Ok(vec![of(Transport::Udp), of(Transport::Tcp)]);
    }
    Ok(offered.into_iter().map(|(_, _, transport, name)| (transport, name)).collect())
}

/// "The client discards any records whose services it does not support": SCTP, and all that is not
/// SIP. Over TLS goes what is asked to, and nothing else.
fn offer(record: &Record) -> Option<(u16, u16, Transport, String)> {
    let Record::Naptr { order, preference, service, replacement } = record else {
        return None;
    };
    let transport = match service.to_ascii_uppercase().as_str() {
        "SIP+D2U" => Transport::Udp,
        "SIP+D2T" => Transport::Tcp,
        _ => return None,
    };
    Some((*order, *preference, transport, replacement.clone()))
}

fn srv_name(transport: Transport, host: &str) -> String {
    match transport {
        Transport::Udp => format!("_sip._udp.{host}"),
        Transport::Tcp => format!("_sip._tcp.{host}"),
        Transport::Tls => format!("_sips._tcp.{host}"),
    }
}

/// RFC 2782: by priority, and among equals by lot, in proportion to the weights.
fn ordered(records: &[Record], rng: &mut Rng) -> Vec<(String, u16)> {
    let mut left: Vec<_> = records
        .iter()
        .filter_map(|record| match record {
            Record::Srv { priority, weight, port, target } if target != "." => {
                Some((*priority, *weight, *port, target))
            }
            Record::Srv { .. } | Record::Naptr { .. } | Record::Address(_) => None,
        })
        .collect();
    // The same targets each time, whatever the lot, so that their addresses are asked for once.
    left.sort_by_key(|&(priority, weight, ..)| (priority, Reverse(weight)));
    left.truncate(limits::DNS_TARGETS_MAX);
    // "Place all those with weight 0 at the beginning of the list."
    left.sort();
    let mut chosen = Vec::with_capacity(left.len());
    while let Some(&(priority, ..)) = left.first() {
        let equals = left.iter().take_while(|&&(p, ..)| p == priority);
        let sum: u64 = equals.map(|&(_, weight, ..)| u64::from(weight)).sum();
        let lot = rng.below(sum + 1);
        let mut running = 0;
        // "Select the RR whose running sum value is the first in the selected order which is
        // greater than or equal to the random number selected."
        let reaches = |&(_, weight, ..): &(u16, u16, u16, &String)| {
            running += u64::from(weight);
            running >= lot
        };
        let at = left.iter().position(reaches).unwrap_or(0);
        let (_, _, port, target) = left.remove(at);
        chosen.push((target.clone(), port));
    }
    chosen
}

/// Section 4.2: the addresses of all targets, in the order of the targets.
fn addresses<'a>(targets: &[Target], known: &dyn Fn(&Question) -> Option<&'a [Record]>) -> Step {
    let mut open = Vec::new();
    let mut servers: Vec<Server> = Vec::new();
    for target in targets {
        let question = Question::new(&target.host, RecordKind::Address);
        let found: Vec<IpAddr> = match (target.host.parse(), known(&question)) {
            (Ok(ip), _) => vec![ip],
            (Err(_), Some(records)) => records.iter().filter_map(address).collect(),
            (Err(_), None) => {
                open.push(question);
                continue;
            }
        };
        for ip in found {
            let addr = SocketAddr::new(ip, target.port);
            let server = Server { transport: target.transport, addr };
            if servers.len() < limits::DNS_SERVERS_MAX && !servers.contains(&server) {
                servers.push(server);
            }
        }
    }
    if open.is_empty() { Step::Done(servers) } else { Step::Ask(open) }
}

fn address(record: &Record) -> Option<IpAddr> {
    match record {
        Record::Address(ip) => Some(*ip),
        Record::Srv { .. } | Record::Naptr { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn srv(priority: u16, weight: u16, target: &str) -> Record {
        Record::Srv { priority, weight, port: 5_060, target: target.into() }
    }

    #[test]
    fn priorities_go_before_weights_and_weights_are_shares() {
        let records =
            [srv(20, 0, "last"), srv(10, 30, "heavy"), srv(10, 10, "light"), srv(10, 0, "zero")];
        let mut rng = Rng::new(11);
        let mut first = std::collections::BTreeMap::new();
        for _ in 0..10_000 {
            let order = ordered(&records, &mut rng);
            assert_eq!((order.len(), order[3].0.as_str()), (4, "last"));
            *first.entry(order[0].0.clone()).or_insert(0_u32) += 1;
        }
        // 30/41, 10/41 and 1/41 of ten thousand.
        assert!((7_100..7_550).contains(&first["heavy"]), "{first:?}");
        assert!((2_250..2_650).contains(&first["light"]), "{first:?}");
        assert!((170..330).contains(&first["zero"]), "{first:?}");
    }

    #[test]
    fn of_many_targets_the_same_few_are_kept() {
        let records: Vec<_> = (0..40).map(|n| srv(n / 20, n, &format!("t{n}"))).collect();
        let mut rng = Rng::new(2);
        for _ in 0..100 {
            let mut order = ordered(&records, &mut rng);
            order.sort();
            let names: Vec<_> = order.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["t12", "t13", "t14", "t15", "t16", "t17", "t18", "t19"]);
        }
    }

    #[test]
    fn a_target_of_a_dot_is_no_target() {
        assert_eq!(ordered(&[srv(0, 0, ".")], &mut Rng::new(1)), []);
    }
}
