//! Q40: a recording is on the clock of its call, within 20 ms, whatever the network loses, whatever
//! codecs are spoken and through however many hands the call goes: the real switch, real sockets,
//! and clicks whose time is known.
#![allow(clippy::disallowed_methods)] // Sound takes its time.

mod support;

use jiff::Timestamp;
use pukar::base::Rng;
use pukar::media::sound::{Encoder, NARROW};
use pukar::wire::codec::Codec;
use pukar::wire::g711::Law;
use pukar::wire::wav;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::agents::{READY, agent, lives_in};
use support::duet::{Duet, End};
use support::street::{CALLER, OTHER_PHONE, PHONE};
use support::switch::{HELPLINE, Switch};

/// Whoever the call is transferred to, and no caller is offered.
const COLLEAGUE: &str = "[recording]\nall = true\nnotice = \"\"\n\
    [[agent]]\nid = \"op2\"\nskills = [\"other\"]\nready = true\n\
    contact = \"sip:op2@NET.4:5060\"\n";
const FRAME: Duration = Duration::from_millis(20);
/// Of a hundred packets so many are lost, at random, on either side.
const LOST: u64 = 15;
/// One packet in so many is a click, by turns of those who talk.
const CLICKS: u64 = 12;
const CLOSE_MS: f64 = 20.0;

/// When a click was said, and on which side.
type Click = (Timestamp, usize);

/// Whoever talks, and on which side of the recording.
struct Voice<'a> {
    end: &'a mut End,
    coder: &'a mut Encoder,
    side: usize,
}

/// Two who speak A-law.
fn both<'a>(duet: &'a mut Duet, [one, other]: &'a mut [Encoder; 2]) -> [Voice<'a>; 2] {
    let Duet { caller, phone, .. } = duet;
    [Voice { end: caller, coder: one, side: 0 }, Voice { end: phone, coder: other, side: 1 }]
}

struct Talk {
    rng: Rng,
    /// The clock of all telephones, which goes on whatever becomes of the call.
    began: Instant,
    wall: Timestamp,
    /// The packet that is due next.
    next: u64,
}

impl Talk {
    fn new(seed: u64) -> Self {
        Self { rng: Rng::new(seed), began: Instant::now(), wall: Timestamp::now(), next: 0 }
    }

    /// All say so many packets, most of them silence; the clicks among them.
    fn go_on(&mut self, voices: &mut [Voice], packets: u64) -> Vec<Click> {
        let due = self.began.elapsed().as_millis() as u64 / 20 + 1;
        for voice in voices.iter_mut() {
            voice.end.jump((due - self.next) as u16);
        }
        let (mut said, count) = (Vec::new(), voices.len() as u64);
        for n in due..due + packets {
            let at = self.began + FRAME * n as u32;
            std::thread::park_timeout(at.saturating_duration_since(Instant::now()));
            for (voice, turn) in voices.iter_mut().zip(0..) {
                let clicks = n % CLICKS == turn * CLICKS / count;
                let mut payload = Vec::new();
                voice.coder.encode(&if clicks { click() } else { [0; 160] }, &mut payload);
                if !clicks && self.rng.bits() % 100 < LOST {
                    voice.end.jump(1);
                    continue;
                }
                // What is due now was said in the 20 ms before.
                let at = self.wall + FRAME * (n as u32 - 1);
                voice.end.say(&payload);
                said.extend(clicks.then_some((at, voice.side)));
            }
        }
        self.next = due + packets;
        // Until something has come in time, nobody knows how late the first packets were.
        let known = said.first().map(|(at, _)| *at + Duration::from_millis(500));
        said.into_iter().filter(|(at, _)| known.is_some_and(|known| *at > known)).collect()
    }
}

/// Twenty milliseconds that every codec keeps.
fn click() -> [i16; 160] {
    let turn = std::f64::consts::TAU * 1_000.0 / f64::from(NARROW);
    std::array::from_fn(|n| (12_000.0 * (turn * n as f64).cos()) as i16)
}

fn time(record: &Value, key: &str) -> Timestamp {
    record[key].as_str().unwrap().parse().unwrap()
}

/// Where a loud sound begins, in milliseconds from the beginning.
fn beginnings(lane: &[bool]) -> Vec<f64> {
    let quiet = |at: usize| lane[at.saturating_sub(40)..at].iter().all(|loud| !loud);
    (1..lane.len()).filter(|at| lane[*at] && quiet(*at)).map(|at| at as f64 / 8.0).collect()
}

fn off(lane: &[f64], at: f64) -> f64 {
    lane.iter().map(|begins| (begins - at).abs()).fold(f64::INFINITY, f64::min)
}

/// A recording, and the moments that its call says it began and ended at.
struct Tape {
    from: Timestamp,
    until: Timestamp,
    sound: Vec<u8>,
}

impl Tape {
    fn of(record: &Value, folder: &std::path::Path) -> Self {
        let name = record["recording"].as_str().unwrap().split(';').next().unwrap();
        let mut sound = std::fs::read(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        sound.drain(..wav::HEADER);
        let (from, until) = (time(record, "connected_at"), time(record, "ended_at"));
        let tape = Self { from, until, sound };
        let (is, was) = (tape.sound.len() as f64 / 16.0, tape.ms(until));
        assert!((is - was).abs() <= 2.0, "{is} ms of {was}");
        tape
    }

    fn ms(&self, at: Timestamp) -> f64 {
        (at.as_microsecond() - self.from.as_microsecond()) as f64 / 1_000.0
    }

    fn lanes(&self) -> [Vec<f64>; 2] {
        [0, 1].map(|lane| {
            let loud = |octet: &u8| Law::A.decode(*octet).abs() > 2_000;
            beginnings(&self.sound.iter().skip(lane).step_by(2).map(loud).collect::<Vec<_>>())
        })
    }

    fn has_all(&self, clicks: &[Click]) {
        let lanes = self.lanes();
        for (at, side) in clicks {
            let (at, away) = (self.ms(*at), off(&lanes[*side], self.ms(*at)));
            assert!(away <= CLOSE_MS, "side {side}: the click at {at} ms is {away} ms off");
        }
    }

    fn has_none(&self, clicks: &[Click]) {
        let lanes = self.lanes();
        for (at, side) in clicks {
            let at = self.ms(*at);
            assert!(off(&lanes[*side], at) > 3.0 * CLOSE_MS, "it is heard at {at}");
        }
    }

    fn is_silent(&self, from: Timestamp, until: Timestamp) {
        let [from, until] = [from, until].map(|at| self.ms(at) as usize * 16);
        assert!(self.ms(self.until) as usize * 16 > until && until > from + 16_000);
        let heard = self.sound[from..until].iter().filter(|octet| **octet != Law::A.silence());
        assert_eq!(heard.count(), 0, "of {} octets", until - from);
    }
}

fn act(switch: &mut Switch, call: &Value, verb: &str, more: Value) {
    let mut asked = json!({"call": call});
    asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    switch.admin.ask(verb, asked).unwrap();
}

#[test]
fn q40_a_recording_keeps_the_calls_clock_at_15_percent_loss_through_hold_and_transfer() {
    let mut duet = Duet::begin(COLLEAGUE, |_| {});
    let mut colleague = End::new(&duet.switch.street, OTHER_PHONE, 0x0c07_7ea9);
    // What they said to find each other was in no telephone's time.
    duet.caller.ssrc += 1;
    duet.phone.ssrc += 1;
    let (mut talk, coders) =
        (Talk::new(15), &mut [0, 1].map(|_| Encoder::new(Codec::Pcma, NARROW)));
    let mut clicks = talk.go_on(&mut both(&mut duet, coders), 200);
    let call = duet.switch.ask("calls.list")[0]["id"].clone();
    act(&mut duet.switch, &call, "calls.hold", json!({}));
    let held = talk.go_on(&mut both(&mut duet, coders), 120);
    act(&mut duet.switch, &call, "calls.resume", json!({}));
    clicks.extend(talk.go_on(&mut both(&mut duet, coders), 120));
    act(&mut duet.switch, &call, "calls.transfer", json!({"to": "op2", "way": "blind"}));
    duet.phone.answers_bye();
    std::mem::swap(&mut duet.phone, &mut colleague);
    duet.phone.answer();
    clicks.extend(talk.go_on(&mut both(&mut duet, coders), 200));
    let folder = duet.switch.data().join("recordings");
    let (_, tape) = duet.end_after(|record| Tape::of(record, &folder));
    assert!(clicks.len() > 60 && held.len() > 10, "{}, {}", clicks.len(), held.len());
    tape.has_all(&clicks);
    tape.has_none(&held);
}

/// A caller in A-law, an agent in G.722, and a supervisor in Opus who speaks with both; and a part
/// of it is nobody's business.
#[test]
fn q40_a_recording_of_unlike_codecs_keeps_the_clock_in_a_conference_and_nothing_that_is_private() {
    let op1 = agent("op1", &[&lives_in("op1", PHONE), READY]);
    let mut switch = Switch::start(&[COLLEAGUE, HELPLINE, &op1]);
    let parties = [(CALLER, Codec::Pcma), (PHONE, Codec::G722), (OTHER_PHONE, Codec::Opus)];
    let mut ends = parties.map(|(house, codec)| {
        End::new(&switch.street, house, 0x0c07_0000 + u32::from(house)).speaking(codec)
    });
    let mut coders = parties.map(|(_, codec)| Encoder::new(codec, NARROW));
    ends[0].dial();
    ends[1].answer();
    switch.until("call.connected", |_| true);
    let (mut talk, mut clicks) = (Talk::new(16), Vec::new());
    let mut say = |ends: &mut [End], packets| {
        let all = ends.iter_mut().zip(&mut coders).zip([0, 1, 1]);
        let mut all: Vec<Voice> =
            all.map(|((end, coder), side)| Voice { end, coder, side }).collect();
        talk.go_on(&mut all, packets)
    };
    clicks.extend(say(&mut ends[..2], 100));
    let call = switch.ask("calls.list")[0]["id"].clone();
    act(&mut switch, &call, "calls.barge", json!({"phone": "op2"}));
    ends[2].answer();
    clicks.extend(say(&mut ends, 150));
    act(&mut switch, &call, "calls.private", json!({}));
    // The last of what was said is on its way.
    let from = Timestamp::now() + Duration::from_millis(100);
    let private = say(&mut ends, 100);
    // The first packet that comes after it has what was said in the 20 ms before.
    let until = Timestamp::now() - Duration::from_millis(25);
    act(&mut switch, &call, "calls.record", json!({}));
    clicks.extend(say(&mut ends, 100));
    ends[0].hang_up();
    ends[1..].iter().for_each(End::answers_bye);
    switch.until_ended(1);
    let folder = switch.data().join("recordings");
    let record = switch.leaves_records().remove(0);
    let tape = Tape::of(&record, &folder);
    assert!(clicks.len() > 50 && private.len() > 10, "{}, {}", clicks.len(), private.len());
    tape.has_all(&clicks);
    tape.has_none(&private);
    tape.is_silent(from, until);
}
