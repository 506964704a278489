//! Parties of unlike codecs: what each says the other hears, in time, whatever the network does.

use super::*;
use crate::media::sound::{Decoder, Encoder, WIDE, duration};
use crate::wire::dtmf::Press;
use crate::wire::opus::Terms;
use std::f64::consts::TAU;

const FAR: [&str; 3] = ["192.0.2.40:4000", "192.0.2.50:5000", "192.0.2.60:6000"];

fn ports() -> [PortId; 3] {
    [port(30_000), port(30_002), port(30_004)]
}

fn with(rtp: &str, codec: Codec) -> Far {
    Far::at(address(rtp), codec)
}

/// A telephone that says a tone, and remembers what it was sent.
struct Phone {
    port: PortId,
    from: &'static str,
    codec: Codec,
    encoder: Encoder,
    decoder: Decoder,
    hertz: f64,
    /// 20 ms that it has said.
    said: u32,
    heard: Vec<i16>,
    packets: usize,
}

impl Phone {
    fn new(n: usize, codec: Codec, hertz: f64) -> Self {
        let (encoder, decoder) = (Encoder::new(codec, WIDE), Decoder::new(codec, WIDE));
        let (port, from, heard) = (ports()[n], FAR[n], Vec::new());
        Self { port, from, codec, encoder, decoder, hertz, said: 0, heard, packets: 0 }
    }

    /// The next 20 ms.
    fn packet(&mut self) -> Vec<u8> {
        let at = |n: u32| TAU * self.hertz * f64::from(self.said * 320 + n) / f64::from(WIDE);
        let samples: Vec<i16> = (0..320).map(|n| (6_000.0 * at(n).sin()) as i16).collect();
        let mut payload = Vec::new();
        self.encoder.encode(&samples, &mut payload);
        self.said += 1;
        let header = Header {
            marker: false,
            payload_type: self.codec.our_payload(),
            sequence: self.said as u16,
            timestamp: self.said * self.codec.clock() / 50,
            ssrc: 7,
        };
        [&header.bytes()[..], &payload].concat()
    }

    fn hear(&mut self, frame: &Frame) {
        self.packets += 1;
        self.decoder.decode(frame.payload(), &mut self.heard);
    }

    /// How loud a tone is in what was heard in the middle.
    fn hears(&self, hertz: f64) -> f64 {
        let middle = &self.heard[self.heard.len() / 3..];
        let part = |wave: fn(f64) -> f64| {
            let at = |n: usize| TAU * hertz * n as f64 / f64::from(WIDE);
            let sum: f64 = middle.iter().zip(0..).map(|(s, n)| f64::from(*s) * wave(at(n))).sum();
            2.0 * sum / middle.len() as f64
        };
        part(f64::sin).hypot(part(f64::cos))
    }
}

fn bridged(phones: &mut [Phone]) -> World {
    let open: Vec<(PortId, Far)> =
        phones.iter().map(|phone| (phone.port, with(phone.from, phone.codec))).collect();
    let mut world = World::with(&open);
    let ports: Vec<PortId> = phones.iter().map(|phone| phone.port).collect();
    match ports[..] {
        [a, b] => world.bridge(a, b),
        _ => world.command(Command::gather(&ports)),
    }
    world
}

/// Everybody talks for so many packets; `lost` says which of whose never come.
fn talk(world: &mut World, phones: &mut [Phone], count: u32, lost: impl Fn(usize, u32) -> bool) {
    for n in 0..count {
        for at in 0..phones.len() {
            let mut packet = phones[at].packet();
            if lost(at, n) {
                continue;
            }
            let (port, from) = (phones[at].port, phones[at].from);
            if let Some(relay) = world.rtp(port, from, &mut packet) {
                let there = phones.iter_mut().find(|phone| phone.port == relay.port).unwrap();
                there.packets += 1;
                there.decoder.decode(&packet[12..], &mut there.heard);
            }
        }
        world.pass(20);
        for frame in world.frames() {
            phones.iter_mut().find(|phone| phone.port == frame.port).unwrap().hear(&frame);
        }
    }
}

#[test]
fn two_of_any_codecs_hear_each_other_and_not_themselves() {
    for one in Codec::ALL {
        for other in Codec::ALL {
            let mut phones = [Phone::new(0, one, 500.0), Phone::new(1, other, 1_300.0)];
            let mut world = bridged(&mut phones);
            talk(&mut world, &mut phones, 60, |_, _| false);
            for (at, own, others) in [(0, 500.0, 1_300.0), (1, 1_300.0, 500.0)] {
                let (heard, echo) = (phones[at].hears(others), phones[at].hears(own));
                assert!((5_000.0..6_800.0).contains(&heard), "{one:?} {other:?} {at}: {heard}");
                assert!(echo < 300.0, "{one:?} {other:?} {at}: {echo}");
                assert!(phones[at].packets >= 57, "{one:?} {other:?}: {}", phones[at].packets);
            }
        }
    }
}

#[test]
fn two_of_one_codec_are_relayed_untouched() {
    for codec in Codec::ALL {
        let mut phones = [Phone::new(0, codec, 500.0), Phone::new(1, codec, 1_300.0)];
        let mut world = bridged(&mut phones);
        let sent = phones[0].packet();
        let mut packet = sent.clone();
        let relay = world.rtp(phones[0].port, phones[0].from, &mut packet);
        assert_eq!(relay.map(|relay| relay.port), Some(phones[1].port));
        assert_eq!(packet, numbered(FIRST, sent), "but for its number");
        assert_eq!(world.engine.deadline(), None, "nobody has to be waited for");
    }
}

#[test]
fn wide_band_is_heard_where_two_have_it_in_a_room_of_three() {
    let mut phones = [
        Phone::new(0, Codec::G722, 5_500.0),
        Phone::new(1, Codec::Opus, 700.0),
        Phone::new(2, Codec::Pcma, 1_900.0),
    ];
    let mut world = bridged(&mut phones);
    talk(&mut world, &mut phones, 80, |_, _| false);
    assert!(phones[1].hears(5_500.0) > 4_000.0, "{}", phones[1].hears(5_500.0));
    assert!(phones[2].hears(5_500.0) < 200.0, "no telephone can tell that");
    assert!(phones[2].hears(700.0) > 5_000.0 && phones[0].hears(1_900.0) > 5_000.0);
}

#[test]
fn a_lost_packet_in_seven_is_made_up() {
    for codec in Codec::ALL {
        let other = if codec == Codec::G722 { Codec::Pcmu } else { Codec::G722 };
        let mut phones = [Phone::new(0, codec, 500.0), Phone::new(1, other, 1_300.0)];
        let mut world = bridged(&mut phones);
        talk(&mut world, &mut phones, 100, |at, n| at == 0 && n % 7 == 3);
        let heard = phones[1].hears(500.0);
        // Opus makes its losses up in another phase.
        let least = if codec == Codec::Opus { 2_000.0 } else { 4_800.0 };
        assert!(heard > least, "{codec:?}: {heard}");
        assert!(phones[1].packets >= 97, "and nothing is shorter for it");
    }
}

#[test]
fn a_bridge_follows_what_its_ends_agree_to() {
    let mut phones = [Phone::new(0, Codec::Pcma, 500.0), Phone::new(1, Codec::Opus, 1_300.0)];
    let mut world = bridged(&mut phones);
    talk(&mut world, &mut phones, 30, |_, _| false);
    assert!(world.engine.deadline().is_some(), "a room of two");
    let port = phones[1].port;
    world.command(Command::Agree { port, far: with(FAR[1], Codec::Pcmu) });
    let mut packet = phones[0].packet();
    let relay = world.rtp(phones[0].port, FAR[0], &mut packet);
    assert!(relay.is_some() && world.engine.deadline().is_none(), "a relay");
    world.command(Command::Agree { port, far: with(FAR[1], Codec::Opus) });
    assert!(world.rtp(phones[0].port, FAR[0], &mut phones[0].packet()).is_none());
    world.command(Command::Unbridge { port });
    assert_eq!(world.engine.deadline(), None);
}

#[test]
fn keys_are_pressed_anew_for_the_other_party_of_a_room_of_two() {
    let mut phones = [Phone::new(0, Codec::Pcma, 500.0), Phone::new(1, Codec::Opus, 1_300.0)];
    let mut world = World::with(&[
        (phones[0].port, with(FAR[0], Codec::Pcma)),
        (
            phones[1].port,
            Far { event: Some(102), event_clock: 48_000, ..with(FAR[1], Codec::Opus) },
        ),
    ]);
    world.bridge(phones[0].port, phones[1].port);
    talk(&mut world, &mut phones, 10, |_, _| false);
    for n in 0..6u16 {
        let (end, duration) = (n >= 3, 160 * (n + 1));
        let payload = Press { key: '7', end, volume: 10, duration }.bytes().unwrap();
        let header = Header {
            marker: n == 0,
            payload_type: 101,
            sequence: 11 + n,
            timestamp: 1_760,
            ssrc: 7,
        };
        let mut packet = [&header.bytes()[..], &payload].concat();
        assert_eq!(world.rtp(phones[0].port, FAR[0], &mut packet), None);
    }
    world.pass(300);
    let frames = world.frames();
    let sent = frames.iter().filter(|frame| frame.header[1] & 0x7f == 102);
    let sent: Vec<&Frame> = sent.collect();
    let presses: Vec<Press> = sent.iter().map(|f| Press::parse(f.payload()).unwrap()).collect();
    assert_eq!(presses.len(), 7);
    assert!(presses.iter().all(|press| press.key == '7') && presses[6].end);
    assert_eq!(presses[6].duration, 4_800, "100 ms at the clock of Opus");
    let stamps: Vec<&[u8]> = sent.iter().map(|frame| &frame.header[4..8]).collect();
    assert!(stamps.windows(2).all(|pair| pair[0] == pair[1]));
    assert!(sent[0].header[1] & 0x80 != 0 && sent[1].header[1] & 0x80 == 0);
}

/// RFC 3264 section 6.1: whoever names several codecs in an answer may speak any of them.
#[test]
fn whoever_speaks_another_codec_than_the_first_is_heard_all_the_same() {
    for (agreed, spoken) in [
        (Codec::Pcma, Codec::G722),
        (Codec::G722, Codec::Pcma),
        (Codec::Pcma, Codec::Opus),
        (Codec::Opus, Codec::Pcmu),
    ] {
        let mut phones = [Phone::new(0, spoken, 500.0), Phone::new(1, agreed, 1_300.0)];
        let named = Codec::ALL.map(|codec| (codec == spoken).then(|| codec.our_payload()));
        let far = Far { named, ..with(FAR[0], agreed) };
        let mut world =
            World::with(&[(phones[0].port, far), (phones[1].port, with(FAR[1], agreed))]);
        world.bridge(phones[0].port, phones[1].port);
        phones[0].decoder = Decoder::new(agreed, WIDE);
        talk(&mut world, &mut phones, 60, |_, _| false);
        for (at, others) in [(0, 1_300.0), (1, 500.0)] {
            let heard = phones[at].hears(others);
            assert!((4_800.0..6_800.0).contains(&heard), "{agreed:?} {spoken:?} {at}: {heard}");
        }
        // Whoever has not named it is neither heard nor thought to be there, and the call goes on.
        let mut world = World::with(&[
            (phones[0].port, with(FAR[0], agreed)),
            (phones[1].port, with(FAR[1], agreed)),
        ]);
        world.bridge(phones[0].port, phones[1].port);
        talk(&mut world, &mut phones[..1], 10, |_, _| false);
        let figures = world.figures(phones[0].port);
        assert_eq!((figures.received, figures.refused), (0, 10), "{agreed:?} {spoken:?}");
        assert_eq!(world.engine.deadline(), None, "they are no room");
    }
}

#[test]
fn keys_are_pressed_amid_a_relay_without_a_gap_in_its_numbers() {
    let mut phones = [Phone::new(0, Codec::G722, 500.0), Phone::new(1, Codec::G722, 1_300.0)];
    let mut world = bridged(&mut phones);
    world.command(Command::Press { port: phones[1].port, keys: "12".into() });
    let (mut numbers, mut keys, mut ssrcs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..30 {
        let mut packet = phones[0].packet();
        assert!(world.rtp(phones[0].port, FAR[0], &mut packet).is_some());
        numbers.push(u16::from_be_bytes([packet[2], packet[3]]));
        world.pass(20);
        for frame in world.frames() {
            numbers.push(u16::from_be_bytes([frame.header[2], frame.header[3]]));
            ssrcs.push(frame.header[8..12].to_vec());
            keys.push(Press::parse(frame.payload()).unwrap().key);
        }
    }
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)), "{numbers:?}");
    assert_eq!(keys.iter().collect::<String>(), "11111112222222");
    assert!(ssrcs.iter().all(|ssrc| *ssrc == [0, 0, 0, 7]), "it is the same stream");
    assert_eq!(world.engine.deadline(), None, "all are pressed");
}

#[test]
fn a_trunk_that_has_keys_in_its_sound_alone_is_understood_and_answered_so() {
    let trunk = Far { inband: true, event: None, ..with(FAR[0], Codec::Pcma) };
    let [near, peer, _] = ports();
    let mut world = World::with(&[(near, trunk), (peer, with(FAR[1], Codec::Pcmu))]);
    world.bridge(near, peer);
    let (mut stamp, mut loud) = (0, 0);
    for step in 0..10 {
        let samples = if step < 4 { crate::media::tones::tone('8', step * 160) } else { [0; 160] };
        let payload = samples.map(|sample| crate::wire::g711::Law::A.encode(sample));
        stamp += 1;
        world.pass(20);
        let mut bytes = packet(8, stamp, &payload);
        assert!(world.rtp(near, FAR[0], &mut bytes).is_some());
        let is_loud = |octet: &u8| Law::Mu.decode(*octet).unsigned_abs() > 100;
        loud += u32::from(bytes[12..].iter().any(is_loud));
    }
    let keys = |effect: &Effect| matches!(effect, Effect::Tell(Event::Key { .. }));
    let told: Vec<Effect> = world.out.iter().filter(|effect| keys(effect)).cloned().collect();
    assert_eq!(told, [Effect::Tell(Event::Key { port: near, key: '8' })]);
    // The other party is told of it in its own way, and hears no more of the tone than it took to
    // find it.
    world.pass(100);
    let presses: Vec<Press> = world
        .frames()
        .iter()
        .filter(|frame| frame.header[1] & 0x7f == 101)
        .map(|frame| Press::parse(frame.payload()).unwrap())
        .collect();
    assert!(presses.len() == 7 && presses.iter().all(|press| press.key == '8'), "{presses:?}");
    assert!((1..=2).contains(&loud), "{loud} packets of the tone");
    // The other party's telephone tells of its key beside the sound.
    let payload = Press { key: '3', end: true, volume: 10, duration: 800 }.bytes().unwrap();
    world.rtp(peer, FAR[1], &mut packet(101, 1, &payload));
    let mut ear = crate::media::tones::Tones::default();
    let mut keys = Vec::new();
    for n in 0..15 {
        world.pass(20);
        let relayed = world.rtp(peer, FAR[1], &mut packet(0, 2 + n, &[0xff; 160])).is_some();
        let frames = world.frames();
        assert!(frames.len() == 1 || relayed, "one or the other is heard");
        for frame in frames {
            let law = crate::wire::g711::Law::A;
            ear.hear(frame.payload().iter().map(|octet| law.decode(*octet)), &mut keys);
        }
    }
    assert_eq!(keys, ['3']);
}

/// Where two wires become four, a part of what is said comes back.
#[test]
fn the_echo_of_a_key_that_we_press_is_no_key() {
    let trunk = Far { inband: true, event: None, ..with(FAR[0], Codec::Pcma) };
    let [near, peer, _] = ports();
    let mut world = World::with(&[(near, trunk), (peer, with(FAR[1], Codec::Pcmu))]);
    world.bridge(near, peer);
    world.command(Command::Press { port: near, keys: "57".into() });
    let law = crate::wire::g711::Law::A;
    let (mut echo, mut told, mut stamp) = ([0i16; 160], Vec::new(), 0);
    let mut say = |world: &mut World, samples: &[i16; 160]| {
        stamp += 1;
        world.rtp(near, FAR[0], &mut packet(8, stamp, &samples.map(|s| law.encode(s))));
    };
    for _ in 0..40 {
        world.pass(20);
        say(&mut world, &echo);
        let out: Vec<Effect> = world.out.drain(..).collect();
        let tone = out.iter().rev().find_map(|effect| match effect {
            Effect::Send(frame) if frame.port == near => Some(frame.payload().to_vec()),
            _ => None,
        });
        // 20 dB fainter, and 20 ms later.
        echo = tone.map_or([0; 160], |tone| std::array::from_fn(|n| law.decode(tone[n]) / 10));
        told.extend(out.into_iter().filter(|e| matches!(e, Effect::Tell(Event::Key { .. }))));
    }
    assert_eq!(told, []);
    for step in 0..4 {
        world.pass(20);
        say(&mut world, &crate::media::tones::tone('3', step * 160));
    }
    assert!(world.events().contains(&Event::Key { port: near, key: '3' }), "and a key is one");
}

#[test]
fn packets_of_ours_are_as_long_as_the_far_end_wants() {
    for (ptime, packets) in [(10, 100), (20, 50), (30, 33), (40, 25), (60, 16)] {
        for codec in [Codec::Pcma, Codec::G722] {
            let near = ports()[0];
            let mut world = World::with(&[(near, Far { ptime, ..with(FAR[0], codec) })]);
            world.command(Command::music(near, MUSIC, Instant(0)));
            world.pass(1_000);
            let frames = world.frames();
            let stamp = |frame: &Frame| u32::from_be_bytes(frame.header[4..8].try_into().unwrap());
            assert!(frames.len().abs_diff(packets) <= 2, "{ptime} ms: {}", frames.len());
            assert!(frames.iter().all(|frame| frame.payload().len() == usize::from(ptime) * 8));
            let step = u32::from(ptime) * 8;
            let steady = |pair: &[Frame]| stamp(&pair[1]).wrapping_sub(stamp(&pair[0])) == step;
            assert!(frames.windows(2).all(steady));
        }
    }
}

/// RFC 6716 section 3.2.5: several frames are one packet, which any decoder takes.
#[test]
fn packets_of_opus_are_as_long_as_the_far_end_wants() {
    let mut by_itself = [None, None];
    let lengths = [(10, 10), (15, 10), (20, 20), (30, 30), (40, 40), (50, 50), (60, 60)];
    for ((ptime, millis), cbr) in lengths.into_iter().flat_map(|at| [(at, false), (at, true)]) {
        let near = ports()[0];
        let opus = Terms { cbr, ..Terms::default() };
        let mut world = World::with(&[(near, Far { ptime, opus, ..with(FAR[0], Codec::Opus) })]);
        world.command(Command::Play { port: near, piece: 1, tunes: vec![PROMPT], then: None });
        world.pass(1_000);
        let frames = world.frames();
        let stamp = |frame: &Frame| u32::from_be_bytes(frame.header[4..8].try_into().unwrap());
        // 100 ms, and what is left at the end is heard too.
        let last = frames.len() - 1;
        let lasts = |frame: &Frame| duration(frame.payload()).unwrap() / 48;
        assert!(frames[..last].iter().all(|frame| lasts(frame) == millis), "{ptime} ms");
        assert_eq!(last as u32, (100 - 1) / millis, "{ptime} ms");
        assert_eq!(lasts(&frames[last]), 100 - last as u32 * millis, "{ptime} ms");
        let is_long = |frame: &Frame| frame.payload().len() == frames[0].payload().len();
        assert!(!cbr || frames[..last].iter().all(is_long), "{ptime} ms: cbr");
        let (mut decoder, mut heard) = (Decoder::new(Codec::Opus, 8_000), Vec::new());
        let mut at = stamp(&frames[0]);
        for frame in &frames {
            let before = heard.len();
            assert_eq!(stamp(frame), at, "{ptime} ms");
            decoder.decode(frame.payload(), &mut heard);
            at = at.wrapping_add((heard.len() - before) as u32 * 6);
        }
        assert_eq!(heard.len(), 800, "{ptime} ms");
        assert!(heard.iter().any(|sample| sample.abs() > 100), "{ptime} ms");
        let same =
            by_itself[usize::from(millis / 10 % 2 == 1)].get_or_insert_with(|| heard.clone());
        assert!(*same == heard, "{ptime} ms");
    }
}

/// The same of what is encoded while it is said.
#[test]
fn a_room_is_heard_in_packets_of_opus_of_any_length() {
    for (ptime, cbr) in [(10, false), (30, false), (50, true), (60, true)] {
        let mut phones = [Phone::new(0, Codec::Opus, 500.0), Phone::new(1, Codec::Pcma, 1_300.0)];
        let mut world = bridged(&mut phones);
        let opus = Terms { cbr, ..Terms::default() };
        let far = Far { ptime, opus, ..with(FAR[0], Codec::Opus) };
        world.command(Command::Agree { port: phones[0].port, far });
        let mut lengths = Vec::new();
        for _ in 0..100 {
            for phone in &mut phones {
                world.rtp(phone.port, phone.from, &mut phone.packet());
            }
            world.pass(20);
            for frame in world.frames() {
                let phone = phones.iter_mut().find(|phone| phone.port == frame.port).unwrap();
                phone.hear(&frame);
                if phone.codec == Codec::Opus {
                    let millis = duration(frame.payload()).unwrap() / 48;
                    lengths.push((millis as u8, frame.payload().len()));
                }
            }
        }
        assert!(lengths.len() >= 1_900 / usize::from(ptime), "{ptime} ms: {}", lengths.len());
        assert!(lengths.iter().all(|length| length.0 == ptime), "{ptime} ms: {lengths:?}");
        assert!(!cbr || lengths.iter().all(|length| length.1 == lengths[0].1), "{lengths:?}");
        let heard = phones[0].hears(1_300.0);
        assert!((5_000.0..6_800.0).contains(&heard), "{ptime} ms: {heard}");
    }
}

#[test]
fn tunes_are_played_in_every_codec() {
    for codec in Codec::ALL {
        let near = ports()[0];
        let mut world = World::with(&[(near, with(FAR[0], codec))]);
        world.command(Command::music(near, MUSIC, Instant(0)));
        world.pass(1_000);
        let frames = world.frames();
        assert_eq!(frames.len(), 50);
        let stamp = |frame: &Frame| u32::from_be_bytes(frame.header[4..8].try_into().unwrap());
        let step = codec.clock() / 50;
        assert!(frames.windows(2).all(|w| stamp(&w[1]).wrapping_sub(stamp(&w[0])) == step));
        let (mut decoder, mut heard) = (Decoder::new(codec, 8_000), Vec::new());
        frames.iter().for_each(|frame| decoder.decode(frame.payload(), &mut heard));
        assert_eq!(heard.len(), 8_000);
    }
}

#[test]
fn comfort_noise_is_heard_in_a_room_and_its_pauses_are_no_silence() {
    let mut phones = [Phone::new(0, Codec::Pcma, 500.0), Phone::new(1, Codec::G722, 1_300.0)];
    let quiet = Far { comfort: Some(13), ..with(FAR[0], Codec::Pcma) };
    let mut world =
        World::with(&[(phones[0].port, quiet), (phones[1].port, with(FAR[1], Codec::G722))]);
    world.bridge(phones[0].port, phones[1].port);
    let silence = Some(Duration::from_secs(3));
    for phone in &phones {
        world.command(Command::Watch { port: phone.port, silence });
    }
    talk(&mut world, &mut phones, 25, |_, _| false);
    // It says that it pauses, at 40 dB below overload, and pauses for ten seconds.
    let header =
        Header { marker: false, payload_type: 13, sequence: 26, timestamp: 26 * 160, ssrc: 7 };
    world.rtp(phones[0].port, FAR[0], &mut [&header.bytes()[..], &[40]].concat());
    phones[1].heard.clear();
    for _ in 0..500 {
        world.rtp(phones[1].port, FAR[1], &mut phones[1].packet());
        world.pass(20);
        let (frames, told): (Vec<Effect>, Vec<Effect>) =
            world.out.drain(..).partition(|effect| matches!(effect, Effect::Send(_)));
        assert!(told.iter().all(|effect| !matches!(effect, Effect::Tell(Event::Silent { .. }))));
        for effect in frames {
            if let Effect::Send(frame) = effect
                && frame.port == phones[1].port
            {
                phones[1].hear(&frame);
            }
        }
    }
    let power: f64 = phones[1].heard[16_000..].iter().map(|s| f64::from(*s).powi(2)).sum();
    let level =
        10.0 * (power / (phones[1].heard.len() - 16_000) as f64 / 32_768f64.powi(2)).log10();
    assert!((-44.0..-37.0).contains(&level), "{level} dB");
    world.pass(15_000);
    let told = world.events();
    let silent = told.iter().filter(|event| matches!(event, Event::Silent { .. })).count();
    assert_eq!(silent, 2, "and whoever is gone is gone");
}

#[test]
fn a_seat_hears_whom_it_is_to_hear() {
    let mut phones = [
        Phone::new(0, Codec::Pcma, 500.0),
        Phone::new(1, Codec::G722, 1_300.0),
        Phone::new(2, Codec::Opus, 2_100.0),
    ];
    let mut world = bridged(&mut phones);
    // A supervisor whispers: the caller hears the agent alone.
    let seats = [0b010, 0b101, 0b011];
    let seat = |(port, hears)| control::Seat { port, hears, keys: true };
    let seats = ports().into_iter().zip(seats).map(seat);
    world.command(Command::Gather { seats: seats.collect() });
    talk(&mut world, &mut phones, 60, |_, _| false);
    assert!(phones[0].hears(1_300.0) > 5_000.0 && phones[0].hears(2_100.0) < 300.0);
    assert!(phones[1].hears(500.0) > 5_000.0 && phones[1].hears(2_100.0) > 5_000.0);
    assert!(phones[2].hears(500.0) > 5_000.0 && phones[2].hears(1_300.0) > 5_000.0);
}

/// Point 6 of bad input: whatever comes in under any payload type, the call goes on.
#[test]
fn garbage_of_any_kind_leaves_a_room_of_unlike_codecs_up() {
    let mut phones = [Phone::new(0, Codec::Opus, 500.0), Phone::new(1, Codec::Pcma, 1_300.0)];
    let mut world = bridged(&mut phones);
    talk(&mut world, &mut phones, 20, |_, _| false);
    let mut dice = 5u32;
    let mut roll = || {
        dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        dice >> 8
    };
    for n in 0..3_000 {
        let length = [0, 1, 3, 160, 1_300, 2_000][roll() as usize % 6];
        let payload: Vec<u8> = (0..length).map(|_| roll() as u8).collect();
        let header = Header {
            marker: roll() % 2 == 0,
            payload_type: [96, 8, 0, 9, 13, 101, 102, 33][roll() as usize % 8],
            sequence: roll() as u16,
            timestamp: roll().wrapping_mul(77),
            ssrc: if roll() % 3 == 0 { roll() } else { 7 },
        };
        let mut packet = [&header.bytes()[..], &payload].concat();
        let at = n % 2;
        world.rtp(phones[at].port, FAR[at], &mut packet);
        if n % 5 == 0 {
            world.pass(20);
            let sent = world.frames();
            assert!(sent.iter().all(|frame| frame.payload().len() <= PAYLOAD_MAX));
        }
    }
    world.pass(2_000);
    world.out.clear();
    phones.iter_mut().for_each(|phone| phone.heard.clear());
    talk(&mut world, &mut phones, 80, |_, _| false);
    assert!(phones[0].hears(1_300.0) > 4_500.0 && phones[1].hears(500.0) > 4_500.0);
}
