//! Why this caller waited: a call's facts told as a story. Who was considered at each pick and why
//! each was not chosen, what the offers came to, where the caller went, how long each stage took.

use super::fact_text::{of_miss, word};
use super::fold::{Board, Stage};
use super::story::Story;
use crate::acd::{self, AgentState, Claim, PassedOver, Pick, Verdict};
use crate::base::{AgentId, Now};
use crate::call::{self, Ailment, Arrival, Centre, Ears, Recorded, Role, Way};
use crate::core::What;
use crate::shell::stamp::rfc3339;
use crate::wire::sdp::Suite;
use serde_json::{Value, json};
use std::net::SocketAddr;

impl Board {
    /// The story of a call, by its id or the end of it. An error says where else to look.
    pub fn why(&self, id: &str, now: Now) -> Result<Value, String> {
        let story = self.stories.find(id).ok_or_else(|| {
            format!(
                "no story of a call {id} in memory (live calls and the last {} are); an older one \
                 is in the journal: pukar why --journal data/journal {id}",
                crate::base::limits::STORIES_KEPT
            )
        })?;
        let Some((began, What::Call(call::Fact::Arrived { arrival, .. }))) = story.steps.first()
        else {
            return Err(format!("the beginning of call {id} is not known"));
        };
        let mut told = Vec::new();
        let mut queue = String::new();
        for (at, what) in &story.steps {
            if let Some((text, details)) = self.tell(what, arrival, &mut queue) {
                told.push(json!({
                    "at": rfc3339(at.wall),
                    "after_ms": at.instant.since(began.instant).as_millis() as u64,
                    "text": text,
                    "details": details,
                }));
            }
        }
        let live = self.calls.values().find(|call| call.id == story.id);
        Ok(json!({
            "call": story.id,
            "direction": arrival.direction,
            "line": arrival.line,
            "trunk": arrival.trunk.map(|trunk| self.names.trunk(trunk)),
            "caller": arrival.caller,
            "dialled": arrival.dialled,
            "queue": queue,
            "district": live.map_or(&arrival.district, |call| &call.district),
            "arrived_at": rfc3339(began.wall),
            "steps": told,
            "more_steps": story.more,
            "stages": stages(story, now),
            "now": live.map(|call| match call.stage {
                Stage::Arrived => json!(["arriving"]),
                Stage::Talking => json!(["talking"]),
                Stage::Parked { slot } => json!([format!("parked in {slot}")]),
                Stage::Waiting | Stage::Offered => self.standing(&story.id, &queue),
            }),
        }))
    }

    /// Why nobody has answered yet: how many wait before, and what keeps each agent.
    fn standing(&self, id: &str, queue: &str) -> Value {
        let own = self.calls.values().find(|call| call.id == id);
        let key = |call: &super::fold::Call| (call.arrived.instant, call.id.clone());
        let before = self.calls.values().filter(|call| {
            let waits = matches!(call.stage, Stage::Waiting | Stage::Offered);
            let same = own.is_some_and(|own| own.queue == call.queue && key(call) < key(own));
            waits && same
        });
        let mut lines = vec![format!("waits in {queue}, {} came before", before.count())];
        let serve = self.names.serves.iter().filter(|(_, all)| all.iter().any(|q| q == queue));
        let agents = self.names.agents.iter();
        let states = serve.filter_map(|(name, _)| {
            let (agent, ..) = agents.clone().find(|(_, known, _)| known == name)?;
            let state = &self.agents.get(agent)?.state;
            let reason = match state.reason() {
                "" => String::new(),
                reason => format!(" ({reason})"),
            };
            Some((format!("{}{reason}", state.name()), name.clone()))
        });
        lines.extend(grouped(states));
        if lines.len() == 1 {
            lines.push("nobody serves this queue".into());
        }
        json!(lines)
    }

    /// One step as a sentence, with what belongs to it.
    fn tell(
        &self,
        what: &What,
        arrival: &Arrival,
        queue: &mut String,
    ) -> Option<(String, Vec<String>)> {
        let plain = |text: String| Some((text, Vec::new()));
        match what {
            What::Call(fact) => self.tell_call(fact).map(|text| (text, Vec::new())),
            What::Desk(fact) => match fact {
                acd::Fact::Queued { queue: id, .. } => {
                    let name = self.names.queue(*id);
                    let why = self.why_queue(arrival, &name, queue);
                    queue.clone_from(&name);
                    plain(format!("joined queue {name}: {why}"))
                }
                acd::Fact::Unqueued { queue, .. } => {
                    plain(format!("left queue {}", self.names.queue(*queue)))
                }
                acd::Fact::TurnedAway { queue, why, instead, .. } => plain(format!(
                    "queue {} did not take the call: {}; {}",
                    self.names.queue(*queue),
                    word(why),
                    word(instead)
                )),
                acd::Fact::Picked(pick) => Some(self.tell_pick(pick)),
                acd::Fact::Offered { agent, .. } => plain(format!("{} rings", self.who(*agent))),
                acd::Fact::Missed { agent, why, .. } | acd::Fact::Unclaimed { agent, why, .. } => {
                    plain(format!("{} did not take it: {}", self.who(*agent), of_miss(*why)))
                }
                acd::Fact::Taken { agent, .. } | acd::Fact::Serving { agent, .. } => {
                    plain(format!("{} answered", self.who(*agent)))
                }
                acd::Fact::Claimed { agent, .. } => {
                    plain(format!("{} rings, asked for by name", self.who(*agent)))
                }
                acd::Fact::Agent { agent, state: AgentState::WrapUp { .. } } => {
                    plain(format!("{} wraps up", self.who(*agent)))
                }
                acd::Fact::Repaired { agent, .. } => {
                    plain(format!("{} is free again: the call was over", self.who(*agent)))
                }
                acd::Fact::Agent { .. } | acd::Fact::Handled { .. } | acd::Fact::Message { .. } => {
                    None
                }
            },
            What::Overflowed { from, to, why, .. } => {
                let from = if from.is_empty() { "the door" } else { from };
                plain(format!("overflowed from {from} to {to}: {why}"))
            }
            What::Phone { .. }
            | What::Trunk { .. }
            | What::Shift(_)
            | What::Locked { .. }
            | What::Audit(_)
            | What::ClockMoved { .. }
            | What::Store { .. }
            | What::Journal { .. }
            | What::Recorder { .. }
            | What::Code { .. }
            | What::Blocked { .. }
            | What::Unblocked { .. }
            | What::Reloaded
            | What::Draining
            | What::Restarted { .. } => None,
        }
    }

    fn tell_call(&self, fact: &call::Fact) -> Option<String> {
        Some(match fact {
            call::Fact::Arrived { arrival, .. } => self.tell_arrival(arrival),
            call::Fact::SystemAnswered { .. } => "answered by the switch".into(),
            call::Fact::Connected { agent: Some(agent), .. } => {
                format!("connected with {}", self.who(*agent))
            }
            call::Fact::Connected { agent: None, .. } => "connected".into(),
            call::Fact::Held { held, .. } => if *held { "on hold" } else { "off hold" }.into(),
            call::Fact::Silent { role, silent, .. } => {
                format!("{}: {}", word(role), if *silent { "not heard" } else { "heard again" })
            }
            call::Fact::Ailing { role, what, on, from, .. } => of_ail(role, (*what, *on), *from),
            call::Fact::Sealed { role, suite, .. } => of_seal(role, *suite),
            call::Fact::Category { category, agent, .. } => {
                format!("category {category}, by {}", self.who(*agent))
            }
            call::Fact::District { district, .. } => format!("district is {district} now"),
            call::Fact::Rung { number, reached, .. } => {
                format!("rang {number}: {}", if *reached { "reached" } else { "not reached" })
            }
            call::Fact::Returned { agent, talked, .. } => {
                let how = if *talked { "was lost" } else { "hung up as they answered" };
                let who = agent.map_or("the centre".into(), |agent| self.who(agent));
                format!("{who} {how}; back in the line, at the old place")
            }
            call::Fact::Announced { names, .. } => format!("was told: {}", names.join(" ")),
            call::Fact::Chose { what, .. } => format!("chose {what}"),
            call::Fact::Emergency { .. } => "said that it is an emergency".into(),
            call::Fact::Farewell { .. } => "waits for nobody any more, and is told so".into(),
            call::Fact::NotPromised { why, .. } => {
                format!("wanted a call back, and their number may not be dialled: {why}")
            }
            call::Fact::Ended { end, .. } => of_end(end),
            call::Fact::Alone { .. } => "nobody talks with the caller just now".into(),
            call::Fact::Joined { role: Role::Agent(agent), .. } => {
                format!("{} came in", self.who(*agent))
            }
            call::Fact::Joined { .. } => "another party came in".into(),
            call::Fact::Transferring { by, to, way, .. } => {
                let does = match way {
                    Way::Blind => "sends the call to",
                    Way::Consult => "asks",
                    Way::Join => "calls in",
                    Way::Recall => "gets the call back from",
                };
                format!("{} {does} {to}", self.whoever(*by))
            }
            call::Fact::Transferred { to, .. } => format!("handed over to {to}"),
            call::Fact::NotTransferred { to, why, .. } if to.is_empty() => {
                format!("nobody took it back: {why}")
            }
            call::Fact::NotTransferred { to, why, .. } => format!("not handed over to {to}: {why}"),
            call::Fact::Parked { slot, by, .. } => {
                format!("parked in {slot} by {}", self.whoever(*by))
            }
            call::Fact::Watched { agent, ears, .. } => {
                format!("{} {}", self.who(*agent), of_ears(*ears))
            }
            call::Fact::Recording { what, .. } => return of_recorded(what),
            call::Fact::LegOpened { .. }
            | call::Fact::LegAnswered { .. }
            | call::Fact::LegClosed { .. }
            | call::Fact::Measured { .. }
            | call::Fact::Missed { .. }
            | call::Fact::Refused { .. } => return None,
        })
    }

    /// The agent, or else a supervisor.
    fn whoever(&self, agent: Option<AgentId>) -> String {
        agent.map_or_else(|| "a supervisor".into(), |agent| self.who(agent))
    }

    fn tell_arrival(&self, arrival: &Arrival) -> String {
        let mut text = format!("arrived, dialled {}", arrival.dialled);
        if let Some(trunk) = arrival.trunk {
            text.push_str(&format!(", by trunk {}", self.names.trunk(trunk)));
        }
        if !arrival.forwarded_by.is_empty() {
            text.push_str(&format!(", forwarded by {}", arrival.forwarded_by));
        }
        match arrival.district.as_str() {
            "" => text.push_str("; no district is known"),
            district => text.push_str(&format!("; district {district}")),
        }
        for flag in &arrival.flags {
            text.push_str(&format!("; {}", word(flag).replace('_', " ")));
        }
        text
    }

    fn why_queue(&self, arrival: &Arrival, name: &str, before: &str) -> String {
        let district = self.names.districts.iter().find(|district| match district.centre {
            Centre::Queue(queue) => self.names.queue(queue) == name,
            Centre::Trunk(_) => false,
        });
        match district {
            _ if !before.is_empty() => format!("came from {before}"),
            Some(district) if district.name == arrival.district => {
                format!("it serves district {}", district.name)
            }
            Some(_) | None if arrival.line.is_empty() => "the default for unknown numbers".into(),
            Some(_) | None => format!("line {} leads there", arrival.line),
        }
    }

    fn tell_pick(&self, pick: &Pick) -> (String, Vec<String>) {
        let of = |verdict: Verdict| {
            let fits = pick.agents.iter().filter(move |(_, own)| *own == verdict);
            fits.map(|(agent, _)| self.names.agent(*agent)).collect::<Vec<_>>().join(", ")
        };
        let total = pick.total();
        let mut chosen = of(Verdict::Chosen);
        let more = pick.others.iter().find(|(verdict, _)| *verdict == Verdict::Chosen);
        if let Some((_, more)) = more {
            chosen += &format!(" and {more} more");
        }
        let why = match pick.claim {
            Claim::Emergency => "an emergency".to_string(),
            Claim::Aged => "waited too long for weight or priority to count".into(),
            Claim::Weighed(weight, priority) => {
                format!("weight {}, priority {}", weight.0, priority.0)
            }
            Claim::Asked => "asked for by whoever has the caller".into(),
        };
        let mut needs = format!("level {}", pick.level);
        if !pick.languages.is_empty() {
            needs.push_str(&format!(", {}", pick.languages.join(" or ")));
        }
        let text =
            format!("picked {chosen} of {total} ({}; needs {needs}; {why})", pick.strategy.name());
        let others = pick.agents.iter().filter(|(_, verdict)| *verdict != Verdict::Chosen);
        let others = others.map(|(agent, verdict)| {
            (verdict.words(pick.strategy).to_string(), self.names.agent(*agent))
        });
        let more = pick.others.iter().filter(|(verdict, _)| *verdict != Verdict::Chosen);
        let more = more.map(|(verdict, count)| {
            (verdict.words(pick.strategy).to_string(), format!("{count} more"))
        });
        let mut details = grouped(others.chain(more));
        let passed = pick.callers.iter().map(|(call, why)| {
            let why = match why {
                PassedOver::Level => "stood before, needs a higher level".to_string(),
                PassedOver::Language => "stood before, wants another language".into(),
                PassedOver::HeldFor(agent) => {
                    format!("stood before, waits for {}", self.names.agent(*agent))
                }
                PassedOver::Aged => "stood before by priority, but waited less".into(),
            };
            (why, self.public(*call).to_string())
        });
        details.extend(grouped(passed));
        (text, details)
    }

    fn who(&self, agent: AgentId) -> String {
        let known = self.names.agents.iter().find(|(id, ..)| *id == agent);
        match known {
            Some((_, id, name)) if !name.is_empty() => format!("{id} ({name})"),
            Some((_, id, _)) => id.clone(),
            None => self.names.agent(agent),
        }
    }
}

fn of_recorded(what: &Recorded) -> Option<String> {
    Some(match what {
        Recorded::Started { .. } => "is recorded".into(),
        Recorded::Paused => "private: what follows is not recorded".into(),
        Recorded::Resumed => "is recorded again".into(),
        Recorded::Gaps => "the recording has gaps: the disk was too slow".into(),
        Recorded::Failed { why } => format!("is not recorded any more: {why}"),
        Recorded::Unfinished => "the recording is not finished: the disk is too slow".into(),
        Recorded::Finished { .. } => return None,
    })
}

/// `from`: whose packets these are.
fn of_ail(role: &Role, (what, on): (Ailment, bool), from: Option<SocketAddr>) -> String {
    let of = from.map(|from| format!(" (packets from {from})")).unwrap_or_default();
    format!("{}: {}{of}", word(role), ailing(what, on))
}

/// What a party's sound is sealed by.
fn of_seal(role: &Role, suite: Option<Suite>) -> String {
    match suite {
        Some(suite) => format!("{}: the sound is sealed by {}", word(role), suite.name()),
        None => format!("{}: the sound is plain", word(role)),
    }
}

/// What a supervisor does in a call.
fn of_ears(ears: Option<Ears>) -> &'static str {
    match ears {
        Some(Ears::Listen) => "listens",
        Some(Ears::Whisper) => "whispers to the agent",
        Some(Ears::Barge) => "speaks with all",
        Some(Ears::Take) => "takes over",
        None => "listens no more",
    }
}

fn of_end(end: &call::End) -> String {
    format!("ended: {}, by {}, status {}", word(&end.outcome), word(&end.by), end.status)
}

/// `talking: op1, op2`, in the order in which each reason first comes up.
fn grouped(pairs: impl Iterator<Item = (String, String)>) -> Vec<String> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for (why, who) in pairs {
        match groups.iter_mut().find(|(known, _)| *known == why) {
            Some((_, all)) => all.push(who),
            None => groups.push((why, vec![who])),
        }
    }
    groups.into_iter().map(|(why, who)| format!("{why}: {}", who.join(", "))).collect()
}

/// How long each stage took; null where it never came to it.
fn stages(story: &Story, now: Now) -> Value {
    let at = |fits: &dyn Fn(&What) -> bool| {
        story.steps.iter().find(|(_, what)| fits(what)).map(|(at, _)| at.instant)
    };
    let began = story.steps.first().map_or(now.instant, |(at, _)| at.instant);
    let answered = at(&|w| matches!(w, What::Call(call::Fact::SystemAnswered { .. })));
    let queued = at(&|w| matches!(w, What::Desk(acd::Fact::Queued { .. })));
    let offered = at(&|w| matches!(w, What::Desk(acd::Fact::Offered { .. })));
    let connected = at(&|w| matches!(w, What::Call(call::Fact::Connected { .. })));
    let ended = at(&|w| matches!(w, What::Call(call::Fact::Ended { .. })));
    let last = ended.unwrap_or(now.instant);
    let span = |from: crate::base::Instant, until| -> u64 {
        let until: crate::base::Instant = until;
        until.since(from).as_millis() as u64
    };
    json!({
        "to_answer_ms": answered.map(|at| span(began, at)),
        "to_queue_ms": queued.map(|at| span(began, at)),
        "to_first_ring_ms": offered.zip(queued).map(|(at, from)| span(from, at)),
        "wait_ms": queued.map(|from| span(from, connected.unwrap_or(last))),
        "talk_ms": connected.map(|from| span(from, last)),
        "whole_ms": span(began, last),
    })
}

fn ailing(what: Ailment, on: bool) -> &'static str {
    match (what, on) {
        (Ailment::Mute, true) => "sends nothing but silence",
        (Ailment::Mute, false) => "sends more than silence again",
        (Ailment::Unsent, true) => "is heard from elsewhere than it says, and may hear nothing",
        (Ailment::Unsent, false) => "is heard from where it is sent its sound",
        (Ailment::Refused, true) => "somebody unknown sends in its place, and is refused",
        (Ailment::Refused, false) => "nobody unknown sends in its place any more",
        (Ailment::Unsendable, true) => "cannot be sent what it is to hear",
        (Ailment::Unsendable, false) => "can be sent what it is to hear again",
        (Ailment::Unopened, true) => "sends nothing that is sealed as was agreed",
        (Ailment::Unopened, false) => "sends what is sealed as was agreed again",
    }
}
