//! What a port has heard: loss and jitter of the stream (RFC 3550 appendices A.1, A.3 and A.8), and
//! what a person would say of it (ITU-T G.107). May import: base, wire.

use super::control::Figures;
use crate::base::Instant;
use crate::wire::codec::Codec;
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
    /// The jitter, in units of 1/8000 s, summed up over the packets that were weighed.
    jitter_sum: u64,
    weighed: u64,
    /// How often one packet or several in a row were missing.
    gaps: u64,
}

/// What a call sounds like, as far as the network and the codec decide it.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    pub codec: Codec,
    /// 0 to 1, and how much longer the gaps are than if each packet were lost by itself: 1 or more.
    pub loss: f32,
    pub burst: f32,
    /// In units of 1/8000 s, on average.
    pub jitter: u32,
    pub round_trip: Option<Duration>,
    /// Milliseconds of sound in a packet.
    pub ptime: u8,
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
            self.gaps += u64::from(ahead > 1 && !thinned && !self.thin);
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

    /// The source that was heard last.
    pub fn ssrc(&self) -> Option<u32> {
        self.started.then_some(self.ssrc)
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
                self.jitter_sum += u64::from((self.jitter >> 4) * 8 / self.ms);
                self.weighed += 1;
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

    pub fn figures(
        &self,
        (sent, refused): (u64, u64),
        (codec, ptime): (Codec, u8),
        round_trip: Option<Duration>,
    ) -> Figures {
        let expected = self.expected + self.expected_before;
        let lost = expected as i64 - self.received as i64;
        let jitter = (self.jitter >> 4) * 8 / self.ms.max(1);
        let loss = if expected == 0 { 0.0 } else { lost.max(0) as f32 / expected as f32 };
        let burst = lost.max(0) as f32 / self.gaps.max(1) as f32 * (1.0 - loss);
        let mean = self.jitter_sum.checked_div(self.weighed).unwrap_or_default() as u32;
        let mos = mos(Line { codec, loss, burst, jitter: mean, round_trip, ptime });
        let (received, theirs) = (self.received, None);
        Figures { received, sent, lost, jitter, refused, mos, theirs, round_trip }
    }
}

/// How a codec fares in the E-model (ITU-T G.107 and, for what has a wide band, G.107.1).
struct Fares {
    /// The best there is on its scale, which ends at `scale`.
    best: f32,
    scale: f32,
    /// Its own impairment, and how well it bears losses (G.113).
    impairment: f32,
    robustness: f32,
    /// Milliseconds that it looks ahead.
    delay: f32,
}

/// G.113 has 0 and 25.1 for G.711 with concealment, and 13 for G.722 at 64 kbit/s. It says nothing
/// of the losses of G.722 and Opus: with the concealment that phones have, they bear them about as
/// well; that, and the 4 of Opus, are estimates of ours.
fn fares(codec: Codec) -> Fares {
    let wide = Fares { best: 129.0, scale: 129.0, impairment: 0.0, robustness: 25.1, delay: 0.0 };
    match codec {
        Codec::Pcma | Codec::Pcmu => Fares { best: 93.2, scale: 100.0, ..wide },
        Codec::G722 => Fares { impairment: 13.0, delay: 1.5, ..wide },
        Codec::Opus => Fares { impairment: 4.0, delay: 6.5, ..wide },
    }
}

/// The E-model, over a jitter buffer of twice the jitter, at least a packet, and half of the round
/// trip. Of a wide band it is the opinion of those who are used to one: it is not to be held
/// against that of the other.
pub fn mos(line: Line) -> f32 {
    let Fares { best, scale, impairment, robustness, delay } = fares(line.codec);
    let percent = line.loss * 100.0;
    // G.107 section 7.5: gaps that are longer than by chance are heard more.
    let lost = percent / (percent / line.burst.max(1.0) + robustness);
    let equipment = impairment + (95.0 - impairment) * lost;
    let way = line.round_trip.unwrap_or_default().as_secs_f32() * 500.0;
    let packet = f32::from(line.ptime);
    let delay = way + packet + delay + (2.0 * line.jitter as f32 / 8.0).max(packet);
    let late = 0.024 * delay + 0.11 * (delay - 177.3).max(0.0);
    let r = ((best - equipment - late) * 100.0 / scale).clamp(0.0, 100.0);
    (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).clamp(1.0, 4.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear(numbers: impl IntoIterator<Item = u16>) -> Figures {
        let mut hearing = Hearing::default();
        numbers.into_iter().for_each(|n| hearing.packet(1, n, false));
        hearing.figures((0, 0), (Codec::Pcma, 20), None)
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
            (
                hearing.figures((0, 0), (Codec::Pcma, 20), None).received,
                hearing.figures((0, 0), (Codec::Pcma, 20), None).lost
            ),
            (4, 1)
        );
    }

    #[test]
    fn a_thinned_stream_counts_what_it_stands_for() {
        let mut hearing = Hearing::default();
        (10..50).for_each(|n| hearing.packet(1, n, false));
        (50..400).filter(|n| n % THIN == 0).for_each(|n| hearing.packet(1, n, true));
        (400..500).for_each(|n| hearing.packet(1, n, false));
        let figures = hearing.figures((0, 0), (Codec::Pcma, 20), None);
        assert_eq!((figures.received, figures.lost), (490, 0));
        hearing.packet(1, 512, true);
        hearing.packet(1, 576, true);
        assert_eq!(hearing.figures((0, 0), (Codec::Pcma, 20), None).lost, 32);
    }

    #[test]
    fn jitter_settles_at_the_mean_deviation() {
        let mut hearing = Hearing::default();
        for n in 0..1_000u64 {
            let late = if n % 2 == 0 { 0 } else { 5_000 };
            hearing.arrived(Instant(n * 20_000 + late), n as u32 * 160, 8_000);
        }
        let jitter = hearing.figures((0, 0), (Codec::Pcma, 20), None).jitter;
        assert!((38..=40).contains(&jitter), "{jitter}");
    }

    fn line(codec: Codec) -> Line {
        Line { codec, loss: 0.0, burst: 1.0, jitter: 0, round_trip: None, ptime: 20 }
    }

    #[test]
    fn opinion_falls_with_loss_and_jitter() {
        let best = line(Codec::Pcma);
        let lossy = |loss: f32| mos(Line { loss, ..best });
        assert!(mos(best) > 4.35);
        assert!(lossy(0.05) < 4.1 && lossy(0.05) > 3.3, "{}", lossy(0.05));
        assert!(lossy(0.2) < 2.6, "{}", lossy(0.2));
        assert!(mos(Line { jitter: 2_000, ..best }) < 3.9);
        assert_eq!(mos(Line { loss: 1.0, jitter: 80_000, ..best }), 1.0);
    }

    #[test]
    fn opinion_knows_the_codec_the_packets_and_how_losses_lie() {
        for codec in Codec::ALL {
            let best = line(codec);
            assert!(mos(best) > 4.2, "{codec:?}: {}", mos(best));
            let away = Line { round_trip: Some(Duration::from_millis(500)), ..best };
            assert!(mos(away) < mos(best) - 0.2, "{codec:?}: {} far away", mos(away));
            let lossy = Line { loss: 0.03, ..best };
            assert!(mos(lossy) < mos(best), "{codec:?}");
            assert!(mos(Line { burst: 5.0, ..lossy }) < mos(lossy) - 0.01, "{codec:?} in bursts");
            assert!(mos(Line { ptime: 60, ..best }) < mos(best), "{codec:?} in long packets");
        }
        assert!(mos(line(Codec::Opus)) > mos(line(Codec::G722)));
    }

    #[test]
    fn a_bad_minute_of_a_call_is_in_its_opinion_however_well_it_ends() {
        let opinion = |bad: std::ops::Range<u64>| {
            let mut hearing = Hearing::default();
            for n in 0..6_000u64 {
                let late = if bad.contains(&n) && n % 2 == 0 { 300_000 } else { 0 };
                hearing.packet(1, n as u16, false);
                hearing.arrived(Instant(n * 20_000 + late), n as u32 * 160, 8_000);
            }
            hearing.figures((0, 0), (Codec::Pcma, 20), None).mos
        };
        let (good, bad) = (opinion(0..0), opinion(0..3_000));
        assert!(bad < good - 0.1, "{bad} and {good}");
    }

    #[test]
    fn losses_in_a_row_are_known_from_those_by_themselves() {
        let opinion = |lost: fn(u16) -> bool| {
            let mut hearing = Hearing::default();
            (0..5_000).filter(|n| !lost(*n)).for_each(|n| hearing.packet(1, n, false));
            let figures = hearing.figures((0, 0), (Codec::Pcma, 20), None);
            assert_eq!(figures.lost, 250);
            figures.mos
        };
        let (single, rows) =
            (opinion(|n| n % 20 == 10), opinion(|n| n % 200 >= 100 && n % 200 < 110));
        assert!(rows < single - 0.02, "{rows} and {single}");
    }
}
