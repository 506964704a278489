//! What the queue engine decides for those who wait: what is told and when, emergencies from within
//! the line, promises and their attempts.

use crate::acd_world::{World, ms, one_queue, queue, secs};
use pukar::acd::{
    AgentState, Announcer, CallbackPolicy, Callbacks, Join, Next, Offer, Strategy, Told, Wait,
};
use pukar::base::{CallId, Cx, Now, Timer, Wall};

macro_rules! cx {
    ($world:ident) => {
        &mut Cx {
            now: Now { instant: $world.now, wall: Wall(0) },
            rng: &mut $world.rng,
            timers: &mut $world.timers,
        }
    };
}

/// So many conversations of so many seconds each.
fn talk(w: &mut World, first: u64, lengths: &[u64]) {
    let (q, op) = (w.q("general"), w.a("op0"));
    for (call, length) in (first..).zip(lengths) {
        w.join(call, q);
        assert!(w.answered(call, op));
        w.pass(secs(*length));
        w.released(call, op);
        w.pass(secs(10));
    }
}

fn wait_of(w: &World, call: u64) -> Option<Wait> {
    w.desk.outlook(w.now, CallId(call)).unwrap().wait
}

#[test]
fn a_wait_is_not_told_while_conversations_become_longer_or_shorter() {
    for (lengths, steady) in [
        ([50; 8], true),
        ([50, 50, 50, 50, 90, 90, 90, 90], true),
        ([20, 20, 20, 20, 90, 90, 90, 90], false),
    ] {
        let mut w = World::new(&one_queue(queue("general", Strategy::LongestIdle), 1));
        talk(&mut w, 1, &lengths);
        let q = w.q("general");
        w.join(50, q);
        assert_eq!(wait_of(&w, 50).is_some(), steady, "{lengths:?}");
    }
}

#[test]
fn nobody_is_promised_a_wait_that_cannot_be_true_with_what_they_were_promised_before() {
    let mut w = World::new(&one_queue(queue("general", Strategy::LongestIdle), 1));
    talk(&mut w, 1, &[50; 8]);
    let (q, op) = (w.q("general"), w.a("op0"));
    w.join(50, q);
    w.answered(50, op);
    w.join(51, q);
    let mut announcer = Announcer::default();
    announcer.look(cx!(w), &w.desk, CallId(51));
    assert_eq!(w.timers.next().unwrap().1, Timer::Announce(CallId(51)));
    let mut said = Vec::new();
    for _ in 0..5 {
        let offers = [Offer::Emergency('0'), Offer::Callback('1')];
        let told = announcer.due(cx!(w), &w.desk, CallId(51), &offers).unwrap();
        assert_eq!(told.place, Some(Told::Next));
        said.push((told.busy, told.wait.is_some(), told.offer.unwrap()));
        w.now = w.now + secs(35);
    }
    let waits: Vec<bool> = said.iter().map(|(_, wait, _)| *wait).collect();
    // One to two minutes, at 0 s and 35 s; at 70 s that would be more than was promised.
    assert_eq!(waits, [true, true, false, false, false]);
    assert!(said[0].0 && !said[1].0, "busy is said once");
    assert_eq!(said[2].2, Offer::Emergency('0'));
    w.leave(51);
    announcer.look(cx!(w), &w.desk, CallId(51));
    assert!(!w.timers.is_set(Timer::Announce(CallId(51))));
}

#[test]
fn an_emergency_from_within_the_line_is_next_and_a_phone_that_rings_goes_on() {
    let mut w = World::new(&one_queue(queue("general", Strategy::LongestIdle), 1));
    let (q, op) = (w.q("general"), w.a("op0"));
    for call in 1..=3 {
        w.join(call, q);
        w.pass(ms(10));
    }
    assert_eq!(w.state(op), AgentState::Offered { call: CallId(1) });
    w.amend(3, true, &[]);
    w.amend(1, true, &["en"]);
    assert_eq!(w.desk.position(w.now, CallId(3)), Some(2));
    assert_eq!(w.state(op), AgentState::Offered { call: CallId(1) });
    w.leave(1);
    assert_eq!(w.state(op), AgentState::Offered { call: CallId(3) });
    w.amend(99, true, &[]);
}

#[test]
fn languages_that_are_said_later_choose_the_agent() {
    let mut settings = one_queue(queue("general", Strategy::LongestIdle), 0);
    settings.agents = vec![
        crate::acd_world::agent("hindi", &["lang:hi"]),
        crate::acd_world::agent("english", &["lang:en"]),
    ];
    let mut w = World::new(&settings);
    let (q, hindi, english) = (w.q("general"), w.a("hindi"), w.a("english"));
    w.pause(hindi);
    w.pause(english);
    w.join(1, q);
    w.amend(1, false, &["en"]);
    w.ready(hindi);
    assert_eq!(w.offers(), []);
    w.ready(english);
    assert_eq!(w.offers(), [(1, english)]);
}

#[test]
fn an_agent_who_waited_for_somebody_in_vain_is_free_at_once_without_blame() {
    let mut w = World::new(&one_queue(queue("general", Strategy::LongestIdle), 1));
    let (q, op) = (w.q("general"), w.a("op0"));
    let promised = Join { keep: Some(secs(600)), ..Join::default() };
    w.join_with(1, q, promised);
    w.answered(1, op);
    w.join(2, q);
    w.spared(1, op);
    assert_eq!(w.offers(), [(2, op)], "no wrap-up, no rest");
    assert_eq!(w.desk.stage(CallId(1)), None);
    w.spared(2, op);
    assert_eq!(w.state(op), AgentState::Offered { call: CallId(2) }, "only from a conversation");
}

#[test]
fn whoever_was_promised_a_call_is_not_turned_away_and_waits_for_longer_than_others() {
    let mut general = queue("general", Strategy::LongestIdle);
    (general.max_callers, general.max_wait) = (1, secs(60));
    let mut w = World::new(&one_queue(general, 0));
    let q = w.q("general");
    w.join(1, q);
    w.join_with(2, q, Join { keep: Some(secs(600)), ..Join::default() });
    assert_eq!(w.desk.length(q), 2);
    w.pass(secs(61));
    assert_eq!(w.desk.length(q), 1);
    w.pass(secs(540));
    assert_eq!(w.desk.length(q), 0);
}

#[test]
fn q19_a_promise_has_one_attempt_at_a_time_and_only_so_many() {
    let mut w = World::new(&one_queue(queue("general", Strategy::LongestIdle), 1));
    let policy = CallbackPolicy { attempts: 2, apart: secs(60), keep: secs(600) };
    let mut book = Callbacks::default();
    let call = CallId(7);
    assert!(book.promise(call, "+919826012345"));
    assert!(!book.promise(CallId(8), "+919826012345"), "one for each number");
    assert_eq!(book.of("+919826012345"), Some(call));
    assert!(book.begin(call));
    assert!(!book.begin(call), "it is alive");
    assert_eq!(book.failed(cx!(w), call, &policy), Next::Again);
    assert!(!book.begin(call), "it rests");
    assert!(w.timers.is_set(Timer::CallBack(call)));
    assert!(book.again(call) && !book.again(call));
    assert!(book.begin(call));
    assert_eq!((book.tries(call), book.failed(cx!(w), call, &policy)), (2, Next::GiveUp));
    book.over(cx!(w), call);
    assert!(!book.knows(call) && book.of("+919826012345").is_none());
    assert!(!w.timers.is_set(Timer::CallBack(call)));
}
