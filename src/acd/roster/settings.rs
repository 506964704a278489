//! A roster as it is configured: shifts, who is on them, and the days that differ.

use super::DAY_MINUTES;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RosterSettings {
    /// The time zone that hours and days are counted in.
    pub zone: String,
    pub shifts: Vec<Shift>,
    pub holidays: Vec<Holiday>,
    /// How long before its start a shift that will be short is reported. Default 30 min.
    pub lead: Duration,
}

impl Default for RosterSettings {
    fn default() -> Self {
        let lead = Duration::from_secs(1_800);
        Self { zone: "Asia/Kolkata".into(), shifts: Vec::new(), holidays: Vec::new(), lead }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shift {
    pub name: String,
    /// Minutes after midnight. An end that is not after the start is on the next day.
    pub from: u16,
    pub until: u16,
    /// From Monday to Sunday.
    pub days: [bool; 7],
    /// Of those days, whose turn it is. None: every one.
    pub rota: Option<Rota>,
    pub members: Vec<Member>,
    /// Fewer who can be reached before and at its start, or who are logged in five minutes later,
    /// is an alarm, each for itself.
    pub minima: Vec<Minimum>,
    /// Its agents are ready at its start, as soon as their phones can be reached. False: they log
    /// in by themselves.
    pub auto: bool,
    pub exceptions: Vec<Exception>,
}

impl Shift {
    /// The minutes of the day on which it starts in which it works.
    pub fn today(&self) -> Range<usize> {
        let until = if self.until > self.from { self.until } else { DAY_MINUTES };
        usize::from(self.from)..usize::from(until)
    }

    /// Those of the day after.
    pub fn day_after(&self) -> Range<usize> {
        0..if self.until > self.from { 0 } else { usize::from(self.until) }
    }

    /// How many it needs: `5`, or of each role or skill, `4 operator, 1 counsellor`. One agent may
    /// count for several, so that there is no sum.
    pub fn least(&self) -> String {
        let each = self.minima.iter().map(|own| format!("{} {}", own.number, own.of));
        each.map(|own| own.trim_end().to_string()).collect::<Vec<_>>().join(", ")
    }

    /// Its members, and those who come in their place on some day: all who are on the roster by it.
    pub fn everybody(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().chain(self.exceptions.iter().flat_map(|day| &day.instead))
    }
}

/// Days on and days off that come round again, over the end of every week, before `from` too: three
/// crews that change by the week, six days on and two off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rota {
    /// A day with which a round begins.
    pub from: Date,
    /// Of each day of a round, whether it is on. At least one.
    pub on: Vec<bool>,
}

impl Rota {
    pub fn is_on(&self, date: Date) -> bool {
        let days = date.duration_since(self.from).as_hours() / 24;
        let round = i64::try_from(self.on.len()).unwrap_or(1).max(1);
        self.on.get(days.rem_euclid(round) as usize).copied().unwrap_or(false)
    }
}

/// How many a shift needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Minimum {
    /// Who is on it as this, where it is a role; or else who has this skill. Empty: anybody.
    pub of: String,
    pub number: u32,
}

impl Minimum {
    /// Whether this member is one of them.
    pub fn counts(&self, member: &Member, has_skill: impl FnOnce(&str) -> bool) -> bool {
        match Role::named(&self.of) {
            Some(role) => member.role == role,
            None => self.of.is_empty() || has_skill(&self.of),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub agent: String,
    pub role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Supervisor,
    Operator,
    Counsellor,
}

impl Role {
    pub const ALL: [Self; 3] = [Self::Supervisor, Self::Operator, Self::Counsellor];

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            Role::Supervisor => "supervisor",
            Role::Operator => "operator",
            Role::Counsellor => "counsellor",
        }
    }
}

/// One day on which a shift differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exception {
    pub date: Date,
    pub off: bool,
    pub absent: Vec<String>,
    pub instead: Vec<Member>,
}

/// A day on which only the shifts named work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holiday {
    pub date: Date,
    pub name: String,
    pub shifts: Vec<String>,
}
