//! Whose is what: what the admin socket asks the board before it lets somebody act.

use super::fold::{Board, Call, Counts};
use super::names::Party;
use crate::acd::{Calendar, Member, Role, RosterSettings};
use crate::base::Now;
use crate::call::{Centre, District};
use crate::config::{Reports, User};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What of the board somebody is shown.
pub struct Sight<'a> {
    /// Everything, and what is in no queue and of no district.
    pub all: bool,
    /// What is in this queue, or of this district.
    pub place: &'a dyn Fn(&str, &str) -> bool,
    pub agent: &'a dyn Fn(&str) -> bool,
}

impl Sight<'_> {
    pub const ALL: Sight<'static> = Sight { all: true, place: &|_, _| true, agent: &|_| true };

    pub fn shows_queue(&self, queue: &str) -> bool {
        self.all || (self.place)(queue, "")
    }

    pub fn shows_agent(&self, agent: &str) -> bool {
        self.all || (self.agent)(agent)
    }
}

/// Agents, and the queues that each serves.
pub type Group = Vec<(String, Vec<String>)>;

impl Board {
    pub fn users(&self) -> &[User] {
        &self.names.users
    }

    /// What reports are made with: the roster, and the cut-offs.
    pub fn books(&self) -> (RosterSettings, Reports) {
        (self.names.roster.clone(), self.names.reports.clone())
    }

    /// The queues that serve these districts here.
    pub fn queues_of_districts(&self, districts: &[String]) -> Vec<String> {
        let own = self.names.districts.iter().filter(|d| districts.contains(&d.name));
        let queues = own.filter_map(|district| match district.centre {
            Centre::Queue(queue) => Some(self.names.queue(queue)),
            Centre::Trunk(_) => None,
        });
        queues.collect()
    }

    /// The district of this name, or of this code in directories.
    pub fn district_named(&self, name: &str) -> Option<&str> {
        let is = |d: &&District| d.name == name || !d.code.is_empty() && d.code == name;
        self.names.districts.iter().find(is).map(|district| district.name.as_str())
    }

    /// Districts whose centre is behind this trunk.
    pub fn districts_behind(&self, trunk: &str) -> impl Iterator<Item = &str> {
        let behind = move |district: &&District| match district.centre {
            Centre::Trunk(id) => self.names.trunk(id) == trunk,
            Centre::Queue(_) => false,
        };
        self.names.districts.iter().filter(behind).map(|district| district.name.as_str())
    }

    /// The queue and the district of a call that is known; empty where it has none yet.
    pub fn place_of_call(&self, id: &str) -> Option<(String, String)> {
        let live = self.calls.values().find(|call| call.id == id).map(|call| {
            let queue = call.queue.map(|queue| self.names.queue(queue)).unwrap_or_default();
            (queue, call.district.clone())
        });
        live.or_else(|| self.place_in_story(id))
    }

    fn place_in_story(&self, id: &str) -> Option<(String, String)> {
        let (queue, district) = self.stories.place(id)?;
        Some((queue.map(|queue| self.names.queue(queue)).unwrap_or_default(), district.into()))
    }

    pub fn party<'a>(&'a self, to: &'a str) -> Party<'a> {
        self.names.party(to)
    }

    pub fn queues_of_agent(&self, agent: &str) -> Option<Vec<String>> {
        self.names.serves.get(agent).cloned()
    }

    /// Everybody in a group, with the queues that they serve; `None` where it names one agent. Of a
    /// shift those who work today, or next.
    pub fn group(&self, name: &str, now: Now) -> Result<Option<Group>, String> {
        let serves = &self.names.serves;
        let of = |names: Vec<&String>| {
            names.into_iter().map(|name| (name.clone(), serves[name].clone())).collect()
        };
        let in_queue = |queue: &str| {
            let serve = serves.iter().filter(|(_, queues)| queues.iter().any(|q| q == queue));
            of(serve.map(|(name, _)| name).collect())
        };
        if name == "all" {
            return Ok(Some(of(serves.keys().collect())));
        }
        let Some((kind, which)) = name.split_once(':') else { return Ok(None) };
        let found = match kind {
            "queue" if self.names.queues.iter().any(|(_, queue)| queue == which) => {
                Some(in_queue(which))
            }
            "district" => {
                let own = self.queues_of_districts(&[which.to_string()]);
                own.first().map(|queue| in_queue(queue))
            }
            "shift" => self.names.roster.shifts.iter().position(|s| s.name == which).map(|at| {
                let calendar = Calendar::new(&self.names.roster);
                let members = match calendar.turn_of(at, now.wall) {
                    Some(turn) => calendar.members(&turn),
                    None => self.names.roster.shifts[at].members.iter().collect(),
                };
                let members = members.into_iter().map(|member| &member.agent);
                of(members.filter(|member| serves.contains_key(*member)).collect())
            }),
            _ => None,
        };
        match found {
            Some(group) => Ok(Some(group)),
            None => Err(format!(
                "\"{name}\" is no group: say all, queue:NAME, district:NAME (of a district served \
                 here), or shift:NAME"
            )),
        }
    }

    pub(super) fn queue_name(&self, call: &Call) -> String {
        call.queue.map(|queue| self.names.queue(queue)).unwrap_or_default()
    }

    /// Who works today, or next, in a shift whose operators all serve these queues: supervisors
    /// and counsellors too, and whoever stands in; not whoever is absent.
    pub fn crew(&self, queues: &BTreeSet<String>, now: Now) -> BTreeSet<String> {
        let calendar = Calendar::new(&self.names.roster);
        let serves = |member: &&Member| {
            let own = self.names.serves.get(&member.agent);
            own.is_some_and(|own| own.iter().any(|queue| queues.contains(queue)))
        };
        let mut crew = BTreeSet::new();
        for (at, shift) in self.names.roster.shifts.iter().enumerate() {
            let operators = || shift.members.iter().filter(|m| m.role == Role::Operator);
            if operators().next().is_some()
                && operators().all(|member| serves(&member))
                && let Some(turn) = calendar.turn_of(at, now.wall)
            {
                crew.extend(calendar.members(&turn).into_iter().map(|m| m.agent.clone()));
            }
        }
        crew
    }

    pub(super) fn shows_call(&self, call: &Call, sight: &Sight) -> bool {
        sight.all || (sight.place)(&self.queue_name(call), &call.district)
    }

    pub(super) fn shows_trunk(&self, trunk: &str, sight: &Sight) -> bool {
        sight.all || self.districts_behind(trunk).any(|district| (sight.place)("", district))
    }

    pub(super) fn shows_shift(&self, shift: &str, sight: &Sight) -> bool {
        let known = self.names.roster.shifts.iter().find(|known| known.name == shift);
        let works = |member: &Member| sight.shows_agent(&member.agent);
        sight.all || known.is_some_and(|shift| shift.members.iter().any(works))
    }

    /// What came of the calls that ended in these queues and districts, and those that live.
    pub(super) fn counts_of(&self, sight: &Sight, live: usize) -> Counts {
        let mut sum = Counts { arrived: live as u64, ..Counts::default() };
        let place = |(queue, district): &(String, String)| (sight.place)(queue, district);
        let mine = self.ended_in.iter().filter(|(at, _)| place(at));
        mine.for_each(|(_, counts)| sum.add(counts));
        sum
    }

    /// The last acts, the newest last.
    pub fn audit_list(&self) -> Value {
        let acts = self.audits.iter();
        acts.map(|(at, act)| {
            let refused = (!act.refused.is_empty()).then_some(&act.refused);
            json!({"at": crate::shell::stamp::rfc3339(*at), "by": act.by, "verb": act.verb,
                   "on": act.on, "refused": refused})
        })
        .collect()
    }
}
