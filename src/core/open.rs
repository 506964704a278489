//! A call record in the making: what the facts of one call have said so far.

use super::journal::NoteRef;
use super::ledger::Names;
use super::record::{CallRecord, LegRow};
use crate::base::{AgentId, Instant, LegId, Now, Wall, limits};
use crate::call::{Arrival, End, EndedBy, Fact, Flag, Outcome, Recorded, Role};
use crate::media::control::Figures;
use crate::wire::sdp::Suite;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Open {
    record: CallRecord,
    /// One for each leg of the record.
    legs: Vec<OpenLeg>,
    ended: bool,
    /// Its recording has begun and is not finished: what becomes of its end is told later.
    taping: bool,
    /// Who has this call to wrap up, and since when.
    wrapping: BTreeMap<AgentId, Instant>,
    /// The clock of whatever runs now: the wait, the talk, the hold.
    waiting_since: Option<Instant>,
    talking_since: Option<Instant>,
    held_since: Option<Instant>,
    /// What the record said of the answer before the last one, which may come to nothing.
    before: (Option<Wall>, String),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct OpenLeg {
    id: LegId,
    measured: bool,
}

impl Open {
    pub fn new(at: Now, arrival: &Arrival, names: &dyn Names) -> Self {
        let trunk = arrival.trunk.map_or(String::new(), |trunk| names.trunk(trunk));
        Self {
            record: blank(at.wall, arrival, trunk),
            legs: Vec::new(),
            ended: false,
            taping: false,
            wrapping: BTreeMap::new(),
            waiting_since: Some(at.instant),
            talking_since: None,
            held_since: None,
            before: (None, String::new()),
        }
    }

    /// The whole record of a call that was turned away at the door.
    pub fn refused(
        at: Now,
        arrival: &Arrival,
        (status, why): (u16, &str),
        names: &dyn Names,
    ) -> Self {
        let mut open = Self::new(at, arrival, names);
        if why.starts_with("blocked") {
            open.record.category = "blocked".into();
        }
        let by = EndedBy::Switch;
        open.end(at, &End { outcome: Outcome::Refused, by, status, q850: None });
        open
    }

    pub fn id(&self) -> &str {
        &self.record.id
    }

    pub fn queued(&mut self, at: Now, queue: String) {
        self.record.queued_at.get_or_insert(at.wall);
        self.record.queue = queue;
        self.waiting_since.get_or_insert(at.instant);
    }

    pub fn offered(&mut self, at: Now) {
        self.record.first_offered_at.get_or_insert(at.wall);
        self.record.offers += 1;
    }

    pub fn wrap_up_began(&mut self, at: Now, agent: AgentId) {
        self.wrapping.insert(agent, at.instant);
    }

    pub fn wrap_up_ended(&mut self, at: Now, agent: AgentId) {
        add(&mut self.record.wrap_ms, self.wrapping.remove(&agent), at);
        self.record.wrapped_up_at = Some(at.wall);
    }

    pub fn wrap_ups_end(&mut self, at: Now) {
        let agents: Vec<AgentId> = self.wrapping.keys().copied().collect();
        agents.into_iter().for_each(|agent| self.wrap_up_ended(at, agent));
    }

    pub fn fold_call(&mut self, at: Now, fact: &Fact, names: &dyn Names) {
        match fact {
            Fact::SystemAnswered { .. } => {
                self.record.system_answered_at.get_or_insert(at.wall);
                self.leg_answered(at, Role::Caller);
            }
            Fact::LegOpened { leg, role, .. } => self.open_leg(at, *leg, *role, names),
            Fact::Connected { agent, .. } => {
                self.before = (self.record.connected_at, self.record.agent.clone());
                self.record.connected_at.get_or_insert(at.wall);
                add(&mut self.record.wait_ms, self.waiting_since.take(), at);
                self.talking_since.get_or_insert(at.instant);
                self.leg_answered(at, Role::Caller);
                match agent {
                    Some(agent) => {
                        self.record.agent = names.agent(*agent);
                        self.leg_answered(at, Role::Agent(*agent));
                    }
                    None => self.leg_answered(at, Role::Target),
                }
            }
            Fact::LegAnswered { leg, .. } => {
                if let Some(n) = self.leg(*leg) {
                    self.record.legs[n].answered_at.get_or_insert(at.wall);
                }
            }
            Fact::Transferred { .. } => self.record.transfers += 1,
            Fact::Held { held: true, .. } => {
                self.held_since.get_or_insert(at.instant);
            }
            Fact::Held { held: false, .. } => {
                add(&mut self.record.hold_ms, self.held_since.take(), at);
            }
            Fact::Recording { what, .. } => self.recorded(what),
            Fact::Alone { .. } => self.waits_again(at, true),
            Fact::Returned { talked, .. } => self.waits_again(at, *talked),
            Fact::District { district, .. } => self.record.district.clone_from(district),
            Fact::Category { category, .. } => self.record.category.clone_from(category),
            Fact::LegClosed { leg, status, cause, .. } => {
                self.close_leg(at, *leg, (*status, cause.q850));
            }
            Fact::Sealed { leg, suite, .. } => self.sealed(*leg, suite.map(Suite::name)),
            Fact::Measured { leg, figures, .. } => self.measured(*leg, figures),
            Fact::Ended { end, .. } => self.end(at, end),
            Fact::Farewell { .. } => add(&mut self.record.wait_ms, self.waiting_since.take(), at),
            Fact::Emergency { .. } => self.flag("emergency"),
            Fact::NotPromised { .. } => self.flag("callback-refused"),
            Fact::Ailing { what, on: true, .. } => self.flag(what.name()),
            Fact::Arrived { .. }
            | Fact::Refused { .. }
            | Fact::Announced { .. }
            | Fact::Missed { .. }
            | Fact::Chose { .. }
            | Fact::Joined { .. }
            | Fact::Transferring { .. }
            | Fact::NotTransferred { .. }
            | Fact::Parked { .. }
            | Fact::Watched { .. }
            | Fact::Silent { .. }
            | Fact::Ailing { on: false, .. }
            | Fact::Rung { .. } => {}
        }
    }

    fn close_leg(&mut self, at: Now, leg: LegId, (status, q850): (u16, Option<u8>)) {
        let Some(n) = self.leg(leg) else { return };
        let row = &mut self.record.legs[n];
        row.closed_at = Some(at.wall);
        (row.status, row.q850) = (status, q850);
        // Whoever talks on without the caller talks on in their own time.
        if row.role == "caller" {
            self.stop_talking(at);
            add(&mut self.record.wait_ms, self.waiting_since.take(), at);
        }
        self.leave_out_legs();
    }

    /// A caller may be offered to phones that fail for hours, and a record that grows for ever is
    /// one that no store takes. `offers` says how many there were.
    fn leave_out_legs(&mut self) {
        let (kept, legs) = (limits::LEGS_KEPT, &self.record.legs);
        if legs.len() <= kept {
            return;
        }
        let closed = |n: &usize| legs[*n].closed_at.is_some();
        let nobody = |n: &usize| closed(n) && legs[*n].answered_at.is_none();
        let mut between = kept / 2..legs.len() - kept / 2;
        let answered = between.clone().find(|n| legs.len() > 2 * kept && closed(n));
        if let Some(n) = between.find(nobody).or(answered) {
            self.record.legs.remove(n);
            self.legs.remove(n);
            self.flag("legs-left-out");
        }
    }

    /// Nothing more will come: neither figures nor the end of a wrap-up or of a recording.
    pub fn is_done(&self) -> bool {
        let measured = self.legs.iter().all(|leg| leg.measured);
        self.ended && measured && !self.taping && self.wrapping.is_empty()
    }

    pub fn is_taping(&self) -> bool {
        self.taping
    }

    /// As it stands.
    pub fn draft(&self) -> NoteRef<'_> {
        if self.ended { NoteRef::Ended(&self.record) } else { NoteRef::Live(&self.record) }
    }

    pub fn stop_waiting(&mut self) {
        self.legs.iter_mut().for_each(|leg| leg.measured = true);
    }

    pub fn into_record(self, seq: u64) -> CallRecord {
        CallRecord { seq, ..self.record }
    }

    fn leg(&self, id: LegId) -> Option<usize> {
        // Whoever took the call over has a row for that, after the one for listening.
        self.legs.iter().rposition(|leg| leg.id == id)
    }

    fn sealed(&mut self, leg: LegId, suite: Option<&str>) {
        if let Some(n) = self.leg(leg) {
            self.record.legs[n].srtp = suite.map(str::to_string);
        }
    }

    fn measured(&mut self, leg: LegId, figures: &Figures) {
        if let Some(n) = self.leg(leg) {
            self.legs[n].measured = true;
            measure(&mut self.record.legs[n], figures);
        }
    }

    fn open_leg(&mut self, at: Now, id: LegId, role: Role, names: &dyn Names) {
        let (role, agent) = match role {
            Role::Caller => ("caller", String::new()),
            Role::Agent(agent) => ("agent", names.agent(agent)),
            Role::Target => ("target", String::new()),
            Role::Supervisor(agent) => ("supervisor", names.agent(agent)),
        };
        // Whoever takes the call over speaks as they have listened.
        let srtp = self.leg(id).and_then(|n| self.record.legs[n].srtp.clone());
        let role = role.into();
        let row = LegRow { role, agent, opened_at: at.wall, srtp, ..LegRow::default() };
        self.record.legs.push(row);
        self.legs.push(OpenLeg { id, measured: false });
    }

    fn leg_answered(&mut self, at: Now, role: Role) {
        let name = match role {
            Role::Caller => "caller",
            Role::Agent(_) => "agent",
            Role::Target => "target",
            Role::Supervisor(_) => return,
        };
        let agent = &self.record.agent;
        let row = self.record.legs.iter_mut().rev().find(|row| {
            row.role == name && row.closed_at.is_none() && (name != "agent" || row.agent == *agent)
        });
        if let Some(row) = row {
            row.answered_at.get_or_insert(at.wall);
        }
    }

    pub fn flag(&mut self, flag: &str) {
        self.record.flag(flag);
    }

    /// The file, and behind a semicolon what is wrong with it.
    fn recorded(&mut self, what: &Recorded) {
        match what {
            Recorded::Started { file } => {
                self.taping = true;
                self.record.recording.clone_from(file);
            }
            Recorded::Paused => self.flaw("paused"),
            Recorded::Gaps => self.flaw("gaps"),
            Recorded::Failed { why } => {
                self.taping = false;
                self.flaw(&format!("broken off: {why}"));
            }
            // It may be finished some time; the record does not wait for that.
            Recorded::Unfinished => {
                self.taping = false;
                self.flaw("unfinished");
            }
            Recorded::Finished { .. } => self.taping = false,
            Recorded::Resumed => {}
        }
    }

    fn flaw(&mut self, flaw: &str) {
        if !self.record.recording.contains(flaw) {
            self.record.recording.push_str("; ");
            self.record.recording.push_str(flaw);
        }
    }

    /// An answer that came to nothing is taken back.
    fn waits_again(&mut self, at: Now, talked: bool) {
        if !talked {
            (self.record.connected_at, self.record.agent) = std::mem::take(&mut self.before);
            self.talking_since = None;
        }
        self.stop_talking(at);
        self.waiting_since = Some(at.instant);
    }

    fn stop_talking(&mut self, at: Now) {
        add(&mut self.record.hold_ms, self.held_since.take(), at);
        add(&mut self.record.talk_ms, self.talking_since.take(), at);
    }

    fn end(&mut self, at: Now, end: &End) {
        self.stop_talking(at);
        add(&mut self.record.wait_ms, self.waiting_since.take(), at);
        self.record.outcome = end.outcome;
        self.record.ended_by = end.by;
        self.record.sip_status = end.status;
        self.record.q850 = end.q850;
        self.record.ended_at = at.wall;
        self.ended = true;
    }
}

fn measure(row: &mut LegRow, figures: &Figures) {
    row.packets_received = figures.received;
    row.packets_sent = figures.sent;
    row.packets_lost = figures.lost;
    // 8 units of 1/8000 s are a millisecond.
    row.jitter_ms = f64::from(figures.jitter) / 8.0;
    let round_trip = figures.round_trip.map(|t| t.as_micros() as f64 / 1_000.0);
    row.round_trip_ms = round_trip;
    let score = |mos: f32| (f64::from(mos) * 100.0).round() / 100.0;
    row.mos = score(figures.mos);
    row.far_lost = figures.theirs.map(|theirs| theirs.lost);
    row.far_jitter_ms = figures.theirs.map(|theirs| f64::from(theirs.jitter) / 8.0);
    row.far_mos = figures.theirs.map(|theirs| score(theirs.mos));
}

/// Adds the time from `since` to now, in milliseconds.
fn add(total: &mut u64, since: Option<Instant>, at: Now) {
    if let Some(since) = since {
        *total += at.instant.since(since).as_millis() as u64;
    }
}

/// What is odd about the call's numbers, and that it is an emergency: `forwarded,emergency`.
fn flags(flags: &[Flag]) -> String {
    let name = |flag: &Flag| match flag {
        Flag::CallerWithheld => "caller-withheld",
        Flag::CallerMissing => "caller-missing",
        Flag::CallerOdd => "caller-odd",
        Flag::UnknownNumber => "unknown-number",
        Flag::Forwarded => "forwarded",
        Flag::Burst => "burst",
    };
    flags.iter().map(name).collect::<Vec<&str>>().join(",")
}

fn blank(arrived_at: Wall, arrival: &Arrival, trunk: String) -> CallRecord {
    CallRecord {
        id: arrival.id.clone(),
        seq: 0,
        direction: arrival.direction,
        line: arrival.line.clone(),
        trunk,
        caller: arrival.caller.clone(),
        caller_raw: arrival.caller_raw.clone(),
        dialled: arrival.dialled.clone(),
        district: arrival.district.clone(),
        queue: String::new(),
        agent: arrival.agent.clone(),
        outcome: Outcome::Failed,
        ended_by: EndedBy::Switch,
        sip_status: 0,
        q850: None,
        category: String::new(),
        case_ref: String::new(),
        parent: arrival.parent.clone(),
        flags: flags(&arrival.flags),
        recording: String::new(),
        arrived_at,
        system_answered_at: None,
        queued_at: None,
        first_offered_at: None,
        connected_at: None,
        ended_at: arrived_at,
        wrapped_up_at: None,
        wait_ms: 0,
        talk_ms: 0,
        hold_ms: 0,
        wrap_ms: 0,
        offers: 0,
        transfers: 0,
        legs: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{CallId, QueueId, TrunkId};
    use crate::call::Direction;
    use crate::sip::Cause;

    struct Known;

    impl Names for Known {
        fn agent(&self, agent: AgentId) -> String {
            format!("op{}", agent.0)
        }

        fn queue(&self, _: QueueId) -> String {
            String::new()
        }

        fn trunk(&self, _: TrunkId) -> String {
            String::new()
        }
    }

    fn arrival() -> Arrival {
        Arrival {
            id: "01HZ".into(),
            direction: Direction::In,
            line: "181".into(),
            trunk: None,
            user: None,
            agent: String::new(),
            caller: String::new(),
            caller_raw: String::new(),
            dialled: "181".into(),
            dialled_raw: "181".into(),
            forwarded_by: String::new(),
            district: String::new(),
            parent: String::new(),
            flags: Vec::new(),
        }
    }

    fn told(open: &mut Open, leg: u64, answers: bool) {
        let (call, at, role) = (CallId(1), Now::default(), Role::Agent(AgentId(leg)));
        let leg = LegId(leg);
        open.fold_call(at, &Fact::LegOpened { call, leg, role }, &Known);
        if answers {
            open.fold_call(at, &Fact::LegAnswered { call, leg }, &Known);
        }
        let cause = Cause::default();
        open.fold_call(at, &Fact::LegClosed { call, leg, role, status: 486, cause }, &Known);
        let figures = Figures::default();
        open.fold_call(at, &Fact::Measured { call, leg, figures }, &Known);
    }

    #[test]
    fn a_call_that_was_offered_to_thousands_has_the_first_legs_the_last_and_whoever_answered() {
        let mut open = Open::new(Now::default(), &arrival(), &Known);
        (0..5_000).for_each(|leg| told(&mut open, leg, leg == 1_000));
        let agents: Vec<_> = open.record.legs.iter().map(|row| row.agent.as_str()).collect();
        assert_eq!(agents.len(), limits::LEGS_KEPT + 1);
        assert_eq!((agents[0], agents[49], agents[50]), ("op0", "op49", "op1000"));
        assert_eq!((agents[51], agents[100]), ("op4950", "op4999"));
        let ids: Vec<u64> = open.legs.iter().map(|leg| leg.id.0).collect();
        assert_eq!(ids[49..52], [49, 1_000, 4_950], "both lists are of the same legs");
        assert_eq!(open.record.flags, "legs-left-out");
        let end = End { outcome: Outcome::Abandoned, by: EndedBy::Caller, status: 0, q850: None };
        open.fold_call(Now::default(), &Fact::Ended { call: CallId(1), end }, &Known);
        assert!(open.is_done(), "nothing is waited for of legs that were left out");
    }

    #[test]
    fn whoever_rings_is_never_left_out_and_phones_that_answer_for_ever_have_a_limit_too() {
        let mut open = Open::new(Now::default(), &arrival(), &Known);
        for leg in 0..300 {
            let (call, role) = (CallId(1), Role::Agent(AgentId(leg)));
            let opened = Fact::LegOpened { call, leg: LegId(leg), role };
            open.fold_call(Now::default(), &opened, &Known);
        }
        assert_eq!(open.record.legs.len(), 300);
        (300..5_000).for_each(|leg| told(&mut open, leg, true));
        assert_eq!(open.record.legs.len(), 350, "those that ring, and the last");
    }
}
