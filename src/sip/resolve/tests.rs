//! Behaviours of the resolver.

use super::*;
use crate::base::{Now, Rng, Timers};
use crate::sip::Transport::{Tcp, Udp};

/// A resolver with a clock, and a DNS that answers when it is told to.
struct World {
    resolver: Resolver<u8>,
    timers: Timers,
    rng: Rng,
    now: u64,
    asked: Vec<(QueryId, String, RecordKind)>,
}

impl World {
    fn new() -> Self {
        Self {
            resolver: Resolver::default(),
            timers: Timers::default(),
            rng: Rng::new(1),
            now: 100,
            asked: Vec::new(),
        }
    }

    fn with<R>(
        &mut self,
        work: impl FnOnce(&mut Resolver<u8>, &mut Cx, &mut Vec<Effect>) -> R,
    ) -> R {
        let now = Now { instant: Instant(self.now * 1_000_000), ..Now::default() };
        let mut cx = Cx { now, rng: &mut self.rng, timers: &mut self.timers };
        let mut out = Vec::new();
        let result = work(&mut self.resolver, &mut cx, &mut out);
        for effect in out {
            let Effect::Ask { query, name, kind } = effect else { panic!("{effect:?}") };
            self.asked.push((query, name, kind));
        }
        result
    }

    fn find(&mut self, text: &str, token: u8) -> Option<Vec<Server>> {
        let place = Place::parse(text).unwrap();
        self.with(|resolver, cx, out| resolver.find(cx, &place, token, out))
    }

    /// Answers the oldest question, which must be this one.
    fn answer(&mut self, name: &str, answer: Answer) -> Vec<Found<u8>> {
        let (query, asked, _) = self.asked.remove(0);
        assert_eq!(asked, name);
        self.with(|resolver, cx, out| resolver.answered(cx, query, answer, out))
    }

    fn wait(&mut self, seconds: u64) -> Vec<Found<u8>> {
        self.now += seconds;
        let mut found = Vec::new();
        while let Some(timer) = self.timers.pop_due(Instant(self.now * 1_000_000)) {
            let Timer::DnsSilent(query) = timer else { panic!("{timer:?}") };
            found.extend(self.with(|resolver, cx, out| resolver.silent(cx, query, out)));
        }
        found
    }
}

fn server(transport: crate::sip::Transport, addr: &str) -> Server {
    Server { transport, addr: addr.parse().unwrap() }
}

fn found(records: Vec<Record>) -> Answer {
    Answer::Found { records, ttl: Duration::from_secs(60) }
}

fn address(ip: &str) -> Answer {
    found(vec![Record::Address(ip.parse().unwrap())])
}

fn srv(priority: u16, port: u16, target: &str) -> Record {
    Record::Srv { priority, weight: 0, port, target: target.into() }
}

fn naptr(order: u16, service: &str, replacement: &str) -> Record {
    let (service, replacement) = (service.into(), replacement.into());
    Record::Naptr { order, preference: 0, service, replacement }
}

#[test]
fn a_numeric_host_is_found_at_once() {
    let mut world = World::new();
    assert_eq!(world.find("192.0.2.1", 1), Some(vec![server(Udp, "192.0.2.1:5060")]));
    let v6 = world.find("tcp:[2001:db8::1]:5070", 1);
    assert_eq!(v6, Some(vec![server(Tcp, "[2001:db8::1]:5070")]));
    assert!(world.asked.is_empty() && world.timers.is_empty() && world.resolver.jobs.is_empty());
}

#[test]
fn a_port_asks_for_addresses_only() {
    let mut world = World::new();
    assert_eq!(world.find("Sbc.Example.:5070", 1), None);
    let found = world.answer("sbc.example", address("192.0.2.1"));
    assert_eq!(found, [Found { token: 1, servers: vec![server(Udp, "192.0.2.1:5070")] }]);
    assert!(world.timers.is_empty());
}

#[test]
fn naptr_chooses_the_transport_and_srv_the_servers() {
    let mut world = World::new();
    world.find("example", 7);
    let offers = found(vec![
        naptr(20, "SIP+D2U", "_sip._udp.example"),
        naptr(5, "SIPS+D2T", "_sips._tcp.example"),
        naptr(10, "sip+d2t", "_sip._tcp.example."),
    ]);
    assert_eq!(world.answer("example", offers), []);
    let tcp = found(vec![srv(2, 5_061, "b.example"), srv(1, 5_060, "a.example")]);
    world.answer("_sip._tcp.example", tcp);
    world.answer("_sip._udp.example", found(vec![srv(1, 5_062, "a.example")]));
    assert_eq!(world.asked.len(), 2, "the same name is asked for once");
    world.answer("a.example", address("192.0.2.1"));
    let found = world.answer("b.example", address("192.0.2.2"));
    let expected = [
        server(Tcp, "192.0.2.1:5060"),
        server(Tcp, "192.0.2.2:5061"),
        server(Udp, "192.0.2.1:5062"),
    ];
    assert_eq!(found[0].servers, expected);
}

#[test]
fn without_naptr_both_transports_are_asked_and_without_srv_the_host_itself() {
    let mut world = World::new();
    world.find("example", 7);
    world.answer("example", Answer::Missing);
    world.answer("_sip._udp.example", Answer::Missing);
    world.answer("_sip._tcp.example", Answer::Missing);
    let found = world.answer("example", address("192.0.2.1"));
    assert_eq!(found[0].servers, [server(Udp, "192.0.2.1:5060")]);
}

#[test]
fn a_service_that_is_decidedly_not_there_is_not_tried() {
    let mut world = World::new();
    world.find("tcp:example", 7);
    let found = world.answer("_sip._tcp.example", found(vec![srv(0, 0, ".")]));
    assert_eq!(found, [Found { token: 7, servers: vec![] }]);
}

#[test]
fn equal_questions_are_asked_once_and_answered_to_all() {
    let mut world = World::new();
    world.find("example:5060", 1);
    world.find("tcp:EXAMPLE:5070", 2);
    assert_eq!(world.asked.len(), 1);
    let found = world.answer("example", address("192.0.2.1"));
    assert_eq!(found.iter().map(|f| f.token).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(found[1].servers, [server(Tcp, "192.0.2.1:5070")]);
}

#[test]
fn answers_hold_for_their_time_and_misses_for_half_a_minute() {
    let mut world = World::new();
    world.find("example:5060", 1);
    world.answer("example", address("192.0.2.1"));
    world.now += 59;
    assert!(world.find("example:5060", 2).is_some());
    world.now += 1;
    assert_eq!(world.find("example:5060", 3), None);
    world.answer("example", Answer::Missing);
    assert_eq!(world.find("example:5060", 4), Some(vec![]));
    world.now += 30;
    assert_eq!(world.find("example:5060", 5), None);
    let at_once = Answer::Found {
        records: vec![Record::Address("192.0.2.9".parse().unwrap())],
        ttl: Duration::ZERO,
    };
    assert_eq!(world.answer("example", at_once)[0].servers.len(), 1);
    assert_eq!(world.find("example:5060", 6), None);
}

#[test]
fn a_silent_dns_is_given_up_and_not_asked_again_at_once() {
    let mut world = World::new();
    world.find("example:5060", 1);
    assert_eq!(world.wait(4), []);
    assert_eq!(world.wait(1), [Found { token: 1, servers: vec![] }]);
    assert_eq!(world.find("example:5060", 2), Some(vec![]));
    // What comes late finds nobody.
    assert_eq!(world.answer("example", address("192.0.2.1")), []);
    world.now += 10;
    assert_eq!(world.find("example:5060", 3), None);
}

#[test]
fn silence_and_failure_fall_back_on_the_old_answer() {
    let mut world = World::new();
    world.find("example:5060", 1);
    world.answer("example", address("192.0.2.1"));
    let old = vec![server(Udp, "192.0.2.1:5060")];
    world.now += 3_600;
    assert_eq!(world.find("example:5060", 2), None);
    assert_eq!(world.wait(5), [Found { token: 2, servers: old.clone() }]);
    world.asked.clear();
    world.now += 10;
    assert_eq!(world.find("example:5060", 3), None);
    assert_eq!(world.answer("example", Answer::Failed)[0].servers, old);
    world.now += 3 * 86_400;
    assert_eq!(world.find("example:5060", 4), None);
    assert_eq!(world.answer("example", Answer::Failed)[0].servers, []);
}

#[test]
fn a_watched_place_is_found_again_when_its_time_is_over() {
    let mut world = World::new();
    let place = Place::parse("example:5060").unwrap();
    world.with(|resolver, cx, out| resolver.watch(cx, &place, 9, out));
    assert_eq!(world.answer("example", address("192.0.2.1")).len(), 1);
    assert_eq!(world.wait(59), []);
    assert_eq!(world.wait(1), []);
    let moved = world.answer("example", address("192.0.2.2"));
    let servers = vec![server(Udp, "192.0.2.2:5060")];
    assert_eq!(moved, [Found { token: 9, servers }]);
    world.with(|resolver, cx, _| resolver.unwatch(cx));
    assert!(world.timers.is_empty() && world.resolver.jobs.is_empty());
}

#[test]
fn the_cache_and_the_jobs_are_bounded() {
    let mut world = World::new();
    for n in 0..1_100 {
        world.find(&format!("h{n}:5060"), 1);
        world.answer(&format!("h{n}"), address("192.0.2.1"));
    }
    assert_eq!(world.resolver.cache.len(), 1_024);
    for n in 0..limits::DNS_JOBS_MAX {
        assert_eq!(world.find(&format!("n{n}:5060"), 1), None);
    }
    assert_eq!(world.find("over:5060", 1), Some(vec![]));
}

#[test]
fn a_restored_resolver_is_the_same() {
    let mut world = World::new();
    world.find("example", 1);
    world.find("known:5060", 2);
    world.asked.swap(0, 1);
    world.answer("known", address("192.0.2.1"));
    let text = serde_json::to_string(&world.resolver).unwrap();
    assert_eq!(serde_json::from_str::<Resolver<u8>>(&text).unwrap(), world.resolver);
}
