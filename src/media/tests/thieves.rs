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
        // In our own site: straight, and behind a router of it.
        ("10.0.0.7:4000", "10.0.0.7", "10.0.0.7:4000", 0),
        ("192.168.1.7:4000", "10.9.9.9", "10.9.9.9:61000", 2),
        ("[fd00::7]:4000", "[2001:db8::9]", "[2001:db8::9]:61000", 2),
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
            // Only a NAT may have a pool of addresses.
            let pooled = thief == "203.0.113.77:6666";
            let borne = if pooled { usize::from(early.saturating_sub(24)) } else { 0 };
            assert_eq!(heard, borne, "{thief}: half a second");
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

/// A router that begins anew, a mobile network: the phone does not even know, and its stream goes
/// on.
#[test]
fn q41_a_phone_whose_nat_gives_it_another_port_in_mid_call_is_heard_and_sent_to() {
    let (near, new) = (port(30_000), "203.0.113.9:61999");
    let mut world = fallen_silent();
    assert_eq!(world.stream(near, "203.0.113.77:6666", 1, 50), 0, "who is unlikely is not");
    assert_eq!(world.stream(near, new, 300, 200), 198);
    assert!(is_shut(&world, new));
    let refused = |on, from| Event::Ailing { port: near, what: Ailment::Refused, on, from };
    let neighbour = Some(address("203.0.113.77:6666"));
    let heard = [Event::Heard { port: near }, latched(new)];
    let told = world.events();
    assert_eq!(told[0], refused(true, neighbour));
    assert!(heard.iter().all(|event| told.contains(event)), "{told:?}");
    assert_eq!(told[3..], [refused(false, None)]);
    assert_eq!(goes_to(&mut world), address(new));
    assert_eq!(world.stream(near, HOME, 201, 50), 0);
}

/// Thousands are behind a carrier's NAT, and none of them knows the stream of a phone that is
/// muted: whatever the phone, or the switch, says meanwhile.
#[test]
fn q41_whoever_shares_a_silent_phones_address_is_neither_heard_nor_sent_to() {
    let (near, thief) = (port(30_000), "203.0.113.9:7777");
    let goes_on = behind("192.168.1.7:4000", "203.0.113.9");
    for count in [20, 150, 1_500] {
        let mut world = fallen_silent();
        let steal = |world: &mut World| {
            assert_eq!(world.stream_of(66, near, thief, count), 0, "heard in {count}");
            assert_eq!(goes_to(world), address(HOME), "after {count}");
        };
        steal(&mut world);
        // The session is refreshed, and the phone offers another codec.
        world.command(Command::Agree { port: near, far: goes_on });
        steal(&mut world);
        world.command(Command::Agree { port: near, far: mu(goes_on) });
        world.command(Command::Agree { port: near, far: goes_on });
        steal(&mut world);
        // Its reports are no proof of anybody but itself.
        has_been_told(&mut world);
        world.rtcp(near, "203.0.113.9:61001", &mut answer(77, TOLD));
        steal(&mut world);
        assert!(!is_shut(&world, thief));
        world.out.clear();
        assert_eq!(world.stream(near, HOME, 201, 10), 10, "after {count}");
        assert!(is_shut(&world, HOME));
        steal(&mut world);
    }
}

/// After a hold some phones begin another stream, and a NAT may have forgotten where the first was.
#[test]
fn q41_a_phone_that_says_that_it_speaks_again_may_begin_another_stream_at_another_port() {
    let (near, new) = (port(30_000), "203.0.113.9:61999");
    let speaks = behind("192.168.1.7:4000", "203.0.113.9");
    let again = |world: &mut World| {
        world.command(Command::Agree { port: near, far: Far { speaks: false, ..speaks } });
        world.command(Command::Agree { port: near, far: speaks });
    };
    let mut world = fallen_silent();
    again(&mut world);
    assert_eq!(world.stream_of(66, near, new, 100), 98);
    assert_eq!(goes_to(&mut world), address(HOME), "for two seconds it is on trial");
    assert_eq!(world.stream_of(66, near, new, 100), 100);
    assert_eq!(goes_to(&mut world), address(new));
    assert_eq!(world.stream(near, HOME, 201, 50), 0);
    // Whoever was there instead loses to its first word, or to its own stream at a new port.
    for (own, lost) in [(HOME, 0), (new, 2)] {
        let mut world = fallen_silent();
        again(&mut world);
        world.stream_of(66, near, "203.0.113.9:7777", 90);
        assert_eq!(world.stream(near, own, 201, 50), 50 - lost);
        assert_eq!(goes_to(&mut world), address(own));
        assert_eq!(world.stream_of(67, near, "203.0.113.9:7777", 200), 0);
    }
}

/// `[media] strict`: none of the windows that a phone behind a NAT needs.
#[test]
fn q41_where_the_configuration_is_strict_nobody_is_heard_but_the_said_and_the_proven() {
    let near = port(30_000);
    for (said, signals, _, _, thief) in THIEVES {
        let (host, strict) = (address(&format!("{signals}:0")).ip(), true);
        let at_the_nat = SocketAddr::new(host, 7_777).to_string();
        let of_the_said = SocketAddr::new(address(said).ip(), 7_777).to_string();
        let phone = Far { strict, ..behind(said, signals) };
        let thieves = [thief, &at_the_nat, &of_the_said, STRANGER];
        let mut world = bridged(phone);
        world.command(Command::Watch { port: near, silence: Some(Duration::from_secs(3)) });
        let steal = |world: &mut World, when: &str| {
            for thief in thieves {
                assert_eq!(world.stream_of(66, near, thief, 60), 0, "{thief} {when}");
                // They know its stream.
                assert_eq!(world.stream(near, thief, 300, 60), 0, "{thief} {when}");
                assert_eq!(goes_to(world), address(said), "{thief} {when}");
                assert!(!is_shut(world, thief));
            }
        };
        steal(&mut world, "before its first word");
        assert_eq!(world.stream(near, said, 1, 200), 200);
        steal(&mut world, "while it is muted");
        world.command(Command::Agree { port: near, far: Far { speaks: false, ..phone } });
        world.command(Command::Agree { port: near, far: phone });
        world.pass(4_000);
        steal(&mut world, "when it is to speak again");
        assert_eq!(world.stream(near, said, 201, 200), 200);
        // One that hears us, and says so, is the phone, wherever it is likely.
        let mut world = bridged(phone);
        has_been_told(&mut world);
        world.rtcp(near, &at_the_nat, &mut answer(77, TOLD));
        assert!(world.stream(near, &at_the_nat, 1, 100) >= 98, "{at_the_nat}");
        let named = Far { ssrc: Some(77), ..phone };
        let mut world = bridged(named);
        assert_eq!(world.stream(near, &at_the_nat, 1, 100), 98, "and the source that it names");
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
