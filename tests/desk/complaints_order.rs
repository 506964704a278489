//! What users of today's switches complain about, as stories of the whole switch: who is served
//! next, and how soon. Each test bears the number of its row.

use crate::desk_world::{BSNL, Habit, OP1, OP2, Stage, field, secs};
use pukar::acd::{self, AgentState};
use pukar::base::{CallId, Instant};
use pukar::call;
use pukar::core::{Event, What};
use pukar::media::control;
use std::collections::BTreeMap;
use std::time::Duration;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// An agent with these skills, at 10.2.0.N.
fn agent(n: u8, skills: &str) -> String {
    format!(
        "[[agent]]\nid = \"op{n}\"\ncontact = \"sip:op{n}@10.2.0.{n}\"\nskills = [{skills}]\n\
         ready = true\n"
    )
}

fn queue(name: &str, more: &str) -> String {
    format!("[[queue]]\nname = \"{name}\"\nwrap_up = \"3s\"\n{more}\n")
}

fn line(number: &str, queue: &str, more: &str) -> String {
    format!("[[line]]\nnumbers = [\"{number}\"]\nqueue = \"{queue}\"\n{more}\n")
}

/// The numbers that were dialled, in the order in which their callers were connected.
fn served(stage: &Stage) -> Vec<String> {
    let mut dialled: BTreeMap<CallId, String> = BTreeMap::new();
    let mut served = Vec::new();
    for fact in &stage.facts {
        match &fact.what {
            What::Call(call::Fact::Arrived { call, arrival }) => {
                dialled.insert(*call, format!("{} {}", arrival.dialled, arrival.caller));
            }
            What::Call(call::Fact::Connected { call, .. }) => served.push(dialled[call].clone()),
            _ => {}
        }
    }
    served
}

#[test]
fn q11_flipping_a_status_brings_one_invite_a_rest_not_one_a_flip() {
    let general = queue("general", "skills = [\"operator\"]\nrest = \"500ms\"");
    let mut stage =
        Stage::new(&(line("181", "general", "") + &general + &agent(1, "\"operator\"")));
    stage.dial("9826012345", "181", "");
    let start = stage.now.instant;
    for _ in 0..100 {
        stage.set_agent("op1", "pause");
        stage.wait(ms(15));
        stage.set_agent("op1", "ready");
        stage.wait(ms(15));
    }
    let rests = stage.now.instant.since(start).as_millis() as usize / 500;
    let invites = stage.invites.len();
    assert!((2..=rests + 1).contains(&invites), "{invites} INVITEs in {rests} rests");
    stage.habit(OP1, Habit::Answers);
    stage.wait(secs(1));
    assert_eq!(stage.state("op1"), "talking", "whoever stays is served");
}

#[test]
fn q13_an_agent_who_becomes_free_is_offered_a_caller_at_once_whatever_the_others_do() {
    let agents: String = (1..=3).map(|n| agent(n, "\"operator\"")).collect();
    let general = queue("general", "skills = [\"operator\"]");
    let mut stage = Stage::new(&(line("181", "general", "") + &general + &agents));
    let phones = [OP1, OP2, "10.2.0.3:5060"];
    phones.iter().for_each(|phone| stage.habit(phone, Habit::Answers));
    for n in 0..9 {
        stage.dial(&format!("982601234{n}"), "181", "");
    }
    // Their conversations and wrap-ups end one after the other, a second apart.
    for _ in 0..2 {
        for phone in phones {
            stage.wait(secs(1));
            stage.far_end_hangs_up(phone);
        }
        stage.wait(secs(3));
    }
    let mut wrapping: BTreeMap<_, Instant> = BTreeMap::new();
    let mut gaps = Vec::new();
    for fact in &stage.facts {
        match &fact.what {
            What::Desk(acd::Fact::Agent { agent, state: AgentState::WrapUp { .. } }) => {
                wrapping.insert(*agent, fact.at.instant);
            }
            What::Desk(acd::Fact::Offered { agent, .. }) => {
                gaps.extend(wrapping.remove(agent).map(|since| fact.at.instant.since(since)));
            }
            _ => {}
        }
    }
    assert_eq!(gaps.len(), 6, "{gaps:?}");
    assert!(gaps.iter().all(|gap| (secs(3)..=secs(3) + ms(100)).contains(gap)), "{gaps:?}");
}

#[test]
fn q16_nobody_is_connected_before_those_with_a_better_claim() {
    let general = queue("general", "skills = [\"operator\"]");
    let lines = line("181", "general", "")
        + &line("1098", "general", "priority = 5")
        + &line("112", "general", "emergency = true");
    let mut stage = Stage::new(&(lines + &general + &agent(1, "\"operator\"")));
    stage.habit(OP1, Habit::Answers);
    stage.set_agent("op1", "pause");
    let calls = ["181 1", "1098 2", "181 3", "1098 4", "1098 5", "112 6", "181 7", "1098 8"];
    for call in calls {
        let (number, caller) = call.split_once(' ').unwrap();
        stage.dial(&format!("982601234{caller}"), number, "");
        stage.wait(ms(200));
    }
    stage.set_agent("op1", "ready");
    for _ in calls {
        stage.far_end_hangs_up(OP1);
        stage.wait(secs(3));
    }
    let order = ["112 6", "1098 2", "1098 4", "1098 5", "1098 8", "181 1", "181 3", "181 7"];
    let whole = |call: &&str| call.replace(' ', " +91982601234");
    assert_eq!(served(&stage), order.iter().map(whole).collect::<Vec<_>>());
}

#[test]
fn q17_a_heavier_queue_blocks_nobody_who_may_not_serve_it_and_starves_no_lighter_one() {
    let heavy = queue("heavy", "skills = [\"health\"]\nweight = 9");
    let light = queue("light", "skills = [\"operator\"]\naging = \"30s\"");
    let lines = line("104", "heavy", "") + &line("181", "light", "");
    let agents = agent(1, "\"operator\"") + &agent(2, "\"operator\", \"health\"");
    let mut stage = Stage::new(&(lines + &heavy + &light + &agents));
    [OP1, OP2].iter().for_each(|phone| stage.habit(phone, Habit::Answers));
    stage.set_agent("op1", "pause");
    for n in 0..3 {
        stage.dial(&format!("982601234{n}"), "104", "");
    }
    stage.dial("9826099999", "181", "");
    assert_eq!(stage.story(), ["offered op2", "connected op2"], "the nurse has the heavier call");
    stage.set_agent("op1", "ready");
    assert_eq!(&stage.story()[2..], ["offered op1", "connected op1"], "and does not keep others");
    // Now the nurse is alone with both, and there is always somebody in the heavier queue.
    stage.set_agent("op1", "logout");
    stage.dial("9826088888", "181", "");
    let asked = stage.now.instant;
    for n in 0..20 {
        stage.dial(&format!("98260777{n:02}"), "104", "");
        stage.far_end_hangs_up(OP2);
        stage.wait(secs(3));
        if served(&stage).last().unwrap() == "181 +919826088888" {
            break;
        }
    }
    let waited = stage.now.instant.since(asked);
    assert!(waited > secs(20) && waited < secs(45), "{waited:?}: {:?}", served(&stage));
}

/// Does this to the stage, one of the ways in which a switch may forget what it knew.
type Change = fn(&mut Stage, &str);

#[test]
fn q36_neither_a_reload_nor_a_restart_changes_whose_turn_it_is_or_why_somebody_is_away() {
    let agents: String = (1..=4).map(|n| agent(n, "\"operator\"")).collect();
    let general = queue("general", "skills = [\"operator\"]\nrest = \"60s\"");
    let text = line("181", "general", "") + &general + &agents;
    let other = text.replace("wrap_up = \"3s\"", "wrap_up = \"4s\"");
    let changes: [Change; 4] = [
        |_, _| {},
        |stage, other| stage.reload(other),
        |stage, _| stage.kill(),
        |stage, other| {
            stage.kill();
            stage.reload(other);
            stage.kill();
        },
    ];
    for (n, change) in changes.into_iter().enumerate() {
        let mut stage = Stage::new(&text);
        let phones = [OP1, OP2, "10.2.0.3:5060", "10.2.0.4:5060"];
        phones[..3].iter().for_each(|phone| stage.habit(phone, Habit::Answers));
        let state = pukar::core::Verb::SetAgent {
            agent: "op4".into(),
            state: "pause".into(),
            reason: "चाय".into(),
        };
        stage.ask(state);
        // op3 becomes ready first, then op1; op2 is in the wrap-up of a call.
        for name in ["op3", "op1", "op2"] {
            stage.set_agent(name, "pause");
            stage.wait(secs(1));
            stage.set_agent(name, "ready");
            stage.wait(secs(1));
        }
        // Paused and ready again, they stand in this order: op3, op1, op2.
        change(&mut stage, &other);
        stage.wait(secs(1));
        for caller in 0..3 {
            stage.dial(&format!("982601234{caller}"), "181", "");
            change(&mut stage, &other);
            stage.wait(ms(500));
        }
        let story = stage.story();
        let offered: Vec<&String> = story.iter().filter(|it| it.starts_with("offered")).collect();
        assert_eq!(offered, ["offered op3", "offered op1", "offered op2"], "change {n}");
        let why = stage.switch.state().agent_state("op4").unwrap();
        assert_eq!((why.name(), why.reason()), ("paused", "चाय"), "change {n}");
    }
}

/// The state's switch and a district's, and the line between them.
struct Pair {
    state: Stage,
    district: Stage,
    wan: bool,
}

const STATE_AT: &str = "10.0.0.1:5060";
const DISTRICT_AT: &str = "10.3.0.1:5060";

impl Pair {
    fn new(peer: bool) -> Self {
        let trunk = |name: &str, at: &str| {
            format!(
                "[[trunk]]\nname = \"{name}\"\nhosts = [\"{at}\"]\nping = \"5s\"\npeer = {peer}\n"
            )
        };
        let state = trunk("shivpuri", DISTRICT_AT)
            + &line("181", "general", "")
            + "[[district]]\nname = \"shivpuri\"\nstd = [\"07492\"]\ntrunk = \"shivpuri\"\n"
            + &queue("general", "skills = [\"operator\"]\nstaffed = false")
            + "[[queue.overflow]]\nafter = \"90s\"\nto = \"district:shivpuri\"\n"
            + &agent(2, "\"counsellor\"");
        let district = trunk("state", STATE_AT)
            + &line("181", "desk", "default = true")
            + &queue("desk", "skills = [\"operator\"]")
            + &agent(1, "\"operator\"");
        let mut pair = Self {
            state: Stage::new(&state),
            district: Stage::at_address(&district, DISTRICT_AT),
            wan: true,
        };
        pair.state.beyond(DISTRICT_AT);
        pair.district.beyond(STATE_AT);
        pair.district.habit(OP1, Habit::Answers);
        pair
    }

    /// What the two have to say to each other.
    fn talk(&mut self) {
        loop {
            let (up, down) = (self.district.for_beyond(), self.state.for_beyond());
            if up.is_empty() && down.is_empty() {
                return;
            }
            if self.wan {
                up.into_iter().for_each(|text| self.state.say(DISTRICT_AT, text));
                down.into_iter().for_each(|text| self.district.say(STATE_AT, text));
            }
        }
    }

    fn wait(&mut self, seconds: u64) {
        for _ in 0..seconds * 10 {
            self.state.wait(ms(100));
            self.district.wait(ms(100));
            self.talk();
        }
    }

    fn dial_state(&mut self, from: &str) {
        self.state.dial(from, "07492181", "");
        self.talk();
    }
}

#[test]
fn q38_a_district_that_is_cut_off_serves_alone_and_rejoins_in_order() {
    let mut pair = Pair::new(false);
    // The line is up: whoever calls the state for Shivpuri talks to Shivpuri.
    pair.wait(1);
    pair.dial_state("9826000001");
    pair.wait(2);
    assert_eq!(pair.district.state("op1"), "talking");
    assert!(field(&pair.state.heard_at(BSNL), "CSeq").contains("INVITE"));
    // Cut. The district's own callers are served by its own people.
    pair.wan = false;
    pair.district.far_end_hangs_up(OP1);
    pair.district.wait(secs(4));
    pair.district.dial("9826000002", "181", "");
    pair.wait(1);
    assert_eq!(pair.district.state("op1"), "talking", "the district goes on alone");
    pair.district.far_end_hangs_up(OP1);
    pair.wait(60);
    // The state knows that the trunk is down, and its callers wait here, in the order they came.
    let asked = pair.state.invites.len();
    for n in 3..6 {
        pair.dial_state(&format!("982600000{n}"));
        pair.wait(1);
    }
    assert_eq!(pair.state.invites.len(), asked, "nobody is sent down a line that is cut");
    pair.wait(25);
    // The line is mended: in the order of their arrival they get through, one after the other.
    pair.wan = true;
    pair.wait(75);
    for _ in 0..3 {
        pair.district.far_end_hangs_up(OP1);
        pair.talk();
        pair.wait(40);
    }
    let order: Vec<String> = served(&pair.district);
    let callers: Vec<&str> = order.iter().filter_map(|it| it.split(' ').nth(1)).collect();
    assert_eq!(callers, (1..6).map(|n| format!("+91982600000{n}")).collect::<Vec<_>>());
}

#[test]
fn q38_callers_of_a_district_that_is_cut_off_are_the_states_again_at_their_places() {
    let mut pair = Pair::new(true);
    pair.wait(1);
    let numbers = ["9826000001", "9826000002", "9826000003"];
    // One talks there, one waits there, one waits at the state.
    numbers[..2].iter().for_each(|number| pair.dial_state(number));
    pair.wait(2);
    pair.state.dial(numbers[2], "181", "");
    assert_eq!(served(&pair.state), ["07492181 +919826000001"]);
    pair.wan = false;
    // Whoever talked is not heard any more at either end.
    let (here, there) = (pair.state.opened[1], pair.district.opened[0]);
    pair.state.tell(Event::Media(control::Event::Silent { port: here }));
    pair.district.tell(Event::Media(control::Event::Silent { port: there }));
    pair.wait(100);
    assert_eq!(pair.district.state("op1"), "ready", "nobody rings for those who are gone");
    pair.state.habit(OP2, Habit::Answers);
    let (queue, agent) = ("general".into(), "op2".into());
    pair.state.ask(pukar::core::Verb::Lend { queue, agent, lent: true });
    for _ in 0..3 {
        pair.wait(1);
        pair.state.far_end_hangs_up(OP2);
        pair.wait(4);
    }
    let order: Vec<String> = served(&pair.state);
    let callers: Vec<&str> = order.iter().filter_map(|it| it.split(" +91").nth(1)).collect();
    assert_eq!(callers, [numbers[0], numbers[0], numbers[1], numbers[2]]);
    // The line is mended, and the next caller is the district's again.
    pair.wan = true;
    pair.wait(60);
    let talks = pair.state.records.iter().map(|record| (&*record.agent, record.outcome));
    assert_eq!(talks.collect::<Vec<_>>(), [("op2", call::Outcome::Answered); 3]);
    pair.dial_state("9826000004");
    assert_eq!(served(&pair.district).last().unwrap(), "07492181 +919826000004");
}

#[test]
fn q36_a_phone_that_has_fallen_silent_is_asked_on_over_a_reload() {
    let text = line("181", "general", "")
        + &queue("general", "skills = [\"operator\"]")
        + &agent(1, "\"operator\"");
    let other = text.replace("wrap_up = \"3s\"", "wrap_up = \"4s\"");
    let mut stage = Stage::new(&text);
    stage.set_agent("op1", "ready");
    stage.deaf(OP1);
    stage.dial("9826012345", "181", "");
    stage.wait(secs(6));
    assert_eq!(stage.state("op1"), "unreachable");
    stage.reload(&other);
    stage.wait(secs(60));
    assert_eq!(stage.state("op1"), "unreachable", "nobody has heard of it");
    stage.kill();
    stage.habit(OP1, Habit::Answers);
    stage.hears_again(OP1);
    stage.wait(secs(60));
    assert_eq!(stage.state("op1"), "talking", "it is there again, and nobody had to say so");
}
