//! Known voices through the switch from one real telephone to another, in every pairing of codecs:
//! baresip and linphone, PCMA, PCMU, G.722 and Opus. What is heard is judged by a score, for level,
//! delay and distortion, not by ear.

mod support;

use pukar::media::sound::{Decoder, Encoder, WIDE};
use pukar::wire::codec::Codec;
use serde_json::Value;
use std::ops::RangeInclusive;
use support::agents::{OLD_PHONE, READY, REGISTERS, SECRET, agent};
use support::duet::End;
use support::linphone::Linphone;
use support::phone::{Heard, Phone};
use support::score::Said;
use support::street::{CALLER, PHONE, Street};
use support::switch::{HELPLINE, Switch};
use support::{talk, tone, voice};

/// Pieces of what is heard that are judged: at least, and at most.
const PIECES: RangeInclusive<usize> = 2..=7;
/// On a busy machine telephones themselves stutter, and a linphone that has once begun goes on with
/// it: then they call again, but not more of them than this. Whoever hears nothing, one piece after
/// the other, does not stutter.
const TRIES: usize = 3;
const AGAIN: usize = 2;

/// Starts a telephone of one make or the other.
type Start = fn(&Street, u8, Option<&str>, Codec, usize) -> Phone;

/// A telephone of every codec that calls, and one of every codec that is called; behind them a pair
/// that talks all the while.
struct Stage {
    switch: Switch,
    callers: Vec<Phone>,
    agents: Vec<Phone>,
    calls: usize,
    /// Pairs that called each other once more.
    again: usize,
}

/// A caller, and the agent that is called.
type Pair = (usize, usize);

/// What one of two hears of the other.
struct Path {
    pair: Pair,
    to_agent: bool,
    /// The piece that is judged first.
    first: usize,
    heard: Vec<Heard>,
}

const COUNT: usize = Codec::ALL.len();
/// The two who talk all the while; their sound is decoded on its way.
const LONG: Pair = (COUNT, COUNT);
/// They have talked so long before they are judged.
const LONG_PIECES: usize = 8;
const LONG_SPEAK: [Codec; 2] = [Codec::Opus, Codec::Pcma];
/// The houses of callers, and of agents, begin here.
const CALLERS: u8 = 10;
const AGENTS: u8 = 20;

/// One number for each agent.
fn helpline() -> String {
    let line = |n: usize| {
        let skills = format!("skills = [\"s{n}\"]");
        format!(
            "[[line]]\nnumbers = [\"181{n}\"]\nqueue = \"q{n}\"\n\
             [[queue]]\nname = \"q{n}\"\n{skills}\nwrap_up = \"0s\"\nrest = \"100ms\"\n\
             [[agent]]\nid = \"op{n}\"\n{skills}\n{REGISTERS}\n{READY}\n{OLD_PHONE}\n"
        )
    };
    let hosts = (CALLERS..).take(COUNT + 1).map(|house| format!("NET.{house}:5060"));
    let hosts: Vec<String> = hosts.collect();
    let trunk = format!("[[trunk]]\nname = \"carrier\"\nhosts = {hosts:?}\nping = \"0s\"\n");
    trunk + &(0..=COUNT).map(line).collect::<String>()
}

impl Stage {
    fn new(caller: Start, agent: Start) -> Self {
        let mut switch = Switch::start(&[&helpline()]);
        let [long_caller, long_agent] = LONG_SPEAK;
        let codecs = |long| Codec::ALL.into_iter().chain([long]).zip(0..);
        let agents = codecs(long_agent).map(|(codec, n)| {
            let (user, voice) = (format!("op{n}"), usize::from(n) + COUNT);
            agent(&switch.street, AGENTS + n, Some(&user), codec, voice)
        });
        let agents: Vec<Phone> = agents.collect();
        let callers = codecs(long_caller)
            .map(|(codec, n)| caller(&switch.street, CALLERS + n, None, codec, n.into()));
        let callers = callers.collect();
        let mut missing: Vec<String> = (0..agents.len()).map(|n| format!("op{n}")).collect();
        while !missing.is_empty() {
            let bound = |fact: &Value| fact["contacts"].as_array().is_some_and(|c| !c.is_empty());
            let fact = switch.until("phone.bound", bound);
            missing.retain(|user| fact["user"] != user.as_str());
        }
        Self { switch, callers, agents, calls: 0, again: 0 }
    }

    /// Each caller talks with an agent, all at the same time.
    fn begin(&mut self, pairs: &[Pair]) {
        for (caller, agent) in pairs {
            let number = self.switch.street.address(&format!("sip:181{agent}@NET.1:5060"));
            let (caller, agent) = (&mut self.callers[*caller], &mut self.agents[*agent]);
            let in_wide = caller.has_wide_band() && agent.has_wide_band();
            agent.expects(in_wide);
            caller.expects(in_wide);
            caller.calls(&number);
        }
        self.calls += pairs.len();
        self.switch.facts.until_count("call.connected", self.calls);
        for (caller, agent) in pairs {
            self.callers[*caller].talks();
            self.agents[*agent].talks();
        }
    }

    /// Both of each two hear the other well, from now on and to the end; those who do not.
    fn hear(&mut self, pairs: &[Pair]) -> Vec<Pair> {
        let ways = |pair: &Pair| {
            let late = if *pair == LONG { LONG_PIECES } else { 0 };
            let first = self.agents[pair.1].pieces().max(late);
            [true, false].map(|to_agent| Path { pair: *pair, to_agent, first, heard: Vec::new() })
        };
        let mut open: Vec<Path> = pairs.iter().flat_map(ways).collect();
        let is_tried = |path: &Path| path.heard.len() == *PIECES.end();
        while !open.iter().all(is_tried) {
            open.retain_mut(|path| is_tried(path) || !self.comes_through(path));
        }
        let not_good = open.iter().map(|path| {
            println!("{}: {:#?}", self.name(path), path.heard);
            path.pair
        });
        let mut not_good: Vec<Pair> = not_good.collect();
        not_good.dedup();
        not_good
    }

    /// Hears another piece of it. In the end the last one has to be good, and so have most of them.
    fn comes_through(&mut self, path: &mut Path) -> bool {
        let (caller, agent) = (&mut self.callers[path.pair.0], &mut self.agents[path.pair.1]);
        let (from, to) = if path.to_agent { (caller, agent) } else { (agent, caller) };
        let last = to.hears(from, path.first + path.heard.len());
        let was_deaf = path.heard.last().is_some_and(Heard::is_deaf);
        assert!(!(was_deaf && last.is_deaf()), "{}: {:?}, {last}", self.name(path), path.heard);
        path.heard.push(last);
        let good = path.heard.iter().filter(|heard| heard.is_good()).count();
        let all = path.heard.len();
        let comes_through = all >= *PIECES.start() && last.is_good() && 2 * good > all;
        if comes_through {
            println!("{}: {last}, {good} of {all}", self.name(path));
        }
        comes_through
    }

    fn name(&self, path: &Path) -> String {
        let (caller, agent) = (&self.callers[path.pair.0], &self.agents[path.pair.1]);
        if path.to_agent {
            format!("from {caller}, who calls, to {agent}")
        } else {
            format!("from {agent} to {caller}, who calls")
        }
    }

    /// The same once more with those who did not hear each other well.
    fn talk(&mut self, pairs: &[Pair], also: &[Pair]) {
        self.begin(pairs);
        let mut pairs = [pairs, also].concat();
        for tried in 1.. {
            let not_good = self.hear(&pairs);
            self.end(&pairs);
            if not_good.is_empty() {
                return;
            }
            self.again += not_good.len();
            assert!(tried < TRIES && self.again <= AGAIN, "{not_good:?}");
            self.begin(&not_good);
            pairs = not_good;
        }
    }

    fn end(&mut self, pairs: &[Pair]) {
        pairs.iter().for_each(|(_, agent)| self.agents[*agent].hangs_up());
        for (caller, agent) in pairs {
            self.callers[*caller].until_over();
            self.agents[*agent].until_over();
        }
    }

    /// Everybody was connected with whom they had called.
    fn over(mut self) {
        self.switch.until_ended(self.calls);
        let records = self.switch.records();
        assert_eq!(records.len(), self.calls);
        for record in records {
            let dialled = record["dialled"].as_str().unwrap();
            let agent = format!("op{}", &dialled[dialled.len() - 1..]);
            assert_eq!((&record["outcome"], &record["agent"]), (&"answered".into(), &agent.into()));
        }
    }
}

/// Every caller talks with every agent, four calls at a time.
fn in_every_pairing(caller: Start, agent: Start) {
    let mut stage = Stage::new(caller, agent);
    stage.begin(&[LONG]);
    for turn in 0..COUNT {
        let pairs = (0..COUNT).map(|caller| (caller, (caller + turn) % COUNT));
        let pairs: Vec<Pair> = pairs.collect();
        stage.talk(&pairs, if turn + 1 == COUNT { &[LONG] } else { &[] });
    }
    stage.over();
}

#[test]
fn baresip_talks_with_baresip_in_every_pairing_of_codecs() {
    in_every_pairing(Phone::baresip, Phone::baresip);
}

#[test]
fn baresip_talks_with_linphone_in_every_pairing_of_codecs() {
    in_every_pairing(Phone::baresip, Phone::linphone);
}

#[test]
fn linphone_talks_with_baresip_in_every_pairing_of_codecs() {
    in_every_pairing(Phone::linphone, Phone::baresip);
}

#[test]
fn linphone_talks_with_linphone_in_every_pairing_of_codecs() {
    in_every_pairing(Phone::linphone, Phone::linphone);
}

/// What the score of a voice is good for.
#[test]
fn a_voice_that_is_faint_torn_narrow_late_or_anothers_is_not_good() {
    let heard_as = |said: &[i16], rate: usize, heard: &[i16], delay_ms: f64| {
        let score = Said::new(said, rate).pieces(heard)[0];
        Heard { score, delay_ms, level: 0.0, in_wide: rate > 8_000 }
    };
    let is_good = |said: &[i16], rate: usize, heard: &[i16], delay_ms: f64| {
        heard_as(said, rate, heard, delay_ms).is_good()
    };
    let (said, wide) = (voice::nth(1), voice::wide(1));
    let silence = vec![3; said.len()];
    assert!(heard_as(&said, 8_000, &silence, 100.0).is_deaf());
    assert!(!heard_as(&said, 8_000, &said, 100.0).is_deaf());
    assert!(is_good(&said, 8_000, &said, 100.0) && is_good(&wide, 16_000, &wide, 100.0));
    assert!(!is_good(&said, 8_000, &said, 500.0), "late");
    assert!(!is_good(&said, 8_000, &voice::nth(2), 100.0), "another's");
    assert!(!is_good(&wide, 16_000, &voice::wide(2), 100.0), "another's of wide band");
    let faint: Vec<i16> = said.iter().map(|sample| sample / 2).collect();
    assert!(!is_good(&said, 8_000, &faint, 100.0), "faint");
    let torn: Vec<i16> = said
        .chunks(160)
        .zip(0..)
        .flat_map(|(frame, n)| frame.iter().map(move |s| if n % 8 == 0 { 0 } else { *s }))
        .collect();
    assert!(!is_good(&said, 8_000, &torn, 100.0), "torn");
    let (mut law, mut narrow) = (Vec::new(), Vec::new());
    Encoder::new(Codec::Pcma, WIDE).encode(&wide, &mut law);
    Decoder::new(Codec::Pcma, WIDE).decode(&law, &mut narrow);
    assert!(!is_good(&wide, 16_000, &narrow, 100.0), "narrow");
}

/// A linphone that is set to one codec cannot be had by a switch that speaks the other three: what
/// the tests above hear was said in this one.
fn has_no_other(codec: Codec) {
    let others: Vec<&str> =
        Codec::ALL.into_iter().filter(|other| *other != codec).map(Codec::name).collect();
    let op1 = agent("op1", &[REGISTERS, READY]);
    let mut switch = Switch::start(&[&format!("codecs = {others:?}\n"), HELPLINE, &op1]);
    let silence = switch.street.dir().join("silence.wav");
    tone::save(&silence, 8_000, std::iter::repeat_n(0, 8_000));
    let account = Some(("op1", SECRET));
    let _agent = Linphone::knows(&switch.street, PHONE, account, codec, &silence);
    talk::until_registered(&mut switch);
    let other = Codec::named(others[0]).unwrap();
    let mut caller = End::new(&switch.street, CALLER, 0xec40).speaking(other);
    caller.dial();
    let missed = switch.until("agent.missed", |_| true);
    assert_eq!(missed["why"], "unreachable", "{missed:#}");
    caller.hang_up();
    switch.until_ended(1);
}

#[test]
fn a_linphone_that_is_set_to_one_codec_has_no_other() {
    std::thread::scope(|scope| {
        for codec in Codec::ALL {
            scope.spawn(move || has_no_other(codec));
        }
    });
}
