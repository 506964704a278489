//! The roster at work: who comes on shift is made ready, who goes is logged out after the call in
//! hand, and a shift that will be short is reported before it starts.
//!
//! In: the time, and the desk. Out: wishes to the desk, and news. A shift's end cuts no call and
//! empties no queue. Only what changes on the roster moves anybody: whom a supervisor or the agent
//! has logged out in mid-shift stays so. May import: base.

mod calendar;
mod settings;

pub use calendar::{Calendar, DAY_MINUTES, OnDay, members_on, works};
pub use settings::{Exception, Holiday, Member, Minimum, Role, RosterSettings, Rota, Shift};

use super::agent::{Agent, Duty};
use super::{Desk, Effect, Wish};
use crate::base::{Cx, Timer, Wall};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long after a shift has begun its people are to have logged in.
const GRACE: Duration = Duration::from_secs(300);
/// The calendar may step: nobody is on shift for longer than this before it is noticed.
const LOOK: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roster {
    /// Who is on shift.
    on: BTreeMap<String, Stand>,
    running: BTreeSet<String>,
    /// Shifts that were reported short: the start, the name, whether it had begun, and of whom.
    reported: BTreeSet<(Wall, String, bool, String)>,
    /// Shifts before whose start their phones have been asked whether they are there.
    asked: BTreeSet<(Wall, String)>,
    /// Whose phones are to be asked now.
    ask: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Stand {
    /// Will be ready when the phone can be reached.
    Awaited,
    Settled,
}

/// What the roster saw happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ShiftNews {
    Began {
        shift: String,
    },
    Ended {
        shift: String,
    },
    /// Fewer can be reached than the shift needs; or, a while after its start, have logged in.
    Short {
        shift: String,
        /// The role or the skill that is short; empty: the shift as a whole.
        of: String,
        starts: Wall,
        present: u32,
        minimum: u32,
    },
    /// It was reported short, and is not any more.
    Filled {
        shift: String,
        of: String,
        starts: Wall,
        present: u32,
        minimum: u32,
    },
}

impl RosterSettings {
    /// Members of shifts, if for one day alone that is not past, of whom none runs: what the
    /// configuration says of them at the start, that they are ready, is not for now.
    pub fn off_shift(&self, now: Wall) -> BTreeSet<&str> {
        let calendar = Calendar::new(self);
        let running = calendar.running(now);
        let on: BTreeSet<&str> = (running.iter().flat_map(|turn| calendar.members(turn)))
            .map(|member| member.agent.as_str())
            .collect();
        let all = self.everybody(calendar.date(now));
        all.map(|member| member.agent.as_str()).filter(|agent| !on.contains(agent)).collect()
    }

    /// All who are on the roster on that day or later.
    fn everybody(&self, today: Option<Date>) -> impl Iterator<Item = &Member> {
        let is_past = move |day: &Exception| today.is_some_and(|today| day.date < today);
        self.shifts.iter().flat_map(move |shift| {
            let days = shift.exceptions.iter().filter(move |day| !is_past(day));
            shift.members.iter().chain(days.flat_map(|day| &day.instead))
        })
    }
}

impl Roster {
    /// Whether a phone that has just registered is waited for.
    pub fn awaits(&self, agent: &str) -> bool {
        self.on.get(agent) == Some(&Stand::Awaited)
    }

    /// Whether the agent is on a shift that runs.
    pub fn is_on(&self, agent: &str) -> bool {
        self.on.contains_key(agent)
    }

    /// Who is to come soon, and whose phone has a fixed address: whether anything is there is seen
    /// only when it is asked.
    pub fn to_ask(&mut self) -> Vec<String> {
        std::mem::take(&mut self.ask)
    }

    /// Time has passed, the settings are new, or a phone came: everything that follows.
    pub fn look(
        &mut self,
        cx: &mut Cx,
        settings: &RosterSettings,
        desk: &mut Desk,
        out: &mut Vec<Effect>,
    ) -> Vec<ShiftNews> {
        let mut news = Vec::new();
        if settings.shifts.is_empty() {
            cx.timers.cancel(Timer::Roster);
            *self = Self::default();
            return news;
        }
        let (calendar, now) = (Calendar::new(settings), cx.now.wall);
        let running = calendar.running(now);
        self.tell_changes(settings, &running, &mut news);
        // Who works two shifts in a row, or an own and a borrowed one, is on one of them.
        let mut due: BTreeMap<&str, bool> = BTreeMap::new();
        for turn in &running {
            for member in calendar.members(turn) {
                *due.entry(&member.agent).or_default() |= settings.shifts[turn.shift].auto;
            }
        }
        let fresh = take_planned(settings, calendar.date(now), desk);
        self.send_home(cx, &due, (desk, fresh), out);
        for (agent, auto) in due {
            let stand = if auto { Stand::Awaited } else { Stand::Settled };
            self.on.entry(agent.into()).or_insert(stand);
        }
        self.welcome(cx, desk, out);
        self.count(&calendar, settings, &running, now, desk, &mut news);
        self.arm(cx, &calendar, settings);
        news
    }

    fn tell_changes(
        &mut self,
        settings: &RosterSettings,
        running: &[OnDay],
        news: &mut Vec<ShiftNews>,
    ) {
        let name = |turn: &OnDay| settings.shifts[turn.shift].name.clone();
        let running: BTreeSet<String> = running.iter().map(name).collect();
        let ended = self.running.difference(&running);
        news.extend(ended.map(|shift| ShiftNews::Ended { shift: shift.clone() }));
        let began = running.difference(&self.running);
        news.extend(began.map(|shift| ShiftNews::Began { shift: shift.clone() }));
        self.running = running;
    }

    /// Logs out whose shift is over; and whoever is new to the roster, and ready only because the
    /// configuration says so, while their shift is not on.
    fn send_home(
        &mut self,
        cx: &mut Cx,
        due: &BTreeMap<&str, bool>,
        (desk, fresh): (&mut Desk, BTreeSet<String>),
        out: &mut Vec<Effect>,
    ) {
        let is_off = |agent: &String| !due.contains_key(agent.as_str());
        let mut going: BTreeSet<String> = self.on.keys().filter(|a| is_off(a)).cloned().collect();
        self.on.retain(|agent, _| !is_off(agent));
        going.extend(fresh.into_iter().filter(is_off));
        for name in going {
            let Some(agent) = desk.agent_id(&name) else { continue };
            if desk.agents.get(agent).is_some_and(|who| who.duty != Duty::Off) {
                let _ = desk.wish(cx, agent, Wish::LogOut, out);
            }
        }
    }

    /// Makes ready who is waited for and can be reached. Who logged in alone needs no help.
    fn welcome(&mut self, cx: &mut Cx, desk: &mut Desk, out: &mut Vec<Effect>) {
        for (name, stand) in self.on.iter_mut().filter(|(_, s)| **s == Stand::Awaited) {
            let Some(agent) = desk.agent_id(name) else { continue };
            let Some(who) = desk.agents.get(agent) else { continue };
            if who.duty != Duty::Off {
                *stand = Stand::Settled;
            } else if who.reachable() {
                *stand = Stand::Settled;
                let _ = desk.wish(cx, agent, Wish::Ready, out);
            }
        }
    }

    /// Reports each shift that is short, before it starts and when it has begun, and when it no
    /// longer is.
    fn count(
        &mut self,
        calendar: &Calendar,
        settings: &RosterSettings,
        running: &[OnDay],
        now: Wall,
        desk: &Desk,
        news: &mut Vec<ShiftNews>,
    ) {
        let lead = Wall(now.0.saturating_add(micros(settings.lead)).saturating_add(1));
        let coming = calendar.between(now, lead);
        let coming = coming.iter().filter(|turn| turn.starts > now).map(|turn| (turn, false));
        for (turn, begun) in running.iter().map(|turn| (turn, true)).chain(coming) {
            let shift = &settings.shifts[turn.shift];
            if !begun && self.asked.insert((turn.starts, shift.name.clone())) {
                let fixed = calendar.members(turn).into_iter().filter(|member| {
                    let who = desk.agent_id(&member.agent).and_then(|id| desk.agents.get(id));
                    who.is_some_and(|who| who.is_believed_in())
                });
                self.ask.extend(fixed.map(|member| member.agent.clone()));
            }
            // A phone that is always there says nothing of whether anybody sits at it.
            let late = now.0 >= turn.starts.0.saturating_add(micros(GRACE));
            let members = calendar.members(turn).into_iter().filter_map(|member| {
                let who = desk.agent_id(&member.agent).and_then(|id| desk.agents.get(id))?;
                let there = who.reachable() && (!late || who.duty != Duty::Off);
                there.then_some((member, who))
            });
            let there: Vec<(&Member, &Agent)> = members.collect();
            for minimum in self.minima(shift, (turn.starts, begun)) {
                let counts = |(member, who): &&(&Member, &Agent)| {
                    minimum.counts(member, |skill| who.skills.contains_key(skill))
                };
                let present = there.iter().filter(counts).count() as u32;
                self.report(shift, (turn.starts, begun), (minimum, present), news);
            }
        }
        let old = Wall(now.0.saturating_sub(micros(Duration::from_secs(2 * 86_400))));
        self.reported.retain(|(starts, ..)| *starts > old);
        self.asked.retain(|(starts, _)| *starts > old);
    }

    /// What the shift needs, and what it was short of before somebody has changed that.
    fn minima(&self, shift: &Shift, (starts, begun): (Wall, bool)) -> Vec<Minimum> {
        let reported = self.reported.iter().filter(|known| {
            (known.0, &known.1, known.2) == (starts, &shift.name, begun)
                && shift.minima.iter().all(|minimum| minimum.of != known.3)
        });
        let gone = reported.map(|(.., of)| Minimum { of: of.clone(), number: 0 });
        shift.minima.iter().cloned().chain(gone).collect()
    }

    fn report(
        &mut self,
        shift: &Shift,
        (starts, begun): (Wall, bool),
        (minimum, present): (Minimum, u32),
        news: &mut Vec<ShiftNews>,
    ) {
        let Minimum { of, number: minimum } = minimum;
        let known = (starts, shift.name.clone(), begun, of.clone());
        let shift = shift.name.clone();
        if present >= minimum {
            if self.reported.remove(&known) {
                news.push(ShiftNews::Filled { shift, of, starts, present, minimum });
            }
        } else if self.reported.insert(known) {
            news.push(ShiftNews::Short { shift, of, starts, present, minimum });
        }
    }

    fn arm(&self, cx: &mut Cx, calendar: &Calendar, settings: &RosterSettings) {
        let now = cx.now.wall;
        let lead = micros(settings.lead);
        let change = calendar.next_change(now);
        let warning = calendar.next_change(Wall(now.0.saturating_add(lead))).map(|at| at.0 - lead);
        let soonest = change.map(|at| at.0).into_iter().chain(warning).min();
        let left = soonest.map_or(LOOK, |at| Duration::from_micros((at - now.0).max(1) as u64));
        cx.timers.set(Timer::Roster, cx.now.instant + left.min(LOOK));
    }
}

/// Members of shifts whom no roster has seen so far, and who have said nothing themselves.
fn take_planned(
    settings: &RosterSettings,
    today: Option<Date>,
    desk: &mut Desk,
) -> BTreeSet<String> {
    if desk.fresh.is_empty() {
        return BTreeSet::new();
    }
    let names = settings
        .everybody(today)
        .map(|member| &member.agent)
        .collect::<BTreeSet<&String>>()
        .into_iter();
    let new = names.filter(|name| desk.agent_id(name).is_some_and(|id| desk.fresh.remove(&id)));
    new.cloned().collect()
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
