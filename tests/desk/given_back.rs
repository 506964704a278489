//! Two switches of ours: whom an agent of one sends to the other, and who is given back by it
//! though somebody there had answered; and who is not, whatever a network says when a call ends.

use crate::desk_world::{BSNL, Habit, OP1, Stage};
use crate::pair_world::{FIRST, Pair, district, state};
use pukar::call::{EndedBy, Outcome, Way};
use pukar::core::Verb;

/// An agent of the state talks with a caller, whom they send to the district.
fn sent(queue: &str, way: Way) -> Pair {
    let mut pair = Pair::new(&state(), &district(queue));
    pair.state.set_agent("op1", "ready");
    pair.state.dial(FIRST, "181", "");
    pair.wait(5);
    assert_eq!(pair.state.story(), ["offered op1", "connected op1"]);
    let call = pair.state.arrival().id.clone();
    (way == Way::Blind).then(|| pair.district.set_agent("op1", "pause"));
    pair.state.ask(Verb::Transfer { call, to: "district:shivpuri".into(), way });
    assert!(pair.state.replies.last().unwrap().is_ok(), "{:?}", pair.state.replies);
    pair
}

#[test]
fn whom_an_agent_sends_to_a_district_that_cannot_serve_them_is_with_the_agent_again() {
    for (way, queue) in [
        (Way::Consult, ""),
        (Way::Consult, "when_unstaffed = \"refuse\"\n"),
        (Way::Blind, "max_wait = \"10s\"\n"),
        (Way::Blind, "max_callers = 1\nmax_wait = \"10s\"\n"),
    ] {
        let mut pair = sent(queue, way);
        pair.talk();
        pair.wait(12);
        let story = pair.state.story();
        assert_eq!(story[2], "rung 181: false", "{queue}: {story:?}");
        assert_eq!(pair.state.state("op1"), "talking", "{queue}");
        pair.state.far_end_hangs_up(OP1);
        pair.talk();
        pair.wait(60);
        let [record] = &pair.state.records[..] else { panic!("{:?}", pair.state.records) };
        assert_eq!((record.outcome, &*record.agent), (Outcome::Answered, "op1"));
        assert_ne!(pair.there().outcome, Outcome::Answered, "nobody there has answered");
        assert_eq!(pair.district.switch.state().counts(), (0, 0));
    }
}

#[test]
fn whom_an_agent_sends_to_a_district_waits_there_until_somebody_has_answered() {
    for way in [Way::Blind, Way::Consult] {
        let mut pair = sent("", Way::Blind);
        if way == Way::Consult {
            pair = Pair::new(&state(), &district(""));
            pair.district.set_agent("op1", "pause");
            pair.state.set_agent("op1", "ready");
            pair.state.dial(FIRST, "181", "");
            pair.wait(5);
            let call = pair.state.arrival().id.clone();
            pair.state.ask(Verb::Transfer { call, to: "district:shivpuri".into(), way });
        }
        pair.talk();
        pair.wait(100);
        pair.kill();
        assert_eq!(pair.state.story().len(), 2, "nobody has answered: {:?}", pair.state.story());
        pair.district.set_agent("op1", "ready");
        pair.talk();
        assert_eq!(pair.district.state("op1"), "talking");
        assert_eq!(pair.state.story()[2], "rung 181: true");
        pair.wait(5);
        if way == Way::Consult {
            pair.state.far_end_hangs_up(OP1);
            pair.talk();
            assert_eq!(pair.state.state("op1"), "wrap-up");
        }
        pair.district.far_end_hangs_up(OP1);
        pair.talk();
        pair.wait(60);
        let [record] = &pair.state.records[..] else { panic!("{:?}", pair.state.records) };
        assert_eq!((record.outcome, record.transfers), (Outcome::Answered, 1));
        assert_eq!(pair.there().outcome, Outcome::Answered);
    }
}

#[test]
fn a_caller_whom_a_district_has_is_given_back_as_soon_as_its_last_agent_has_left() {
    let leave: [fn(&mut Stage); 2] = [
        |district| district.set_agent("op1", "logout"),
        |district| {
            let (queue, to) = ("desk".into(), "close".into());
            district.ask(Verb::SetQueue { queue, to });
        },
    ];
    for leave in leave {
        let way = "[[queue.overflow]]\nunstaffed = true\nto = \"district:state\"\n";
        let mut pair = Pair::new(&state(), &district(way));
        pair.district.set_agent("op1", "pause");
        pair.dial(FIRST);
        pair.wait(5);
        assert_eq!(pair.state.story(), [""; 0]);
        leave(&mut pair.district);
        pair.talk();
        assert_eq!(pair.state.story(), ["rung 07492181: false"]);
        pair.state.set_agent("op1", "ready");
        assert_eq!(pair.state.story()[1..], ["offered op1", "connected op1"]);
    }
}

/// How somebody of the state's comes to the district, where an agent answers.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Lent {
    /// A caller, by the switch.
    Overflown,
    /// A caller, whom an agent has sent there so.
    Sent(Way),
    /// Whom an agent had called.
    Called,
}

const OUT_BY_BSNL: &str = "[[route]]\nprefixes = [\"+91\"]\ntrunk = \"bsnl\"\n\
                           identity = \"+917552551181\"\n";

impl Lent {
    fn at_the_district(self) -> Pair {
        let mut pair = Pair::new(&format!("{}{OUT_BY_BSNL}", state()), &district(""));
        pair.district.set_agent("op1", "ready");
        if self == Lent::Overflown {
            pair.dial(FIRST);
        } else {
            self.by_an_agent(&mut pair);
        }
        pair.wait(30);
        assert_eq!(pair.district.state("op1"), "talking", "{self:?}");
        pair.state.set_agent("op1", "logout");
        pair
    }

    fn by_an_agent(self, pair: &mut Pair) {
        pair.state.set_agent("op1", "ready");
        let way = match self {
            Lent::Sent(way) => {
                pair.state.dial(FIRST, "181", "");
                way
            }
            Lent::Overflown | Lent::Called => {
                pair.state.phone_dials(OP1, "op1", FIRST);
                pair.state.far_end_answers(BSNL);
                Way::Blind
            }
        };
        pair.wait(5);
        let call = pair.state.arrival().id.clone();
        pair.state.ask(Verb::Transfer { call, to: "district:shivpuri".into(), way });
        assert!(pair.state.replies.last().unwrap().is_ok(), "{:?}", pair.state.replies);
        pair.talk();
        pair.wait(1);
        if matches!(self, Lent::Sent(Way::Consult | Way::Join)) {
            pair.state.far_end_hangs_up(OP1);
            pair.talk();
        }
    }
}

#[test]
fn whom_a_district_has_answered_goes_back_too_where_nobody_there_can_go_on_with_them() {
    for (lent, logs_out_first) in [
        (Lent::Overflown, false),
        (Lent::Overflown, true),
        (Lent::Sent(Way::Blind), false),
        (Lent::Sent(Way::Consult), true),
        (Lent::Sent(Way::Join), false),
        (Lent::Called, false),
    ] {
        let mut pair = lent.at_the_district();
        // The agent puts them back into the line, and is the last to go; or the other way round.
        let call = pair.district.arrival().id.clone();
        if logs_out_first {
            pair.district.set_agent("op1", "logout");
        }
        pair.district.habit(OP1, Habit::Rings);
        pair.district.ask(Verb::Return { call });
        pair.talk();
        pair.wait(15);
        if !logs_out_first {
            assert_eq!(pair.state.switch.state().counts().0, usize::from(false), "they wait there");
            pair.district.set_agent("op1", "logout");
            pair.talk();
        }
        pair.kill();
        assert_eq!(pair.district.switch.state().counts().0, 0, "{lent:?}: gone from there");
        assert_eq!(pair.there().outcome, Outcome::Answered);
        assert_eq!(pair.state.switch.state().counts().0, 1, "{lent:?}: in the line of the state");
        pair.state.habit(OP1, Habit::Answers);
        pair.state.set_agent("op1", "ready");
        assert_eq!(pair.state.state("op1"), "talking");
        assert!(pair.state.records.is_empty());
        pair.state.far_end_hangs_up(OP1);
        pair.talk();
        pair.wait(60);
        let [record] = &pair.state.records[..] else { panic!("{:?}", pair.state.records) };
        let there = record.legs.iter().find(|leg| leg.role == "target" && leg.q850 == Some(31));
        assert_eq!(there.map(|leg| leg.status), Some(200), "a goodbye, and no loss: {record:?}");
    }
}

#[test]
fn whom_a_district_gives_back_while_somebody_is_rung_to_join_them_has_whoever_that_is() {
    for (lent, answers) in [
        (Lent::Overflown, true),
        (Lent::Overflown, false),
        (Lent::Called, true),
        (Lent::Called, false),
    ] {
        let mut pair = lent.at_the_district();
        pair.state.habit(OP1, Habit::Rings);
        pair.state.set_agent("op1", "ready");
        let call = pair.state.arrival().id.clone();
        pair.state.ask(Verb::Transfer { call, to: "op1".into(), way: Way::Join });
        pair.talk();
        assert_eq!(pair.state.state("op1"), "offered", "{:?}", pair.state.replies);
        let call = pair.district.arrival().id.clone();
        pair.district.set_agent("op1", "logout");
        pair.district.ask(Verb::Return { call });
        pair.talk();
        assert_eq!(pair.district.switch.state().counts().0, 0, "{lent:?}: gone from there");
        assert!(pair.state.records.is_empty(), "{lent:?}: {:?}", pair.state.records);
        match answers {
            true => pair.state.far_end_answers(OP1),
            false => pair.wait(30),
        }
        pair.talk();
        let waits = pair.state.switch.state().counts().0;
        assert_eq!((pair.state.state("op1") == "talking", waits), (answers, usize::from(!answers)));
    }
}

#[test]
fn whom_a_supervisor_keeps_on_hold_when_a_district_gives_them_back_waits_again() {
    let mut pair = Lent::Overflown.at_the_district();
    let call = pair.state.arrival().id.clone();
    pair.state.ask(Verb::Hold { call, hold: true });
    assert!(pair.state.replies.last().unwrap().is_ok(), "{:?}", pair.state.replies);
    pair.talk();
    let call = pair.district.arrival().id.clone();
    pair.district.set_agent("op1", "logout");
    pair.district.ask(Verb::Return { call });
    pair.talk();
    pair.wait(5);
    assert_eq!(pair.district.switch.state().counts().0, 0, "gone from there");
    assert_eq!(pair.state.switch.state().counts().0, 1, "in the line of the state");
    pair.state.set_agent("op1", "ready");
    assert_eq!(pair.state.state("op1"), "talking");
}

#[test]
fn who_hangs_up_at_a_district_gives_nobody_back_whatever_its_network_says_of_it() {
    for lent in [Lent::Overflown, Lent::Sent(Way::Consult), Lent::Sent(Way::Join), Lent::Called] {
        let mut pair = lent.at_the_district();
        pair.state.set_agent("op1", "ready");
        // "Normal, unspecified": what gateways say at the end of any call.
        pair.district.far_end_hangs_up_with(OP1, "Reason: Q.850;cause=31\r\n");
        pair.talk();
        assert_eq!(pair.state.switch.state().counts().0, 0, "{lent:?}: nobody is queued again");
        pair.wait(60);
        let [record] = &pair.state.records[..] else { panic!("{lent:?} {:?}", pair.state.records) };
        assert_eq!((record.outcome, record.ended_by), (Outcome::Answered, EndedBy::Target));
    }
}
