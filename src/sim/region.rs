//! What a day may hold besides one queue: numbers that mean something else, districts with a centre
//! behind a trunk or a queue of their own, ways out of queues, shifts, languages and priorities.

use super::plan::{Plan, agent_name, centre_address, desk_address};
use crate::acd::{
    Elsewhere, Member, Minimum, Overflow, Role, RosterSettings, Shift, Skill, WaysOut, When,
};
use crate::base::{QueueId, TrunkId};
use crate::call::{Centre, Choice, District, Goal, Keys, Line, Means, Numbering};
use crate::config::Settings;
use crate::sip::Trunk;
use std::time::Duration;

/// How much of it a day has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Region {
    /// A district behind a trunk, one with a queue here, and ways out of both queues.
    pub districts: bool,
    /// Nobody serves the queues of the districts: whoever comes to one is led on.
    pub deserted: bool,
    /// Two shifts, of which one ends as the other begins, four minutes into the day.
    pub shifts: bool,
    /// Agents speak different languages, and callers ask for some.
    pub languages: bool,
    /// At the other end of a trunk is a switch of ours, at that of callers and at that of a
    /// district: some callers are on loan, and have a place there too.
    pub peers: bool,
    /// Callers are asked for their district, or for a counsellor.
    pub menus: bool,
}

/// The district queue, which stands behind the two that every day has.
pub const DISTRICT_QUEUE: &str = "shivpuri";
/// The queue of a block of it, whose callers go on to it, and on from it.
pub const BLOCK_QUEUE: &str = "pohri";
/// A number whose callers go first, one whose callers speak only Surgujia, and an emergency.
pub const FIRST: &str = "1098";
pub const SURGUJIA: &str = "1076";
pub const EMERGENCY: &str = "112";
/// A phone that rings without any queue, and the districts' forms of 181.
pub const DESK: &str = "1070";
pub const ALIRAJPUR: &str = "07394181";
pub const SHIVPURI: &str = "07492181";
pub const POHRI: &str = "07493181";
/// On which agents at home key in codes; to whoever else calls it, a number that nobody knows.
pub const CODES: &str = "+917552551199";
pub const CODES_LINE: &str = "codes";

impl Region {
    pub fn numbers(self) -> Vec<&'static str> {
        let mut numbers = vec!["181", "181", DESK];
        if self.districts {
            numbers.extend([ALIRAJPUR, ALIRAJPUR, SHIVPURI, POHRI]);
        }
        if self.languages {
            numbers.extend([FIRST, SURGUJIA, EMERGENCY]);
        }
        numbers
    }

    pub fn skills(self, agent: u16, first: &str) -> Vec<Skill> {
        let mut skills: Vec<Skill> = vec![first.into()];
        let serves = self.districts && !self.deserted;
        if serves && agent.is_multiple_of(2) {
            skills.push(DISTRICT_QUEUE.into());
        }
        if serves && agent.is_multiple_of(4) {
            skills.push(BLOCK_QUEUE.into());
        }
        if self.languages {
            let own = ["lang:hi", "lang:surgujia"];
            skills.extend(
                own.iter().skip(usize::from(agent.is_multiple_of(3))).map(|&one| one.into()),
            );
        }
        skills
    }
}

impl Plan {
    /// The lines that every day has, and those of the region.
    pub(super) fn lines(&self, like: &Line) -> Vec<Line> {
        let languages = |all: &[&str]| match self.region.languages {
            true => all.iter().map(|one| one.to_string()).collect(),
            false => Vec::new(),
        };
        let line = |number: &str| Line {
            name: number.into(),
            numbers: vec![number.into()],
            languages: languages(&["hi"]),
            ..like.clone()
        };
        let goal = Goal::Dial(format!("sip:desk@{}", desk_address()));
        let desk = Line { goal, keys: Keys::default(), languages: Vec::new(), ..line(DESK) };
        let mut lines = vec![line("181"), desk];
        if self.region.menus {
            let choice = |key, means| Choice { key, means };
            lines[0].menu = vec![choice('7', Means::Queue(QueueId(1), "health".into()))];
            if self.region.districts {
                let district = |name: &str| Means::District(name.into());
                lines[0].menu.push(choice('1', district("shivpuri")));
                lines[0].menu.push(choice('2', district("alirajpur")));
            }
        }
        if self.region.languages {
            let surgujia = languages(&["surgujia", "hi"]);
            let any = Vec::new();
            lines.push(Line { priority: 5, ..line(FIRST) });
            lines.push(Line { languages: surgujia, ..line(SURGUJIA) });
            lines.push(Line { emergency: true, languages: any, ..line(EMERGENCY) });
        }
        lines
    }

    pub(super) fn region_settings(&self, settings: &mut Settings) {
        if self.region.languages {
            for queue in &mut settings.acd.queues {
                queue.language_after = Duration::from_secs(8);
            }
        }
        if self.region.districts {
            self.add_districts(settings);
        }
        if self.region.shifts {
            settings.roster = self.roster();
        }
        if self.region.peers {
            let ours = Numbering { peer: true, ..Numbering::default() };
            settings.call.trunks = vec![ours, Numbering::default()];
            settings.call.trunks.extend(self.region.districts.then_some(ours));
        }
    }

    fn add_districts(&self, settings: &mut Settings) {
        let mut queue = self.queue(DISTRICT_QUEUE, &[DISTRICT_QUEUE]);
        queue.weight = 1;
        settings.acd.queues.push(queue);
        settings.acd.queues.push(self.queue(BLOCK_QUEUE, &[BLOCK_QUEUE]));
        let district = |name: &str, std: &str, centre| District {
            name: name.into(),
            title: name.into(),
            code: String::new(),
            std: vec![std.into()],
            centre,
            languages: Vec::new(),
            rings_within: crate::call::RINGS_WITHIN,
        };
        settings.call.districts = vec![
            district("alirajpur", "7394", Centre::Trunk(TrunkId(2))),
            district("shivpuri", "7492", Centre::Queue(QueueId(2))),
            district("pohri", "7493", Centre::Queue(QueueId(3))),
        ];
        settings.sip.trunks.push(Trunk {
            name: "alirajpur".into(),
            hosts: vec![centre_address().to_string()],
            // Longer than one that is not answered takes to fail: there is rest in between.
            ping: Duration::from_secs(45),
            ..Trunk::default()
        });
        let after = |seconds| When::After(Duration::from_secs(seconds));
        let general = || Elsewhere::Queue("general".into());
        let way = |when, to| Overflow { when, to };
        let upwards = || Elsewhere::District("shivpuri".into());
        settings.overflows = vec![
            WaysOut {
                queue: BLOCK_QUEUE.into(),
                ways: vec![way(When::Unstaffed, upwards()), way(after(20), upwards())],
            },
            WaysOut {
                queue: DISTRICT_QUEUE.into(),
                ways: vec![way(When::Unstaffed, general()), way(after(15), general())],
            },
            WaysOut {
                queue: "general".into(),
                ways: vec![
                    way(When::Unstaffed, Elsewhere::District("shivpuri".into())),
                    way(after(40), Elsewhere::District("alirajpur".into())),
                    way(after(60), Elsewhere::Queue(DISTRICT_QUEUE.into())),
                ],
            },
        ];
    }

    /// The day begins at 17:03:20 in India. Whoever has an even number stays for both shifts.
    fn roster(&self) -> RosterSettings {
        let shift = |name: &str, from, until, of: fn(u16) -> bool| Shift {
            name: name.into(),
            from,
            until,
            days: [true; 7],
            rota: None,
            members: (0..self.agents.len() as u16)
                .filter(|&agent| of(agent))
                .map(|agent| Member { agent: agent_name(agent), role: Role::Operator })
                .collect(),
            minima: vec![Minimum { of: String::new(), number: 1 }],
            auto: true,
            exceptions: Vec::new(),
        };
        let change = 17 * 60 + 7;
        let shifts = vec![
            shift("day", 6 * 60, change, |agent| agent % 4 != 3),
            shift("night", change, 6 * 60, |agent| agent % 2 == 0 || agent % 4 == 3),
        ];
        RosterSettings { shifts, ..RosterSettings::default() }
    }
}
