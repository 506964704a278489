//! What may be dialled.

use super::*;
use crate::base::number::Plan as Numbers;
use crate::base::{CallId, Id};
use crate::call::Phone;

const BSNL: TrunkId = TrunkId(0);
const JIO: TrunkId = TrunkId(1);

fn route(prefixes: &[&str], trunk: TrunkId, agents: &[&str]) -> Route {
    Route {
        prefixes: prefixes.iter().map(ToString::to_string).collect(),
        trunk,
        identity: "+917552551181".into(),
        strip: 3,
        add: "0".into(),
        agents: agents.iter().map(ToString::to_string).collect(),
    }
}

fn settings() -> Settings {
    let out = OutSettings {
        routes: vec![
            route(&["+91"], BSNL, &[]),
            route(&["+91"], JIO, &[]),
            route(&["+917394"], JIO, &["ali02"]),
        ],
        ..OutSettings::default()
    };
    let plan = Numbers { area: "755".into(), ..Numbers::default() };
    let phone = Phone { user: "op1".into(), name: "सीमा".into(), ..Phone::default() };
    Settings { out, plan, phones: vec![phone], ..Settings::default() }
}

struct Past {
    tally: Tally,
    down: BTreeSet<TrunkId>,
    now: Instant,
}

impl Past {
    fn new() -> Self {
        Self { tally: Tally::default(), down: BTreeSet::new(), now: Instant(1_000_000_000_000) }
    }

    fn dial(&self, settings: &Settings, who: &str, number: &str) -> Result<Plan, Refusal> {
        let usage = Usage { tally: &self.tally, down: &self.down, now: self.now };
        plan(settings, Who::Agent(who), number, usage)
    }

    fn sent(&self, who: &str, number: &str) -> Result<(TrunkId, String), Refusal> {
        match self.dial(&settings(), who, number)? {
            Plan::Outside(way) => Ok((way.trunk, way.sent)),
            Plan::Agent(user) => panic!("{user}"),
        }
    }
}

#[test]
fn however_a_number_is_keyed_in_it_leaves_in_one_form() {
    let past = Past::new();
    for raw in ["9826012345", "09826012345", "+91 98260 12345", "00919826012345", "९८२६०१२३४५"]
    {
        assert_eq!(past.sent("op1", raw), Ok((BSNL, "09826012345".into())), "{raw}");
    }
    assert_eq!(past.sent("op1", "2551234"), Ok((BSNL, "07552551234".into())));
}

#[test]
fn the_longest_prefix_that_is_open_to_the_agent_counts() {
    let past = Past::new();
    assert_eq!(past.sent("ali02", "07394233445").unwrap().0, JIO);
    assert_eq!(past.sent("op1", "07394233445").unwrap().0, BSNL);
}

#[test]
fn a_trunk_that_is_down_is_gone_around() {
    let mut past = Past::new();
    past.down.insert(BSNL);
    assert_eq!(past.sent("op1", "9826012345").unwrap().0, JIO);
    past.down.insert(JIO);
    assert_eq!(past.sent("op1", "9826012345"), Err(Refusal::TrunkDown));
}

#[test]
fn premium_and_foreign_numbers_and_tricks_are_refused() {
    let past = Past::new();
    for (raw, why) in [
        ("0014155550100", Refusal::International),
        ("+14155550100", Refusal::International),
        ("+88213123456", Refusal::International),
        ("1900123456", Refusal::Premium),
        ("19001234567", Refusal::Premium),
        ("+9119001234567", Refusal::Premium),
        ("181", Refusal::NoRoute),
        ("57575", Refusal::NoRoute),
        ("op2", Refusal::NoNumber),
        ("", Refusal::NoNumber),
        ("+", Refusal::NoNumber),
        ("9826012345@evil.example", Refusal::NoNumber),
        ("*21*9826012345#", Refusal::NoNumber),
        ("9826012345\r\nVia: x", Refusal::NoNumber),
        ("sip:9826012345", Refusal::NoNumber),
    ] {
        assert_eq!(past.dial(&settings(), "op1", raw), Err(why), "{raw}");
    }
    let mut open = settings();
    open.out.international = true;
    assert_eq!(past.dial(&open, "op1", "+14155550100"), Err(Refusal::NoRoute), "no prefix of it");
}

#[test]
fn a_number_in_need_is_dialled_whatever_the_tables_say() {
    let mut past = Past::new();
    past.down.insert(BSNL);
    let mut settings = settings();
    settings.out.caps.at_once = 0;
    let Ok(Plan::Outside(way)) = past.dial(&settings, "op1", "108") else { panic!() };
    assert_eq!((way.trunk, way.number.as_str(), way.longest), (JIO, "108", Duration::ZERO));
}

#[test]
fn mobiles_ring_shorter_than_landlines() {
    let past = Past::new();
    for (raw, seconds) in [("9826012345", 28), ("07552551234", 60), ("01123456789", 60)] {
        let Ok(Plan::Outside(way)) = past.dial(&settings(), "op1", raw) else { panic!("{raw}") };
        assert_eq!(way.ring_for, Duration::from_secs(seconds), "{raw}");
    }
}

#[test]
fn an_extension_is_an_agents_id() {
    assert_eq!(Past::new().dial(&settings(), "op9", "op1"), Ok(Plan::Agent("op1".into())));
}

#[test]
fn caps_hold_for_an_agent_and_for_everybody_and_pass_with_time() {
    let mut past = Past::new();
    let mut settings = settings();
    settings.out.caps =
        Caps { at_once: 3, hour: 6, day: 8, agent_at_once: 1, agent_hour: 2, agent_day: 3 };
    let mut serial = 0;
    let mut place = |past: &mut Past, who: &str, ends: bool| {
        let planned = past.dial(&settings, who, "9826012345").map(drop);
        serial += 1;
        if planned.is_ok() {
            let call = CallId::new(serial, 0);
            past.tally.placed(Who::Agent(who), call, past.now);
            ends.then(|| past.tally.over(call));
        }
        planned
    };
    assert_eq!(place(&mut past, "a", true), Ok(()));
    assert_eq!(place(&mut past, "a", true), Ok(()));
    assert_eq!(place(&mut past, "a", true), Err(Refusal::PerHour));
    assert_eq!(place(&mut past, "b", false), Ok(()));
    assert_eq!(place(&mut past, "b", false), Err(Refusal::TooMany), "one at a time");
    assert_eq!(place(&mut past, "c", false), Ok(()));
    assert_eq!(place(&mut past, "d", false), Ok(()));
    assert_eq!(place(&mut past, "e", false), Err(Refusal::TooMany));
    let live: Vec<CallId> = past.tally.live().collect();
    live.into_iter().for_each(|call| past.tally.over(call));
    assert_eq!(place(&mut past, "e", true), Ok(()));
    assert_eq!(place(&mut past, "f", true), Err(Refusal::PerHour), "all of them: six");
    past.now = past.now + Duration::from_secs(4_600);
    assert_eq!(place(&mut past, "a", true), Ok(()));
    assert_eq!(place(&mut past, "a", true), Err(Refusal::PerDay));
    assert_eq!(place(&mut past, "g", true), Ok(()));
    assert_eq!(place(&mut past, "h", true), Err(Refusal::PerDay), "all of them: eight");
    past.now = past.now + Duration::from_secs(90_000);
    assert_eq!(place(&mut past, "a", true), Ok(()));
}
