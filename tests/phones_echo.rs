//! SIPp sends back what it hears, and the caller judges the echo: a known voice that went through
//! the switch twice, from every codec to every codec and back, by level, distortion and delay.

mod support;

use pukar::media::sound::{Decoder, Encoder, NARROW};
use pukar::wire::codec::Codec;
use std::time::{Duration, Instant};
use support::agents::{READY, agent, lives_in};
use support::duet::{End, format_of};
use support::score::{self, Score};
use support::sipp::{Plan, Sipp};
use support::street::{CALLER, PHONE};
use support::switch::{HELPLINE, Switch};
use support::voice;

const RATE: usize = NARROW as usize;
/// A packet has 20 ms.
const FRAME: usize = RATE / 50;
const PACE: Duration = Duration::from_millis(20);
/// Packets in each try. SIPp hangs up by itself after the last.
const PACKETS: usize = 220;
const TRIES: usize = 6;
/// What an echo may take, there and back. Packets that are only relayed wait for nothing; a room
/// has a jitter buffer in each direction, which on a busy machine is deep: 80 to 140 ms are usual.
const RELAYED_MS: f64 = 60.0;
const DECODED_MS: f64 = 250.0;

/// A conversation with the echo: what was said and heard, and when.
struct Echo {
    caller: End,
    encoder: Encoder,
    decoder: Decoder,
    said: Vec<i16>,
    /// When each packet left and came.
    sent: Vec<Instant>,
    came: Vec<Instant>,
    heard: Vec<i16>,
}

impl Echo {
    fn new(caller: End, codec: Codec) -> Self {
        Self {
            caller,
            encoder: Encoder::new(codec, NARROW),
            decoder: Decoder::new(codec, NARROW),
            said: voice::sentence(),
            sent: Vec::new(),
            came: Vec::new(),
            heard: Vec::new(),
        }
    }

    /// Says the sentence on and on, at a telephone's pace, and hears what comes meanwhile.
    #[allow(clippy::disallowed_methods)] // A telephone lives in real time.
    fn talk(&mut self) {
        let begin = Instant::now();
        for n in 0..PACKETS as u32 {
            while let Some(left) = (begin + PACE * n).checked_duration_since(Instant::now())
                && !left.is_zero()
            {
                self.caller.rtp.set_read_timeout(Some(left)).unwrap();
                let mut room = [0; 2_000];
                if let Ok((size, _)) = self.caller.rtp.recv_from(&mut room) {
                    self.came.push(Instant::now());
                    let before = self.heard.len();
                    self.decoder.decode(&room[12..size], &mut self.heard);
                    assert_eq!(self.heard.len() - before, FRAME, "packets of 20 ms");
                }
            }
            let first = self.sent.len() * FRAME;
            let samples = (first..first + FRAME).map(|at| self.said[at % self.said.len()]);
            let (samples, mut payload) = (samples.collect::<Vec<_>>(), Vec::new());
            self.encoder.encode(&samples, &mut payload);
            self.sent.push(Instant::now());
            self.caller.say(&payload);
        }
    }

    /// The worse score of the last two sentences, and for how many milliseconds it was under way.
    fn judge(&self) -> Option<(Score, f64)> {
        let from = self.heard.len().saturating_sub(2 * self.said.len());
        let score = score::judge(&self.said, &self.heard[from..], RATE)?;
        let at = from + score.at;
        let moment = |times: &[Instant], sample: usize| {
            times[sample / FRAME] + PACE * (sample % FRAME) as u32 / FRAME as u32
        };
        let heard = moment(&self.came, at);
        let copies = (0..self.sent.len() * FRAME).step_by(self.said.len());
        let under_way = copies
            .filter_map(|said| heard.checked_duration_since(moment(&self.sent, said)))
            .min()?;
        Some((score, under_way.as_secs_f64() * 1_000.0))
    }
}

/// The sound is as loud as it was, whole, and after two codings, and two more where it is decoded
/// on its way, that of a good telephone.
fn is_good(score: &Score) -> bool {
    score.level.abs() < 2.0 && score.distance < 5.0 && score.broken < 0.05
}

fn echo(caller_speaks: Codec, agent_speaks: Codec) {
    let op1 = agent("op1", &[&lives_in("op1", PHONE), READY]);
    let mut switch = Switch::start(&[HELPLINE, &op1]);
    let (payload, format) = (agent_speaks.our_payload().to_string(), format_of(agent_speaks));
    let plan = Plan {
        scenario: "agent_echoes",
        house: PHONE,
        pause_ms: 60_000,
        words: &[("payload", &payload), ("format", &format)],
        echoes: true,
        ..Plan::default()
    };
    let _agent = Sipp::answers(&switch.street, plan);
    let mut caller = End::new(&switch.street, CALLER, 0xec40).speaking(caller_speaks);
    caller.dial();
    switch.until("call.connected", |_| true);
    let mut echo = Echo::new(caller, caller_speaks);
    let limit = match (caller_speaks.law(), agent_speaks.law()) {
        (Some(_), Some(_)) => RELAYED_MS,
        _ if caller_speaks == agent_speaks => RELAYED_MS,
        _ => DECODED_MS,
    };
    // On a busy machine the caller itself stutters: a try is judged as a whole.
    let mut tries = Vec::new();
    for _ in 0..TRIES {
        echo.talk();
        let found = echo.judge();
        if let Some((score, ms)) = &found
            && is_good(score)
            && *ms < limit
        {
            println!("{caller_speaks:?} to {agent_speaks:?} and back: {ms:.1} ms, {score:?}");
            echo.caller.hang_up();
            switch.until_ended(1);
            return;
        }
        tries.push(found);
    }
    panic!("{caller_speaks:?} to {agent_speaks:?} and back, under {limit} ms: {tries:#?}");
}

/// From this codec to each, two calls at a time: most of it is waiting.
fn from(caller_speaks: Codec) {
    for two in Codec::ALL.chunks(2) {
        std::thread::scope(|scope| {
            for agent_speaks in two {
                scope.spawn(|| echo(caller_speaks, *agent_speaks));
            }
        });
    }
}

#[test]
fn sipp_returns_a_callers_voice_in_a_law_through_every_codec() {
    from(Codec::Pcma);
}

#[test]
fn sipp_returns_a_callers_voice_in_mu_law_through_every_codec() {
    from(Codec::Pcmu);
}

#[test]
fn sipp_returns_a_callers_voice_in_g722_through_every_codec() {
    from(Codec::G722);
}

#[test]
fn sipp_returns_a_callers_voice_in_opus_through_every_codec() {
    from(Codec::Opus);
}
