//! The same attacks where addresses mean something: a telephone behind a NAT, which says that it is
//! at 192.168.77.7 and is heard from 203.0.113.7, with strangers far away, next door in the NAT's
//! own network, and behind the very same NAT. In a network of the test's own, by both engines.
#![allow(clippy::disallowed_methods)] // Sound takes its time, and so do those who wait for silence.

mod support;

use pukar::shell::media::has_uring;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use support::duet::{Duet, Place, Scene, Stranger, packet};
use support::net;

/// Where the NAT of the victim's house, or of its carrier, is known to the world.
const NAT: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 7);
const NEXT_DOOR: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 66);
const FAR_AWAY: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 66);
/// What the victim says of itself.
const SAID: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 168, 77, 7)), 4_000);
/// The other one: a carrier, which is where it says that it is.
const CARRIER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);
/// After so long the switch doubts whoever says nothing.
const ALARM: &str = "silence_alarm = \"1s\"\n";
const DOUBTED: Duration = Duration::from_millis(1_500);

/// Whoever is not the victim and can reach the switch.
struct Strangers {
    far: Stranger,
    near: Stranger,
    /// Behind the same NAT: to the switch, another port of the victim's address.
    same: Stranger,
}

impl Strangers {
    fn new() -> Self {
        let [far, near, same] = [FAR_AWAY, NEXT_DOOR, NAT].map(Stranger::at);
        Self { far, near, same }
    }

    fn all(&self) -> [&Stranger; 3] {
        [&self.far, &self.near, &self.same]
    }

    #[track_caller]
    fn have_heard_nothing(&self) {
        self.all().into_iter().for_each(Stranger::has_heard_nothing);
    }
}

/// The agent is the one behind the NAT.
fn scene(more: &str) -> Scene<'_> {
    Scene {
        more,
        caller: Some(Place { at: CARRIER, says: None }),
        phone: Some(Place { at: NAT, says: Some(SAID) }),
    }
}

fn with_each_engine(test: impl Fn(&str)) {
    if !net::of_my_own(&[NAT, FAR_AWAY, CARRIER]) {
        return;
    }
    test("io = \"epoll\"\n");
    match has_uring() {
        true => test("io = \"uring\"\n"),
        false => eprintln!("skipped by io_uring, which this kernel allows nobody"),
    }
}

/// Long enough for a source that was learned to be settled.
fn settle(duet: &mut Duet) {
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(2_300) {
        duet.talk(1, |_, _| std::thread::park_timeout(Duration::from_millis(20)));
    }
}

#[test]
fn rtp_bleed_of_a_victim_behind_a_nat_has_nothing_sent_to_anybody_else() {
    with_each_engine(|io| {
        let strangers = Strangers::new();
        let mut duet = Duet::of(scene(io), |_| {});
        // Whoever has hardly said a word may still be anybody behind the NAT.
        duet.talk(30, |_, _| {});
        duet.talk(300, |duet, n| {
            for (ssrc, stranger) in (1..).zip(strangers.all()) {
                for to in [duet.caller.to, duet.phone.to] {
                    (0..5).for_each(|m| {
                        stranger.send(to, &packet((ssrc, 8, (5 * n + m) as u16), &[2; 160]));
                    });
                }
            }
        });
        strangers.have_heard_nothing();
        duet.end();
    });
}

/// Their sound is sent from before the victim has said its first word, and it has long to wait.
#[test]
fn rtp_bleed_before_a_victim_behind_a_nat_has_spoken_wins_it_neither_sound_nor_place() {
    with_each_engine(|io| {
        let strangers = Strangers::new();
        let mut duet = Duet::answered(scene(io));
        for n in 0..200 {
            for (ssrc, stranger) in [(1, &strangers.far), (2, &strangers.near)] {
                stranger.send(duet.phone.to, &packet((ssrc, 8, n), &[2; 160]));
            }
            duet.caller.say(&[0xd5; 160]);
        }
        duet.until_heard();
        duet.talk(100, |_, _| {});
        strangers.have_heard_nothing();
        duet.end();
    });
}

#[test]
fn rtp_inject_into_the_stream_of_a_victim_behind_a_nat_is_not_heard() {
    with_each_engine(|io| {
        let strangers = Strangers::new();
        let mut duet = Duet::of(scene(io), |_| {});
        // One who goes on with its very stream from another port may be the victim for 2 s.
        settle(&mut duet);
        duet.talk(300, |duet, _| {
            let next = duet.phone.packet(8, &[0xee; 160]);
            duet.phone.jump(u16::MAX);
            strangers.all().into_iter().for_each(|stranger| stranger.send(duet.phone.to, &next));
        });
        strangers.have_heard_nothing();
        let record = duet.end();
        for leg in record["legs"].as_array().unwrap() {
            assert_eq!(leg["packets_lost"], 0, "{record:#}");
        }
    });
}

#[test]
fn rtp_spray_over_all_ports_wins_none_of_a_victim_behind_a_nat() {
    with_each_engine(|io| {
        let strangers = Strangers::new();
        let mut duet = Duet::of(scene(io), |_| {});
        // It takes longer to go over all ports than whoever has just begun to speak may be silent.
        duet.talk(30, |_, _| {});
        duet.talk(10, |duet, _| {
            for (ssrc, stranger) in (1..).zip(strangers.all()) {
                for port in 20_000..22_000 {
                    let to = SocketAddr::new(duet.phone.to.ip(), port);
                    (0..4).for_each(|n| stranger.send(to, &packet((ssrc, 8, n), &[3; 160])));
                }
            }
        });
        strangers.have_heard_nothing();
        duet.end();
    });
}

/// The victim mutes its telephone, and strangers go on with its stream for as long as it likes.
#[test]
fn a_victim_that_is_silent_for_long_is_replaced_by_nobody_far_or_near() {
    with_each_engine(|io| {
        let strangers = Strangers::new();
        let more = format!("{io}{ALARM}");
        let mut duet = Duet::of(scene(&more), |_| {});
        settle(&mut duet);
        let muted = Instant::now();
        let mut injected = 0;
        while muted.elapsed() < 3 * DOUBTED {
            let next = duet.phone.packet(8, &[0xee; 160]);
            for stranger in [&strangers.far, &strangers.near] {
                stranger.send(duet.phone.to, &next);
            }
            injected += 1;
            let said = [0xd5; 160];
            duet.caller.say(&said);
            assert_eq!(duet.phone.hear(), said, "the muted one hears all the same");
            std::thread::park_timeout(Duration::from_millis(20));
        }
        assert!(injected > 100);
        duet.talk(100, |_, _| {});
        strangers.have_heard_nothing();
        duet.end();
    });
}

/// Behind the same NAT nobody can be told from the victim by their address, but by the stream,
/// which they do not know.
#[test]
fn a_silent_victims_neighbour_behind_the_same_nat_neither_hears_nor_is_heard() {
    with_each_engine(|io| {
        let strangers = Strangers::new();
        let more = format!("{io}{ALARM}");
        let mut duet = Duet::of(scene(&more), |_| {});
        settle(&mut duet);
        let muted = Instant::now();
        let mut n = 0;
        while muted.elapsed() < 3 * DOUBTED {
            n += 1;
            strangers.same.send(duet.phone.to, &packet((3, 8, n), &[0xee; 160]));
            let said = [0xd5; 160];
            duet.caller.say(&said);
            assert_eq!(duet.phone.hear(), said, "the muted one hears all the same");
            std::thread::park_timeout(Duration::from_millis(20));
        }
        strangers.have_heard_nothing();
        // Its first word is the first thing that the caller hears.
        duet.talk(200, |duet, _| {
            n += 1;
            strangers.same.send(duet.phone.to, &packet((3, 8, n), &[0xee; 160]));
        });
        strangers.have_heard_nothing();
        duet.end();
    });
}

/// Whoever shares the address of a telephone that has never said a word, for as long as they like.
#[test]
fn with_strict_nobody_at_the_victims_address_is_heard_or_sent_to_before_it_has_spoken() {
    with_each_engine(|io| {
        let strangers = Strangers::new();
        let more = format!("{io}{ALARM}strict = true\n");
        // It says where it is to be had: with strict a NAT is not looked through.
        let phone = Some(Place { at: NAT, says: None });
        let mut duet = Duet::answered(Scene { phone, ..scene(&more) });
        for n in 0..200 {
            for (ssrc, stranger) in (1..).zip(strangers.all()) {
                stranger.send(duet.phone.to, &packet((ssrc, 8, n), &[0xee; 160]));
            }
            let said = [0xd5; 160];
            duet.caller.say(&said);
        }
        strangers.have_heard_nothing();
        duet.until_heard();
        duet.talk(100, |duet, n| {
            for (ssrc, stranger) in (1..).zip(strangers.all()) {
                stranger.send(duet.phone.to, &packet((ssrc, 8, n as u16), &[0xee; 160]));
            }
        });
        strangers.have_heard_nothing();
        duet.end();
    });
}
