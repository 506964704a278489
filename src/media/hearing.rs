//! What a port has heard: loss and jitter of the stream (RFC 3550 appendices A.1, A.3 and A.8), and
//! what a person would say of it (ITU-T G.107). May import: base, wire.

use super::control::Figures;
use crate::base::Instant;
use std::time::Duration;

/// Of a thinned stream one packet in this many is handed in: those whose sequence number it
/// divides.
pub const THIN: u16 = 32;
/// A jump forward of up to this many is loss; a longer one is another stream (appendix A.1).
const DROPOUT_MAX: u16 = 3_000;
/// A jump back of up to this many is disorder.
const DISORDER_MAX: u16 = 100;

/// What a report says of a stream (RFC 3550 section 6.4.1).
pub struct Heard {
    pub ssrc: u32,
    pub highest: u32,
    pub expected: u64,
    pub received: u64,
    /// In ticks of the stream's clock.
    pub jitter: u32,
}

/// The stream of one sender at a time; what earlier ones came to is kept as sums.
#[derive(Clone, Debug, Default)]
pub struct Hearing {
    ssrc: u32,
    /// Highest sequence number so far, and how often it has begun again from 0.
    highest: u16,
    cycles: u16,
    /// Packets the sequence numbers of this source say were sent.
    expected: u64,
    started: bool,
    /// The number after a jump: if it comes, the stream has really moved there.
    after_jump: Option<u16>,
    received: u64,
    expected_before: u64,
    /// Since when or until when only every [`THIN`]th is handed in.
    thin: bool,
    /// Ticks in a millisecond of its clock; 0 before the first.
    ms: u32,
    /// Arrival less timestamp of the last packet, in such ticks.
    transit: Option<u32>,
    /// Sixteen times the jitter.
    jitter: u32,
}

impl Hearing {
    /// A packet of audio or keys from the far end.
    pub fn packet(&mut self, ssrc: u32, sequence: u16, thinned: bool) {
        if !self.started || ssrc != self.ssrc {
            self.restart(ssrc, sequence);
            self.thin = thinned;
            return;
        }
        let ahead = sequence.wrapping_sub(self.highest);
        if ahead == 0 {
            // A duplicate of the newest packet.
            self.received += u64::from(!thinned);
        } else if ahead < DROPOUT_MAX {
            // What was skipped on request has not been lost.
            let stands_for = if self.thin || thinned { ahead.min(THIN) } else { 1 };
            self.received += u64::from(stands_for);
            self.expected += u64::from(ahead);
            self.cycles = self.cycles.wrapping_add(u16::from(sequence < self.highest));
            self.highest = sequence;
            self.after_jump = None;
            self.thin = thinned;
        } else if ahead > u16::MAX - DISORDER_MAX {
            self.received += u64::from(!thinned && !self.thin);
        } else if self.after_jump == Some(sequence) {
            self.restart(ssrc, sequence);
        } else {
            // Appendix A.1: believed when the next number follows it; with a thinned stream that
            // is the next that will be handed in.
            let step = if thinned { THIN } else { 1 };
            self.after_jump = Some(sequence.wrapping_add(step));
            self.received += 1;
            self.expected_before += 1;
        }
    }

    /// When a packet of audio came. Packets of one key press share a timestamp, so they say
    /// nothing.
    #[inline]
    pub fn arrived(&mut self, now: Instant, timestamp: u32, clock: u32) {
        self.ms = if clock == 8_000 { 8 } else { clock / 1_000 };
        let transit = ((now.0 * u64::from(self.ms) / 1_000) as u32).wrapping_sub(timestamp);
        if let Some(before) = self.transit.replace(transit) {
            let off = (transit.wrapping_sub(before) as i32).unsigned_abs();
            // A stream that starts anew has another zero; that is no jitter.
            if off < self.ms * 1_000 {
                self.jitter = (self.jitter + off).saturating_sub((self.jitter + 8) >> 4);
            }
        }
    }

    fn restart(&mut self, ssrc: u32, sequence: u16) {
        self.expected_before += self.expected;
        self.expected = 1;
        self.received += 1;
        self.ssrc = ssrc;
        self.highest = sequence;
        self.cycles = 0;
        self.started = true;
        self.after_jump = None;
        self.transit = None;
    }

    /// `None`: nobody has been heard.
    pub fn report(&self) -> Option<Heard> {
        self.started.then(|| Heard {
            ssrc: self.ssrc,
            highest: u32::from(self.cycles) << 16 | u32::from(self.highest),
            expected: self.expected + self.expected_before,
            received: self.received,
            jitter: self.jitter >> 4,
        })
    }

    pub fn figures(&self, (sent, refused): (u64, u64), round_trip: Option<Duration>) -> Figures {
        let expected = self.expected + self.expected_before;
        let lost = expected as i64 - self.received as i64;
        let jitter = (self.jitter >> 4) * 8 / self.ms.max(1);
        let loss = if expected == 0 { 0.0 } else { lost.max(0) as f32 / expected as f32 };
        let mos = mos(loss, jitter, round_trip);
        let (received, theirs) = (self.received, None);
        Figures { received, sent, lost, jitter, refused, mos, theirs, round_trip }
    }
}

/// The E-model for G.711 with concealment of losses (G.113: Ie 0, Bpl 25.1), over a jitter buffer
/// of twice the jitter, at least a frame, and half of the round trip. `loss`: 0 to 1; `jitter`: in
/// units of 1/8000 s.
pub fn mos(loss: f32, jitter: u32, round_trip: Option<Duration>) -> f32 {
    let percent = loss * 100.0;
    let loss_impairment = 95.0 * percent / (percent + 25.1);
    let way = round_trip.unwrap_or_default().as_secs_f32() * 500.0;
    let delay = way + 20.0 + (2.0 * jitter as f32 / 8.0).max(20.0);
    let delay_impairment = 0.024 * delay + 0.11 * (delay - 177.3).max(0.0);
    let r = (93.2 - loss_impairment - delay_impairment).clamp(0.0, 100.0);
    (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).clamp(1.0, 4.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear(numbers: impl IntoIterator<Item = u16>) -> Figures {
        let mut hearing = Hearing::default();
        numbers.into_iter().for_each(|n| hearing.packet(1, n, false));
        hearing.figures((0, 0), None)
    }

    #[test]
    fn loss_is_counted_over_the_wrap_of_sequence_numbers() {
        let all = (0..1_000u16).map(|n| n.wrapping_add(65_000));
        assert_eq!(hear(all.clone()).lost, 0);
        let figures = hear(all.filter(|n| n % 10 != 0 || *n == 65_000));
        assert_eq!((figures.received + figures.lost as u64, figures.lost), (1_000, 100));
    }

    #[test]
    fn disorder_and_duplicates_are_not_loss() {
        assert_eq!(hear([1, 2, 4, 3, 5]).lost, 0);
        assert_eq!(hear([1, 2, 2, 3]).lost, -1);
    }

    #[test]
    fn a_jump_or_another_source_is_no_loss() {
        assert_eq!(hear([1, 2, 3, 40_000, 40_001, 40_002]).lost, 0);
        assert_eq!(hear([1, 2, 3, 40_000, 4, 5]).lost, 0);
        let mut hearing = Hearing::default();
        for (ssrc, n) in [(1, 1), (1, 2), (2, 900), (2, 902)] {
            hearing.packet(ssrc, n, false);
        }
        assert_eq!(
            (hearing.figures((0, 0), None).received, hearing.figures((0, 0), None).lost),
            (4, 1)
        );
    }

    #[test]
    fn a_thinned_stream_counts_what_it_stands_for() {
        let mut hearing = Hearing::default();
        (10..50).for_each(|n| hearing.packet(1, n, false));
        (50..400).filter(|n| n % THIN == 0).for_each(|n| hearing.packet(1, n, true));
        (400..500).for_each(|n| hearing.packet(1, n, false));
        let figures = hearing.figures((0, 0), None);
        assert_eq!((figures.received, figures.lost), (490, 0));
        hearing.packet(1, 512, true);
        hearing.packet(1, 576, true);
        assert_eq!(hearing.figures((0, 0), None).lost, 32);
    }

    #[test]
    fn jitter_settles_at_the_mean_deviation() {
        let mut hearing = Hearing::default();
        for n in 0..1_000u64 {
            let late = if n % 2 == 0 { 0 } else { 5_000 };
            hearing.arrived(Instant(n * 20_000 + late), n as u32 * 160, 8_000);
        }
        let jitter = hearing.figures((0, 0), None).jitter;
        assert!((38..=40).contains(&jitter), "{jitter}");
    }

    #[test]
    fn opinion_falls_with_loss_and_jitter() {
        assert!(mos(0.0, 0, None) > 4.35);
        assert!(mos(0.05, 0, None) < 4.1 && mos(0.05, 0, None) > 3.3, "{}", mos(0.05, 0, None));
        assert!(mos(0.2, 0, None) < 2.6, "{}", mos(0.2, 0, None));
        assert!(mos(0.0, 2_000, None) < 3.9, "{}", mos(0.0, 2_000, None));
        assert_eq!(mos(1.0, 80_000, None), 1.0);
    }
}
