//! Nobody is rung for a caller of a queue outside the shifts that they are on the roster for,
//! unless they have logged in by hand. Counted apart from the roster, from its hours and the facts
//! alone.

use super::plan::agent_number;
use crate::acd::{self, AgentState, Shift};
use crate::base::Instant;
use crate::config::Settings;
use crate::core::{Fact, State, What};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A calendar that steps is looked at after a minute at the latest.
const SEEN_WITHIN: Duration = Duration::from_secs(61);
/// What all the simulated rosters are in.
const INDIA_MINUTES: i64 = 330;

#[derive(Debug, Default)]
pub struct Rostered {
    /// Who has been outside their shifts, and since when.
    outside: BTreeMap<String, Instant>,
    by_hand: BTreeSet<String>,
}

impl Rostered {
    pub fn note(&mut self, fact: &Fact, settings: &Settings, state: &State) -> Result<(), String> {
        if settings.roster.shifts.is_empty() {
            return Ok(());
        }
        let minute = fact.at.wall.0.div_euclid(60_000_000) + INDIA_MINUTES;
        let minute = minute.rem_euclid(24 * 60) as u16;
        self.look(minute, fact.at.instant, settings);
        match &fact.what {
            What::Audit(act) if act.verb == "agents.set" && act.refused.is_empty() => {
                let mut words = act.on.split(' ');
                if let (Some(agent), Some("ready" | "pause")) = (words.next(), words.next()) {
                    self.by_hand.insert(agent.into());
                }
            }
            What::Code { agent, why, code, .. } if why.is_empty() && code != "pin" => {
                self.by_hand.insert(agent.clone());
            }
            What::Desk(acd::Fact::Agent { agent, state: AgentState::Off }) => {
                self.by_hand.remove(state.agent_name(*agent).unwrap_or_default());
            }
            What::Desk(acd::Fact::Offered { agent, .. }) => {
                let name = state.agent_name(*agent).unwrap_or_default();
                let since = self.outside.get(name).filter(|_| !self.by_hand.contains(name));
                if since.is_some_and(|since| fact.at.instant.since(*since) > SEEN_WITHIN) {
                    return Err(format!("{name} is rung outside their shift, since {since:?}"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn look(&mut self, minute: u16, now: Instant, settings: &Settings) {
        let members = settings.roster.shifts.iter().flat_map(|shift| &shift.members);
        let names: BTreeSet<&str> = members.map(|member| member.agent.as_str()).collect();
        for name in names.into_iter().filter(|name| agent_number(name).is_some()) {
            let on = settings.roster.shifts.iter().any(|shift| runs(shift, minute, name));
            match on {
                true => _ = self.outside.remove(name),
                false => _ = self.outside.entry(name.into()).or_insert(now),
            }
        }
    }
}

fn runs(shift: &Shift, minute: u16, agent: &str) -> bool {
    let inside = match shift.from < shift.until {
        true => (shift.from..shift.until).contains(&minute),
        false => minute >= shift.from || minute < shift.until,
    };
    inside && shift.members.iter().any(|member| member.agent == agent)
}
