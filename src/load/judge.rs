//! The judge: reads what every phone noted, and says whether the switch did right.
//!
//! In: the log of every leg, and what the tester knows of itself. Out: the report. Pure: the same
//! evidence gives the same verdict. May import: nothing of ours.

use super::clock::{self, MILLISECOND, SECOND};
use super::ear::{Delays, Stream};
use super::log::{End, Faults, GaveUp, LegLog};
use super::plan::Plan;
use super::report::{self, CallResult, Calls, Offers, Outcome, Report, Spread, Tester, Voice};
use std::collections::BTreeMap;

/// Everything that is known after a test.
#[derive(Clone, Debug)]
pub struct Evidence {
    pub plan: Plan,
    /// By leg number.
    pub legs: Vec<LegLog>,
    pub faults: Faults,
    pub delays: Delays,
    /// Packets that the tester's own kernel dropped, by socket.
    pub drops: BTreeMap<usize, u64>,
    pub packets_sent: u64,
    pub packets_received: u64,
    pub tester: Tester,
}

/// A caller's leg and an agent's that belong together, and why we think so.
#[derive(Clone, Copy, Debug, Default)]
struct Pair<'a> {
    caller_heard: Option<&'a Stream>,
    agent_heard: Option<&'a Stream>,
    /// The agent's phone showed this caller's number.
    shown: bool,
}

/// Two voices at once, or none, for this long are an accident of timing.
const BLINK: u64 = 300 * MILLISECOND;
/// Phones that are together for this long must have heard each other.
const ENOUGH: u64 = SECOND;
/// Silence this long before the end, or after both phones are on, while the other side spoke, is
/// loss, though no gap between two packets shows it. On a busy machine it took up to 90 ms.
const EDGE: u64 = 250 * MILLISECOND;
/// An agent may still be on when the next one has answered: their phones do not hang up at once.
const OVERLAP: u64 = 500 * MILLISECOND;
const COMPLAINTS_MAX: usize = 40;

struct Judge<'a> {
    evidence: &'a Evidence,
    legs: &'a [LegLog],
    pairs: BTreeMap<(u32, u32), Pair<'a>>,
    complaints: Vec<String>,
    unspoken: u64,
}

/// The verdict.
pub fn judge(evidence: &Evidence) -> Report {
    let legs = &evidence.legs;
    let pairs = BTreeMap::new();
    let mut judge = Judge { evidence, legs, pairs, complaints: Vec::new(), unspoken: 0 };
    judge.pair_up();
    judge.check_pairs();
    judge.check_one_at_a_time();
    let edges = judge.check_heads() + judge.check_tails();
    let mut report = Report {
        answer_within_s: evidence.plan.answer_within.as_secs_f64(),
        tester: evidence.tester.clone(),
        ..Report::default()
    };
    report.each = judge.each();
    report.calls = judge.calls(&report.each);
    report.offers = judge.offers();
    report.voice = judge.voice(edges);
    judge.times(&mut report);
    judge.check_sums(&report);
    judge.check_voice(&report.voice);
    for fault in &evidence.faults.words {
        judge.complain(format!("SIP: {fault}"));
    }
    judge.unspoken += evidence.faults.count - evidence.faults.words.len() as u64;
    report.complaints = judge.complaints;
    if judge.unspoken > 0 {
        report.complaints.push(format!("and {} more", judge.unspoken));
    }
    report.passed = report.complaints.is_empty();
    report
}

impl<'a> Judge<'a> {
    fn complain(&mut self, what: String) {
        if self.complaints.len() < COMPLAINTS_MAX {
            self.complaints.push(what);
        } else {
            self.unspoken += 1;
        }
    }

    fn name(&self, leg: u32) -> String {
        let log = &self.legs[leg as usize];
        match log.agent {
            true => format!("agent {}", self.evidence.plan.agent_name(log.who)),
            false => format!("caller {}", self.evidence.plan.caller_number(log.who)),
        }
    }

    fn pair_up(&mut self) {
        let callers: BTreeMap<u32, u32> =
            self.legs.iter().filter(|l| !l.agent).map(|l| (l.who, l.leg)).collect();
        for log in self.legs {
            for stream in &log.media.ear.streams {
                self.pair_voice(log, stream);
            }
            let shown = log.shown.filter(|_| log.agent && log.answered_at.is_some());
            if let Some(&caller) = shown.and_then(|who| callers.get(&who)) {
                self.pairs.entry((caller, log.leg)).or_default().shown = true;
            }
        }
    }

    fn pair_voice(&mut self, log: &'a LegLog, stream: &'a Stream) {
        let me = self.name(log.leg);
        let Some(other) = self.legs.get(stream.leg as usize) else {
            return self.complain(format!("{me} heard a phone of another test"));
        };
        if other.leg == log.leg {
            return self.complain(format!("{me} heard their own voice"));
        }
        if other.agent == log.agent {
            let other = self.name(other.leg);
            return self.complain(format!("{me} heard {other}: calls are mixed up"));
        }
        if log.agent {
            self.pairs.entry((other.leg, log.leg)).or_default().agent_heard = Some(stream);
        } else {
            self.pairs.entry((log.leg, other.leg)).or_default().caller_heard = Some(stream);
        }
    }

    /// When both ends of a pair were in the call.
    fn together(&self, caller: u32, agent: u32) -> (u64, u64) {
        let (c, a) = (&self.legs[caller as usize], &self.legs[agent as usize]);
        let from = c.answered_at.unwrap_or(u64::MAX).max(a.answered_at.unwrap_or(u64::MAX));
        (from, c.over_at().min(a.over_at()))
    }

    fn check_pairs(&mut self) {
        let pairs: Vec<_> = self.pairs.iter().map(|(&key, &pair)| (key, pair)).collect();
        for ((caller, agent), pair) in pairs {
            let (names, log) = ((self.name(caller), self.name(agent)), &self.legs[agent as usize]);
            let who = self.legs[caller as usize].who;
            let voice = pair.caller_heard.or(pair.agent_heard);
            if let Some(shown) = log.shown.filter(|&shown| shown != who && voice.is_some()) {
                let shown = self.evidence.plan.caller_number(shown);
                self.complain(format!("{} was shown {shown} and talked to {}", names.1, names.0));
            }
            let (from, to) = self.together(caller, agent);
            let span = to.saturating_sub(from);
            if !self.evidence.plan.media || span < ENOUGH || to == u64::MAX {
                continue;
            }
            let seconds = clock::seconds(span);
            let (c, a) = names;
            match (pair.caller_heard, pair.agent_heard) {
                (Some(_), Some(_)) => {}
                (None, None) => {
                    self.complain(format!("{c} and {a} did not hear each other in {seconds:.1} s"))
                }
                (None, Some(_)) => self.complain(format!("{c} never heard {a} in {seconds:.1} s")),
                (Some(_), None) => self.complain(format!("{a} never heard {c} in {seconds:.1} s")),
            }
        }
    }

    /// Nobody hears two others at a time.
    fn check_one_at_a_time(&mut self) {
        for log in self.legs {
            let mut streams: Vec<&Stream> = log.media.ear.streams.iter().collect();
            streams.sort_by_key(|s| s.first_at);
            for two in streams.windows(2) {
                if two[0].last_at > two[1].first_at + BLINK {
                    let (me, seconds) = (
                        self.name(log.leg),
                        clock::seconds(two[0].last_at.min(two[1].last_at) - two[1].first_at),
                    );
                    self.complain(format!("{me} heard two others at once for {seconds:.1} s"));
                }
            }
        }
        let mut talks: BTreeMap<u32, Vec<(u64, u64, u32)>> = BTreeMap::new();
        for (&(caller, agent), pair) in self.pairs.iter().filter(|(_, p)| p.shown) {
            let (from, to) = self.together(caller, agent);
            if pair.shown && from < to {
                talks.entry(caller).or_default().push((from, to, agent));
            }
        }
        for (caller, mut spans) in talks {
            spans.sort_unstable();
            for two in spans.windows(2) {
                if two[0].1 > two[1].0 + OVERLAP {
                    let names = [caller, two[0].2, two[1].2].map(|leg| self.name(leg));
                    self.complain(format!(
                        "{} was given to {} and {} at once",
                        names[0], names[1], names[2]
                    ));
                }
            }
        }
    }

    /// Voice that came later than its speaker spoke: packets lost before the first one heard.
    fn check_heads(&mut self) -> u64 {
        let mut lost = 0;
        let pairs: Vec<_> = self.pairs.iter().map(|(&key, &pair)| (key, pair)).collect();
        for ((caller, agent), pair) in pairs {
            let (from, _) = self.together(caller, agent);
            let heard = [(caller, agent, pair.caller_heard), (agent, caller, pair.agent_heard)];
            for (listener, speaker, stream) in heard {
                let Some(stream) = stream else { continue };
                let spoke = from.max(self.legs[speaker as usize].media.sent_first_at);
                let deaf = stream.first_at.saturating_sub(spoke);
                if deaf > EDGE {
                    lost += deaf / (20 * MILLISECOND);
                    let (me, other) = (self.name(listener), self.name(speaker));
                    let seconds = clock::seconds(deaf);
                    self.complain(format!("{me} did not hear {other} in the first {seconds:.1} s"));
                }
            }
        }
        lost
    }

    /// Voice that stopped before its speaker did: packets lost after the last one heard.
    fn check_tails(&mut self) -> u64 {
        let mut lost = 0;
        for log in self.legs {
            let ear = &log.media.ear;
            let last_heard = ear.streams.iter().map(|s| s.last_at).max().unwrap_or(0);
            let last_heard = last_heard.max(ear.music.last_at);
            let last = ear.streams.iter().max_by_key(|s| s.last_at);
            let Some(stream) = last else { continue };
            let Some(speaker) = self.legs.get(stream.leg as usize) else { continue };
            let until = log.over_at().min(speaker.media.sent_last_at);
            let deaf = until.saturating_sub(last_heard);
            if deaf > EDGE && speaker.leg != log.leg {
                lost += deaf / (20 * MILLISECOND);
                let (me, other) = (self.name(log.leg), self.name(speaker.leg));
                let seconds = clock::seconds(deaf);
                self.complain(format!("{me} no longer heard {other} in the last {seconds:.1} s"));
            }
        }
        lost
    }

    /// The agents that a caller talked to, first to last, with when the agent answered.
    fn agents_of(&self, caller: u32) -> Vec<(u64, u32)> {
        let range = (caller, 0)..=(caller, u32::MAX);
        let mut agents: Vec<_> = self
            .pairs
            .range(range)
            .filter(|&(&(caller, agent), pair)| {
                let (from, to) = self.together(caller, agent);
                from < to || pair.caller_heard.is_some()
            })
            .map(|(&(_, agent), _)| (self.legs[agent as usize].answered_at.unwrap_or(0), agent))
            .collect();
        agents.sort_unstable();
        agents
    }

    fn outcome(&self, log: &LegLog) -> Outcome {
        if log.ended_at.is_none() {
            return Outcome::Failed;
        }
        if !self.agents_of(log.leg).is_empty() {
            return Outcome::Answered;
        }
        match (log.gave_up, log.end) {
            (Some(_), End::Us | End::Them | End::Refused) => Outcome::Abandoned,
            (None, End::Refused) => Outcome::Refused,
            (None, End::Them) => Outcome::LetGo,
            // Hung up after an agent had seemed to answer: the agent was never there.
            (None, End::Us) => Outcome::Abandoned,
            (_, End::Silence | End::Open) => Outcome::Failed,
        }
    }

    fn each(&self) -> Vec<CallResult> {
        let near = |a: u64, b: u64| a.abs_diff(b) < 100 * MILLISECOND;
        let callers = self.legs.iter().filter(|l| !l.agent);
        callers
            .map(|log| CallResult {
                caller: self.evidence.plan.caller_number(log.who),
                outcome: self.outcome(log),
                agents: self.agents_of(log.leg).iter().map(|&(_, a)| self.agent_id(a)).collect(),
                heard: log.media.ear.kept.clone().unwrap_or_default(),
                close: self.pairs.range((log.leg, 0)..=(log.leg, u32::MAX)).any(|(&(_, a), _)| {
                    near(self.legs[a as usize].answered_at.unwrap_or(0), log.over_at())
                }) || self.hardly_met(log.leg),
            })
            .collect()
    }

    /// Whether every agent hung up before anything could be said. A switch that hears of the answer
    /// late, and at once of its end, rightly lets the caller go on waiting.
    fn hardly_met(&self, caller: u32) -> bool {
        let brief = |heard: Option<&Stream>| heard.is_none_or(|s| s.last_at - s.first_at < BLINK);
        let agents = self.agents_of(caller);
        let hardly = |&(_, agent): &(u64, u32)| {
            let pair = self.pairs.get(&(caller, agent)).copied().unwrap_or_default();
            let hung_up = self.legs[agent as usize].end == End::Us;
            hung_up && brief(pair.caller_heard) && brief(pair.agent_heard)
        };
        self.evidence.plan.media && !agents.is_empty() && agents.iter().all(hardly)
    }

    fn agent_id(&self, leg: u32) -> String {
        self.evidence.plan.agent_name(self.legs[leg as usize].who)
    }

    fn calls(&self, each: &[CallResult]) -> Calls {
        let count = |outcome| each.iter().filter(|c| c.outcome == outcome).count() as u64;
        let callers = || self.legs.iter().filter(|l| !l.agent);
        let mut refusals = BTreeMap::new();
        for log in callers().filter(|l| self.outcome(l) == Outcome::Refused) {
            *refusals.entry(log.status).or_default() += 1;
        }
        let at_the_end = callers()
            .filter(|l| l.gave_up == Some(GaveUp::TimeUp) && self.outcome(l) == Outcome::Abandoned);
        Calls {
            planned: u64::from(self.evidence.plan.callers),
            offered: each.len() as u64,
            answered: count(Outcome::Answered),
            abandoned: count(Outcome::Abandoned),
            abandoned_at_the_end: at_the_end.count() as u64,
            refused: count(Outcome::Refused),
            let_go: count(Outcome::LetGo),
            failed: count(Outcome::Failed),
            transferred: each.iter().filter(|c| c.agents.len() > 1).count() as u64,
            refusals,
        }
    }

    fn offers(&mut self) -> Offers {
        let mut offers = Offers::default();
        let paired: std::collections::BTreeSet<u32> =
            self.pairs.keys().map(|&(_, agent)| agent).collect();
        for log in self.legs.iter().filter(|l| l.agent) {
            offers.offered += 1;
            match (log.answered_at, log.end) {
                (Some(since), _) => {
                    offers.answered += 1;
                    let alone = log.over_at().saturating_sub(since);
                    if !paired.contains(&log.leg) {
                        offers.crossed += 1;
                        if alone > ENOUGH {
                            let (me, s) = (self.name(log.leg), clock::seconds(alone));
                            self.complain(format!("{me} answered and met nobody in {s:.1} s"));
                        }
                    }
                }
                (None, End::Refused) => offers.declined += 1,
                (None, End::Them) => offers.unanswered += 1,
                (None, End::Us | End::Silence | End::Open) => offers.failed += 1,
            }
        }
        offers
    }

    fn voice(&self, edges: u64) -> Voice {
        let mut voice = Voice {
            sent: self.evidence.packets_sent,
            received: self.evidence.packets_received,
            ..Voice::default()
        };
        let (mut jitters, mut music_time) = (Vec::new(), 0);
        let (mut pauses, mut music_pauses) = (Vec::new(), Vec::new());
        let mut gaps: BTreeMap<usize, u64> = BTreeMap::new();
        for log in self.legs {
            *gaps.entry(log.socket).or_default() += lost_of(log);
            let ear = &log.media.ear;
            for stream in &ear.streams {
                voice.bridged += stream.received;
                voice.lost += stream.lost();
                voice.duplicates += stream.duplicates;
                voice.reordered += stream.reordered;
                voice.recoded += stream.recoded;
                jitters.push(stream.jitter / 1e6);
                pauses.push(stream.pause_max);
            }
            voice.damaged += ear.damaged;
            voice.odd += ear.odd;
            voice.sequence_breaks += ear.breaks;
            voice.music += ear.music.packets;
            voice.music_gaps += ear.music.gaps;
            music_pauses.extend((ear.music.packets > 1).then_some(ear.music.gap_max));
            music_time += ear.music.last_at - ear.music.first_at;
            let gap = clock::millis(ear.music.gap_max);
            voice.music_gap_worst_ms = voice.music_gap_worst_ms.max(gap);
        }
        voice.voice_pause_ms = Spread::of(pauses, clock::MILLISECOND);
        voice.music_pause_ms = Spread::of(music_pauses, clock::MILLISECOND);
        // A packet that our own kernel dropped leaves a gap at that socket; it makes nobody deaf.
        let dropped = |socket| self.evidence.drops.get(socket).copied().unwrap_or(0);
        let excused = gaps.iter().map(|(socket, &lost)| lost.min(dropped(socket)));
        voice.lost_in_tester = excused.sum();
        voice.lost += edges;
        voice.lost_in_switch = voice.lost - voice.lost_in_tester;
        voice.delay_ms = report::delay_spread(&self.evidence.delays, voice.bridged);
        voice.jitter_mean_ms = jitters.iter().sum::<f64>() / jitters.len().max(1) as f64;
        voice.jitter_worst_ms = jitters.iter().copied().fold(0.0, f64::max);
        if music_time > 0 {
            voice.music_per_second = voice.music as f64 / clock::seconds(music_time);
        }
        voice
    }

    fn times(&self, report: &mut Report) {
        let (mut waits, mut lost, mut talks) = (Vec::new(), Vec::new(), Vec::new());
        let (mut setups, mut offers, mut voices) = (Vec::new(), Vec::new(), Vec::new());
        for (log, call) in self.legs.iter().filter(|l| !l.agent).zip(&report.each) {
            setups.extend(log.answered_at.map(|at| at - log.invited_at));
            if let Some(&(answered, agent)) = self.agents_of(log.leg).first() {
                waits.push(answered.saturating_sub(log.invited_at));
                let (from, to) = self.together(log.leg, agent);
                talks.push(to.saturating_sub(from));
                let offered = self.legs[agent as usize].invited_at;
                offers.push(offered.saturating_sub(log.invited_at));
            } else if call.outcome == Outcome::Abandoned {
                lost.push(log.over_at().saturating_sub(log.invited_at));
            }
        }
        for (&(caller, agent), pair) in &self.pairs {
            let (from, _) = self.together(caller, agent);
            let heard = [pair.caller_heard, pair.agent_heard].into_iter().flatten();
            voices.extend(heard.map(|s| s.first_at.saturating_sub(from)));
        }
        let in_time = clock::span(self.evidence.plan.answer_within);
        let served = waits.iter().filter(|&&wait| wait <= in_time).count();
        report.service_level =
            report::share(served as u64, report.calls.answered + report.calls.abandoned);
        report.wait_s = Spread::of(waits, SECOND);
        report.abandoned_after_s = Spread::of(lost, SECOND);
        report.talk_s = Spread::of(talks, SECOND);
        report.setup_ms = Spread::of(setups, MILLISECOND);
        report.offer_ms = Spread::of(offers, MILLISECOND);
        report.voice.first_voice_ms = Spread::of(voices, MILLISECOND);
    }

    fn check_sums(&mut self, report: &Report) {
        let c = &report.calls;
        if c.offered != c.planned {
            let (planned, offered) = (c.planned, c.offered);
            self.complain(format!("{planned} calls were planned and {offered} placed"));
        }
        let sum = c.answered + c.abandoned + c.refused + c.let_go + c.failed;
        if sum != c.offered {
            self.complain(format!("{} calls offered, {sum} accounted for", c.offered));
        }
        if c.failed > 0 {
            self.complain(format!("{} calls failed: no answer, or no end", c.failed));
        }
        if c.answered == 0 && self.evidence.plan.agents > 0 && c.offered > 0 {
            self.complain("not one caller talked to an agent".into());
        }
        let stuck: Vec<u32> =
            self.legs.iter().filter(|l| l.agent && l.ended_at.is_none()).map(|l| l.leg).collect();
        for leg in stuck {
            let name = self.name(leg);
            self.complain(format!("{name}'s call never ended"));
        }
    }

    fn check_voice(&mut self, voice: &Voice) {
        if voice.lost_in_switch > 0 {
            let worst = self.legs.iter().max_by_key(|l| lost_of(l)).map(|l| (l.leg, lost_of(l)));
            let worst = worst.filter(|&(_, lost)| lost > 0);
            let where_most = worst.map_or(String::new(), |(leg, lost)| {
                format!(", most at {} ({lost})", self.name(leg))
            });
            self.complain(format!(
                "{} voice packets were lost in the switch{where_most}",
                voice.lost_in_switch
            ));
        }
        if voice.duplicates > 0 {
            self.complain(format!("{} voice packets came twice", voice.duplicates));
        }
        if voice.damaged > 0 {
            self.complain(format!("{} voice packets were damaged", voice.damaged));
        }
    }
}

fn lost_of(log: &LegLog) -> u64 {
    log.media.ear.streams.iter().map(Stream::lost).sum()
}
