//! What of a port is decoded or encoded: what it says in a room and hears there, keys that are
//! pressed for it, and tones that are looked for in its sound. May import: base, wire.

use super::*;
use crate::wire::opus::Terms;

impl Port {
    /// 20 ms of the sound of a room as the far end wants it.
    pub(in crate::media) fn encode(&mut self, rate: u32, samples: &[i16]) -> Option<Arc<[u8]>> {
        Some(self.voice.encode(self.far.as_ref()?, rate, samples))
    }

    /// Whether keys can be pressed for it at all.
    pub(in crate::media) fn takes_keys(&self) -> bool {
        self.far.is_some_and(|far| far.event.is_some()) || self.wants_tones()
    }

    /// Keys are tones in its sound.
    pub(in crate::media) fn wants_tones(&self) -> bool {
        self.far.is_some_and(|far| far.inband && far.event.is_none())
    }

    pub(super) fn plays_tones(&self) -> bool {
        self.presses.is_some() && self.wants_tones()
    }

    /// 20 ms of the keys that we press; false when all have been.
    pub(in crate::media) fn press(&mut self, round: u64, out: &mut Vec<Effect>) -> bool {
        let Some((far, presses)) = self.far.zip(self.presses.as_mut()) else { return false };
        let ticks = far.event_clock / 50;
        let way = match far.event {
            Some(_) => Way::Events { ticks, stream: self.voice.now() },
            None => Way::Tones,
        };
        match presses.turn(way, self.voice.source().is_none()) {
            Due::Over => return false,
            Due::Pause => {}
            Due::Tone(samples) => {
                let audio = self.voice.encode(&far, NARROW, &*samples);
                self.frame(round, (&audio, 0, audio.len()), out);
            }
            Due::Event { payload, timestamp, first } => {
                if let Some((to, event)) = self.listens().zip(far.event) {
                    let (at, packet) = ((self.id, to), (event, timestamp, first));
                    out.push(self.voice.event(at, (&far, round), packet, &payload));
                    self.sent += 1;
                }
            }
        }
        true
    }

    /// What the far end says goes into the room that it is in.
    pub(in crate::media) fn say_in_room(&mut self, content: Content, rtp: &Rtp) {
        if self.room.is_none() {
            return;
        }
        let ear = self.ear.get_or_insert_with(|| Box::new(Ear::new(NARROW)));
        match content {
            Content::Audio(codec) => {
                ear.put((rtp.ssrc(), rtp.timestamp()), codec, rtp.payload());
            }
            Content::Comfort => ear.put_noise(rtp.payload()),
            Content::Event { .. } | Content::Code => {}
        }
    }

    /// What a recording has to know of a packet: its codec, and whether it tells of a pause.
    pub(in crate::media) fn taped(&self, content: Content) -> Option<(Codec, bool)> {
        match content {
            Content::Audio(codec) => Some((codec, false)),
            Content::Comfort => self.far.map(|far| (far.codec, true)),
            Content::Event { .. } | Content::Code => None,
        }
    }

    /// The next 20 ms of what it says; false where it says nothing.
    pub(in crate::media) fn take_said(&mut self, rate: u32, frame: &mut [i16]) -> bool {
        let Some(ear) = &mut self.ear else { return false };
        if ear.rate() != rate {
            **ear = Ear::new(rate);
        }
        ear.take(frame)
    }

    pub(in crate::media) fn leave_room(&mut self) -> Option<u32> {
        self.ear = None;
        self.room.take()
    }

    /// The codec that it hears a room in, and which Opus. `None`: it hears something else just now,
    /// or nothing.
    pub(in crate::media) fn spoken(&self) -> Option<(Codec, Terms)> {
        let hears = !self.closed && self.listens().is_some();
        self.far.filter(|_| hears).map(|far| (far.codec, far.opus))
    }

    /// Its codec tells more than the telephone does.
    pub(in crate::media) fn is_wide(&self) -> bool {
        self.far.is_some_and(|far| far.codec.rate() > NARROW)
    }

    /// Looks for keys in the sound, where they are told of in no other way. Those that are returned
    /// are for whoever hears this one, who then hears no more of their tones.
    pub(in crate::media) fn find_keys(
        &mut self,
        now: Instant,
        (content, as_tones): (Content, bool),
        rtp: &mut Rtp,
        out: &mut Vec<Effect>,
    ) -> Vec<char> {
        let mut keys = Vec::new();
        let presses = self.plays_tones();
        let (Some(tones), Content::Audio(codec)) = (&mut self.tones, content) else { return keys };
        let Some(law) = codec.law() else { return keys };
        if presses {
            tones.overhear();
        }
        // A key that was pressed anew is no tone as well, for as long as it is down.
        self.remade &= tones.is_down();
        let as_tones = as_tones && !self.remade;
        tones.hear(rtp.payload().iter().map(|octet| law.decode(*octet)), &mut keys);
        if tones.is_down() && !as_tones {
            rtp.payload_mut().fill(law.silence());
        }
        let port = self.id;
        keys.retain(|_| self.keys.is_one_more(now));
        keys.iter().for_each(|key| self.codes.read(*key));
        out.extend(keys.iter().map(|key| Effect::Tell(Event::Key { port, key: *key })));
        keys.retain(|_| !as_tones && self.codes != Codes::Read);
        self.remade |= !keys.is_empty();
        keys
    }
}
