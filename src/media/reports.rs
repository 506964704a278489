//! Reports (RFC 3550 section 6.4): ours to a far end that hears a tune or a room, and what of one
//! far end's is handed on to the other. And the time that the way there and back takes, from what
//! far ends answer to any sender report that went to them, ours or another's.
//!
//! In: RTCP as it comes and goes, the time. Out: a report that is due. May import: base, wire.

use super::hearing::Hearing;
use crate::base::Instant;
use crate::wire::rtcp::{self, Part, Report, Sent};
use std::time::Duration;

/// RFC 3550 section 6.2: at least five seconds apart, and no two of us at the same time for long.
const EVERY: Duration = Duration::from_secs(5);
/// Sender reports whose answer may still come: of two senders, two each.
const ASKED: usize = 4;
/// The far end's reports are handed on at most so often, however many it sends.
const HANDED_ON: Duration = Duration::from_secs(1);
/// What a way there and back can take on this earth.
const ROUND_TRIP_MAX: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub struct Reports {
    due: Option<Instant>,
    /// Sender reports that went to the far end.
    asked: [Option<Asked>; ASKED],
    next: usize,
    /// The far end's own last one, and when it came.
    told: Option<(u32, Instant)>,
    round_trip: Option<Duration>,
    /// What it says of the stream that it hears, and what it lost of those before.
    received: Option<Report>,
    lost_before: i64,
    /// What was expected and received when we last reported.
    before: (u64, u64),
    /// The clock of another's stream that goes to the far end, by its own last report.
    clock: Option<(u32, u64, Instant)>,
    /// When the far end's own was last handed on.
    handed: Option<Instant>,
}

/// A sender report that went: of which stream, the middle of its time, and when that was.
#[derive(Clone, Copy, Debug)]
struct Asked {
    ssrc: u32,
    middle: u32,
    went: Instant,
    /// The source itself knows nothing of it.
    ours: bool,
}

/// What a report says of the sender reports that went to the far end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing: it speaks of other streams, or of none that it has had a report of.
    None,
    /// It names a stream of ours, and a report that never went.
    Wrong,
    /// It names one that only the far end was told.
    Right,
}

/// What one report tells: what its source has sent, and how it has received others.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    pub ssrc: u32,
    pub sent: Option<Sent>,
    pub about: Vec<Report>,
}

impl Told {
    /// The report at the head of a compound packet. Names, farewells and whatever else there is are
    /// for us alone: who a party is, and when the call ends, is told by SIP.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        match rtcp::first(bytes)? {
            Part::Sender { ssrc, sent, reports } => {
                Some(Self { ssrc, sent: Some(sent), about: reports })
            }
            Part::Receiver { ssrc, reports } => Some(Self { ssrc, sent: None, about: reports }),
            Part::Names(_) | Part::Bye(_) => None,
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let name = format!("{:08x}@pukar", self.ssrc);
        rtcp::build(self.ssrc, self.sent, &self.about, &name)
    }
}

/// Our stream as a report tells of it.
pub struct Ours {
    pub ssrc: u32,
    pub timestamp: u32,
    pub packets: u32,
    pub octets: u32,
}

impl Reports {
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// Packets that the far end has lost, and its last jitter, in ticks of the stream's clock.
    pub fn theirs(&self) -> Option<(i64, u32)> {
        self.received.map(|last| (self.lost_before + i64::from(last.lost), last.jitter))
    }

    /// RTCP from the far end, which is believed. `hears`: the streams that go there.
    pub fn heard(&mut self, now: Instant, told: &Told, hears: [Option<u32>; 2]) {
        if let Some(report) = told.about.iter().find(|r| hears.contains(&Some(r.ssrc))) {
            let before = self.received.replace(*report).filter(|b| b.ssrc != report.ssrc);
            self.lost_before += before.map_or(0, |before| i64::from(before.lost));
        }
        if let Some(sent) = told.sent {
            self.told = Some((middle(sent.ntp), now));
        }
        told.about.iter().for_each(|report| self.measure(now, report));
    }

    /// A sender report of another goes to the far end, which needs none of ours for a while.
    pub fn went(&mut self, now: Instant, ssrc: u32, sent: &Sent) {
        self.due = Some(now + EVERY + EVERY);
        self.clock = Some((ssrc, sent.ntp, now));
        self.ask(Asked { ssrc, middle: middle(sent.ntp), went: now, ours: false });
    }

    fn ask(&mut self, asked: Asked) {
        self.asked[self.next] = Some(asked);
        self.next = (self.next + 1) % ASKED;
    }

    /// Whether this answers a report that its source has not sent.
    pub fn is_ours(&self, report: &Report) -> bool {
        self.asked(report).is_some_and(|asked| asked.ours)
    }

    /// Whether this answers something that only the far end was told. The first that it says of a
    /// stream of ours counts: whoever says several things of one is guessing.
    pub fn answer(&self, told: &Told) -> Answer {
        let ours = |ssrc| self.asked.iter().flatten().any(|asked| asked.ssrc == ssrc);
        // RFC 3550 section 6.4.1: "If no SR packet has been received yet from SSRC_n, the LSR field
        // is set to zero."
        match told.about.iter().find(|report| ours(report.ssrc)) {
            Some(report) if self.asked(report).is_some() => Answer::Right,
            Some(report) if report.last_sr != 0 => Answer::Wrong,
            Some(_) | None => Answer::None,
        }
    }

    /// Whether the far end's report is handed on: not every one of a flood is.
    pub fn hands_on(&mut self, now: Instant) -> bool {
        let due = self.handed.is_none_or(|handed| now.since(handed) >= HANDED_ON);
        if due {
            self.handed = Some(now);
        }
        due
    }

    /// The sender report that this one has heard last.
    fn asked(&self, report: &Report) -> Option<&Asked> {
        let answers = |asked: &&Asked| {
            (asked.ssrc, asked.middle) == (report.ssrc, report.last_sr) && asked.middle != 0
        };
        self.asked.iter().flatten().find(answers)
    }

    /// RFC 3550 section 6.4.1: now, less the delay since the last SR, less when that went.
    fn measure(&mut self, now: Instant, report: &Report) {
        let Some(went) = self.asked(report).map(|asked| asked.went) else { return };
        let kept = Duration::from_micros(u64::from(report.delay) * 1_000_000 / 65_536);
        if let Some(took) = now.since(went).checked_sub(kept).filter(|t| *t <= ROUND_TRIP_MAX) {
            self.round_trip = Some(took);
        }
    }

    /// Whether it is too soon for another.
    #[inline]
    pub fn wait(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| now < due)
    }

    /// A report of ours, where it is time for one. The first comes after half the interval.
    pub fn due(&mut self, now: Instant, ours: &Ours, hearing: &Hearing) -> Option<Vec<u8>> {
        let apart = EVERY + Duration::from_millis(u64::from(ours.ssrc % 1_000));
        let due = *self.due.get_or_insert(now + apart / 2);
        if now < due {
            return None;
        }
        self.due = Some(now + apart);
        let ntp = self.ntp(now, ours.ssrc);
        let Ours { timestamp, packets, octets, .. } = *ours;
        let sent = Sent { ntp, timestamp, packets, octets };
        let about = self.about(now, hearing);
        self.ask(Asked { ssrc: ours.ssrc, middle: middle(ntp), went: now, ours: true });
        Some(Told { ssrc: ours.ssrc, sent: Some(sent), about: about.into_iter().collect() }.bytes())
    }

    /// The time of a stream: by its source's clock where that has told it. Our own is as good as
    /// the world's (RFC 3550 section 4).
    fn ntp(&self, now: Instant, ssrc: u32) -> u64 {
        let ntp = |micros: u64| ((u128::from(micros) << 32) / 1_000_000) as u64;
        match self.clock.filter(|(of, ..)| *of == ssrc) {
            Some((_, told, when)) => told.wrapping_add(ntp(now.since(when).as_micros() as u64)),
            None => ntp(now.0),
        }
    }

    fn about(&mut self, now: Instant, hearing: &Hearing) -> Option<Report> {
        let heard = hearing.report()?;
        let expected = heard.expected.saturating_sub(self.before.0);
        let received = heard.received as i64;
        let lost = expected as i64 - (received - self.before.1 as i64);
        self.before = (heard.expected, heard.received);
        let fraction = (lost.max(0) as u64 * 256).checked_div(expected).unwrap_or(0).min(255);
        let (last_sr, delay) = self.told.map_or((0, 0), |(middle, came)| {
            (middle, (now.since(came).as_micros() as u64 * 65_536 / 1_000_000) as u32)
        });
        Some(Report {
            ssrc: heard.ssrc,
            fraction_lost: fraction as u8,
            lost: (heard.expected as i64 - received).clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest: heard.highest,
            jitter: heard.jitter,
            last_sr,
            delay,
        })
    }
}

/// The middle 32 bits of an NTP time.
fn middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}
