//! The load tester's words for people: a line each second, a table at the end.
//!
//! In: progress and report. Out: text. Pure. May import: nothing of ours.

use super::Progress;
use super::report::{Report, Spread};
use std::fmt::{self, Display, Formatter};

impl Display for Progress {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.registering > 0 {
            return write!(f, "registering agents, {} to go", self.registering);
        }
        write!(
            f,
            "{:>4.0} s  calls {:>5}  waiting {:>4}  talking {:>4}  answered {:>5}  \
             abandoned {:>3}  longest wait {:>5.1} s  service level {:>5.1} %  \
             packets {:>8}  lost {}",
            self.second,
            self.offered,
            self.waiting,
            self.talking,
            self.answered,
            self.abandoned,
            self.longest_wait,
            self.service_level,
            self.packets,
            self.lost
        )
    }
}

struct Row<'a>(&'a str, String);

impl Display for Row<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {:<22} {}", self.0, self.1)
    }
}

fn spread(s: &Spread, unit: &str) -> String {
    if s.count == 0 {
        return "-".into();
    }
    format!(
        "mean {:.1}  half within {:.1}  95 % {:.1}  99 % {:.1}  max {:.1} {unit}",
        s.mean, s.p50, s.p95, s.p99, s.max
    )
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "Calls")?;
        self.write_calls(f)?;
        writeln!(f, "Times")?;
        Row("wait for an agent", spread(&self.wait_s, "s")).fmt(f)?;
        Row("abandoned after", spread(&self.abandoned_after_s, "s")).fmt(f)?;
        Row("talk", spread(&self.talk_s, "s")).fmt(f)?;
        Row("INVITE to 200", spread(&self.setup_ms, "ms")).fmt(f)?;
        Row("INVITE to agent's", spread(&self.offer_ms, "ms")).fmt(f)?;
        Row("answer to voice", spread(&self.voice.first_voice_ms, "ms")).fmt(f)?;
        let within = self.answer_within_s;
        let level = format!("{:.1} % answered within {within:.0} s", self.service_level);
        Row("service level", level).fmt(f)?;
        writeln!(f, "Voice")?;
        self.write_voice(f)?;
        writeln!(f, "Tester")?;
        self.write_tester(f)?;
        if self.passed {
            return writeln!(f, "PASSED: everything reconciles, and no voice was lost.");
        }
        writeln!(f, "FAILED: {} complaints", self.complaints.len())?;
        for complaint in &self.complaints {
            writeln!(f, "  - {complaint}")?;
        }
        Ok(())
    }
}

impl Report {
    fn write_calls(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let c = &self.calls;
        let sum = format!(
            "{} = {} answered + {} abandoned + {} refused + {} let go + {} failed",
            c.offered, c.answered, c.abandoned, c.refused, c.let_go, c.failed
        );
        Row("offered", sum).fmt(f)?;
        if c.abandoned_at_the_end > 0 {
            let waited = format!("{} of the abandoned", c.abandoned_at_the_end);
            Row("waited to the end", waited).fmt(f)?;
        }
        if !c.refusals.is_empty() {
            let each: Vec<_> = c.refusals.iter().map(|(s, n)| format!("{s}: {n}")).collect();
            Row("refused with", each.join(", ")).fmt(f)?;
        }
        if c.transferred > 0 {
            Row("to several agents", c.transferred.to_string()).fmt(f)?;
        }
        let o = &self.offers;
        let sum = format!(
            "{} = {} answered + {} declined + {} unanswered + {} failed",
            o.offered, o.answered, o.declined, o.unanswered, o.failed
        );
        Row("agents' phones rang", sum).fmt(f)?;
        if o.crossed > 0 {
            Row("crossed", format!("{} answered as the caller went", o.crossed)).fmt(f)?;
        }
        Ok(())
    }

    fn write_voice(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let v = &self.voice;
        let sum = format!("{} sent, {} received: {} voice", v.sent, v.received, v.bridged);
        Row("packets", format!("{sum}, {} music and prompts", v.music)).fmt(f)?;
        let lost = format!(
            "{} = {} in the switch + {} at the tester's own sockets",
            v.lost, v.lost_in_switch, v.lost_in_tester
        );
        Row("voice lost", lost).fmt(f)?;
        let rest = format!(
            "{} twice, {} out of order, {} damaged, {} converted, {} odd, {} sequence breaks",
            v.duplicates, v.reordered, v.damaged, v.recoded, v.odd, v.sequence_breaks
        );
        Row("voice otherwise", rest).fmt(f)?;
        let d = &v.delay_ms;
        let delay = format!(
            "mean {:.2}  half within {:.2}  99 % {:.2}  max {:.1} ms",
            d.mean, d.p50, d.p99, d.max
        );
        Row("one-way delay", delay).fmt(f)?;
        let jitter = format!("mean {:.2}  worst {:.2} ms", v.jitter_mean_ms, v.jitter_worst_ms);
        Row("jitter", jitter).fmt(f)?;
        if v.music > 0 {
            let music = format!(
                "{:.1} packets a second each, {} pauses over 60 ms, longest {:.0} ms",
                v.music_per_second, v.music_gaps, v.music_gap_worst_ms
            );
            Row("music and prompts", music).fmt(f)?;
        }
        Ok(())
    }

    fn write_tester(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let t = &self.tester;
        let cpu = format!(
            "{:.1} s in {:.1} s: {:.0} % of a core",
            t.cpu_seconds, t.seconds, t.cpu_percent
        );
        Row("CPU", cpu).fmt(f)?;
        let sip = format!(
            "{} sent again, {} received again, {} dropped by our kernel",
            t.resent, t.repeats_seen, t.sip_drops
        );
        Row("SIP messages", sip).fmt(f)?;
        let rtp = format!(
            "{} send slots late, {} sends refused, {} dropped by our kernel",
            t.late_ticks, t.send_errors, t.rtp_drops
        );
        Row("RTP", rtp).fmt(f)
    }
}
