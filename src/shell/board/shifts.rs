//! The roster as the board shows it: which shifts run, when the next ones do, who is there.

use super::fold::Board;
use super::wall::Short;
use crate::acd::{Calendar, Member, OnDay, Shift};
use crate::base::Now;
use crate::shell::stamp::rfc3339;
use serde_json::{Value, json};

impl Board {
    pub fn shifts_list(&self, now: Now) -> Value {
        let roster = &self.names.roster;
        let calendar = Calendar::new(roster);
        let all = roster.shifts.iter().enumerate();
        all.map(|(at, shift)| self.shift(shift, calendar.turn_of(at, now.wall), &calendar, now))
            .collect()
    }

    /// `starts_at` and `ends_at` are those of the turn that runs, or else of the next; null where
    /// there is none in the week to come.
    fn shift(&self, shift: &Shift, turn: Option<OnDay>, calendar: &Calendar, now: Now) -> Value {
        let members = match &turn {
            Some(turn) => calendar.members(turn),
            None => shift.members.iter().collect(),
        };
        let members: Vec<Value> = members.into_iter().map(|member| self.member(member)).collect();
        let away = ["off", "unreachable", "gone"];
        let there = |member: &&Value| !away.iter().any(|state| member["state"] == *state);
        let short = self.shorts(now).filter(|short| short.shift == shift.name);
        let short: Vec<String> = short.map(Short::text).collect();
        json!({
            "name": shift.name,
            "hours": format!("{}-{}", clock(shift.from), clock(shift.until)),
            "on": turn.is_some_and(|turn| turn.starts <= now.wall),
            "starts_at": turn.map(|turn| rfc3339(turn.starts)),
            "ends_at": turn.map(|turn| rfc3339(turn.ends)),
            "minimum": shift.least(),
            "short": short,
            "present": members.iter().filter(there).count(),
            "members": members,
        })
    }

    fn member(&self, member: &Member) -> Value {
        let known = self.names.agents.iter().find(|(_, name, _)| *name == member.agent);
        let state = known.and_then(|(id, ..)| self.agents.get(id));
        json!({
            "agent": member.agent,
            "name": known.map(|(_, _, display)| display.as_str()).unwrap_or_default(),
            "role": member.role,
            "state": state.map_or("gone", |agent| agent.state.name()),
        })
    }
}

fn clock(minutes: u16) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}
