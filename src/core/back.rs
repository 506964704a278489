//! Carries promises of a call back, and the calls that keep them, between the desk's book, the line
//! and the call; and callers whom a queue does not keep.

use super::{Out, Switch};
use crate::acd::{Away, Instead, Next};
use crate::base::limits::PROMISES_MAX;
use crate::base::{AgentId, CallId, Now, QueueId};
use crate::call::out::Refusal;
use crate::call::{Call, Calls, Centre, End, EndedBy, MissedNews, Origin, Outcome};

impl Switch {
    /// A queue does not take a caller, or keeps them no longer.
    pub(super) fn turned_away(
        &mut self,
        now: Now,
        (call, queue): (CallId, QueueId),
        (why, instead): (Away, Instead),
        out: &mut Out,
    ) {
        self.relieved(now, call);
        let waits = why != Away::Expired
            && self.calls(now, |calls, io| calls.waits_elsewhere(io, call, queue));
        if waits {
            return;
        }
        let is_lent = self.state.calls.get(call).is_some_and(Call::is_lent);
        // A promise that nobody could keep in time is over, whatever the queue says of callers.
        let is_promise = self.state.callbacks.knows(call);
        match instead {
            Instead::Callback if !is_promise && !is_lent && self.promise(now, call) => {}
            // Whoever withholds their number, or cannot be promised a call, is still a caller.
            Instead::Callback if !is_promise && !is_lent && why != Away::NoQueue => {
                let arrived = self.state.calls.get(call).map(|call| call.arrived);
                self.join_as(now, call, (queue, arrived.unwrap_or(now.instant)), true);
                self.relieve(now, call, out);
            }
            Instead::Overflow if !is_promise => self.send_out(now, call, queue, out),
            Instead::Refuse | Instead::Callback | Instead::Overflow => {
                self.calls(now, |calls, io| calls.turned_away(io, call, queue, end_of(why)));
            }
        }
    }

    /// To the first of the queue's ways out that is open.
    fn send_out(&mut self, now: Now, call: CallId, queue: QueueId, out: &mut Out) {
        let known = self.state.calls.get(call);
        let urgent = known.filter(|known| known.emergency).map(|known| known.arrived);
        let Some(way) = self.way_out(call, queue) else {
            if let Some(arrived) = urgent {
                self.join_as(now, call, (queue, arrived), true);
                return self.relieve(now, call, out);
            }
            let end = End { outcome: Outcome::Overflowed, ..end_of(Away::NoQueue) };
            return self.calls(now, |calls, io| calls.turned_away(io, call, queue, end));
        };
        let from = self.state.desk.queue_settings(queue).map_or(String::new(), |q| q.name.clone());
        let centre = self.centre(&way.to);
        let (to, why) = (super::relieve::name(&way.to), "turned-away".to_string());
        self.fact(now, super::What::Overflowed { call, from, to, why }, out);
        match centre {
            Some(Centre::Queue(queue)) => {
                self.calls(now, |calls, io| calls.wait_in(io, call, queue));
            }
            Some(Centre::Trunk(trunk)) => {
                self.calls(now, |calls, io| calls.send_out(io, call, queue, trunk));
            }
            None => {}
        }
    }

    /// The caller pressed the key.
    pub(super) fn wants_back(&mut self, now: Now, call: CallId) {
        self.promise(now, call);
    }

    /// False: they have no number that may be called.
    fn promise(&mut self, now: Now, call: CallId) -> bool {
        let arrived = self.state.desk.arrived(call);
        let arrived = arrived.or(self.state.calls.get(call).map(|call| call.arrived));
        let origin = arrived.and_then(|at| self.state.calls.origin(call, at));
        let place = origin.ok_or(Refusal::NoNumber).and_then(|it| self.take_place(now, it));
        self.calls(now, |calls, io| match place {
            Ok(_) => calls.promised(io, call),
            Err(refusal) => calls.not_promised(io, call, refusal),
        });
        place.is_ok()
    }

    /// Somebody takes their place in the line, to be called back. Whoever has a promise already
    /// keeps the place of that one: `None`.
    fn take_place(&mut self, now: Now, origin: Origin) -> Result<Option<CallId>, Refusal> {
        let way = Calls::way_back(&self.settings.call, &origin.number, now.instant)?;
        if self.state.callbacks.of(&origin.number).is_some() {
            return Ok(None);
        }
        if self.state.calls.backs() >= PROMISES_MAX {
            return Err(Refusal::TooMany);
        }
        let (number, queue) = (origin.number.clone(), origin.queue);
        let mut back = None;
        self.calls(now, |calls, io| back = Some(calls.call_back(io, origin, way)));
        let Some(back) = back else { return Ok(None) };
        self.state.callbacks.promise(back, &number);
        self.calls(now, |calls, io| calls.wait_in(io, back, queue));
        Ok(Some(back))
    }

    /// Whoever was to be called back calls by themselves, on the same line or for the same queue:
    /// the promise is void, and its place is theirs.
    pub(super) fn take_over(&mut self, now: Now, call: CallId, queue: QueueId) -> Option<CallId> {
        let known = self.state.calls.get(call)?;
        let (number, line) = (&known.number, known.line.clone());
        let back = self.state.callbacks.of(number).filter(|back| *back != call)?;
        let mut arrived = None;
        self.calls(now, |calls, io| {
            arrived = calls.came_back(io, back, (Some(queue), Some(&line)))
        });
        let arrived = arrived?;
        self.state.callbacks.over(cx!(self.state, now), back);
        self.state.calls.arrived_earlier(call, arrived);
        Some(back)
    }

    /// An agent has called them by themselves, or somebody has answered them on `line`: the promise
    /// is kept.
    pub(super) fn talked_with(&mut self, now: Now, number: &str, line: Option<String>) {
        let Some(back) = self.state.callbacks.of(number) else { return };
        let mut needless = false;
        self.calls(now, |calls, io| {
            needless = calls.came_back(io, back, (None, line.as_deref())).is_some();
        });
        if needless {
            self.state.callbacks.over(cx!(self.state, now), back);
        }
    }

    pub(super) fn not_reached(&mut self, now: Now, call: CallId, agent: AgentId) {
        self.spared(now, call, agent);
        let policy = self.settings.callbacks;
        match self.state.callbacks.failed(cx!(self.state, now), call, &policy) {
            Next::Again => {}
            Next::GiveUp => self.calls(now, |calls, io| calls.give_up_on(io, call)),
        }
    }

    pub(super) fn spared(&mut self, now: Now, call: CallId, agent: AgentId) {
        self.desk(now, |desk, cx, out| desk.spared(cx, call, agent, out));
        self.relieved(now, call);
    }

    pub(super) fn back_is_over(&mut self, now: Now, call: CallId) {
        self.state.callbacks.over(cx!(self.state, now), call);
    }

    /// `Timer::CallBack`.
    pub(super) fn call_again(&mut self, now: Now, call: CallId) {
        let Some(number) = self.state.calls.get(call).map(|call| &call.number) else { return };
        match self.state.calls.way_now(&self.settings.call, number, now.instant) {
            Ok(_) if self.state.callbacks.again(call) => {
                self.calls(now, |calls, io| calls.call_again(io, call));
            }
            Ok(_) => {}
            // No agent is asked to answer for a call that cannot be placed.
            Err(refusal) if refusal.passes() => {
                self.state.callbacks.rest(cx!(self.state, now), call, &self.settings.callbacks);
            }
            Err(_) => self.calls(now, |calls, io| calls.give_up_on(io, call)),
        }
    }

    /// A caller hung up unanswered; where the queue says so, they are called back unasked.
    pub(super) fn abandoned(&mut self, now: Now, origin: Origin) {
        let settings = self.state.desk.queue_settings(origin.queue);
        if settings.is_some_and(|queue| queue.call_back_abandoned) {
            // Whoever may not be called stays on the list of missed callers all the same.
            let _ = self.call_missed(now, origin, None);
        }
    }

    /// `claim`: whose they are from now on, should it be possible to call them, and who says so.
    fn call_missed(
        &mut self,
        now: Now,
        origin: Origin,
        claim: Option<(&str, &str)>,
    ) -> Result<(), Refusal> {
        let number = origin.number.clone();
        let back = self.take_place(now, origin)?;
        self.calls(now, |calls, io| {
            if let Some(claim) = claim {
                let _ = calls.missed_mut().claim(io, &number, claim);
            }
            if let Some(back) = back {
                calls.missed_mut().calling(io, &number, back);
            }
        });
        Ok(())
    }

    pub(super) fn act_on_missed(
        &mut self,
        now: Now,
        (number, asker): (&str, &str),
        act: super::MissedAct,
    ) -> Result<String, String> {
        let mut done = Ok(());
        let said = match &act {
            super::MissedAct::Claim { by } => {
                let claim = (by.as_str(), asker);
                self.calls(now, |calls, io| done = calls.missed_mut().claim(io, number, claim));
                format!("{number}: claimed by {by}")
            }
            super::MissedAct::Call { by } => {
                let missed = self.state.calls.missed();
                let origin = missed.wanted(number)?;
                missed.may_be_done(now.instant, number, (by, asker))?;
                let placed = self.call_missed(now, origin, Some((by, asker)));
                done = placed.map_err(|why| format!("{number}: {}", why.words()));
                format!("{number}: is called back")
            }
            super::MissedAct::Release { by, breaks } => {
                let release = (by.as_str(), asker, *breaks);
                self.calls(now, |calls, io| {
                    done = calls.missed_mut().release(io, number, release);
                });
                format!("{number}: nobody's any more")
            }
            super::MissedAct::Close { by } => {
                let missed = self.state.calls.missed();
                missed.may_be_done(now.instant, number, (by, asker))?;
                let news = MissedNews::Closed { by: by.clone() };
                self.calls(now, |calls, io| _ = calls.missed_mut().close(io, number, news));
                format!("{number}: closed")
            }
        };
        done.map(|()| said)
    }
}

/// How the call of somebody ends whom a queue does not take or keep.
fn end_of(why: Away) -> End {
    let (outcome, by, q850) = match why {
        Away::Full => (Outcome::Refused, EndedBy::Full, 42),
        Away::Unstaffed => (Outcome::Refused, EndedBy::Unstaffed, 20),
        Away::Shut => (Outcome::Refused, EndedBy::Shut, 20),
        Away::Expired => (Outcome::Failed, EndedBy::MaxWait, 16),
        Away::NoQueue => (Outcome::Failed, EndedBy::Switch, 42),
    };
    End { outcome, by, status: 480, q850: Some(q850) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Instant, Wall};
    use crate::config;

    const HELPLINE: &str = "[[trunk]]\nname = \"bsnl\"\nhosts = [\"10.1.0.1\"]\n[[route]]\n\
        prefixes = [\"+91\"]\ntrunk = \"bsnl\"\nidentity = \"+917552551181\"\n\
        [[queue]]\nname = \"q\"\n";

    #[test]
    fn no_more_people_are_promised_a_call_than_can_be_kept_in_mind() {
        let files = [("t".to_string(), HELPLINE.to_string())];
        let settings = config::parse(&files, &|_| None).unwrap();
        let now = Now { instant: Instant(1_000_000), wall: Wall(0) };
        let mut out = Out::default();
        let mut switch = Switch::new(settings, 1, now, &mut out);
        let queue = switch.state.desk.queue_id("q").unwrap();
        let origin = |n: usize| Origin {
            parent: n.to_string(),
            number: format!("+919826{n:06}"),
            line: "181".into(),
            dialled: "181".into(),
            district: String::new(),
            languages: Vec::new(),
            priority: 0,
            emergency: false,
            queue,
            arrived: now.instant,
            music: None,
        };
        for n in 0..PROMISES_MAX {
            assert!(matches!(switch.take_place(now, origin(n)), Ok(Some(_))), "{n}");
            switch.settle(now, &mut out);
            out = Out::default();
        }
        assert_eq!(switch.take_place(now, origin(PROMISES_MAX)), Err(Refusal::TooMany));
        assert_eq!(switch.take_place(now, origin(7)), Ok(None), "who has a promise keeps it");
        switch.check().unwrap();
    }
}
