//! What is wrong with the sound of a call though packets come, and whom a description vouches for.

use super::*;
use crate::base::Network;
use control::{Ailment, Networks};

const NEAR: u32 = 30_000;
const OTHER: &str = "192.0.2.50:5000";
/// Behind a NAT that has a pool: its sound comes from another public address than its signalling.
const SAID: &str = "192.168.1.7:4000";
const POOLED: &str = "203.0.113.77:61000";
const THIEF: &str = "203.0.113.88:6666";

fn pooled() -> Far {
    Far { signalled: Some(address("203.0.113.9:0").ip()), ..far(SAID) }
}

fn bridged(near: Far) -> World {
    let mut world = World::with(&[(port(NEAR), near), (port(30_002), far(OTHER))]);
    world.bridge(port(NEAR), port(30_002));
    let silence = Some(Duration::from_secs(3));
    world.command(Command::Watch { port: port(NEAR), silence });
    world
}

fn ailing(what: Ailment, on: bool, from: Option<&str>) -> Event {
    Event::Ailing { port: port(NEAR), what, on, from: from.map(address) }
}

fn latched(from: &str) -> Event {
    Event::Latched { port: port(NEAR), from: address(from) }
}

/// Packets of this source from there, 20 ms apart; how many were heard.
fn stream(world: &mut World, from: &str, ssrc: u32, (first, count): (u16, u16)) -> usize {
    let mut heard = 0;
    for n in first..first + count {
        world.pass(20);
        // Not silence alone.
        let mut bytes = packet(8, n, &[0x95; 160]);
        bytes[8..12].copy_from_slice(&ssrc.to_be_bytes());
        heard += usize::from(world.rtp(port(NEAR), from, &mut bytes).is_some());
    }
    heard
}

fn goes_to(world: &mut World) -> SocketAddr {
    world.rtp(port(30_002), OTHER, &mut voice(1)).unwrap().to
}

#[test]
fn q41_a_phone_whose_description_names_its_source_is_known_wherever_it_sends_from() {
    for (far, real) in [
        (pooled(), POOLED),
        // A proxy between: neither what it says nor where it signals from has to do with it.
        (Far { signalled: Some(address("10.0.0.2:0").ip()), ..far(SAID) }, "198.51.100.4:61000"),
        (Far { signalled: None, ..far(SAID) }, "198.51.100.4:61000"),
    ] {
        let mut world = bridged(Far { ssrc: Some(4_711), ..far });
        // A thief has come first, and is heard where it was ever likely.
        stream(&mut world, THIEF, 77, (1, 200));
        assert_eq!(stream(&mut world, real, 4_711, (1, 50)), 48, "{real}");
        assert_eq!(goes_to(&mut world), address(real));
        assert!(world.events().contains(&latched(real)));
        assert_eq!(stream(&mut world, THIEF, 77, (201, 50)), 0);
        assert_eq!(stream(&mut world, THIEF, 4_711, (51, 50)), 0, "who has learned it later");
    }
}

#[test]
fn who_guesses_the_source_of_a_phone_wins_nothing() {
    let mut world = bridged(Far { ssrc: Some(4_711), ..pooled() });
    for ssrc in 4_612..4_711 {
        assert_eq!(stream(&mut world, "198.51.100.66:6666", ssrc, (ssrc as u16, 5)), 0);
    }
    assert_eq!(goes_to(&mut world), address(SAID));
    // Two with the right one, and the third with another: no run.
    stream(&mut world, "198.51.100.66:6666", 4_711, (1, 2));
    assert_eq!(stream(&mut world, "198.51.100.66:6666", 4_712, (3, 5)), 0);
    assert_eq!(goes_to(&mut world), address(SAID));
}

/// The other party knows the source by then, from the very packets that it hears.
#[test]
fn the_source_of_a_far_end_that_was_heard_vouches_for_nobody_else_when_it_falls_silent() {
    let mut world = bridged(Far { ssrc: Some(4_711), ..pooled() });
    stream(&mut world, POOLED, 4_711, (1, 50));
    world.pass(3_500);
    assert_eq!(stream(&mut world, OTHER, 4_711, (51, 100)), 0);
    assert_eq!(goes_to(&mut world), address(POOLED));
    assert_eq!(stream(&mut world, POOLED, 4_711, (51, 10)), 10);
}

#[test]
fn a_gateway_in_a_network_of_its_trunk_is_heard_and_sent_to_and_one_outside_is_not() {
    let networks =
        Networks::new(["198.51.100.0/24", "2001:db8::/32"].map(|n| Network::parse(n).unwrap()));
    let trunk =
        Far { networks, signalled: Some(address("203.0.113.1:0").ip()), ..far("203.0.113.5:4000") };
    for (gateway, heard) in
        [("198.51.100.200:9000", 48), ("198.51.101.200:9000", 0), ("[2001:db8::5]:9000", 48)]
    {
        let mut world = bridged(trunk);
        assert_eq!(stream(&mut world, gateway, 77, (1, 50)), heard, "{gateway}");
        let to = if heard > 0 { gateway } else { "203.0.113.5:4000" };
        assert_eq!(goes_to(&mut world), address(to));
    }
}

#[test]
fn whoever_is_heard_and_may_hear_nothing_is_told_of_once_and_when_it_is_over() {
    let mut world = bridged(pooled());
    stream(&mut world, POOLED, 77, (1, 200));
    assert_eq!(world.events(), [], "not at once");
    stream(&mut world, POOLED, 77, (201, 1_500));
    assert_eq!(world.events(), [ailing(Ailment::Unsent, true, Some(POOLED)), latched(POOLED)]);
    // It says where it is after all.
    world.command(Command::Agree { port: port(NEAR), far: far(POOLED) });
    stream(&mut world, POOLED, 77, (1_701, 50));
    let told = world.events();
    assert!(told.contains(&ailing(Ailment::Unsent, false, None)), "{told:?}");
}

#[test]
fn who_is_refused_while_nothing_else_is_heard_is_named_once() {
    let mut world = bridged(Far { signalled: Some(address("10.0.0.2:0").ip()), ..far(SAID) });
    let real = "198.51.100.4:61000";
    stream(&mut world, real, 77, (1, 300));
    let silent = Event::Silent { port: port(NEAR) };
    assert_eq!(world.events(), [silent, ailing(Ailment::Refused, true, Some(real))]);
    stream(&mut world, SAID, 78, (1, 30));
    let told = world.events();
    assert!(told.contains(&ailing(Ailment::Refused, false, None)), "{told:?}");
}

/// Half a minute of a dead microphone, in any codec; whoever only listens in a quiet room is heard.
#[test]
fn nothing_but_silence_is_told_of_and_a_quiet_room_is_not() {
    for (codec, silent, quiet) in [
        (Codec::Pcma, vec![0xd5; 160], vec![0xd7; 160]),
        (Codec::Pcma, vec![0x55; 160], [vec![0x55; 159], vec![0xc5]].concat()),
        (Codec::Pcmu, vec![0xff; 160], vec![0x7c; 160]),
        (Codec::G722, vec![0xfa; 160], (0..160).map(|n: u8| n.wrapping_mul(37)).collect()),
        (Codec::Opus, vec![0xf8, 0xff, 0xfe], vec![0xf8, 0xff]),
    ] {
        for (payload, mute) in [(&silent, true), (&quiet, false)] {
            let far = Far::at(address(OTHER), codec);
            let mut world = World::with(&[(port(NEAR), far), (port(30_002), far)]);
            world.bridge(port(NEAR), port(30_002));
            let silence = Some(Duration::from_secs(3));
            world.command(Command::Watch { port: port(NEAR), silence });
            let say = |world: &mut World, payload: &[u8], (first, count): (u16, u16)| {
                for n in first..first + count {
                    world.pass(20);
                    world.rtp(port(NEAR), OTHER, &mut packet(codec.our_payload(), n, payload));
                }
                world.events()
            };
            say(&mut world, payload, (1, 1_400));
            let told = say(&mut world, payload, (1_401, 200));
            let expected = if mute { vec![ailing(Ailment::Mute, true, None)] } else { Vec::new() };
            assert_eq!(told, expected, "{codec:?}");
            let told = say(&mut world, &quiet, (1_601, 50));
            let over = if mute { vec![ailing(Ailment::Mute, false, None)] } else { Vec::new() };
            assert_eq!(told, over, "{codec:?} speaks");
        }
    }
}

/// What a coder makes of silence is what is taken for it, whatever was said before; the noise of a
/// quiet room, 60 dB below the loudest, is none.
#[test]
fn the_silence_of_our_own_coders_is_known() {
    for (codec, noise) in
        [Codec::Pcma, Codec::Pcmu, Codec::G722].map(|codec| [(codec, 0), (codec, 28)]).concat()
    {
        let mut coder = crate::media::sound::Encoder::new(codec, 8_000);
        let far = Far::at(address(OTHER), codec);
        let mut world = World::with(&[(port(NEAR), far), (port(30_002), far)]);
        world.bridge(port(NEAR), port(30_002));
        world.command(Command::Watch { port: port(NEAR), silence: Some(Duration::from_secs(3)) });
        let mut rng = crate::base::Rng::new(7);
        for n in 1..1_800 {
            world.pass(20);
            let loudest = if n < 100 { 8_000 } else { noise };
            let sample = |_| rng.below(2 * loudest + 1) as i16 - loudest as i16;
            let samples: [i16; 160] = [0; 160].map(sample);
            let mut payload = Vec::new();
            coder.encode(&samples, &mut payload);
            world.rtp(port(NEAR), OTHER, &mut packet(codec.our_payload(), n, &payload));
        }
        let mute = world.events().contains(&ailing(Ailment::Mute, true, None));
        assert_eq!(mute, noise == 0, "{codec:?}: {noise}");
    }
}

#[test]
fn a_far_end_that_can_be_sent_nothing_is_told_of_after_two_seconds() {
    let mut world = bridged(far("203.0.113.5:4000"));
    world.rtp(port(NEAR), "203.0.113.5:4000", &mut voice(1));
    world.events();
    let fail = |world: &mut World, millis: u64| {
        for n in 0..millis / 20 {
            world.rtp(port(NEAR), "203.0.113.5:4000", &mut voice(2 + n as u16));
            world.engine.unsendable(port(NEAR));
            world.pass(20);
        }
        world.events()
    };
    assert_eq!(fail(&mut world, 1_000), []);
    assert_eq!(fail(&mut world, 1_500), [ailing(Ailment::Unsendable, true, None)]);
    world.pass(600);
    assert_eq!(world.events(), [ailing(Ailment::Unsendable, false, None)]);
}
