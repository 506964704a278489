//! One call from ringing to the end, as the board sees it.

use super::access::Sight;
use super::fold::Board;
use super::names::Names;
use crate::acd::{self, AgentState};
use crate::base::{AgentId, CallId, Instant, LegId, Now, QueueId, TrunkId, Wall};
use crate::call::{self, Arrival, Direction, End, EndedBy, Fact as CallFact, Outcome, Role, Way};
use crate::config::Settings;
use crate::core::{self, Fact, What};
use crate::sip::{Cause, Trunk};
use crate::wire::sdp::Suite;
use serde_json::{Value, json};

const CALL: CallId = CallId(7);
const AGENT: AgentId = AgentId(0);
const QUEUE: QueueId = QueueId(0);

fn names(agents: &[(u64, &str)]) -> Names {
    let mut settings = Settings::default();
    settings.sip.trunks = vec![Trunk { name: "bsnl".into(), ..Trunk::default() }];
    let agents = agents.iter().map(|(id, name)| (AgentId(*id), name.to_string())).collect();
    Names::of(
        &settings,
        core::Names { agents, queues: vec![(QUEUE, "general".into())], serves: vec![vec![QUEUE]] },
    )
}

fn at(second: u64) -> Now {
    let micros = second * 1_000_000;
    Now { instant: Instant(micros), wall: Wall(micros as i64) }
}

struct Story {
    board: Board,
    seq: u64,
}

impl Story {
    fn new() -> Self {
        Self { board: Board::new(names(&[(0, "op1")]), at(0)), seq: 0 }
    }

    fn tell(&mut self, second: u64, what: What) -> Value {
        self.seq += 1;
        self.board.take(Fact { seq: self.seq, at: at(second), what });
        let line = self.board.facts(self.seq, 1).unwrap();
        serde_json::from_str(&line[0]).unwrap()
    }

    fn agent(&mut self, second: u64, state: AgentState) {
        self.tell(second, What::Desk(acd::Fact::Agent { agent: AGENT, state }));
    }
}

fn arrival() -> What {
    let arrival = Box::new(Arrival {
        id: "01HZ7".into(),
        direction: Direction::In,
        line: "181".into(),
        trunk: Some(TrunkId(0)),
        user: None,
        agent: String::new(),
        caller: String::new(),
        caller_raw: "anonymous".into(),
        dialled: "181".into(),
        dialled_raw: "181".into(),
        forwarded_by: String::new(),
        district: String::new(),
        parent: String::new(),
        flags: Vec::new(),
    });
    What::Call(CallFact::Arrived { call: CALL, arrival })
}

#[test]
fn a_call_is_shown_where_it_is_and_counted_once() {
    let mut story = Story::new();
    story.agent(0, AgentState::Ready);
    let fact = story.tell(10, arrival());
    assert_eq!((&fact["kind"], &fact["trunk"]), (&json!("call.arrived"), &json!("bsnl")));
    story.tell(10, What::Desk(acd::Fact::Queued { call: CALL, queue: QUEUE }));
    let queue = &story.board.queues_list(at(14))[0];
    assert_eq!((&queue["waiting"], &queue["longest_wait_ms"]), (&json!(1), &json!(4_000)));
    story.tell(15, What::Desk(acd::Fact::Offered { call: CALL, agent: AGENT }));
    story.agent(15, AgentState::Offered { call: CALL });
    let fact = story.tell(18, What::Desk(acd::Fact::Taken { call: CALL, agent: AGENT }));
    assert_eq!((&fact["agent"], &fact["call"]), (&json!("op1"), &json!("01HZ7")));
    story.tell(18, What::Call(CallFact::Connected { call: CALL, agent: Some(AGENT) }));
    story.agent(18, AgentState::Talking { call: CALL });
    let call = &story.board.calls_list(at(20))[0];
    let shown = json!([call["state"], call["caller"], call["wait_ms"], call["talk_ms"]]);
    assert_eq!(shown, json!(["talking", "anonymous", 8_000, 2_000]));
    let agent = &story.board.agents_list(at(20))[0];
    let shown = json!([agent["state"], agent["call"], agent["caller"], agent["for_ms"]]);
    assert_eq!(shown, json!(["talking", "01HZ7", "anonymous", 2_000]));
    let end = End { outcome: Outcome::Answered, by: EndedBy::Caller, status: 200, q850: Some(16) };
    let fact = story.tell(30, What::Call(CallFact::Ended { call: CALL, end }));
    assert_eq!((&fact["call"], &fact["outcome"]), (&json!("01HZ7"), &json!("answered")));
    let status = story.board.status(at(31));
    assert_eq!(status["calls"]["live"], 0);
    assert_eq!(status["total"]["arrived"], 1);
    assert_eq!(status["total"]["answered"], 1);
    assert_eq!(status["queues"][0]["service_level"], 1.0);
}

#[test]
fn a_missed_offer_puts_the_caller_back_among_those_who_wait() {
    let mut story = Story::new();
    story.tell(0, arrival());
    story.tell(0, What::Desk(acd::Fact::Queued { call: CALL, queue: QUEUE }));
    story.tell(1, What::Desk(acd::Fact::Offered { call: CALL, agent: AGENT }));
    let why = acd::MissedBecause::Withdrawn(acd::Withdrawn::RingTimeout);
    let fact = story.tell(5, What::Desk(acd::Fact::Missed { call: CALL, agent: AGENT, why }));
    assert_eq!(fact["why"], "ring-timeout");
    let call = &story.board.calls_list(at(5))[0];
    assert_eq!((&call["state"], &call["agent"]), (&json!("waiting"), &Value::Null));
    story.tell(6, What::Desk(acd::Fact::Unqueued { call: CALL, queue: QUEUE }));
    assert_eq!(story.board.queues_list(at(6))[0]["waiting"], 0);
}

#[test]
fn a_parked_call_shows_its_slot_until_somebody_is_to_have_it() {
    let mut story = Story::new();
    story.tell(1, arrival());
    story.tell(2, What::Call(CallFact::Connected { call: CALL, agent: Some(AGENT) }));
    story.tell(9, What::Call(CallFact::Alone { call: CALL }));
    let told = story.tell(9, What::Call(CallFact::Parked { call: CALL, slot: 3, by: Some(AGENT) }));
    assert_eq!(
        (&told["kind"], &told["slot"], &told["by"]),
        (&json!("call.parked"), &json!(3), &json!("op1"))
    );
    let call = &story.board.calls_list(at(10))[0];
    assert_eq!(
        (&call["state"], &call["slot"], &call["agent"]),
        (&json!("parked"), &json!(3), &json!(null))
    );
    let (to, way) = ("op1".to_string(), Way::Blind);
    story.tell(12, What::Call(CallFact::Transferring { call: CALL, by: None, to, way }));
    let call = &story.board.calls_list(at(13))[0];
    assert_eq!((&call["state"], &call["slot"]), (&json!("waiting"), &json!(null)));
    let why = story.board.why("01HZ7", at(13)).unwrap().to_string();
    for said in ["parked in 3 by op1", "a supervisor sends the call to op1"] {
        assert!(why.contains(said), "{said}: {why}");
    }
}

#[test]
fn every_fact_about_a_call_bears_its_id_even_when_the_call_has_ended() {
    let mut story = Story::new();
    story.tell(0, arrival());
    story.tell(0, What::Desk(acd::Fact::Queued { call: CALL, queue: QUEUE }));
    story.tell(1, What::Desk(acd::Fact::Offered { call: CALL, agent: AGENT }));
    let end = End { outcome: Outcome::Abandoned, by: EndedBy::Caller, status: 200, q850: None };
    let ended = What::Call(CallFact::Ended { call: CALL, end });
    let why = acd::MissedBecause::Withdrawn(acd::Withdrawn::CallerGone);
    let figures = crate::media::control::Figures::default();
    let wrapping = AgentState::WrapUp { call: CALL };
    for what in [
        ended,
        What::Desk(acd::Fact::Unqueued { call: CALL, queue: QUEUE }),
        What::Desk(acd::Fact::Missed { call: CALL, agent: AGENT, why }),
        What::Call(CallFact::Measured { call: CALL, leg: LegId(3), figures }),
        What::Desk(acd::Fact::Agent { agent: AGENT, state: wrapping }),
    ] {
        let fact = story.tell(2, what);
        assert_eq!(fact["call"], "01HZ7", "{fact}");
    }
    assert_eq!(story.board.agents_list(at(3))[0]["call"], "01HZ7");
}

/// Of whom the sound is sealed, leg by leg; and whether all of it is.
#[test]
fn whose_sound_is_sealed_is_in_the_list_and_in_the_story() {
    let mut story = Story::new();
    story.tell(0, arrival());
    let (call, caller, agent) = (CALL, Role::Caller, Role::Agent(AGENT));
    let sealed = |leg, role, suite| What::Call(CallFact::Sealed { call, leg, role, suite });
    let opened = |leg, role| What::Call(CallFact::LegOpened { call, leg, role });
    let mut told = |what, all: Value, suites: [Value; 2]| {
        let fact = story.tell(1, what);
        let row = &story.board.calls_list(at(2))[0];
        assert_eq!(row["sealed"], all, "{row}");
        let legs: Vec<&Value> = row["legs"].as_array().unwrap().iter().collect();
        let expected = suites.into_iter().filter(|suite| suite != "gone");
        assert!(legs.iter().map(|leg| &leg["srtp"]).eq(&expected.collect::<Vec<_>>()), "{row}");
        fact
    };
    let (gcm, plain, gone) = (json!("AEAD_AES_128_GCM"), json!(null), json!("gone"));
    told(opened(LegId(1), caller), json!(null), [plain.clone(), gone.clone()]);
    let suite = Some(Suite::Gcm128);
    let fact = told(sealed(LegId(1), caller, suite), json!("all"), [gcm.clone(), gone.clone()]);
    assert_eq!((&fact["role"], &fact["srtp"]), (&json!("caller"), &gcm), "{fact}");
    told(opened(LegId(2), agent), json!("some"), [gcm.clone(), plain.clone()]);
    told(sealed(LegId(2), agent, suite), json!("all"), [gcm.clone(), gcm.clone()]);
    told(sealed(LegId(1), caller, None), json!("some"), [plain.clone(), gcm.clone()]);
    let cause = Cause::default();
    let closed = CallFact::LegClosed { call, leg: LegId(2), role: agent, status: 200, cause };
    told(What::Call(closed), json!(null), [plain, gone]);
    let why = story.board.why("01HZ7", at(3)).unwrap().to_string();
    assert!(why.contains("the sound is sealed by AEAD_AES_128_GCM"), "{why}");
    assert!(why.contains("the sound is plain"), "{why}");
}

#[test]
fn after_a_reload_ids_mean_what_the_desk_says_they_mean() {
    let mut story = Story::new();
    story.agent(0, AgentState::Ready);
    // op1 has gone with a call in hand, op2 is new.
    story.board.rename(names(&[(1, "op2")]));
    let list = story.board.agents_list(at(1));
    assert_eq!((list.as_array().unwrap().len(), &list[0]["id"]), (1, &json!("op2")));
    story.tell(2, arrival());
    let fact = story.tell(3, What::Desk(acd::Fact::Taken { call: CALL, agent: AGENT }));
    assert_eq!(fact["agent"], "op1", "its last facts still bear its name");
}

#[test]
fn a_fact_that_is_read_late_reads_as_it_was_told() {
    let mut story = Story::new();
    story.tell(0, arrival());
    let taken = story.tell(1, What::Desk(acd::Fact::Taken { call: CALL, agent: AGENT }));
    let up = What::Trunk { trunk: TrunkId(0), up: true };
    let told = Fact { seq: 3, at: at(2), what: up };
    story.board.take(told);
    // Trunks are known by their place: another one has it now, and the agent has gone.
    let mut renamed = names(&[]);
    renamed.trunks = vec!["airtel".into()];
    story.board.rename(renamed);
    let lines = story.board.facts(2, 9).unwrap();
    let read = |at: usize| serde_json::from_str::<Value>(&lines[at]).unwrap();
    assert_eq!((read(0), &read(1)["trunk"]), (taken, &json!("bsnl")));
}

#[test]
fn a_trunk_says_since_when_it_is_as_it_is_and_when_it_failed_last() {
    let mut story = Story::new();
    let trunk = TrunkId(0);
    for (second, up) in [(10, true), (20, false), (25, false), (30, true)] {
        story.tell(second, What::Trunk { trunk, up });
    }
    story.tell(31, arrival());
    let row = &story.board.trunks_list(at(90))[0];
    assert_eq!((&row["up"], &row["for_ms"]), (&json!(true), &json!(60_000)));
    assert_eq!((&row["calls"], &row["total"], &row["failures"]), (&json!(1), &json!(1), &json!(1)));
    assert_eq!(row["last_failure"], crate::shell::stamp::rfc3339(at(20).wall));
}

#[test]
fn ids_are_known_as_long_as_a_fact_may_be_asked_for() {
    let mut story = Story::new();
    let calls = 20_000_u64;
    for n in 0..calls {
        let What::Call(CallFact::Arrived { arrival, .. }) = arrival() else { unreachable!() };
        let (call, id) = (CallId(100 + n), format!("call-{n}"));
        let arrival = Box::new(Arrival { id, ..*arrival });
        let end = End { outcome: Outcome::Abandoned, by: EndedBy::Caller, status: 200, q850: None };
        for fact in [CallFact::Arrived { call, arrival }, CallFact::Ended { call, end }] {
            story.seq += 1;
            story.board.take(Fact { seq: story.seq, at: at(n), what: What::Call(fact) });
        }
    }
    let lines = story.board.facts(1, 2 * calls as usize).unwrap();
    assert!(lines[1].contains("call-0") && lines.last().unwrap().contains("call-19999"));
}

#[test]
fn shifts_and_the_directory_are_shown_with_who_is_there_and_whose_number_fails() {
    let text = "[[agent]]\nid = \"op1\"\nname = \"सीमा\"\ncontact = \"sip:op1@10.0.0.1\"\n\
                [[shift]]\nname = \"night\"\nhours = \"22:00-06:00\"\nagents = [\"op1\"]\n\
                minimum = 1\n[[district]]\nname = \"alirajpur\"\ncode = \"ALI\"\nqueue = \"q\"\n\
                [[queue]]\nname = \"q\"\nwhen_unstaffed = \"wait\"\n";
    let mut settings =
        crate::config::parse(&[("t".into(), text.into())], &|_| None).expect("it is right");
    let mut directory = crate::call::Directory::default();
    let csv = "kind,district,name,number,priority\nrrt,ALI,मीना,9826000001,2\n\
               rrt,ALI,राम,9826000002,1\nrrt,ALI,x,y,1\n";
    directory.read("d.csv", csv, &settings.call);
    settings.call.directory = std::sync::Arc::new(directory);
    let agents = vec![(AGENT, "op1".to_string())];
    let named = core::Names { agents, queues: vec![(QUEUE, "q".into())], serves: Vec::new() };
    let board = Board::new(Names::of(&settings, named), at(0));
    let mut story = Story { board, seq: 0 };
    story.agent(0, AgentState::Ready);
    // The epoch is half past five in the morning in India.
    let shifts = story.board.shifts_list(at(0));
    assert_eq!((&shifts[0]["on"], &shifts[0]["present"]), (&json!(true), &json!(1)));
    assert_eq!(shifts[0]["ends_at"], "1970-01-01T00:30:00.000Z");
    assert_eq!(shifts[0]["members"][0]["name"], "सीमा");
    let later = story.board.shifts_list(at(3_600));
    assert_eq!((&later[0]["on"], &later[0]["hours"]), (&json!(false), &json!("22:00-06:00")));
    let listed = story.board.directory_list("ALI/RRT/1", at(0), &|_| true).unwrap();
    assert_eq!(listed["entries"][0]["name"], "राम");
    assert_eq!((&listed["refused"][0]["line"], &listed["refused_count"]), (&json!(4), &json!(1)));
    assert!(story.board.directory_list("ALI/doctor", at(0), &|_| true).is_err());
    for _ in 0..3 {
        assert_eq!(story.board.directory_stale(at(0), &|_| true), json!([]));
        let number = "+919826000002".to_string();
        story.tell(1, What::Call(CallFact::Rung { call: CALL, number, reached: false }));
    }
    let stale = story.board.directory_stale(at(0), &|_| true);
    assert_eq!((&stale[0]["name"], &stale[0]["failures"]), (&json!("राम"), &json!(3)));
}

#[test]
fn why_a_caller_waited_is_told_from_the_picks() {
    use crate::acd::{Claim, MissedBecause, Pick, Strategy, Verdict, Withdrawn};
    use std::cmp::Reverse;
    let mut story = Story { board: Board::new(names(&[(0, "op1"), (1, "op2")]), at(0)), seq: 0 };
    story.tell(0, arrival());
    story.tell(1, What::Desk(acd::Fact::Queued { call: CALL, queue: QUEUE }));
    let now = story.board.why("HZ7", at(5)).unwrap();
    assert_eq!(now["now"][0], "waits in general, 0 came before");
    assert_eq!(now["now"][1], "off: op1");
    let pick = Pick {
        call: CALL,
        queue: QUEUE,
        strategy: Strategy::LongestIdle,
        claim: Claim::Weighed(Reverse(0), Reverse(3)),
        level: 1,
        languages: vec!["lang:hi".into()],
        agents: vec![(AGENT, Verdict::Chosen), (AgentId(1), Verdict::Talking)],
        others: vec![(Verdict::Talking, 2), (Verdict::Off, 1)],
        callers: Vec::new(),
        more_callers: 0,
    };
    story.tell(10, What::Desk(acd::Fact::Picked(Box::new(pick))));
    story.tell(10, What::Desk(acd::Fact::Offered { call: CALL, agent: AGENT }));
    let why = MissedBecause::Withdrawn(Withdrawn::RingTimeout);
    story.tell(30, What::Desk(acd::Fact::Missed { call: CALL, agent: AGENT, why }));
    story.tell(31, What::Desk(acd::Fact::Taken { call: CALL, agent: AgentId(1) }));
    story.tell(31, What::Call(CallFact::Connected { call: CALL, agent: Some(AgentId(1)) }));
    let (outcome, by) = (Outcome::Answered, EndedBy::Caller);
    let end = End { outcome, by, status: 200, q850: Some(16) };
    story.tell(91, What::Call(CallFact::Ended { call: CALL, end }));
    let told = story.board.why("01HZ7", at(500)).unwrap();
    let steps: Vec<&str> =
        told["steps"].as_array().unwrap().iter().map(|s| s["text"].as_str().unwrap()).collect();
    assert_eq!(
        steps,
        [
            "arrived, dialled 181, by trunk bsnl; no district is known",
            "joined queue general: line 181 leads there",
            "picked op1 of 5 (longest-idle; needs level 1, lang:hi; weight 0, priority 3)",
            "op1 rings",
            "op1 did not take it: ring-timeout",
            "op2 answered",
            "connected with op2",
            "ended: answered, by caller, status 200",
        ]
    );
    let details = &told["steps"][2]["details"];
    assert_eq!(*details, json!(["talking: op2, 2 more", "off: 1 more"]));
    let stages = &told["stages"];
    assert_eq!((&stages["wait_ms"], &stages["talk_ms"]), (&json!(30_000), &json!(60_000)));
    assert_eq!(stages["to_first_ring_ms"], 9_000);
    let unknown = story.board.why("01HZ9", at(500)).unwrap_err();
    assert!(unknown.contains("pukar why --journal data/journal 01HZ9"), "{unknown}");
}

#[test]
fn the_wallboard_is_of_the_last_minutes_and_says_what_is_wrong() {
    let mut story = Story::new();
    story.tell(0, What::Trunk { trunk: TrunkId(0), up: false });
    story.tell(0, arrival());
    story.tell(1, What::Desk(acd::Fact::Queued { call: CALL, queue: QUEUE }));
    let wall = |story: &Story, second| story.board.wallboard(at(second), &Sight::ALL);
    let kinds = |wall: &Value| {
        let alarms = wall["alarms"].as_array().unwrap().clone();
        alarms.iter().map(|a| a["kind"].as_str().unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&wall(&story, 2)), ["trunk_down", "nobody"]);
    assert_eq!(wall(&story, 61)["longest_wait_ms"], 60_000);
    story.agent(3, AgentState::Ready);
    assert_eq!(kinds(&wall(&story, 4)), ["trunk_down"]);
    story.tell(5, What::Desk(acd::Fact::Taken { call: CALL, agent: AGENT }));
    let level = &wall(&story, 60)["service_level"];
    assert_eq!((&level["level"], &level["answered"]), (&json!(1.0), &json!(1)));
    assert_eq!(wall(&story, 1_000)["service_level"]["level"], Value::Null, "that was long ago");
    let short = |of: &str, present, minimum| {
        let (shift, of) = ("night".to_string(), of.to_string());
        What::Shift(acd::ShiftNews::Short { shift, of, starts: Wall(0), present, minimum })
    };
    story.tell(6, short("", 1, 5));
    assert_eq!(wall(&story, 7)["alarms"][1]["text"], "shift night has 1 of 5");
    story.tell(7, short("counsellor", 0, 1));
    assert_eq!(wall(&story, 7)["alarms"][1]["text"], "shift night has 1 of 5");
    let alarm = &wall(&story, 7)["alarms"][2];
    assert_eq!(alarm["text"], "shift night has 0 of 1 counsellor");
    // The page has words of its own for them.
    let words = (&alarm["of"], &alarm["present"], &alarm["minimum"]);
    assert_eq!(words, (&json!("counsellor"), &json!(0), &json!(1)));
    let (shift, of) = ("night".to_string(), String::new());
    let filled = acd::ShiftNews::Filled { shift, of, starts: Wall(0), present: 5, minimum: 5 };
    story.tell(8, What::Shift(filled));
    assert_eq!(kinds(&wall(&story, 9)), ["trunk_down", "short"]);
    story.tell(9, What::Shift(acd::ShiftNews::Ended { shift: "night".into() }));
    assert_eq!(kinds(&wall(&story, 9)), ["trunk_down"]);
}

#[test]
fn a_disk_that_costs_recordings_is_an_alarm_until_an_hour_after_the_last() {
    let mut story = Story::new();
    let wall = |story: &Story, second| story.board.wallboard(at(second), &Sight::ALL);
    let told = |what| What::Call(CallFact::Recording { call: CALL, what });
    story.tell(1, told(call::Recorded::Started { file: "a.wav".into() }));
    assert_eq!(wall(&story, 2)["alarms"], json!([]));
    story.tell(3, told(call::Recorded::Gaps));
    story.tell(4, told(call::Recorded::Failed { why: "No space left on device".into() }));
    let alarm = &wall(&story, 5)["alarms"][0];
    assert_eq!(alarm["kind"], "recording");
    let text = "2 recordings of the last hour broke off or have gaps: No space left on device";
    assert_eq!(alarm["text"], text);
    assert_eq!(wall(&story, 3_700)["alarms"], json!([]));
    // One that takes nothing is one for as long as that lasts.
    story.tell(3_701, What::Recorder { up: false, why: "/data: the disk hangs".into() });
    let alarm = &wall(&story, 9_000)["alarms"][0];
    let text = alarm["text"].as_str().unwrap();
    assert!(text.starts_with("no recording is written since "), "{text}");
    assert!(alarm["kind"] == "recorder" && text.ends_with("/data: the disk hangs"), "{text}");
    story.tell(9_001, What::Recorder { up: true, why: String::new() });
    assert_eq!(wall(&story, 9_002)["alarms"], json!([]));
    story.tell(9_003, told(call::Recorded::Unfinished));
    assert_eq!(wall(&story, 9_004)["alarms"][0]["kind"], "recording");
}

#[test]
fn a_claim_is_shown_for_as_long_as_it_binds() {
    use crate::call::MissedNews;
    let mut story = Story::new();
    let number = "+919826000001";
    let news = |story: &mut Story, secs, news| {
        story.tell(secs, What::Call(CallFact::Missed { number: number.into(), news }));
    };
    let shown = |story: &Story, secs| {
        let row = story.board.missed_list(at(secs), &|_, _| true)[0].clone();
        [row["state"].clone(), row["claimed_by"].clone()]
    };
    let why = EndedBy::Caller;
    news(&mut story, 0, MissedNews::Abandoned { parent: "01HZ7".into(), why });
    news(&mut story, 10, MissedNews::Claimed { by: "asha".into() });
    assert_eq!(shown(&story, 909), [json!("claimed"), json!("asha")]);
    assert_eq!(shown(&story, 910), [json!("open"), json!("")], "nobody is kept from them now");
    news(&mut story, 920, MissedNews::Claimed { by: "bina".into() });
    assert_eq!(shown(&story, 930), [json!("claimed"), json!("bina")]);
    news(&mut story, 940, MissedNews::Released { by: "boss".into() });
    assert_eq!(shown(&story, 940), [json!("open"), json!("")]);
}
