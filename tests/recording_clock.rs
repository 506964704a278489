//! Q40: a recording is on the clock of its call, within 20 ms, whatever the network loses and
//! through however many hands the call goes: the real switch, real sockets, and clicks whose time
//! is known.
#![allow(clippy::disallowed_methods)] // Sound takes its time.

mod support;

use jiff::Timestamp;
use pukar::base::Rng;
use pukar::wire::g711::Law;
use pukar::wire::wav;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::duet::{Duet, End};
use support::street::OTHER_PHONE;

/// Whoever the call is transferred to, and no caller is offered.
const COLLEAGUE: &str = "[recording]\nall = true\nnotice = \"\"\n\
    [[agent]]\nid = \"op2\"\nskills = [\"other\"]\nready = true\n\
    contact = \"sip:op2@NET.4:5060\"\n";
const FRAME: Duration = Duration::from_millis(20);
/// Of a hundred packets so many are lost, at random, on either side.
const LOST: u64 = 15;
/// One packet in so many is a click, on either side by turns.
const CLICKS: u64 = 12;
const CLOSE_MS: f64 = 20.0;

/// When a click was said, and on which side.
type Click = (Timestamp, usize);

struct Talk {
    rng: Rng,
    /// The clock of both telephones, which goes on whatever becomes of the call.
    began: Instant,
    wall: Timestamp,
    /// The packet that is due next.
    next: u64,
}

impl Talk {
    /// Both say so many packets, most of them silence; the clicks among them.
    fn go_on(&mut self, duet: &mut Duet, packets: u64) -> Vec<Click> {
        let due = self.began.elapsed().as_millis() as u64 / 20 + 1;
        for end in [&mut duet.caller, &mut duet.phone] {
            end.jump((due - self.next) as u16);
        }
        let mut said = Vec::new();
        for n in due..due + packets {
            let at = self.began + FRAME * n as u32;
            std::thread::park_timeout(at.saturating_duration_since(Instant::now()));
            for (side, end) in [&mut duet.caller, &mut duet.phone].into_iter().enumerate() {
                let clicks = n % CLICKS == side as u64 * CLICKS / 2;
                if !clicks && self.rng.bits() % 100 < LOST {
                    end.jump(1);
                    continue;
                }
                // What is due now was said in the 20 ms before.
                let at = self.wall + FRAME * (n as u32 - 1);
                end.say(&[if clicks { 0x2a } else { Law::A.silence() }; 160]);
                said.extend(clicks.then_some((at, side)));
            }
        }
        self.next = due + packets;
        // Until something has come in time, nobody knows how late the first packets were.
        let known = said.first().map(|(at, _)| *at + Duration::from_millis(500));
        said.into_iter().filter(|(at, _)| known.is_some_and(|known| *at > known)).collect()
    }
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

#[test]
fn q40_a_recording_keeps_the_calls_clock_at_15_percent_loss_through_hold_and_transfer() {
    let mut duet = Duet::begin(COLLEAGUE, |_| {});
    let mut colleague = End::new(&duet.switch.street, OTHER_PHONE, 0x0c07_7ea9);
    // What they said to find each other was in no telephone's time.
    duet.caller.ssrc += 1;
    duet.phone.ssrc += 1;
    let mut talk =
        Talk { rng: Rng::new(15), began: Instant::now(), wall: Timestamp::now(), next: 0 };
    let mut clicks = talk.go_on(&mut duet, 200);
    let call = duet.switch.ask("calls.list")[0]["id"].clone();
    let act = |duet: &mut Duet, verb, more: Value| {
        let mut asked = json!({"call": call});
        asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        duet.switch.admin.ask(verb, asked).unwrap()
    };
    act(&mut duet, "calls.hold", json!({}));
    let held = talk.go_on(&mut duet, 120);
    act(&mut duet, "calls.resume", json!({}));
    clicks.extend(talk.go_on(&mut duet, 120));
    act(&mut duet, "calls.transfer", json!({"to": "op2", "way": "blind"}));
    duet.phone.answers_bye();
    std::mem::swap(&mut duet.phone, &mut colleague);
    duet.phone.answer();
    clicks.extend(talk.go_on(&mut duet, 200));
    let folder = duet.switch.data().join("recordings");
    let (record, file) = duet.end_after(|record| {
        let name = record["recording"].as_str().unwrap();
        std::fs::read(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    });
    let (from, until) = (time(&record, "connected_at"), time(&record, "ended_at"));
    let ms = |at: Timestamp| (at.as_microsecond() - from.as_microsecond()) as f64 / 1_000.0;
    let sound = &file[wav::HEADER..];
    let length = sound.len() as f64 / 16.0;
    assert!((length - ms(until)).abs() <= 2.0, "{length} ms of {}", ms(until));
    let lanes = [0, 1].map(|lane| {
        let loud = |octet: u8| Law::A.decode(octet).abs() > 2_000;
        beginnings(&sound.iter().skip(lane).step_by(2).map(|o| loud(*o)).collect::<Vec<_>>())
    });
    assert!(clicks.len() > 60, "{}", clicks.len());
    for (at, side) in &clicks {
        let away = off(&lanes[*side], ms(*at));
        assert!(away <= CLOSE_MS, "side {side}: the click at {} ms is {away} ms off", ms(*at));
    }
    assert!(held.len() > 10);
    for (at, side) in &held {
        assert!(off(&lanes[*side], ms(*at)) > 3.0 * CLOSE_MS, "held, and heard at {}", ms(*at));
    }
}
