//! How the call of a caller ends who waits for an agent, or is on their way to one: they hang up,
//! are lost where something may be, or a supervisor ends it; the switch itself does only where a
//! queue has let go of them and said why, where they are called back, where another switch has them
//! back, where they have no sound at all, or where it was told to hang up on everybody.

use super::plan::Faults;
use crate::acd::{self, Away};
use crate::base::CallId;
use crate::call::{self, Arrival, Direction, End, EndedBy, Goal, Outcome, Role};
use crate::config::Settings;
use crate::core::{Event, Fact, What};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default)]
pub struct Endings {
    callers: BTreeMap<CallId, Caller>,
    /// The switch was told to hang up on everybody.
    closing: bool,
    /// On this day messages are lost.
    is_lossy: bool,
    has_peers: bool,
    /// The numbers of those who have vanished, were cut off, or do not keep to the rules.
    excused: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct Caller {
    number: String,
    leads: Leads,
    /// With somebody, who may hang up.
    talks: bool,
    /// Their call was under way when the process died.
    outlived: bool,
    /// What happened to them excuses that they are lost.
    is_excused: bool,
    /// The last word of a queue.
    turned_away: Option<Away>,
    /// They were told that nobody is waited for any more: they are called back.
    farewell: bool,
    /// The cause says in words that the switch which lent them has them back.
    given_back: bool,
    /// A centre has said in words that it gives them back.
    comes_back: bool,
}

/// Where the number that was dialled leads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Leads {
    /// To an agent, by whatever greetings, menus and centres.
    #[default]
    Agent,
    /// To a phone, which may refuse.
    Phone,
    /// To the switch, for codes.
    Codes,
}

impl Endings {
    /// `has_peers`: the district behind a trunk is a switch of ours.
    pub fn of(faults: &Faults, has_peers: bool) -> Self {
        Self { is_lossy: faults.loss > 0, has_peers, ..Self::default() }
    }

    /// Something has happened to whoever has this number.
    pub fn excuse(&mut self, number: String) {
        self.excused.insert(number);
    }

    /// From now on messages may be lost.
    pub fn loses(&mut self) {
        self.is_lossy = true;
    }

    /// What comes to the switch.
    pub fn told(&mut self, event: &Event) {
        match event {
            Event::Close => self.closing = true,
            Event::Restarted { .. } => {
                self.closing = false;
                self.callers.values_mut().for_each(|caller| caller.outlived = true);
            }
            _ => {}
        }
    }

    pub fn note(&mut self, fact: &Fact, settings: &Settings) -> Result<(), String> {
        match &fact.what {
            What::Call(call::Fact::Arrived { call, arrival })
                if arrival.direction == Direction::In =>
            {
                self.callers.insert(*call, Caller::new(arrival, settings));
            }
            What::Desk(acd::Fact::Queued { call, .. })
            | What::Call(call::Fact::Returned { call, talked: false, .. }) => {
                self.waits(*call, None);
            }
            What::Desk(acd::Fact::TurnedAway { call, why, .. }) => self.waits(*call, Some(*why)),
            What::Call(call::Fact::Connected { call, .. }) => {
                self.change(*call, |caller| caller.talks = true);
            }
            What::Call(call::Fact::Farewell { call }) => {
                self.change(*call, |caller| caller.farewell = true);
            }
            What::Call(call::Fact::LegClosed { call, role: Role::Caller, cause, .. }) => {
                let given_back = (cause.q850, cause.sip) == (Some(31), Some(480));
                self.change(*call, |caller| caller.given_back = given_back);
            }
            What::Call(call::Fact::LegClosed { call, role: Role::Target, cause, .. }) => {
                let comes_back = self.has_peers && (cause.q850, cause.sip) == (Some(31), Some(480));
                self.change(*call, |caller| caller.comes_back = comes_back);
            }
            What::Call(call::Fact::Ended { call, end }) => {
                let Some(mut caller) = self.callers.remove(call) else { return Ok(()) };
                caller.is_excused = self.is_lossy || self.excused.contains(&caller.number);
                let told_to = self.closing && end.by == EndedBy::Switch;
                if caller.comes_back && end.by == EndedBy::Target {
                    return Err(format!("{call:?} was given back, and ended so: {end:?}"));
                }
                if !caller.talks && !told_to && !caller.may_end(end) {
                    return Err(format!("{call:?} waited, and was ended so: {end:?}, {caller:?}"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn waits(&mut self, call: CallId, turned_away: Option<Away>) {
        self.change(call, |caller| {
            (caller.leads, caller.talks) = (Leads::Agent, false);
            caller.turned_away = turned_away;
        });
    }

    fn change(&mut self, call: CallId, change: impl FnOnce(&mut Caller)) {
        if let Some(caller) = self.callers.get_mut(&call) {
            change(caller);
        }
    }
}

impl Caller {
    fn new(arrival: &Arrival, settings: &Settings) -> Self {
        let line = settings.call.lines.iter().find(|line| line.name == arrival.line);
        let leads = match line.map(|line| &line.goal) {
            Some(Goal::Dial(_)) => Leads::Phone,
            Some(Goal::Codes) => Leads::Codes,
            Some(
                Goal::Queue(_)
                | Goal::Served { .. }
                | Goal::Later { .. }
                | Goal::Menu { .. }
                | Goal::Goodbye
                | Goal::Placed,
            )
            | None => Leads::Agent,
        };
        Self { number: arrival.caller.clone(), leads, ..Self::default() }
    }

    /// Whether it is the end that a queue's word leads to: there is no such queue, or no way to
    /// where it sends its callers.
    fn is_let_go(&self, end: &End) -> bool {
        let leads = match (self.turned_away, end.outcome) {
            (Some(Away::NoQueue), Outcome::Failed) | (Some(_), Outcome::Overflowed) => true,
            (Some(_) | None, _) => false,
        };
        leads && end.q850 == Some(42)
    }

    fn may_end(&self, end: &End) -> bool {
        let away = self.turned_away;
        match end.by {
            EndedBy::Caller | EndedBy::Admin => true,
            EndedBy::Lost | EndedBy::Silence => self.outlived || self.is_excused,
            EndedBy::Recovered => self.outlived,
            EndedBy::MaxWait => away == Some(Away::Expired),
            EndedBy::Full => away == Some(Away::Full),
            EndedBy::Unstaffed => away == Some(Away::Unstaffed),
            EndedBy::Shut => away == Some(Away::Shut),
            // Nobody with whom they do not talk ends their call.
            EndedBy::Agent => false,
            EndedBy::Target => self.leads == Leads::Phone,
            EndedBy::Switch => {
                // The switch that lent them has them back: no other end by this cause is one.
                let never_served = end.outcome == Outcome::Overflowed;
                let is_lent = end.q850 == Some(31) && (never_served || self.given_back);
                let called_back = end.outcome == Outcome::Callback
                    || end.outcome == Outcome::Answered && self.farewell;
                // They cannot be talked to, and were answered or not.
                let no_port = matches!((end.status, end.q850), (200 | 503, Some(42)));
                let deaf = end.q850 == Some(65)
                    || no_port && matches!(end.outcome, Outcome::Failed | Outcome::Answered);
                let unanswered = self.leads == Leads::Phone && end.q850 == Some(19);
                let keyed_in = self.leads == Leads::Codes && end.q850 == Some(16);
                let there = unanswered || keyed_in;
                called_back || is_lent || deaf || there || self.is_let_go(end)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_switch(outcome: Outcome, status: u16, q850: u8) -> End {
        End { outcome, by: EndedBy::Switch, status, q850: Some(q850) }
    }

    fn waits(turned_away: Option<Away>) -> Caller {
        Caller { turned_away, ..Caller::default() }
    }

    fn to(line: &str) -> Arrival {
        Arrival {
            id: String::new(),
            direction: Direction::In,
            line: line.into(),
            trunk: None,
            user: None,
            agent: String::new(),
            caller: String::new(),
            caller_raw: String::new(),
            dialled: String::new(),
            dialled_raw: String::new(),
            forwarded_by: String::new(),
            district: String::new(),
            parent: String::new(),
            flags: Vec::new(),
        }
    }

    fn ended(by: EndedBy) -> End {
        End { by, ..by_switch(Outcome::Abandoned, 480, 38) }
    }

    #[test]
    fn a_waiting_caller_is_not_hung_up_on_because_a_clock_ran_on_from_another_call() {
        // As `Timer::CallOver` ends what an agent has placed.
        let too_long = by_switch(Outcome::Answered, 200, 31);
        assert!(!waits(None).may_end(&too_long));
        assert!(!waits(Some(Away::Full)).may_end(&too_long));
        assert!(!waits(None).may_end(&End { outcome: Outcome::Abandoned, ..too_long }));
        assert!(waits(None).may_end(&by_switch(Outcome::Overflowed, 480, 31)), "lent, given back");
        let given_back = Caller { given_back: true, ..waits(None) };
        assert!(given_back.may_end(&by_switch(Outcome::Answered, 200, 31)), "after a talk as well");
    }

    #[test]
    fn a_queue_that_has_once_refused_a_caller_is_no_leave_to_drop_them() {
        let dropped = by_switch(Outcome::Failed, 480, 20);
        for away in [Away::Full, Away::Unstaffed, Away::Expired, Away::Shut, Away::NoQueue] {
            assert!(!waits(Some(away)).may_end(&dropped), "{away:?}");
            assert!(waits(Some(away)).may_end(&by_switch(Outcome::Overflowed, 480, 42)));
            let failed = by_switch(Outcome::Failed, 480, 42);
            assert_eq!(waits(Some(away)).may_end(&failed), away == Away::NoQueue);
        }
        assert!(!waits(None).may_end(&by_switch(Outcome::Overflowed, 480, 42)));
        let full = End { by: EndedBy::Full, ..by_switch(Outcome::Refused, 480, 42) };
        assert!(waits(Some(Away::Full)).may_end(&full) && !waits(None).may_end(&full));
    }

    #[test]
    fn who_talked_last_with_somebody_may_be_hung_up_on_by_anybody() {
        let (call, mut endings) = (CallId(1), Endings::default());
        endings.callers.insert(call, waits(None));
        let end = End { by: EndedBy::Agent, ..by_switch(Outcome::Answered, 200, 16) };
        let fact = |what| Fact { seq: 1, at: crate::base::Now::default(), what: What::Call(what) };
        let settings = Settings::default();
        let note = |endings: &mut Endings, what| endings.note(&fact(what), &settings);
        note(&mut endings, super::call::Fact::Connected { call, agent: None }).unwrap();
        note(&mut endings, super::call::Fact::Ended { call, end: end.clone() }).unwrap();
        endings.callers.insert(call, waits(None));
        note(&mut endings, super::call::Fact::Ended { call, end }).unwrap_err();
    }

    #[test]
    fn nobody_is_lost_on_a_day_on_which_nothing_is() {
        let fact = |what| Fact { seq: 1, at: crate::base::Now::default(), what: What::Call(what) };
        let ends = |day: &dyn Fn(&mut Endings), by| {
            let (call, mut endings) = (CallId(1), Endings::of(&Faults::default(), false));
            let caller = Caller { number: "+919826000001".into(), ..Caller::default() };
            endings.callers.insert(call, caller);
            day(&mut endings);
            let ended = fact(super::call::Fact::Ended { call, end: ended(by) });
            endings.note(&ended, &Settings::default()).is_ok()
        };
        let ways = [EndedBy::Lost, EndedBy::Silence, EndedBy::Recovered];
        let judged = |day: &dyn Fn(&mut Endings)| ways.map(|by| ends(day, by));
        assert_eq!(judged(&|_| {}), [false; 3]);
        assert_eq!(judged(&|endings| endings.excuse("+919826000002".into())), [false; 3]);
        assert_eq!(judged(&|endings| endings.excuse("+919826000001".into())), [true, true, false]);
        assert_eq!(judged(&|endings| endings.loses()), [true, true, false]);
        let restarted = Event::Restarted { flows: BTreeSet::new(), secret: Default::default() };
        assert_eq!(judged(&|endings| endings.told(&restarted)), [true; 3]);
        assert!(Endings::of(&Faults { loss: 1, ..Faults::default() }, false).is_lossy);
    }

    #[test]
    fn who_has_not_come_to_a_queue_yet_is_asked_for_like_those_who_wait() {
        let settings = Settings {
            call: crate::call::Settings {
                lines: vec![
                    crate::call::Line { name: "181".into(), ..Default::default() },
                    crate::call::Line {
                        name: "1070".into(),
                        goal: Goal::Dial("sip:desk@10.5.0.1".into()),
                        ..Default::default()
                    },
                    crate::call::Line {
                        name: "codes".into(),
                        goal: Goal::Codes,
                        ..Default::default()
                    },
                ],
                ..Default::default()
            },
            ..Settings::default()
        };
        let allows = |line: &str, end: &End| Caller::new(&to(line), &settings).may_end(end);
        let refused = ended(EndedBy::Target);
        let no_answer = by_switch(Outcome::Abandoned, 480, 19);
        let keyed_in = by_switch(Outcome::Answered, 200, 16);
        for end in [&refused, &no_answer, &keyed_in] {
            assert!(!allows("181", end), "in a greeting, a menu, at a centre: {end:?}");
        }
        assert!(allows("1070", &refused) && allows("1070", &no_answer));
        assert!(!allows("1070", &keyed_in) && allows("codes", &keyed_in));
        assert!(!allows("codes", &refused) && !allows("codes", &no_answer));
        assert!(!allows("1070", &ended(EndedBy::Agent)));
        // Whoever waits for an agent after all is asked for like all others.
        let (call, mut endings) = (CallId(1), Endings::default());
        endings.callers.insert(call, Caller::new(&to("1070"), &settings));
        endings.waits(call, None);
        assert!(!endings.callers[&call].may_end(&refused));
    }
}
