//! One port: who its far end is, what has been heard from there, what is said to it.
//!
//! In: agreements, packets, turns to speak. Out: whether a packet is believed and where another
//! goes. Knows no other port but its peer's id. May import: base, wire.

mod ails;
mod rtcp;
mod sound;

use super::control::{Ailment, Event, Far, Figures, Theirs};
use super::ear::Ear;
use super::effect::{Channel, Effect, Relay};
use super::hearing::{Hearing, Line, mos};
use super::keys::{Heard, Keys};
use super::latch::{Latch, Source};
use super::playing::Playing;
use super::press::{Due, Presses, Way};
use super::reports::{Answer, Ours, Reports, Told};
use super::sound::NARROW;
use super::srtp::Seal;
use super::tape::{Quota, Track};
use super::tones::Tones;
use super::voice::Voice;
use crate::base::{Instant, PortId};

use crate::wire::codec::Codec;
use crate::wire::dtmf;
use crate::wire::rtp::{self, Rtp, looks_like_rtcp};
use ails::Ails;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Payload type of telephone-event wherever we are the ones to choose; far ends that answer with
/// another one may still send under ours (RFC 3264 section 6.1).
const EVENT: u8 = 101;
/// Milliseconds of sound in a packet where nothing is agreed.
const PTIME: u8 = 20;
/// Payload type of comfort noise (RFC 3389): a sign of life, even where nobody asked for it.
const COMFORT: u8 = 13;
/// Below this a watch for silence needs every packet.
const THIN_WATCH: Duration = Duration::from_secs(3);
/// Whoever has told of a pause is silent after this at the earliest: four reports (RFC 3550 section
/// 6.2), any of which shows that they are there.
const PAUSE_MAX: Duration = Duration::from_secs(20);
/// Whoever is heard for so long, and sent nothing, is told of.
const UNSENT_AFTER: Duration = Duration::from_secs(5);
/// The clock of telephone-event beside Opus.
const WIDE_CLOCK: u32 = 48_000;
/// Octets of a payload of ours at most: one packet of Opus, or 60 ms of the others.
pub const PAYLOAD_MAX: usize = 1_275;

#[derive(Debug)]
pub struct Port {
    pub(super) id: PortId,
    pub(super) address: IpAddr,
    pub(super) far: Option<Far>,
    /// Whom it is bridged with, and whom it is relayed to without decoding.
    pub(super) partner: Option<PortId>,
    pub(super) peer: Option<PortId>,
    /// The room that it is in, and what it says there.
    pub(super) room: Option<u32>,
    ear: Option<Box<Ear>>,
    codes: Codes,
    pub(super) playing: Option<Playing>,
    /// Keys that we press for the far end.
    pub(super) presses: Option<Box<Presses>>,
    pub(super) silence: Option<Duration>,
    /// Where what is heard here is recorded.
    pub(super) track: Option<Track>,
    pub(super) quota: Quota,
    /// Where its keys are looked for in the sound.
    pub(super) tones: Option<Box<Tones>>,
    /// What is heard here is for others than its peer too.
    pub(super) tapped: bool,
    /// It hears something of ours: nothing is relayed to it.
    closed: bool,
    /// Its far end is one of our own ports: what is sent there would come back for ever.
    pub(super) looped: bool,
    latch: Latch,
    /// Where RTCP was first heard from, and whether it goes with RTP.
    rtcp: Option<SocketAddr>,
    muxed: bool,
    /// What its far end has agreed to seal with.
    pub(super) seal: Option<Box<Seal>>,
    reports: Reports,
    hearing: Hearing,
    pub(super) keys: Keys,
    /// The key that was told last went to nobody as it came: it is pressed anew for whoever hears
    /// this one, and what else comes of it is for nobody.
    pub(super) remade: bool,
    sent: u64,
    refused: u64,
    voice: Voice,
    heard: Instant,
    silent: bool,
    ails: Ails,
    /// Comfort noise was the last that came: it may say nothing for a while.
    pauses: bool,
    /// It has sent comfort noise at all.
    pub(super) noisy: bool,
    /// What it speaks, where that is not what was agreed first.
    pub(super) strays: Option<Codec>,
    thin: Option<u8>,
}

/// Whether keys of the far end may be a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Codes {
    /// They never are.
    None,
    /// A `*` would begin one.
    Looked,
    /// One has begun: it is not for the other party.
    Read,
}

impl Codes {
    fn read(&mut self, key: char) {
        if key == '*' && *self == Self::Looked {
            *self = Self::Read;
        }
    }
}

/// A key that was heard, small enough for the way of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key(std::num::NonZeroU8);

impl Key {
    fn new(key: char) -> Option<Self> {
        u8::try_from(key).ok().and_then(std::num::NonZeroU8::new).map(Self)
    }

    pub fn char(self) -> char {
        char::from(self.0.get())
    }
}

/// What a packet holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Audio(Codec),
    /// `key`: it tells of one for the first time. `wide`: its durations are ticks of 48,000 Hz.
    Event {
        key: Option<Key>,
        wide: bool,
    },
    Comfort,
    /// A key of a code, or the rest of one that was pressed anew: for nobody's ears.
    Code,
}

impl Port {
    pub fn id(&self) -> PortId {
        self.id
    }

    /// `dice`: for what a stranger should not guess of our own stream (RFC 3550 section 5.1).
    pub(super) fn new(id: PortId, address: IpAddr, now: Instant, dice: u64) -> Self {
        Self {
            id,
            address,
            far: None,
            partner: None,
            peer: None,
            room: None,
            ear: None,
            codes: Codes::None,
            playing: None,
            presses: None,
            silence: None,
            track: None,
            quota: Quota::default(),
            tones: None,
            tapped: false,
            closed: false,
            looped: false,
            latch: Latch::default(),
            rtcp: None,
            muxed: false,
            seal: None,
            reports: Reports::default(),
            hearing: Hearing::default(),
            keys: Keys::default(),
            remade: false,
            sent: 0,
            refused: 0,
            voice: Voice::new(dice),
            heard: now,
            silent: false,
            ails: Ails::default(),
            pauses: false,
            noisy: false,
            strays: None,
            thin: None,
        }
    }

    /// Whether the far end is elsewhere from now on.
    pub(super) fn agree(&mut self, now: Instant, far: Far, out: &mut Vec<Effect>) -> bool {
        let settled = self.latch.settled().is_some();
        let begins = far.speaks && self.far.is_none_or(|before| !before.speaks);
        let elsewhere = self.latch.agree(now, far.rtp, far.signalled, begins);
        self.latch.vouch(far.ssrc, far.networks, far.strict);
        if elsewhere && settled {
            out.push(Effect::Connect { port: self.id, peer: None });
        }
        if elsewhere || self.far.is_some_and(|before| before.rtcp != far.rtcp) {
            self.rtcp = None;
        }
        if begins {
            self.heard = now;
        }
        self.far = Some(far.in_frames());
        self.muxed = far.rtcp == far.rtp;
        self.strays = None;
        self.noisy &= far.comfort.is_some();
        self.tones = far.inband.then(|| self.tones.take().unwrap_or_default());
        self.tap();
        elsewhere
    }

    pub(super) fn record(&mut self, track: Option<Track>) -> Option<Track> {
        let before = std::mem::replace(&mut self.track, track);
        self.tap();
        before
    }

    /// What was not taped, and has not been told.
    pub(super) fn untaped(&mut self) -> Option<Effect> {
        let call = self.track?.call;
        let packets = self.quota.rest();
        (packets > 0).then_some(Effect::Untaped { call, packets })
    }

    fn tap(&mut self) {
        self.tapped = self.track.is_some() || self.tones.is_some();
    }

    /// What is relayed to it gives way to what we have it hear, and to a key that is pressed in our
    /// own stream: one that ends in another would be two. A room is in our own stream already.
    pub(super) fn close(&mut self) {
        let presses = self.presses.as_ref().filter(|_| self.room.is_none());
        let pressed = presses.is_some_and(|presses| presses.is_amid_ours());
        self.closed = self.playing.is_some() || self.plays_tones() || pressed;
    }

    /// Nothing is relayed to it just now.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// To watch as before goes on: an offer is no sign of life, only audio is.
    pub(super) fn watch(&mut self, now: Instant, silence: Option<Duration>) {
        if self.silence == silence {
            return;
        }
        self.silence = silence;
        self.heard = now;
        self.silent = false;
        self.ails.begin();
    }

    /// Tells of silence once. A far end that has said it will not speak is not silent.
    pub(super) fn review(&mut self, now: Instant, out: &mut Vec<Effect>) {
        let expected = self.far.is_none_or(|far| far.speaks);
        let allowed = if self.pauses { PAUSE_MAX } else { Duration::ZERO };
        let over =
            self.silence.is_some_and(|silence| now.since(self.heard) >= silence.max(allowed));
        if over && expected && !self.silent {
            self.silent = true;
            out.push(Effect::Tell(Event::Silent { port: self.id }));
            if self.latch.doubt(self.hearing.ssrc()) {
                out.push(Effect::Connect { port: self.id, peer: None });
                self.rethin(out);
            }
        }
        self.ail(now, out);
    }

    /// Tells of what is wrong with its sound though packets come, and when it is over.
    fn ail(&mut self, now: Instant, out: &mut Vec<Effect>) {
        let talks = self.silence.is_some() && (self.peer.is_some() || self.room.is_some());
        let hears = self.far.is_some_and(|far| far.hears);
        let unsent = self.latch.unsent().filter(|_| hears);
        let unsent = unsent.is_some_and(|since| now.since(since) >= UNSENT_AFTER);
        let refused = self.silent && self.ails.has(Ailment::Refused);
        let unopened = self.silent && self.ails.has(Ailment::Unopened);
        let unsendable = hears && (self.looped || self.ails.cannot_send());
        for (what, on) in [
            (Ailment::Mute, talks && self.ails.is_mute(now)),
            (Ailment::Unsent, unsent),
            (Ailment::Refused, refused),
            (Ailment::Unsendable, unsendable),
            (Ailment::Unopened, unopened),
        ] {
            if self.ails.change(what, on) {
                let from = self.latch.heard().filter(|_| on && what == Ailment::Unsent);
                out.push(Effect::Tell(Event::Ailing { port: self.id, what, on, from }));
            }
        }
    }

    /// The kernel did not take a packet of its.
    pub(super) fn unsendable(&mut self) {
        self.ails.unsendable();
    }

    /// A packet on the RTP socket: what it holds, if it is to be believed.
    #[inline]
    pub(super) fn hear(
        &mut self,
        now: Instant,
        from: SocketAddr,
        rtp: &Rtp,
        out: &mut Vec<Effect>,
    ) -> Option<Content> {
        let Some(mut content) = self.content(rtp.payload_type()) else {
            if self.far.is_none() {
                self.latch.before(now, from);
            }
            self.refused += 1;
            return None;
        };
        let source = self.latch.packet(now, &from, rtp.ssrc(), rtp.sequence());
        match source {
            Source::Far => {}
            Source::Settled => self.settled(from, out),
            Source::Stranger => {
                self.refuse_as(Ailment::Refused, from, out);
                return None;
            }
        }
        self.hearing.packet(rtp.ssrc(), rtp.sequence(), self.thin.is_some());
        self.heard = now;
        self.pauses = content == Content::Comfort;
        if self.silent {
            self.silent = false;
            out.push(Effect::Tell(Event::Heard { port: self.id }));
            if source == Source::Far && self.latch.settled() == self.latch.far() {
                out.push(Effect::Connect { port: self.id, peer: Some(from) });
                self.rethin(out);
            }
        }
        match &mut content {
            Content::Audio(codec) => {
                self.hearing.arrived(now, rtp.timestamp(), codec.clock());
                self.ails.listen(now, *codec, rtp.sequence(), rtp.payload());
            }
            Content::Event { key: told, .. } => {
                let press = (rtp.ssrc(), rtp.timestamp());
                match self.keys.heard(now, press, rtp.payload()) {
                    Heard::Key(key) => {
                        self.remade = false;
                        self.codes.read(key);
                        *told = Key::new(key);
                        out.push(Effect::Tell(Event::Key { port: self.id, key }));
                    }
                    Heard::TooMany => self.refused += 1,
                    Heard::Nothing => {}
                }
            }
            Content::Comfort => self.noisy = self.far.is_some_and(|far| far.comfort.is_some()),
            Content::Code => {}
        }
        if let Content::Event { key, .. } = content {
            let is_code = self.codes == Codes::Read;
            if is_code || self.remade && key.is_none() {
                content = Content::Code;
            }
            self.remade |= is_code;
        }
        self.far.as_ref().filter(|far| far.speaks).map(|_| content)
    }

    fn settled(&mut self, from: SocketAddr, out: &mut Vec<Effect>) {
        out.push(Effect::Tell(Event::Latched { port: self.id, from }));
        // Of one that is only borne the kernel still lets the said address through.
        if self.latch.far() == Some(from) {
            out.push(Effect::Connect { port: self.id, peer: Some(from) });
        }
        self.rethin(out);
    }

    pub(super) fn refuse(&mut self) {
        self.refused += 1;
    }

    /// What came is not the far end's; where nothing else comes, that is told.
    fn refuse_as(&mut self, what: Ailment, from: SocketAddr, out: &mut Vec<Effect>) {
        self.refused += 1;
        if self.silent && self.ails.change(what, true) {
            let port = self.id;
            out.push(Effect::Tell(Event::Ailing { port, what, on: true, from: Some(from) }));
        }
    }

    /// Whether sealed sound may be in this, before it is opened: whatever is cheap is asked first,
    /// for anybody may send. Where not, it is refused.
    pub(super) fn expects(
        &mut self,
        from: SocketAddr,
        packet: &[u8],
        out: &mut Vec<Effect>,
    ) -> bool {
        let is_sound =
            rtp::payload_at(packet).is_some() && self.content(packet[1] & 0x7f).is_some();
        let excluded = self.latch.excludes(from);
        match (is_sound, excluded) {
            (true, false) => {}
            (true, true) => self.refuse_as(Ailment::Refused, from, out),
            (false, _) => self.refused += 1,
        }
        is_sound && !excluded
    }

    /// Sound that is not sealed as was agreed. It is nobody's: nothing is learned from it.
    pub(super) fn unopened(&mut self, from: SocketAddr, out: &mut Vec<Effect>) {
        match self.latch.may_be_at(from.ip()) {
            true => self.refuse_as(Ailment::Unopened, from, out),
            false => self.refused += 1,
        }
    }

    #[inline]
    fn content(&self, payload_type: u8) -> Option<Content> {
        let far = self.far.as_ref()?;
        if payload_type == far.payload || payload_type == far.ours {
            return Some(Content::Audio(far.codec));
        }
        let event = Content::Event { key: None, wide: far.event_clock == WIDE_CLOCK };
        if Some(payload_type) == far.event || Some(payload_type) == far.our_event {
            return Some(event);
        }
        if Some(payload_type) == far.comfort {
            return Some(Content::Comfort);
        }
        if let Some(at) = far.named.iter().position(|number| *number == Some(payload_type)) {
            return Some(Content::Audio(Codec::ALL[at]));
        }
        // Whoever speaks one law may change to the other at will. Nothing else is heard of what was
        // not named.
        let law = |codec: &Codec| codec.law().and(far.codec.law()).is_some();
        match payload_type {
            COMFORT => Some(Content::Comfort),
            EVENT => Some(event),
            _ => Codec::of_static(payload_type).filter(law).map(Content::Audio),
        }
    }

    /// Makes the peer's packet one of this port's, in place, and says where it goes. The header
    /// stays as it is but for the payload type and the number, so that RTCP stays true but for the
    /// highest number received.
    #[inline]
    pub(super) fn say(&mut self, now: Instant, content: Content, rtp: &mut Rtp) -> Option<Relay> {
        let far = self.far.as_ref().filter(|_| !self.closed)?;
        let to = self.listens()?;
        let Some(payload_type) = translate(content, far, rtp) else {
            self.voice.keep_back(rtp);
            return None;
        };
        rtp.set_payload_type(payload_type);
        rtp.set_sequence(self.voice.follow(now, far, rtp));
        self.sent += 1;
        Some(Relay { port: self.id, to })
    }

    /// Where the far end listens, if it does.
    #[inline]
    fn listens(&self) -> Option<SocketAddr> {
        let hears = self.far.as_ref().is_some_and(|far| far.hears) && !self.looped;
        self.latch.far().filter(|_| hears)
    }

    /// Asks that most packets of a caller who only waits be skipped unread.
    pub(super) fn rethin(&mut self, out: &mut Vec<Effect>) {
        let patient = self.silence.is_none_or(|silence| silence >= THIN_WATCH);
        let unheard = self.peer.is_none() && self.room.is_none() && !self.tapped;
        let waits = self.playing.is_some() && unheard && patient;
        // Of whoever may have moved every packet counts.
        let settled = self.latch.settled().is_some() && !self.latch.is_in_doubt();
        let event = self.far.map(|far| far.event.unwrap_or(EVENT));
        let thin = event.filter(|_| waits && settled);
        if thin != self.thin {
            self.thin = thin;
            out.push(Effect::Thin { port: self.id, event: thin });
        }
    }

    /// Its turn to be played a frame. Time passes for one who is on hold too; before anything is
    /// agreed the tunes wait. Whether that was the last one is for [`Port::ended`].
    pub(super) fn turn(&mut self, round: u64, out: &mut Vec<Effect>) {
        let Some(far) = self.far else { return };
        let piece = self.playing.as_mut().and_then(|playing| playing.next(&far, round));
        if let Some((audio, at, length)) = piece.filter(|_| !self.plays_tones()) {
            self.frame(round, (&audio, at, length), out);
        }
    }

    /// The last of what it is played, where its packet is not full.
    pub(super) fn flush(&mut self, out: &mut Vec<Effect>) {
        if let Some((far, to)) = self.far.zip(self.listens()) {
            let before = out.len();
            self.voice.flush((self.id, to), &far, out);
            self.sent += (out.len() - before) as u64;
        }
    }

    /// 20 ms of our own for the far end, if it listens, in packets of the length that it wants.
    pub(super) fn frame(
        &mut self,
        round: u64,
        (audio, at, length): (&Arc<[u8]>, usize, usize),
        out: &mut Vec<Effect>,
    ) {
        let Some((far, to)) = self.far.zip(self.listens()) else { return };
        let before = out.len();
        self.voice.frame((self.id, to), &far, round, (audio, at, length), out);
        self.sent += (out.len() - before) as u64;
    }

    /// Keys are passed on again, until a code begins.
    pub(super) fn read_codes(&mut self) {
        self.codes = Codes::Looked;
    }

    /// Whether what it plays has come to its end.
    pub(super) fn ended(&self) -> bool {
        self.playing.as_ref().is_some_and(Playing::is_over)
    }

    /// Tells once that the list of what it plays has come to its end.
    pub(super) fn played(&mut self) -> Option<Event> {
        let port = self.id;
        let playing = self.playing.as_mut()?;
        playing.list_ended().then_some(Event::Played { port, piece: playing.piece })
    }

    pub(super) fn figures(&self) -> Figures {
        let round_trip = self.reports.round_trip();
        let agreed = self.far.map(|far| (far.codec, far.ptime));
        let (codec, ptime) = agreed.unwrap_or((Codec::Pcma, PTIME));
        let theirs = self.reports.theirs().map(|(lost, jitter)| {
            let jitter = jitter / (self.far.map_or(8_000, |far| far.codec.clock()) / 8_000);
            let loss = (lost.max(0) as f32 / self.sent.max(1) as f32).min(1.0);
            let line = Line { codec, loss, burst: 1.0, jitter, round_trip, ptime };
            Theirs { lost, jitter, mos: mos(line) }
        });
        let counted = (self.sent, self.refused);
        Figures { theirs, ..self.hearing.figures(counted, (codec, ptime), round_trip) }
    }
}

/// Has a packet hold what a far end understands; the payload type that it is then. `None`: it
/// cannot be told.
#[inline]
fn translate(content: Content, far: &Far, rtp: &mut Rtp) -> Option<u8> {
    match content {
        Content::Audio(codec) if codec == far.codec => Some(far.payload),
        Content::Audio(codec) => {
            codec.law().filter(|_| far.codec.law().is_some())?.convert(rtp.payload_mut());
            Some(far.payload)
        }
        Content::Event { wide, .. } => {
            let clock = if wide { WIDE_CLOCK } else { 8_000 };
            if far.event.is_some() && clock != far.event_clock {
                dtmf::scale(rtp.payload_mut(), clock, far.event_clock);
            }
            far.event
        }
        Content::Comfort => far.comfort,
        Content::Code => None,
    }
}
