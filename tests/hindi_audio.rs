//! What callers hear in Hindi, octet by octet: in a queue, over real sockets; and every number, as
//! the engine plays it. The shipped prompts are read here by another reader than the switch's.

mod support;

use pukar::base::{Id, Instant, PortId, TuneId};
use pukar::config::{Settings, Tune};
use pukar::media::control::{Command, Far};
use pukar::media::{Effect, Engine};
use pukar::say::Sentence;
use pukar::shell::tunes;
use pukar::wire::g711::Law;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use support::duet::End;
use support::switch::{HELPLINE, Switch};

/// Octets in 20 ms.
const FRAME: usize = 160;
/// By then everybody has been told their place.
const SECONDS: usize = 12;

/// The shipped prompt as a telephone gets it: a file of A-law, filled up to whole frames.
fn prompt(name: &str) -> Vec<u8> {
    let path = format!("prompts/{name}.wav");
    let wav = std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    // Format 6, one channel, 8,000 samples a second.
    assert_eq!(wav[20..28], [6, 0, 1, 0, 0x40, 0x1f, 0, 0], "{path}");
    let data = wav.windows(4).position(|four| four == b"data").unwrap();
    let size = u32::from_le_bytes(wav[data + 4..data + 8].try_into().unwrap());
    let mut octets = wav[data + 8..][..size as usize].to_vec();
    octets.resize(octets.len().next_multiple_of(FRAME), Law::A.silence());
    octets
}

/// Whether this is that prompt, as loud as it may be: the switch brings all voices to one level.
fn is(heard: &[u8], prompt: &[u8]) -> bool {
    let linear = |octets: &[u8]| -> Vec<f64> {
        octets.iter().map(|octet| f64::from(Law::A.decode(*octet))).collect()
    };
    if heard.len() != prompt.len() {
        return false;
    }
    let (heard, prompt) = (linear(heard), linear(prompt));
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let (own, wanted) = (product(&heard, &heard), product(&prompt, &prompt));
    product(&heard, &prompt) > 0.98 * (own * wanted).sqrt()
}

/// Whether these prompts begin here, one right after the other.
fn begins(heard: &[u8], names: &[String]) -> bool {
    let mut rest = heard;
    names.iter().all(|name| {
        let prompt = prompt(name);
        let Some((this, behind)) = rest.split_at_checked(prompt.len()) else { return false };
        rest = behind;
        is(this, &prompt)
    })
}

fn contains(heard: &[u8], names: &[String]) -> bool {
    (0..heard.len()).step_by(FRAME).any(|at| begins(&heard[at..], names))
}

/// Houses of the callers, in the order in which they call.
const CALLERS: std::ops::RangeInclusive<u8> = 11..=15;
const LINES: &str = "[[trunk]]\nname = \"lines\"\nping = \"0s\"\nhosts = [\"NET.11:5060\", \
                     \"NET.12:5060\", \"NET.13:5060\", \"NET.14:5060\", \"NET.15:5060\"]\n";

#[test]
fn the_fifth_in_the_queue_hears_so_in_hindi_word_by_word() {
    let queue =
        format!("{HELPLINE}staffed = false\nannounce_first = \"1s\"\nannounce_wait = false\n");
    let switch = Switch::start(&[&queue, LINES]);
    let mut callers: Vec<End> =
        CALLERS.map(|house| End::new(&switch.street, house, u32::from(house))).collect();
    callers.iter_mut().for_each(End::dial);
    // A second of music, then the announcement.
    let mut heard = vec![Vec::new(); callers.len()];
    for _ in 0..SECONDS * 50 {
        for (caller, heard) in callers.iter().zip(&mut heard) {
            heard.extend(caller.hear());
        }
    }
    for (at, heard) in heard.iter().enumerate() {
        let place = |n: usize| ["hi/pos".to_string(), format!("hi/n/{n}"), "hi/is".into()];
        let next = ["hi/next".to_string()];
        let said = if at == 0 { next.to_vec() } else { place(at + 1).to_vec() };
        let said = [&["hi/busy".to_string()][..], &said].concat();
        assert!(contains(heard, &said), "caller {} has not heard {said:?}", at + 1);
        let other = place(at + 2);
        assert!(!contains(heard, &other), "caller {} has heard {other:?}", at + 1);
    }
    for caller in &mut callers {
        caller.hang_up();
    }
}

/// All that a port is played for a list of prompts, to the end of the last.
fn played(engine: &mut Engine, port: PortId, tunes: Vec<TuneId>, now: &mut Instant) -> Vec<u8> {
    let mut out = Vec::new();
    engine.command(*now, Command::Play { port, piece: 1, tunes, then: None }, &mut out);
    let mut heard = Vec::new();
    let mut over = false;
    while !over {
        *now = *now + Duration::from_millis(1);
        engine.tick(*now, &mut out);
        for effect in out.drain(..) {
            match effect {
                Effect::Send(frame) => heard.extend_from_slice(frame.payload()),
                Effect::Tell(_) => over = true,
                other => assert!(matches!(other, Effect::Report { .. }), "{other:?}"),
            }
        }
    }
    heard
}

#[test]
fn every_number_to_99_lakhs_and_crores_sound_as_they_were_recorded() {
    let numbers: Vec<u64> =
        (0..100).chain([100, 105, 999, 1_000, 12_345, 100_000, 1_234_567, 987_654_321]).collect();
    let words = |n: u64| {
        let mut sentence = Sentence::new("hi");
        sentence.number(n);
        sentence.into_names()
    };
    let mut slots: BTreeMap<String, TuneId> = BTreeMap::new();
    for name in numbers.iter().flat_map(|n| words(*n)) {
        let next = TuneId::new(slots.len() as u32, 0);
        slots.entry(name).or_insert(next);
    }
    let mut wanted = vec![Tune::default(); slots.len()];
    for (name, id) in &slots {
        let tune = Tune { name: name.clone(), speech: true, ..Tune::default() };
        wanted[id.slot() as usize] = tune;
    }
    let settings = Settings { tunes: wanted, prompts: "/nowhere".into(), ..Settings::default() };
    let (tunes, complaints) = tunes::load(&settings, &mut tunes::Shelf::default());
    assert_eq!(complaints, [""; 0]);
    let mut engine = Engine::new(1, Arc::new(tunes));
    let (port, mut now, mut out) = (PortId::new(20_000, 1), Instant(0), Vec::new());
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    engine.command(now, Command::Open { port, address: here }, &mut out);
    let far = Far::at((here, 40_000).into(), Law::A.into());
    engine.command(now, Command::Agree { port, far }, &mut out);
    for n in numbers {
        let names = words(n);
        let ids = names.iter().map(|name| slots[name]).collect();
        let heard = played(&mut engine, port, ids, &mut now);
        let length: usize = names.iter().map(|name| prompt(name).len()).sum();
        assert!(begins(&heard, &names) && heard.len() == length, "{n} is {names:?}");
        let next = [format!("hi/n/{}", n + 1)];
        assert!(n >= 99 || !begins(&heard, &next), "{n} sounds like the next");
    }
}
