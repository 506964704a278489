//! The wallboard: what a shift looks at. Figures of now, the service level of the last minutes,
//! and what is wrong.

use super::access::Sight;
use super::fact_text::word;
use super::fold::{Board, Call, Queue, SERVICE_LEVEL, Stage};
use crate::acd::{AgentState, Door, ShiftNews};
use crate::base::{Now, QueueId, Wall};
use crate::call::{Ailment, Centre, District};
use crate::shell::stamp::rfc3339;
use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::VecDeque;

/// Minutes that the service level of the wallboard is of.
pub const MINUTES: i64 = 15;
const MINUTE_MICROS: i64 = 60_000_000;

/// What came of callers in one minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Minute {
    at: i64,
    answered: u64,
    in_time: u64,
    left: u64,
}

/// The last minutes of a queue, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Minutes(VecDeque<Minute>);

impl Minutes {
    pub fn answered(&mut self, at: Now, in_time: bool) {
        let minute = self.minute(at);
        minute.answered += 1;
        minute.in_time += u64::from(in_time);
    }

    pub fn left(&mut self, at: Now) {
        self.minute(at).left += 1;
    }

    fn minute(&mut self, at: Now) -> &mut Minute {
        let number = at.wall.0.div_euclid(MINUTE_MICROS);
        if self.0.back().is_none_or(|last| last.at != number) {
            self.0.push_back(Minute { at: number, ..Minute::default() });
            if self.0.len() as i64 > MINUTES + 1 {
                self.0.pop_front();
            }
        }
        let last = self.0.len() - 1;
        &mut self.0[last]
    }

    /// Answered in time, answered, and left, in the last minutes.
    fn sums(&self, now: Now) -> (u64, u64, u64) {
        let first = now.wall.0.div_euclid(MINUTE_MICROS) - MINUTES;
        let recent = self.0.iter().filter(|minute| minute.at > first);
        recent.fold((0, 0, 0), |(t, a, l), m| (t + m.in_time, a + m.answered, l + m.left))
    }
}

/// A shift that is, or will be, short of people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Short {
    pub shift: String,
    /// Of which role or skill; empty: of people.
    of: String,
    pub starts: Wall,
    present: u32,
    minimum: u32,
}

impl Short {
    /// `1 of 5`, `0 of 1 counsellor`.
    pub fn text(&self) -> String {
        let Self { of, present, minimum, .. } = self;
        format!("{present} of {minimum} {of}").trim_end().into()
    }

    fn alarm(&self) -> Value {
        let Self { shift, of, present, minimum, .. } = self;
        let text = format!("shift {shift} has {}", self.text());
        json!({"kind": "short", "subject": shift, "text": text, "of": of, "present": present,
               "minimum": minimum})
    }
}

impl Board {
    /// Notes who is short, and who no longer.
    pub(super) fn note_shift(&mut self, news: &ShiftNews) {
        match news {
            ShiftNews::Began { shift } | ShiftNews::Ended { shift } => {
                self.short.retain(|short| short.shift != *shift);
            }
            ShiftNews::Short { shift, of, .. } | ShiftNews::Filled { shift, of, .. } => {
                self.short.retain(|short| short.shift != *shift || short.of != *of);
            }
        }
        if let ShiftNews::Short { shift, of, starts, present, minimum } = news.clone() {
            self.short.push(Short { shift, of, starts, present, minimum });
        }
    }

    /// Shifts that are, or will be, short of people.
    pub(super) fn shorts(&self, now: Now) -> impl Iterator<Item = &Short> {
        self.short.iter().filter(move |short| now.wall.0 - short.starts.0 < DAY_MICROS)
    }

    /// For somebody who sees only some of the queues and districts.
    pub fn wallboard(&self, now: Now, sight: &Sight) -> Value {
        let status = self.status_for(now, sight);
        let mut queues = Vec::new();
        let mut sums = (0, 0, 0);
        let shown = status["queues"].as_array().cloned().unwrap_or_default();
        for mut row in shown {
            let known = self.names.queues.iter().find(|(_, name)| row["name"] == name.as_str());
            let known = known.and_then(|(id, name)| Some((id, self.queues.get(id)?, name)));
            let Some((id, queue, name)) = known else { continue };
            let (in_time, answered, left) = queue.minutes.sums(now);
            sums = (sums.0 + in_time, sums.1 + answered, sums.2 + left);
            row["level"] = json!(share(in_time, answered + left));
            row["there"] = self.there(name).into();
            row["title"] = json!(self.title_of(*id));
            queues.push(row);
        }
        let longest = queues.iter().filter_map(|queue| queue["longest_wait_ms"].as_u64()).max();
        json!({
            "name": self.names.switch,
            "at": rfc3339(now.wall),
            "clock": self.clock(now),
            "draining": self.draining,
            "calls": status["calls"],
            "total": status["total"],
            "longest_wait_ms": longest.unwrap_or_default(),
            "service_level": {
                "within_s": SERVICE_LEVEL.as_secs(),
                "last_min": MINUTES,
                "level": share(sums.0, sums.1 + sums.2),
                "answered": sums.1,
                "left": sums.2,
            },
            "agents": status["agents"],
            "queues": queues,
            "trunks": status["trunks"],
            "alarms": self.alarms(now, sight),
        })
    }

    /// What people call the district that a queue serves.
    fn title_of(&self, queue: QueueId) -> Option<&str> {
        let own = |district: &&District| district.centre == Centre::Queue(queue);
        self.names.districts.iter().find(own).map(|district| district.title.as_str())
    }

    /// The time of day where the switch is.
    fn clock(&self, now: Now) -> String {
        let zone = TimeZoneDatabase::bundled().get(&self.names.roster.zone);
        let stamp = Timestamp::from_microsecond(now.wall.0).unwrap_or_default();
        let local = stamp.to_zoned(zone.unwrap_or(TimeZone::UTC));
        local.strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// Agents who serve a queue and could answer, now or after what they are at.
    fn there(&self, queue: &str) -> usize {
        let serve = self.names.agents.iter().filter(|(_, name, _)| {
            let serves = self.names.serves.get(name);
            serves.is_some_and(|queues| queues.iter().any(|own| own == queue))
        });
        serve
            .filter_map(|(id, ..)| self.agents.get(id))
            .filter(|agent| match agent.state {
                AgentState::Off | AgentState::Unreachable | AgentState::Paused { .. } => false,
                AgentState::Ready
                | AgentState::Offered { .. }
                | AgentState::Talking { .. }
                | AgentState::WrapUp { .. }
                | AgentState::OwnCall { .. }
                | AgentState::Resting => true,
            })
            .count()
    }

    /// What is wrong now: a kind that machines know, what it is about, and a sentence.
    fn alarms(&self, now: Now, sight: &Sight) -> Vec<Value> {
        let mut alarms = Vec::new();
        let mut add = |kind: &str, subject: &str, text: String| {
            alarms.push(json!({"kind": kind, "subject": subject, "text": text}));
        };
        // What is wrong with the switch itself is for those who look after all of it.
        let whole = sight.all;
        if let Some((_, why)) = self.journal_gap.as_ref().filter(|_| whole) {
            let text = "nothing is written down: if the switch dies now, its calls are lost";
            add("journal", why, format!("{text} ({why})"));
        }
        if let Some((since, why)) = self.tapes.hangs().filter(|_| whole) {
            let text = format!("no recording is written since {}: {why}", rfc3339(*since));
            add("recorder", why, text);
        }
        if let Some((count, why)) = self.tapes.spoilt(now.wall).filter(|_| whole) {
            let text = format!("{count} recordings of the last hour broke off or have gaps: {why}");
            add("recording", why, text);
        }
        for (trunk, known) in self.names.trunks.iter().zip(&self.trunks) {
            if known.up == Some(false) && self.shows_trunk(trunk, sight) {
                add("trunk_down", trunk, format!("trunk {trunk} is down"));
            }
        }
        for (id, name) in self.names.queues.iter().filter(|(_, name)| sight.shows_queue(name)) {
            let Some(queue) = self.queues.get(id) else { continue };
            let waiting = queue.waiting.len();
            if waiting > 0 && self.there(name) == 0 {
                add("nobody", name, format!("{waiting} wait in {name}, and nobody is there"));
            }
            if queue.door != Door::Open {
                add("closed", name, format!("queue {name} is closed: {}", word(&queue.door)));
            }
        }
        let silent = self.calls.values().filter(|call| self.shows_call(call, sight));
        let silent = silent.filter(|c| c.silent && c.stage == Stage::Talking).count();
        if silent > 0 {
            add("silent", &silent.to_string(), format!("{silent} calls with a silent party"));
        }
        let talking = self.calls.values().filter(|call| self.shows_call(call, sight));
        let talking: Vec<&Call> = talking.filter(|call| call.stage == Stage::Talking).collect();
        for what in Ailment::ALL {
            let ails = |call: &&&Call| call.ails.iter().any(|(_, ails)| *ails == what);
            let calls = talking.iter().filter(ails).count();
            if calls > 0 {
                let text = match what {
                    Ailment::Mute => "with a party that sends nothing but silence",
                    Ailment::Unsent => "with a party that may hear nothing",
                    Ailment::Refused => "with a party whose sound comes from an unknown address",
                    Ailment::Unsendable => "with a party that can be sent nothing",
                    Ailment::Unopened => "with a party whose sound cannot be opened",
                };
                add(what.name(), &calls.to_string(), format!("{calls} calls {text}"));
            }
        }
        let shorts = self.shorts(now).filter(|short| self.shows_shift(&short.shift, sight));
        alarms.extend(shorts.map(Short::alarm));
        alarms
    }
}

const DAY_MICROS: i64 = 86_400_000_000;

impl Queue {
    pub(super) fn note_answered(&mut self, at: Now, in_time: bool) {
        self.taken += 1;
        self.in_time += u64::from(in_time);
        self.minutes.answered(at, in_time);
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
