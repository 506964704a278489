//! A conference of sealed parties in unlike codecs, and who is not one of them.

use super::*;
use crate::media::control::Seals;
use crate::media::sound::{Decoder, Encoder, NARROW};
use crate::media::srtp::Seal;
use crate::wire::sdp::{Master, Suite};

const PARTIES: [(&str, Codec, Suite); 3] = [
    ("192.0.2.40:4000", Codec::Pcma, Suite::Cm80),
    ("192.0.2.50:5000", Codec::G722, Suite::Gcm128),
    ("192.0.2.60:6000", Codec::Opus, Suite::Gcm256),
];
const STRANGER: &str = "198.51.100.66:6666";

fn key(suite: Suite, first: u8) -> Master {
    let (key, salt) = suite.lengths();
    let octets: Vec<u8> = (first..).take(key + salt).collect();
    Master::new(suite, &octets).unwrap()
}

struct Party {
    port: PortId,
    from: &'static str,
    codec: Codec,
    encoder: Encoder,
    decoder: Decoder,
    seal: Seal,
    said: Vec<Vec<u8>>,
    loudest: u16,
    packets: u32,
}

impl Party {
    /// 20 ms of nothing.
    fn packet(&mut self, now: Instant) -> Vec<u8> {
        let mut payload = Vec::new();
        self.encoder.encode(&[0; 160], &mut payload);
        let sequence = 1 + self.said.len() as u16;
        let timestamp = u32::from(sequence) * self.codec.clock() / 50;
        let payload_type = self.codec.our_payload();
        let header = Header { marker: false, payload_type, sequence, timestamp, ssrc: 7 };
        let mut packet = [&header.bytes()[..], &payload].concat();
        assert!(self.seal.seal(now, self.codec.clock(), &mut packet));
        self.said.push(packet.clone());
        packet
    }

    fn hear(&mut self, frame: &Frame) {
        let mut packet = [&frame.header[..], frame.payload()].concat();
        let length = self.seal.open(false, &mut packet).expect("sealed for this one");
        let mut heard = Vec::new();
        self.decoder.decode(&packet[12..length], &mut heard);
        self.packets += 1;
        let most = heard.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
        self.loudest = self.loudest.max(most);
    }
}

/// Loud noise, plain and under keys that nobody has, in the party's own name and numbers and in
/// others, and what the party has said before.
fn attack(world: &mut World, party: &mut Party, n: u16, thief: &mut Seal) {
    for codec in Codec::ALL.map(Codec::our_payload).into_iter().chain([101, 13]) {
        for (ssrc, sequence) in [(7, n), (7, n + 1), (66, n)] {
            let timestamp = u32::from(sequence) * 160;
            let header = Header { marker: false, payload_type: codec, sequence, timestamp, ssrc };
            let plain = [&header.bytes()[..], &[0x2a; 160]].concat();
            let mut sealed = plain.clone();
            assert!(thief.seal(world.now, 8_000, &mut sealed));
            for from in [STRANGER, party.from] {
                assert_eq!(world.rtp(party.port, from, &mut plain.clone()), None);
                assert_eq!(world.rtp(party.port, from, &mut sealed.clone()), None);
            }
        }
    }
    if let Some(old) = party.said.last() {
        assert_eq!(world.rtp(party.port, party.from, &mut old.clone()), None);
        assert_eq!(world.rtp(party.port, STRANGER, &mut old.clone()), None);
    }
}

#[test]
fn q41_strangers_are_heard_in_no_sealed_conference_of_unlike_codecs() {
    let mut world = World::new();
    let mut parties: Vec<Party> = Vec::new();
    for (n, (from, codec, suite)) in (0..).zip(PARTIES) {
        let (port, theirs, ours) =
            (port(30_000 + 2 * n), key(suite, n as u8), key(suite, 100 + n as u8));
        world.open(port);
        world.command(Command::Seal { port, keys: Some(Seals { theirs, ours }) });
        world.command(Command::Agree { port, far: Far::at(address(from), codec) });
        parties.push(Party {
            port,
            from,
            codec,
            encoder: Encoder::new(codec, NARROW),
            decoder: Decoder::new(codec, NARROW),
            seal: Seal::new(Seals { theirs: ours, ours: theirs }, 7),
            said: Vec::new(),
            loudest: 0,
            packets: 0,
        });
    }
    let ports: Vec<PortId> = parties.iter().map(|party| party.port).collect();
    world.command(Command::gather(&ports));
    world.out.clear();
    let own = key(Suite::Cm80, 200);
    let mut thief = Seal::new(Seals { theirs: own, ours: own }, 7);
    for n in 1..60 {
        for party in &mut parties {
            attack(&mut world, party, n, &mut thief);
            let mut packet = party.packet(world.now);
            world.rtp(party.port, party.from, &mut packet);
        }
        world.pass(20);
        for frame in world.frames() {
            let party = parties.iter_mut().find(|party| party.port == frame.port).unwrap();
            assert_eq!(frame.to, address(party.from), "nobody else is sent anything");
            party.hear(&frame);
        }
    }
    for party in &parties {
        assert!(party.loudest < 100, "{:?}: {}", party.codec, party.loudest);
        assert!(party.packets >= 55, "{:?}: {}", party.codec, party.packets);
        let figures = world.figures(party.port);
        assert_eq!((figures.received, figures.lost), (59, 0), "{:?}", party.codec);
    }
}
