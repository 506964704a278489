//! May this user dial that, how, and under which number? The one place that says so, whoever asks:
//! an agent's phone, a transfer, a call back. It decides and places nothing.
//!
//! In: the settings, who dials, what was dialled, what has been dialled before. Out: a [`Plan`], or
//! the [`Refusal`] with its status and words. A number leaves only in the form that it was judged
//! in: what was keyed in never reaches a carrier.

mod settings;
mod tally;

pub use settings::{Caps, OutSettings, Route};
pub use tally::Tally;

use super::Settings;
use crate::base::number;
use crate::base::{Instant, TrunkId};
use crate::sip::{Cause, Target};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;

/// On whose account a call is placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who<'a> {
    /// By the agent's id, wherever the agent sits.
    Agent(&'a str),
    /// Nobody in particular: a call back, whose number is what its caller claimed. It goes by the
    /// routes that are everybody's. The caps of agents do not count; those of the switch do.
    Switch,
}

/// What has been dialled before, and what cannot be reached just now.
#[derive(Clone, Copy, Debug)]
pub struct Usage<'a> {
    pub tally: &'a Tally,
    pub down: &'a BTreeSet<TrunkId>,
    pub now: Instant,
}

/// How what was dialled is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Plan {
    /// An extension: this agent's phones, wherever they are.
    Agent(String),
    Outside(Way),
}

/// The way to a number outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    pub trunk: TrunkId,
    /// E.164, a short code, or `0<STD>181`: as records have it.
    pub number: String,
    /// As the trunk is asked for it.
    pub sent: String,
    /// The number that the called party sees; the centre's own.
    pub identity: String,
    /// Unanswered for this long, it is given up.
    pub ring_for: Duration,
    /// The call ends after this long. Zero: never.
    pub longest: Duration,
    /// Somebody is in need: it is not counted, and no agent is asked for a log-in.
    pub emergency: bool,
}

impl Way {
    pub fn target(&self) -> Target {
        Target::Trunk { trunk: self.trunk, number: self.sent.clone() }
    }
}

/// Why a call is not placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// Neither a telephone number nor an extension.
    NoNumber,
    /// No route has a prefix of it that is open to this agent.
    NoRoute,
    International,
    Premium,
    /// This agent, or everybody, has as many calls as may be at once.
    TooMany,
    PerHour,
    PerDay,
    TrunkDown,
    /// Nobody is logged in at this phone.
    NotLoggedIn,
    /// The agent has a call in hand.
    Engaged,
    /// The other agent's phone is not there, or is engaged.
    AgentAway,
    AgentEngaged,
    /// There was no media port.
    NoPort,
    /// Whoever is to be called back claims the number of an emergency service.
    Emergency,
}

impl Refusal {
    /// As facts and records name it.
    pub fn name(self) -> &'static str {
        match self {
            Refusal::NoNumber => "no-number",
            Refusal::NoRoute => "no-route",
            Refusal::International => "international",
            Refusal::Premium => "premium",
            Refusal::TooMany => "too-many",
            Refusal::PerHour => "per-hour",
            Refusal::PerDay => "per-day",
            Refusal::TrunkDown => "trunk-down",
            Refusal::NotLoggedIn => "not-logged-in",
            Refusal::Engaged => "engaged",
            Refusal::AgentAway => "agent-away",
            Refusal::AgentEngaged => "agent-engaged",
            Refusal::NoPort => "no-port",
            Refusal::Emergency => "emergency",
        }
    }

    /// The SIP status that tells a phone.
    pub fn status(self) -> u16 {
        match self {
            Refusal::NoNumber => 404,
            Refusal::NoRoute
            | Refusal::International
            | Refusal::Premium
            | Refusal::PerHour
            | Refusal::PerDay
            | Refusal::NotLoggedIn
            | Refusal::Emergency => 403,
            Refusal::Engaged | Refusal::AgentAway => 480,
            Refusal::AgentEngaged => 486,
            Refusal::TooMany | Refusal::TrunkDown | Refusal::NoPort => 503,
        }
    }

    /// What stands in the Reason header field, for whoever reads the display of a phone.
    pub fn words(self) -> &'static str {
        match self {
            Refusal::NoNumber => "No such number or extension",
            Refusal::NoRoute => "You may not dial this number",
            Refusal::International => "International calls are not allowed",
            Refusal::Premium => "Premium numbers are not allowed",
            Refusal::TooMany => "As many outgoing calls as allowed are under way",
            Refusal::PerHour => "As many calls as allowed in an hour have been made",
            Refusal::PerDay => "As many calls as allowed in a day have been made",
            Refusal::TrunkDown => "The carrier does not answer",
            Refusal::NotLoggedIn => "Log in first",
            Refusal::Engaged => "You have a call in hand",
            Refusal::AgentAway => "The phone of this agent is not there",
            Refusal::AgentEngaged => "This agent has a call in hand",
            Refusal::NoPort => "No line is free",
            Refusal::Emergency => "Emergency services are not called back",
        }
    }

    /// Whether it may be otherwise in a while, as the configuration stands.
    pub fn passes(self) -> bool {
        match self {
            Refusal::TooMany
            | Refusal::PerHour
            | Refusal::PerDay
            | Refusal::TrunkDown
            | Refusal::Engaged
            | Refusal::AgentAway
            | Refusal::AgentEngaged
            | Refusal::NoPort => true,
            Refusal::NoNumber
            | Refusal::NoRoute
            | Refusal::International
            | Refusal::Premium
            | Refusal::NotLoggedIn
            | Refusal::Emergency => false,
        }
    }

    pub fn cause(self) -> Cause {
        let q850 = match self {
            Refusal::NoNumber => 1,
            Refusal::AgentEngaged => 17,
            Refusal::AgentAway => 20,
            Refusal::NoRoute
            | Refusal::International
            | Refusal::Premium
            | Refusal::PerHour
            | Refusal::PerDay
            | Refusal::NotLoggedIn
            | Refusal::Emergency
            | Refusal::Engaged => 21,
            Refusal::TooMany | Refusal::NoPort => 34,
            Refusal::TrunkDown => 38,
        };
        Cause { q850: Some(q850), sip: Some(self.status()), text: self.words().into() }
    }
}

/// Whether `who` may dial `raw`, and how.
pub fn plan(settings: &Settings, who: Who, raw: &str, usage: Usage) -> Result<Plan, Refusal> {
    plan_by(settings, (who, None), raw, usage)
}

/// The same, through this trunk and no other.
pub fn plan_by(
    settings: &Settings,
    (who, only): (Who, Option<TrunkId>),
    raw: &str,
    usage: Usage,
) -> Result<Plan, Refusal> {
    if let Some(phone) = settings.extension(raw) {
        return Ok(Plan::Agent(phone.user.clone()));
    }
    let number = number::dialled(raw, &settings.plan);
    let digits = number.strip_prefix('+').unwrap_or(&number);
    if digits.len() < 2 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Refusal::NoNumber);
    }
    let out = &settings.out;
    let emergency = out.emergency.contains(&number);
    if !emergency {
        judge(settings, &number)?;
    }
    let open = |route: &&Route| {
        (emergency || route.is_open_to(who)) && only.is_none_or(|trunk| route.trunk == trunk)
    };
    let mut fitting: Vec<&Route> = out.routes.iter().filter(|route| route.fits(&number)).collect();
    // Nobody in need is turned away by a table of prefixes.
    if emergency && fitting.is_empty() {
        fitting = out.routes.iter().collect();
    }
    let mut open: Vec<&Route> = fitting.into_iter().filter(open).collect();
    // The longest prefix, and among equals the order of the configuration: sorting is stable.
    open.sort_by_key(|route| std::cmp::Reverse(route.fit(&number)));
    if open.is_empty() {
        return Err(Refusal::NoRoute);
    }
    if !emergency {
        usage.tally.allows(&out.caps, who, usage.now)?;
    }
    let up = open.into_iter().find(|route| !usage.down.contains(&route.trunk));
    let route = up.ok_or(Refusal::TrunkDown)?;
    Ok(Plan::Outside(Way {
        trunk: route.trunk,
        sent: route.sent(&number),
        identity: route.identity.clone(),
        ring_for: ring_for(settings, &number),
        longest: if emergency { Duration::ZERO } else { out.longest },
        emergency,
        number,
    }))
}

/// Whether anybody at all may dial it.
fn judge(settings: &Settings, number: &str) -> Result<(), Refusal> {
    let out = &settings.out;
    let abroad = number
        .strip_prefix('+')
        .is_some_and(|digits| !digits.starts_with(settings.plan.country.as_str()));
    match () {
        () if abroad && !out.international => Err(Refusal::International),
        () if out.premium.iter().any(|prefix| number.starts_with(prefix)) => Err(Refusal::Premium),
        () => Ok(()),
    }
}

/// Networks let a mobile ring for 30 s and a landline for 60 s; a mobile that is rung for longer
/// is answered by a machine.
fn ring_for(settings: &Settings, number: &str) -> Duration {
    let out = &settings.out;
    let own = number.strip_prefix('+').and_then(|n| n.strip_prefix(settings.plan.country.as_str()));
    let looks_mobile = own
        .is_some_and(|own| own.len() == 10 && matches!(own.as_bytes().first(), Some(b'6'..=b'9')));
    let areas = settings.districts.iter().flat_map(|district| &district.std);
    let fixed = areas
        .chain([&settings.plan.area])
        .any(|area| number::is_of_area(number, area, &settings.plan));
    if looks_mobile && !fixed { out.ring_mobile } else { out.ring_landline }
}

#[cfg(test)]
mod tests;
