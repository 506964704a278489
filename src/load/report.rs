//! What a load test found: figures that reconcile, and everything that did not.
//!
//! In: the judge's counts. Out: plain values, for people (`table`) and machines (JSON).
//! May import: nothing of ours.

use super::clock;
use serde::Serialize;
use std::collections::BTreeMap;

/// `part` of `whole` in percent; all of nothing is everything.
pub fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 100.0 } else { 100.0 * part as f64 / whole as f64 }
}

/// How a set of lengths is spread, in one unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    pub count: u64,
    pub mean: f64,
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
}

impl Spread {
    /// Of nanoseconds, given in units of `unit` nanoseconds.
    pub fn of(mut nanos: Vec<u64>, unit: u64) -> Self {
        if nanos.is_empty() {
            return Self::default();
        }
        nanos.sort_unstable();
        let count = nanos.len();
        let scaled = |n: u64| n as f64 / unit as f64;
        let at = |share: f64| {
            scaled(nanos[((count as f64 * share).ceil() as usize).clamp(1, count) - 1])
        };
        let sum: u128 = nanos.iter().map(|&n| u128::from(n)).sum();
        let mean = sum as f64 / count as f64 / unit as f64;
        let (p50, p95, p99, max) = (at(0.5), at(0.95), at(0.99), at(1.0));
        Self { count: count as u64, mean, p50, p95, p99, max }
    }
}

/// How one caller's call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// They talked to an agent.
    Answered,
    /// They hung up before.
    Abandoned,
    /// The switch refused the call.
    Refused,
    /// The switch took the call and ended it without an agent.
    LetGo,
    /// Nobody answered the phone's messages, or the call never ended.
    Failed,
}

/// One caller's call, to compare with the switch's record of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CallResult {
    pub caller: String,
    pub outcome: Outcome,
    /// The agents talked to, in order.
    pub agents: Vec<String>,
    /// The print of each packet of music and prompts, where the plan has them kept.
    #[serde(skip)]
    pub heard: Vec<u32>,
    /// Caller and agent crossed within a tenth of a second, or the agent was gone before a word was
    /// said: either outcome is right.
    pub close: bool,
}

/// One call as the switch has it on record.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// In any form that ends in the caller's number.
    pub caller: String,
    /// The `outcome` column.
    pub outcome: String,
    /// Who came last to talk: the agent's id, as in their SIP address; empty for none. `None`:
    /// another switch had the call, and knows.
    pub agent: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Calls {
    pub planned: u64,
    pub offered: u64,
    pub answered: u64,
    pub abandoned: u64,
    /// Of the abandoned: those who still waited when the test was over.
    pub abandoned_at_the_end: u64,
    pub refused: u64,
    pub let_go: u64,
    pub failed: u64,
    /// Of the answered: those who talked to more than one agent, one after the other.
    pub transferred: u64,
    pub refusals: BTreeMap<u16, u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Offers {
    pub offered: u64,
    pub answered: u64,
    pub declined: u64,
    /// Rang until the switch took the call back.
    pub unanswered: u64,
    pub failed: u64,
    /// Answered just as the caller had gone.
    pub crossed: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Voice {
    pub sent: u64,
    pub received: u64,
    /// Of the received: voice of the other party, both directions.
    pub bridged: u64,
    pub lost: u64,
    /// Dropped by the kernel at the tester's own sockets: not the switch's doing.
    pub lost_in_tester: u64,
    pub lost_in_switch: u64,
    pub duplicates: u64,
    pub reordered: u64,
    pub damaged: u64,
    /// Content whole, octets changed: converted between the two laws.
    pub recoded: u64,
    /// Packets that were no RTP of ours to expect.
    pub odd: u64,
    /// RTP sequence numbers that did not follow, as a phone's jitter buffer sees it.
    pub sequence_breaks: u64,
    pub delay_ms: Spread,
    pub jitter_mean_ms: f64,
    pub jitter_worst_ms: f64,
    /// From an agent's 200 until caller and agent heard each other.
    pub first_voice_ms: Spread,
    pub music: u64,
    pub music_per_second: f64,
    /// Pauses over 60 ms in music and prompts.
    pub music_gaps: u64,
    pub music_gap_worst_ms: f64,
    /// The longest pause that each heard in the voice of each other party, and in music.
    pub voice_pause_ms: Spread,
    pub music_pause_ms: Spread,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Tester {
    pub seconds: f64,
    pub cpu_seconds: f64,
    pub cpu_percent: f64,
    /// Messages sent again for want of an answer.
    pub resent: u64,
    /// Requests of the switch that came more than once.
    pub repeats_seen: u64,
    /// 1 ms send slots that the tester was more than 5 ms late for.
    pub late_ticks: u64,
    pub send_errors: u64,
    pub rtp_drops: u64,
    pub sip_drops: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    pub passed: bool,
    pub calls: Calls,
    pub offers: Offers,
    pub answer_within_s: f64,
    /// Percent of answered and abandoned callers who were answered in time.
    pub service_level: f64,
    pub wait_s: Spread,
    pub abandoned_after_s: Spread,
    pub talk_s: Spread,
    pub setup_ms: Spread,
    pub offer_ms: Spread,
    pub voice: Voice,
    pub tester: Tester,
    /// Everything that is wrong; empty if the test passed.
    pub complaints: Vec<String>,
    #[serde(skip)]
    pub each: Vec<CallResult>,
}

impl Report {
    pub fn complain(&mut self, what: String) {
        self.passed = false;
        self.complaints.push(what);
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Compares with the switch's records, call by call; what differs becomes a complaint.
    pub fn reconcile(&mut self, records: &[Record]) {
        let mut by_caller: BTreeMap<&str, Vec<&Record>> = BTreeMap::new();
        let tail = |number: &str| number.len().saturating_sub(10);
        for record in records {
            let number = record.caller.get(tail(&record.caller)..).unwrap_or_default();
            by_caller.entry(number).or_default().push(record);
        }
        let mut found = Vec::new();
        for call in &self.each {
            let number = call.caller.get(tail(&call.caller)..).unwrap_or_default();
            match by_caller.remove(number).as_deref() {
                Some([record]) => found.extend(difference(call, record)),
                Some(many) => {
                    found.push(format!("caller {} has {} records", call.caller, many.len()));
                }
                // A call that never reached the switch cannot be on its record.
                None if call.outcome == Outcome::Failed => {}
                None => found.push(format!("caller {} has no record", call.caller)),
            }
        }
        let strangers = by_caller.into_keys().map(|n| format!("a record of {n}, who never called"));
        found.extend(strangers.collect::<Vec<_>>());
        found.into_iter().for_each(|what| self.complain(what));
    }
}

fn difference(call: &CallResult, record: &Record) -> Option<String> {
    let fits: &[&str] = match call.outcome {
        Outcome::Answered => &["answered", "recovered"],
        Outcome::Abandoned => &["abandoned"],
        Outcome::Refused => &["refused", "failed", "overflowed"],
        Outcome::LetGo => &["overflowed", "callback", "refused", "failed", "recovered"],
        Outcome::Failed => &["failed", "abandoned", "recovered", "refused"],
    };
    let close = call.close && matches!(record.outcome.as_str(), "answered" | "abandoned");
    if !fits.contains(&record.outcome.as_str()) && !close {
        let (caller, was, on_record) = (&call.caller, call.outcome, &record.outcome);
        return Some(format!("caller {caller} was {was:?}, on record as {on_record}"));
    }
    let on_record = record.agent.as_ref()?;
    let agreed = call.agents.last() == Some(on_record);
    if call.outcome == Outcome::Answered && !call.close && !agreed {
        let (caller, agents) = (&call.caller, call.agents.join(", "));
        return Some(format!("caller {caller} talked to {agents}, on record: {on_record:?}"));
    }
    None
}

/// Nanoseconds as milliseconds, for spreads that come from bins.
pub fn delay_spread(delays: &super::ear::Delays, count: u64) -> Spread {
    Spread {
        count,
        mean: delays.mean() / 1e6,
        p50: clock::millis(delays.percentile(0.5)),
        p95: clock::millis(delays.percentile(0.95)),
        p99: clock::millis(delays.percentile(0.99)),
        max: clock::millis(delays.max()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let call = |n: u32, outcome, agents: &[&str]| CallResult {
            caller: format!("98260{n:05}"),
            outcome,
            agents: agents.iter().map(|a| a.to_string()).collect(),
            heard: Vec::new(),
            close: false,
        };
        let each = vec![
            call(1, Outcome::Answered, &["op1"]),
            call(2, Outcome::Abandoned, &[]),
            call(3, Outcome::Refused, &[]),
            call(4, Outcome::Answered, &["op1", "op2"]),
        ];
        Report { passed: true, each, ..Report::default() }
    }

    fn record(caller: &str, outcome: &str, agent: &str) -> Record {
        Record { caller: caller.into(), outcome: outcome.into(), agent: Some(agent.into()) }
    }

    #[test]
    fn equal_records_reconcile() {
        let mut report = report();
        report.reconcile(&[
            record("+919826000001", "answered", "op1"),
            record("9826000002", "abandoned", ""),
            record("9826000003", "refused", ""),
            record("9826000004", "answered", "op2"),
        ]);
        assert!(report.passed, "{:?}", report.complaints);
    }

    #[test]
    fn every_difference_from_the_records_is_found() {
        let mut report = report();
        report.reconcile(&[
            record("9826000001", "answered", "op2"),
            record("9826000002", "answered", "op1"),
            record("9826000009", "answered", "op1"),
            record("9826000004", "answered", "op1"),
        ]);
        assert_eq!(report.complaints.len(), 5, "{:?}", report.complaints);
        assert!(!report.passed);
    }

    #[test]
    fn an_answered_call_needs_its_agent_on_record() {
        for (agent, agrees) in [(Some(String::new()), false), (None, true)] {
            let mut report = report();
            report.each.truncate(1);
            let caller = "9826000001".to_string();
            report.reconcile(&[Record { caller, outcome: "answered".into(), agent }]);
            assert_eq!(report.passed, agrees, "{:?}", report.complaints);
        }
    }

    #[test]
    fn a_spread_is_exact() {
        let spread = Spread::of((1..=100).collect(), 1);
        assert_eq!((spread.p50, spread.p95, spread.max, spread.mean), (50.0, 95.0, 100.0, 50.5));
    }
}
