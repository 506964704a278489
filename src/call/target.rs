//! Whom a call is to go to: what was said, keyed in or referred to, as somebody who can be rung.
//!
//! In: `agent:op2`, `queue:health`, `district:alirajpur`, `dir:ALI/RRT/1`, a number, or any of
//! their names alone. Out: a queue, or whom to try in order; or a sentence why it is nobody.

use super::calls::{Calls, Io};
use super::conversation::Call;
use super::out::{self, Plan, Who};
use super::{Centre, Goal, Way};
use crate::base::number;
use crate::base::{AgentId, QueueId, TrunkId};
use crate::sip::Target;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Somebody who can be tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Try {
    Agent(AgentId),
    /// Whoever of the queue's agents is free.
    AnyOf(QueueId),
    /// A line's own address, or the centre of a district.
    Ring(Target),
    Outside(out::Way),
}

impl Try {
    /// False: it led through a trunk that is gone.
    pub(super) fn move_trunk(&mut self, moved: &dyn Fn(TrunkId) -> Option<TrunkId>) -> bool {
        let trunk = match self {
            Try::Ring(Target::Trunk { trunk, .. }) => trunk,
            Try::Outside(way) => &mut way.trunk,
            Try::Agent(_) | Try::AnyOf(_) => return true,
            Try::Ring(Target::Uri(_) | Target::Contact(_)) => return true,
        };
        let to = moved(*trunk);
        *trunk = to.unwrap_or(*trunk);
        to.is_some()
    }
}

pub(super) enum Destination {
    Queue(QueueId),
    Tries(VecDeque<Try>),
}

impl Calls {
    pub(super) fn destination(
        &self,
        io: &Io,
        call: &Call,
        to: &str,
        (way, by): (Way, Option<AgentId>),
    ) -> Result<Destination, String> {
        let (kind, name) = match to.split_once(':') {
            Some((kind, name)) => (kind, name),
            None => ("", to),
        };
        let ask = |queue| match way {
            // A place in the line is nobody to talk to.
            Way::Consult | Way::Join => Destination::Tries([Try::AnyOf(queue)].into()),
            Way::Blind | Way::Recall => Destination::Queue(queue),
        };
        match kind {
            "agent" => {
                let agent = io.people.agent(name);
                let agent = agent.ok_or_else(|| format!("there is no agent \"{name}\""))?;
                Ok(Destination::Tries([Try::Agent(agent)].into()))
            }
            "queue" => {
                let queue = io.people.queue(name);
                queue.map(ask).ok_or_else(|| format!("there is no queue \"{name}\""))
            }
            "district" => self.of_district(io, call, name, ask),
            "dir" => self.of_directory(io, by, name),
            "" => self.of_name(io, call, (name, by), ask),
            _ => Err(format!(
                "\"{to}\" is nobody: say agent:, queue:, district:, dir: and a name, or a number"
            )),
        }
    }

    fn of_name(
        &self,
        io: &Io,
        call: &Call,
        (name, by): (&str, Option<AgentId>),
        ask: impl Fn(QueueId) -> Destination,
    ) -> Result<Destination, String> {
        if let Some(agent) = io.people.agent(name) {
            return Ok(Destination::Tries([Try::Agent(agent)].into()));
        }
        if let Some(queue) = io.people.queue(name) {
            return Ok(ask(queue));
        }
        if io.settings.district(name).is_some() {
            return self.of_district(io, call, name, ask);
        }
        let dialled = number::dialled(name, &io.settings.plan);
        let line = io.numbers.line(io.settings, &dialled).and_then(|at| io.settings.lines.get(at));
        let code = io.numbers.district_dialled(io.settings, &dialled);
        // As for whoever dials it from outside: 07492181 is the centre of that district.
        if let (Some(line), Some((district, _))) = (line, code)
            && line.by_district
            && line.goal.queue().is_some()
        {
            return self.of_district(io, call, &district.name, ask);
        }
        match line.map(|line| &line.goal) {
            Some(&(Goal::Queue(queue) | Goal::Served { queue })) => Ok(ask(queue)),
            Some(Goal::Dial(uri)) => {
                Ok(Destination::Tries([Try::Ring(Target::Uri(uri.clone()))].into()))
            }
            Some(
                Goal::Menu { .. } | Goal::Later { .. } | Goal::Goodbye | Goal::Placed | Goal::Codes,
            )
            | None => Ok(Destination::Tries([self.outside(io, by, name)?].into())),
        }
    }

    fn of_district(
        &self,
        io: &Io,
        call: &Call,
        name: &str,
        ask: impl Fn(QueueId) -> Destination,
    ) -> Result<Destination, String> {
        let district = io.settings.district(name);
        match district.map(|district| district.centre) {
            None => Err(format!("there is no district \"{name}\"")),
            Some(Centre::Queue(queue)) => Ok(ask(queue)),
            Some(Centre::Trunk(trunk)) if self.is_down(trunk) => {
                Err(format!("the trunk to {name} does not answer"))
            }
            Some(Centre::Trunk(trunk)) if call.came_by() == Some(trunk) => {
                Err(format!("the call came from {name}"))
            }
            Some(Centre::Trunk(trunk)) => {
                let target = Target::Trunk { trunk, number: call.dialled.clone() };
                Ok(Destination::Tries([Try::Ring(target)].into()))
            }
        }
    }

    /// A number outside, or an extension: on the account of whoever sends the caller there.
    fn outside(&self, io: &Io, by: Option<AgentId>, number: &str) -> Result<Try, String> {
        let name = by.map(|agent| io.people.name_of(agent));
        let who = name.as_deref().map_or(Who::Switch, Who::Agent);
        match self.plan_out(io.settings, who, number, io.cx.now.instant) {
            Ok(Plan::Outside(way)) => Ok(Try::Outside(way)),
            Ok(Plan::Agent(user)) => {
                let agent = io.people.agent(&user).map(Try::Agent);
                agent.ok_or_else(|| format!("there is no agent \"{user}\""))
            }
            Err(why) => Err(format!("{number}: {}", why.words())),
        }
    }

    /// The first entry and, where it does not answer, those after it.
    fn of_directory(
        &self,
        io: &Io,
        by: Option<AgentId>,
        address: &str,
    ) -> Result<Destination, String> {
        let settings = io.settings;
        let entries = settings.directory.hunt(
            address,
            &settings.districts,
            io.people.today(io.cx.now.wall),
        )?;
        let tries = entries.iter().map(|entry| self.outside(io, by, &entry.number));
        let (good, bad): (Vec<_>, Vec<_>) = tries.partition(Result::is_ok);
        let good: VecDeque<Try> = good.into_iter().flatten().take(HUNT_MAX).collect();
        match (good.is_empty(), bad.into_iter().find_map(Result::err)) {
            (true, Some(why)) => Err(why),
            _ => Ok(Destination::Tries(good)),
        }
    }
}

/// Numbers of the directory that are tried for one caller.
const HUNT_MAX: usize = 8;
