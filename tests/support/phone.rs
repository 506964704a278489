//! A telephone of either make whose sound is judged: it knows one codec and says one sentence again
//! and again; what it hears is held against what the other says, while both still talk.

use super::agents::SECRET;
use super::baresip::Baresip;
use super::linphone::Linphone;
use super::score::{Said, Score};
use super::street::Street;
use super::tape::Tape;
use super::{tone, voice};
use pukar::wire::codec::Codec;
use std::fmt::{Display, Formatter, Result};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

const NARROW: usize = 8_000;
const WIDE: usize = 16_000;
/// Nothing is judged of the first moments in which two hear each other.
const SETTLES: f64 = 0.5;
/// Longer than any call of these is.
const SAID_AGAIN: usize = 120;
/// What a voice may be under way. Jitter buffers of the telephone and of the switch are on it: 50
/// to 150 ms are usual.
const UNDER_WAY_MS: f64 = 400.0;

pub struct Phone {
    make: Make,
    pub codec: Codec,
    narrow: Said,
    wide: Option<Said>,
    dir: PathBuf,
    calls: u32,
    /// What it is to say in this call, and to hear, needs wide band.
    in_wide: bool,
    /// How much it had recorded when the two began to talk, in seconds.
    before: f64,
    /// When it was told to begin its sentence, in seconds of the wall clock.
    told: f64,
}

enum Make {
    Baresip(Baresip),
    Linphone(Linphone),
}

/// A piece of what one telephone heard of another.
#[derive(Clone, Copy, Debug)]
pub struct Heard {
    pub score: Score,
    /// From one telephone's encoder, or from when it was told to speak, to the other's decoder; of
    /// what is late by more than a sentence, what is above whole ones.
    pub delay_ms: f64,
    /// What the level should be: in G.722 alone a linphone says half of what it was given, also
    /// where the switch relays it untouched, and hears twice of what was said.
    pub level: f64,
    pub in_wide: bool,
}

impl Phone {
    /// With a name it is an agent's, registers and answers every call; without, it stands behind a
    /// trunk. `nth`: which of the voices is its own.
    pub fn baresip(
        street: &Street,
        house: u8,
        user: Option<&str>,
        codec: Codec,
        nth: usize,
    ) -> Self {
        let account = match user {
            Some(user) => {
                format!("<sip:{user}@NET.1:5060>;auth_pass={SECRET};regint=60;answermode=auto")
            }
            None => format!("<sip:98765432{house}@NET.{house}>;regint=0"),
        };
        let account = format!("{account};audio_codecs={}", in_baresip(codec));
        let dir = street.folder(&format!("phone-{house}"));
        let rate = codec.rate() as usize;
        let (narrow, wide) = (voice::nth(nth), voices(codec, nth));
        save(&dir.join("narrow.wav"), rate, &narrow, NARROW);
        save(&dir.join("wide.wav"), rate, &wide, WIDE);
        let says = dir.join("says.wav");
        symlink("narrow.wav", &says).unwrap();
        let phone = Baresip::plays(street, house, &account, (&says, codec.rate()));
        Self::new(Make::Baresip(phone), codec, [&narrow, &wide], dir)
    }

    /// The same of the other make.
    pub fn linphone(
        street: &Street,
        house: u8,
        user: Option<&str>,
        codec: Codec,
        nth: usize,
    ) -> Self {
        let dir = street.folder(&format!("phone-{house}"));
        let (narrow, wide) = (voice::nth(nth), voices(codec, nth));
        save(&dir.join("narrow.wav"), NARROW, &narrow, NARROW);
        save(&dir.join("wide.wav"), codec.rate() as usize, &wide, WIDE);
        let silence = dir.join("silence.wav");
        save(&silence, NARROW, &vec![0; narrow.len()], NARROW);
        let account = user.map(|user| (user, SECRET));
        let phone = Linphone::knows(street, house, account, codec, &silence);
        Self::new(Make::Linphone(phone), codec, [&narrow, &wide], dir)
    }

    fn new(make: Make, codec: Codec, [narrow, wide]: [&[i16]; 2], dir: PathBuf) -> Self {
        let narrow = Said::new(narrow, NARROW);
        let wide = (!wide.is_empty()).then(|| Said::new(wide, WIDE));
        let (calls, in_wide, before, told) = (0, false, 0.0, 0.0);
        Self { make, codec, narrow, wide, dir, calls, in_wide, before, told }
    }

    /// Wide band is more than 8,000 samples a second.
    pub fn has_wide_band(&self) -> bool {
        self.codec.rate() as usize > NARROW
    }

    /// Before each call.
    pub fn expects(&mut self, in_wide: bool) {
        self.in_wide = in_wide;
        self.calls += 1;
        let heard = self.tape();
        match &mut self.make {
            Make::Baresip(phone) => {
                phone.forgets();
                let (says, new) = (self.dir.join("says.wav"), self.dir.join("new.wav"));
                symlink(if in_wide { "wide.wav" } else { "narrow.wav" }, &new).unwrap();
                std::fs::rename(new, says).unwrap();
            }
            Make::Linphone(phone) => {
                // What it plays when a call begins goes on beside what it is told to play then.
                phone.command(&format!("play {}", self.dir.join("silence.wav").display()));
                phone.command(&format!("record {}", heard.display()));
            }
        }
    }

    pub fn calls(&mut self, uri: &str) {
        match &mut self.make {
            Make::Baresip(phone) => phone.command("dial", uri),
            Make::Linphone(phone) => phone.command(&format!("call {uri}")),
        }
    }

    /// From now on the two hear each other.
    #[allow(clippy::disallowed_methods)] // A telephone lives in real time.
    pub fn talks(&mut self) {
        self.before = recorded(&self.tape(), self.codec);
        let says = self.dir.join(if self.in_wide { "wide.wav" } else { "narrow.wav" });
        if let Make::Linphone(phone) = &mut self.make {
            self.told = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
            phone.command(&format!("play {}", says.display()));
        }
    }

    pub fn hangs_up(&mut self) {
        match &mut self.make {
            Make::Baresip(phone) => phone.command("hangup", ""),
            Make::Linphone(phone) => phone.command("terminate"),
        }
    }

    /// Waits until its call is over.
    pub fn until_over(&mut self) {
        match &mut self.make {
            Make::Baresip(phone) => drop(phone.until("CALL_CLOSED")),
            Make::Linphone(phone) => phone.until("ended"),
        }
    }

    /// What it hears in this call, also before it is answered.
    fn tape(&self) -> PathBuf {
        match &self.make {
            Make::Baresip(phone) => phone.tape("dec"),
            Make::Linphone(_) => self.dir.join(format!("heard-{}.wav", self.calls)),
        }
    }

    /// How many pieces of the other it has heard; one that was begun is no piece.
    pub fn pieces(&self) -> usize {
        let heard = recorded(&self.tape(), self.codec) - self.before - SETTLES;
        (heard / voice::SECONDS).ceil().max(0.0) as usize
    }

    /// Waits until it has heard the nth piece of the other, and judges it.
    pub fn hears(&mut self, other: &Self, nth: usize) -> Heard {
        let from = self.before + SETTLES + nth as f64 * voice::SECONDS;
        let (tape, codec) = (self.tape(), self.codec);
        let has_it = || recorded(&tape, codec) >= from + voice::SECONDS;
        match &mut self.make {
            Make::Baresip(phone) => phone.awaits(has_it, "recorded enough"),
            Make::Linphone(phone) => phone.awaits(has_it, "recorded enough"),
        }
        let tape = Tape::open(&tape, codec).expect("a recording");
        let said = other.wide.as_ref().filter(|_| self.in_wide).unwrap_or(&other.narrow);
        let score = said.pieces(&tape.part(from, voice::SECONDS, said.rate))[0];
        let heard = tape.moment(from + score.at as f64 / said.rate as f64);
        let delay_ms = (heard - other.began()).rem_euclid(voice::SECONDS) * 1_000.0;
        let level = match (&other.make, &self.make) {
            (Make::Linphone(_), _) if other.codec == Codec::G722 => -6.0,
            _ => 0.0,
        };
        let level = match &self.make {
            Make::Linphone(_) if self.codec == Codec::G722 => level + 6.0,
            _ => level,
        };
        Heard { score, delay_ms, level, in_wide: self.in_wide }
    }

    /// A moment at which it began its sentence, the first time or again.
    fn began(&self) -> f64 {
        match &self.make {
            // It writes down what it says, from the first sample of its sentence on.
            Make::Baresip(phone) => {
                let tape = Tape::open(&phone.tape("enc"), self.codec);
                tape.expect("a recording").moment(0.0)
            }
            Make::Linphone(_) => self.told,
        }
    }
}

impl Display for Phone {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let make = match self.make {
            Make::Baresip(_) => "baresip",
            Make::Linphone(_) => "linphone",
        };
        write!(f, "{make}'s {}", self.codec.name())
    }
}

impl Heard {
    /// Nothing comes through.
    pub fn is_deaf(&self) -> bool {
        self.score.level < self.level - 15.0
    }

    /// The voice comes in time, is as loud as it was, without holes, and its spectrum is that of a
    /// good telephone; of what wide band adds, codecs keep the loudness and leave out some of the
    /// fine structure, Opus as linphone has it the most. Where all of it is gone, that is 20.
    pub fn is_good(&self) -> bool {
        let (distance, broken) = if self.in_wide { (11.0, 0.4) } else { (5.0, 0.05) };
        let score = &self.score;
        self.delay_ms < UNDER_WAY_MS
            && (score.level - self.level).abs() < 2.0
            && score.distance < distance
            && score.broken < broken
    }
}

impl Display for Heard {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Score { level, distance, broken, .. } = self.score;
        let ms = self.delay_ms;
        write!(f, "{ms:.0} ms, level {level:.1}, distance {distance:.1}, broken {broken:.2}")
    }
}

/// In seconds.
fn recorded(path: &Path, codec: Codec) -> f64 {
    Tape::open(path, codec).map_or(0.0, |tape| tape.seconds())
}

/// As `audio_codecs` of baresip has it.
fn in_baresip(codec: Codec) -> &'static str {
    match codec {
        Codec::Pcma => "PCMA",
        Codec::Pcmu => "PCMU",
        Codec::G722 => "G722/16000/1",
        Codec::Opus => "opus/48000/2",
    }
}

/// The voice of wide band; of no use to a codec that has none.
fn voices(codec: Codec, nth: usize) -> Vec<i16> {
    if codec.rate() as usize > NARROW { voice::wide(nth) } else { Vec::new() }
}

/// A file of `rate` that says these samples of `own` rate again and again.
fn save(path: &Path, rate: usize, samples: &[i16], own: usize) {
    if samples.is_empty() {
        return;
    }
    let raised = if rate > own { voice::raised(samples, rate / own) } else { samples.to_vec() };
    tone::save_again(path, rate as u32, &raised, SAID_AGAIN);
}
