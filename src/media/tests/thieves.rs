//! Who would like to be heard, or sent to, in the place of a phone: before it speaks, while it
//! pauses, when it has fallen silent.

use super::far_end::*;
use super::*;
use control::Ailment;

/// What a phone said and signals from, where its sound comes from, how many of its packets are lost
/// until it is known; and a thief of its own site or next door.
const THIEVES: [(&str, &str, &str, usize, &str); 6] = [
    ("10.0.0.7:4000", "10.0.0.7", "10.0.0.7:4000", 0, "10.3.3.3:6666"),
    ("10.0.0.7:4000", "10.0.0.7", "10.0.0.7:61000", 1, "10.0.0.8:6666"),
    ("192.168.1.7:4000", "10.9.9.9", "10.9.9.9:61000", 2, "10.9.9.8:6666"),
    ("192.168.1.7:4000", "203.0.113.9", "203.0.113.9:61000", 2, "203.0.113.77:6666"),
    ("203.0.113.5:4000", "203.0.113.1", "203.0.113.5:4000", 0, "203.0.113.6:6666"),
    ("[2001:db8::7]:4000", "[2001:db8::7]", "[2001:db8::7]:4000", 0, "[2001:db8::8]:6666"),
];

const HOME: &str = "203.0.113.9:61000";

#[test]
fn q41_whatever_the_nat_a_thief_who_streams_first_wins_nothing() {
    for (said, signals, real, lost) in [
        ("203.0.113.5:4000", "203.0.113.5", "203.0.113.5:4000", 0),
        ("203.0.113.5:4000", "203.0.113.5", "203.0.113.5:61000", 1),
        // A carrier whose media is not where its signalling is.
        ("203.0.113.5:4000", "203.0.113.1", "203.0.113.5:4000", 0),
        // At home, behind a carrier's NAT, and behind one that has a pool of addresses.
        ("192.168.1.7:4000", "203.0.113.9", "203.0.113.9:61000", 2),
        ("100.64.3.3:4000", "203.0.113.9", "203.0.113.9:61000", 2),
        ("192.168.1.7:4000", "203.0.113.9", "203.0.113.77:61000", 24),
        // In our own site: straight, over another address of the host, behind a router of it.
        ("10.0.0.7:4000", "10.0.0.7", "10.0.0.7:4000", 0),
        ("10.0.0.7:4000", "10.0.0.7", "10.1.0.7:61000", 24),
        ("192.168.1.7:4000", "10.9.9.9", "10.9.9.9:61000", 2),
        ("[fd00::7]:4000", "[2001:db8::9]", "[2001:db8::9]:61000", 2),
        ("[2001:db8::7]:4000", "[2001:db8::7]", "[2001:db8::abcd]:4000", 24),
    ] {
        let mut world = bridged(behind(said, signals));
        assert_eq!(world.stream(port(30_000), STRANGER, 1, 500), 0, "{said}: the thief was heard");
        let all = until_settled(lost);
        let heard = usize::from(all) - lost;
        assert_eq!(world.stream(port(30_000), real, 1, all), heard, "{said} at {real}");
        assert_eq!(world.events(), [latched(real)], "{said} at {real}");
        assert_eq!(world.stream(port(30_000), STRANGER, 501, 100), 0, "{said}: heard afterwards");
        let back = world.rtp(port(30_002), "192.0.2.50:5000", &mut voice(1)).unwrap();
        // The unlikely are heard, but what is said goes where the phone said that it listens.
        let to = if lost == 24 { said } else { real };
        assert_eq!(back.to, address(to));
    }
}

#[test]
fn q41_a_thief_from_the_same_site_or_next_door_loses_to_the_phone_whenever_it_speaks() {
    for (said, signals, real, lost, thief) in THIEVES {
        for early in [1, 24, 25, 100, 1_000] {
            let mut world = bridged(behind(said, signals));
            let heard = world.stream(port(30_000), thief, 1, early);
            assert_eq!(heard, usize::from(early.saturating_sub(24)), "{thief}: half a second");
            assert_eq!(world.events(), [], "{thief} was settled on");
            // Both speak at once, until nobody else is listened to.
            let (mut phone, mut other) = (0, 0);
            for n in 0..200 {
                phone += world.stream(port(30_000), real, 500 + n, 1);
                other += world.stream(port(30_000), thief, early + 1 + n, 1);
            }
            assert_eq!(phone, 200 - lost, "{real} after {early} of {thief}");
            assert!(other <= lost, "{thief} was heard {other} times beside {real}");
            assert_eq!(world.events(), [latched(real)]);
        }
    }
}

/// A phone that is muted, or an agent who listens first: a minute is long enough for any thief.
#[test]
fn q41_a_thief_next_door_is_never_sent_anything_and_the_phone_is_heard_at_last() {
    for (said, signals, real, lost, thief) in THIEVES {
        let mut world = bridged(behind(said, signals));
        for second in 0..60 {
            world.stream(port(30_000), thief, 1 + 50 * second, 50);
            assert_eq!(goes_to(&mut world), address(said), "{thief} after {second} s");
        }
        assert!(!is_shut(&world, thief), "the kernel lets the phone through");
        let heard = world.stream(port(30_000), real, 1, 200);
        assert_eq!(heard, 200 - lost, "{real} after {thief}");
        assert_eq!(goes_to(&mut world), address(real));
        assert_eq!(world.stream(port(30_000), thief, 3_001, 100), 0, "{thief} beside {real}");
    }
}

/// A phone behind a NAT, in a talk, that has been silent for three seconds.
fn fallen_silent() -> World {
    let near = port(30_000);
    let mut world = bridged(behind("192.168.1.7:4000", "203.0.113.9"));
    world.command(Command::Watch { port: near, silence: Some(Duration::from_secs(3)) });
    world.stream(near, HOME, 1, 200);
    assert_eq!(world.stream(near, "203.0.113.9:61999", 201, 5), 0, "while it is heard");
    world.out.clear();
    world.pass(3_300);
    assert!(world.out.contains(&Effect::Connect { port: near, peer: None }));
    assert_eq!(world.events(), [Event::Silent { port: near }]);
    world
}

/// A router that begins anew, a mobile network: the phone does not even know.
#[test]
fn q41_a_phone_whose_nat_gives_it_another_port_in_mid_call_is_heard_after_three_seconds() {
    let (near, new) = (port(30_000), "203.0.113.9:61999");
    let mut world = fallen_silent();
    assert_eq!(world.stream(near, "203.0.113.77:6666", 1, 50), 0, "who is unlikely is not");
    assert_eq!(world.stream(near, new, 300, 200), 198);
    assert!(!is_shut(&world, new), "it is not certain");
    let refused = |on, from| Event::Ailing { port: near, what: Ailment::Refused, on, from };
    let neighbour = Some(address("203.0.113.77:6666"));
    let heard = Event::Heard { port: near };
    assert_eq!(world.events(), [refused(true, neighbour), heard, refused(false, None)]);
    // It goes on with the call, and speaks: that is the one.
    world.command(Command::Agree { port: near, far: behind("192.168.1.7:4000", "203.0.113.9") });
    assert_eq!(goes_to(&mut world), address(new));
    assert_eq!(world.stream(near, new, 500, 10), 10);
    assert!(is_shut(&world, new));
    assert_eq!(world.stream(near, HOME, 201, 50), 0);
}

/// Thousands are behind a carrier's NAT, and each of them is as likely as a phone that is muted.
#[test]
fn q41_whoever_shares_a_silent_phones_address_is_sent_nothing_and_loses_to_its_first_word() {
    let near = port(30_000);
    for count in [0, 20, 150, 3_000] {
        let mut world = fallen_silent();
        let thief = "203.0.113.9:7777";
        world.stream(near, thief, 1, count);
        assert_eq!(goes_to(&mut world), address(HOME), "after {count}");
        assert!(!is_shut(&world, thief));
        // Its reports are no proof of anybody but itself.
        has_been_told(&mut world);
        world.rtcp(near, "203.0.113.9:61001", &mut answer(77, TOLD));
        world.stream(near, thief, count + 1, 10);
        assert_eq!(goes_to(&mut world), address(HOME), "after {count} and a report");
        world.out.clear();
        assert_eq!(world.stream(near, HOME, 201, 10), 10, "after {count}");
        assert!(is_shut(&world, HOME));
        assert_eq!(world.stream(near, thief, count + 11, 50), 0);
    }
}

/// A gateway, or a NAT, may take another port for the same stream in the midst of its first words.
#[test]
fn a_stream_that_goes_on_from_another_port_of_its_nat_is_heard_after_a_moment() {
    let mut world = bridged(behind("10.0.0.7:4000", "203.0.113.9"));
    assert_eq!(world.stream(port(30_000), "203.0.113.9:61000", 1, 40), 38);
    let heard = world.stream(port(30_000), "203.0.113.9:62000", 41, 40);
    assert!((26..=30).contains(&heard), "200 ms and three packets are lost: {heard}");
}

/// Behind the same NAT nobody is told from the phone by their address.
#[test]
fn q41_a_phone_that_makes_a_pause_on_trial_loses_nothing_to_whoever_shares_its_address() {
    let (real, thief) = ("203.0.113.9:61000", "203.0.113.9:62000");
    let mut world = bridged(behind("10.0.0.7:4000", "203.0.113.9"));
    assert_eq!(world.stream(port(30_000), real, 1, 30), 28);
    let stranger = |world: &mut World, count| world.stream_of(66, port(30_000), thief, count);
    assert_eq!(stranger(&mut world, 60), 0, "1.2 s, in which the phone is silent");
    assert_eq!(world.stream(port(30_000), real, 31, 10), 10);
    let back = world.rtp(port(30_002), "192.0.2.50:5000", &mut voice(1)).unwrap();
    assert_eq!(back.to, address(real));
}

/// Of a caller who waits the kernel passes every 32nd packet: not while they may have moved.
#[test]
fn every_packet_of_a_waiting_caller_who_has_fallen_silent_is_looked_at() {
    let near = port(30_000);
    let mut world = World::with(&[(near, behind("192.168.1.7:4000", "203.0.113.9"))]);
    world.command(Command::Watch { port: near, silence: Some(Duration::from_secs(10)) });
    world.command(Command::music(near, MUSIC, Instant(0)));
    world.stream(near, HOME, 1, 200);
    let thinned = |world: &mut World| {
        let mut thin = world.out.drain(..).filter_map(|effect| match effect {
            Effect::Thin { event, .. } => Some(event.is_some()),
            _ => None,
        });
        thin.next_back()
    };
    assert_eq!(thinned(&mut world), Some(true));
    world.pass(10_500);
    assert_eq!(thinned(&mut world), Some(false));
    world.stream(near, HOME, 201, 1);
    assert_eq!(thinned(&mut world), Some(true));
}
