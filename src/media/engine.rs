//! The engine of one media worker: a table of ports, and what goes on between them.
//!
//! In: [`Engine::command`], [`Engine::packet`], [`Engine::tick`], each with the time. Out: a
//! verdict on the packet, and [`Effect`]s. Commands may come in any order: one that names a port
//! that is not open, or an earlier bearer of its number, changes nothing. May import: base, wire.

use super::control::{Command, Event, Far, Figures, Music};
use super::effect::{Channel, Effect, Relay};
use super::keys::Keys;
use super::playing::Playing;
use super::port::{Content, Port};
use super::room::Rooms;
use super::tape::{Admitted, Batch, Heard, Tape, Track};
use super::tune::{Tune, Tunes};
use super::wheel::Wheel;
use crate::base::{Id, Instant, PortId, Rng, TuneId};
use crate::wire::rtp::{Rtp, looks_like_rtcp};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Octets in a packet; a longer one is refused.
pub const PACKET_MAX: usize = 2_048;
/// Where rooms begin among the listeners of the wheel, and ports that press keys; below are ports
/// that are played something.
pub(super) const ROOMS: u32 = 1 << 16;
pub(super) const PRESSES: u32 = 1 << 17;
/// How often ports are looked at for silence.
const REVIEW: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub struct Engine {
    pub(super) table: Table,
    pub(super) wheel: Wheel,
    pub(super) rooms: Rooms,
    tunes: Arc<Tunes>,
    pub(super) rng: Rng,
    tape: Tape,
    /// Ports that are watched for silence, and ports that are sealed.
    watched: usize,
    pub(super) sealed: usize,
    review: Instant,
}

/// Ports by half their number, since they come in pairs: no search on the way of a packet.
#[derive(Debug, Default)]
pub(super) struct Table {
    ports: Vec<Option<Box<Port>>>,
    open: usize,
}

impl Engine {
    pub fn new(seed: u64, tunes: Arc<Tunes>) -> Self {
        Self {
            table: Table::default(),
            wheel: Wheel::default(),
            rooms: Rooms::default(),
            tunes,
            rng: Rng::new(seed),
            tape: Tape::default(),
            watched: 0,
            sealed: 0,
            review: Instant::default(),
        }
    }

    /// What is played from now on; what plays already is heard as it was.
    pub fn play_from(&mut self, tunes: Arc<Tunes>) {
        self.tunes = tunes;
    }

    pub fn command(&mut self, now: Instant, command: Command, out: &mut Vec<Effect>) {
        let before = out.len();
        self.obey(now, command, out);
        self.seal(now, before, out);
    }

    fn obey(&mut self, now: Instant, command: Command, out: &mut Vec<Effect>) {
        match command {
            Command::Open { port, address } => self.open(now, port, address, out),
            Command::Close { port } => self.close(port, out),
            Command::Agree { port, far } => self.agree(now, port, far, out),
            Command::Seal { port, keys } => self.agree_keys(port, keys),
            Command::Bridge { a, b } => self.bridge(now, (a, b), out),
            Command::Gather { seats } => self.gather(now, &seats, out),
            Command::Press { port, keys } => self.press(now, port, &keys),
            Command::Codes { port } => {
                if let Some(port) = self.table.get_mut(port) {
                    port.read_codes();
                }
            }
            Command::Unbridge { port } => self.unbridge(port, out),
            Command::Play { port, piece, tunes, then } => {
                self.play(now, port, (piece, &tunes, then), out);
            }
            Command::Stop { port } => {
                self.stop(port);
                self.rethin(port, out);
            }
            Command::Record { port, track } => self.record(port, track, out),
            Command::Watch { port, silence } => self.watch(now, port, silence, out),
        }
    }

    /// A packet that came in at `port`. `Some`: send it, as it stands in `bytes` now, from there.
    #[inline]
    pub fn packet(
        &mut self,
        now: Instant,
        port: PortId,
        channel: Channel,
        from: std::net::SocketAddr,
        bytes: &mut [u8],
        out: &mut Vec<Effect>,
    ) -> Option<Relay> {
        match self.sealed {
            0 => self.open_packet(now, (port, channel), from, bytes, out),
            _ => self.packet_amid_seals(now, (port, channel), from, bytes, out),
        }
    }

    /// One that is not sealed, or not any more.
    #[inline]
    pub(super) fn open_packet(
        &mut self,
        now: Instant,
        (port, channel): (PortId, Channel),
        from: std::net::SocketAddr,
        bytes: &mut [u8],
        out: &mut Vec<Effect>,
    ) -> Option<Relay> {
        let near = self.table.get_mut(port)?;
        if bytes.len() > PACKET_MAX {
            near.refuse();
            return None;
        }
        // RFC 5761 section 4: by its second octet it is told apart.
        let channel = match near.is_muxed() && looks_like_rtcp(bytes) {
            true => Channel::Rtcp,
            false => channel,
        };
        match channel {
            Channel::Rtp => {
                let Some(mut rtp) = Rtp::new(bytes) else {
                    near.refuse();
                    return None;
                };
                let content = near.hear(now, from, &rtp, out)?;
                let near = if near.tapped {
                    if near.tones.is_some() {
                        self.look_for_keys(now, port, content, &mut rtp, out);
                    }
                    let near = self.table.get_mut(port)?;
                    if let Some((track, (codec, comfort))) = near.track.zip(near.taped(content)) {
                        let heard = Heard {
                            track,
                            at: now,
                            ssrc: rtp.ssrc(),
                            sequence: rtp.sequence(),
                            timestamp: rtp.timestamp(),
                            codec,
                            comfort,
                            audio: rtp.payload(),
                        };
                        out.extend(match near.quota.admit(now, heard.length()) {
                            Admitted::Yes => self.tape.push(&heard).map(Effect::Recorded),
                            Admitted::No(0) => None,
                            Admitted::No(packets) => {
                                Some(Effect::Untaped { call: track.call, packets })
                            }
                        });
                    }
                    near
                } else {
                    near
                };
                let Some(peer) = near.peer else {
                    near.say_in_room(content, &rtp);
                    if let Content::Event { key: Some(key), .. } = content {
                        near.remade = true;
                        self.pass_key(now, port, key.char());
                    }
                    return None;
                };
                let said = self.table.get_mut(peer)?.say(now, content, &mut rtp);
                if said.is_none() {
                    self.tell_otherwise(now, (port, peer), content, &rtp, out);
                }
                said
            }
            Channel::Rtcp => {
                let told = near.hear_rtcp(now, from, bytes, out)?;
                let (peer, told) = (near.peer?, near.told_of_peer(told));
                out.extend(self.table.get_mut(peer)?.say_rtcp(now, told));
                None
            }
        }
    }

    /// What only time brings about: frames of tunes, and the news that someone is silent.
    pub fn tick(&mut self, now: Instant, out: &mut Vec<Effect>) {
        let before = out.len();
        self.take_turns(now, out);
        self.seal(now, before, out);
    }

    fn take_turns(&mut self, now: Instant, out: &mut Vec<Effect>) {
        while let Some(turn) = self.wheel.turn(now) {
            let mut at = 0;
            while let Some(&index) = self.wheel.listeners(turn.slot).get(at) {
                if let Some(presses) = index.checked_sub(PRESSES) {
                    match self.press_on(presses, turn.round, out) {
                        true => at += 1,
                        false => self.wheel.remove(turn.slot, index),
                    }
                    continue;
                }
                if let Some(room) = index.checked_sub(ROOMS) {
                    self.mix(now, room, turn.round, out);
                    at += 1;
                    continue;
                }
                let Some(port) = self.table.at_mut(index) else {
                    self.wheel.remove(turn.slot, index);
                    continue;
                };
                port.turn(turn.round, out);
                let (id, told) = (port.id, port.played());
                if port.ended() {
                    port.flush(out);
                }
                out.extend(port.report(now));
                out.extend(told.map(Effect::Tell));
                if port.ended() {
                    // The last of the slot takes this one's place.
                    self.stop(id);
                    self.rethin(id, out);
                } else {
                    at += 1;
                }
            }
        }
        if self.tape.due().is_some_and(|due| now >= due) {
            self.hand_on(out);
        }
        if self.watched > 0 && now >= self.review {
            self.review = now + REVIEW;
            self.table.iter_mut().for_each(|port| {
                port.review(now, out);
                out.extend(port.report_for_peer(now));
            });
        }
    }

    /// When to call [`Engine::tick`] next, if ever.
    pub fn deadline(&self) -> Option<Instant> {
        let review = (self.watched > 0).then_some(self.review);
        [self.wheel.deadline(), review, self.tape.due()].into_iter().flatten().min()
    }

    /// A buffer of [`Effect::Recorded`] that has been read.
    pub fn reuse(&mut self, batch: Batch) {
        self.tape.reuse(batch);
    }

    /// The world could not bind this port, or its socket broke.
    pub fn broken(&mut self, port: PortId, why: String, out: &mut Vec<Effect>) {
        if self.release(port).is_some() {
            out.push(Effect::Tell(Event::Failed { port, why }));
        }
    }

    /// A packet of this port could not be sent.
    pub fn unsendable(&mut self, port: PortId) {
        if let Some(port) = self.table.get_mut(port) {
            port.unsendable();
        }
    }

    /// Which presses have been told, by port: for whoever has the sockets next.
    pub fn keys(&self) -> impl Iterator<Item = (PortId, Keys)> {
        let open = self.table.ports.iter().flatten();
        open.map(|port| (port.id, port.keys)).filter(|(_, keys)| *keys != Keys::default())
    }

    /// Whoever had the sockets of this port before has told these presses.
    pub fn told(&mut self, port: PortId, keys: Keys) {
        if let Some(port) = self.table.get_mut(port) {
            port.keys = keys;
        }
    }

    /// Gives a port away with all that it knows, so that another engine can [`Engine::adopt`] it.
    /// Its bridge, if any, ends.
    pub fn release(&mut self, port: PortId) -> Option<Box<Port>> {
        self.table.get(port)?;
        self.part(port);
        if let Some(slot) = self.table.get_mut(port)?.playing.as_ref().map(|p| p.slot) {
            self.wheel.remove(slot, index(port));
        }
        let taken = self.table.remove(port)?;
        if let Some(slot) = taken.presses.as_ref().map(|presses| presses.slot) {
            self.wheel.remove(slot, PRESSES + index(port));
        }
        self.watched -= usize::from(taken.silence.is_some());
        self.sealed -= usize::from(taken.seal.is_some());
        Some(taken)
    }

    /// False: its number is taken here, and it is lost.
    pub fn adopt(&mut self, now: Instant, mut port: Box<Port>) -> bool {
        if self.table.at_mut(index(port.id)).is_some() {
            return false;
        }
        if let Some(playing) = &mut port.playing {
            playing.slot = self.wheel.add(now, index(port.id));
        }
        if let Some(presses) = &mut port.presses {
            presses.slot = self.wheel.add(now, PRESSES + index(port.id));
        }
        self.watched += usize::from(port.silence.is_some());
        self.sealed += usize::from(port.seal.is_some());
        self.table.insert(port);
        true
    }

    pub fn figures(&self, port: PortId) -> Option<Figures> {
        self.table.get(port).map(Port::figures)
    }

    /// Ports that are open.
    pub fn len(&self) -> usize {
        self.table.open
    }

    pub fn is_empty(&self) -> bool {
        self.table.open == 0
    }

    fn open(&mut self, now: Instant, port: PortId, address: IpAddr, out: &mut Vec<Effect>) {
        if let Some(before) = self.table.at_mut(index(port)).map(|before| before.id) {
            let newer = port.generation().wrapping_sub(before.generation()) as i32;
            if newer <= 0 {
                return;
            }
            self.close(before, out);
        }
        let dice = self.rng.bits();
        self.table.insert(Box::new(Port::new(port, address, now, dice)));
        out.push(Effect::Bind { port, address });
    }

    fn close(&mut self, port: PortId, out: &mut Vec<Effect>) {
        let peer = self.table.get(port).and_then(|port| port.partner);
        if let Some(near) = self.table.get_mut(port).filter(|port| port.track.is_some()) {
            out.extend(near.untaped());
            self.hand_on(out);
        }
        if let Some(closed) = self.release(port) {
            out.push(Effect::Unbind { port });
            out.push(Effect::Tell(Event::Closed { port, figures: closed.figures() }));
        }
        if let Some(peer) = peer {
            self.rethin(peer, out);
        }
    }

    fn agree(&mut self, now: Instant, port: PortId, far: Far, out: &mut Vec<Effect>) {
        let Some(near) = self.table.get_mut(port) else { return };
        if near.agree(now, far, out) && self.sealed > 0 {
            self.seal_for_another(port);
        }
        self.rejoin(now, port, out);
        self.guard(port);
        self.rethin(port, out);
    }

    fn play(
        &mut self,
        now: Instant,
        port: PortId,
        (piece, tunes, then): (u32, &[TuneId], Option<Music>),
        out: &mut Vec<Effect>,
    ) {
        let Some(near) = self.table.get_mut(port) else { return };
        let find = |id: TuneId| self.tunes.find(id).filter(|tune| tune.frames() > 0).cloned();
        let list: Vec<Tune> = tunes.iter().filter_map(|id| find(*id)).collect();
        let music = then.and_then(|music| Some((find(music.tune)?, music.since)));
        if list.is_empty() && !tunes.is_empty() {
            // Nobody waits for a tune that there is not.
            out.push(Effect::Tell(Event::Played { port, piece }));
        }
        // Whoever is played something already keeps the slot: no frame is late or comes twice.
        let slot = near.playing.take().map(|before| before.slot);
        if list.is_empty() && music.is_none() {
            slot.into_iter().for_each(|slot| self.wheel.remove(slot, index(port)));
        } else {
            let slot = slot.unwrap_or_else(|| self.wheel.add(now, index(port)));
            near.playing = Some(Playing::new(slot, piece, list, music));
        }
        near.close();
        near.rethin(out);
    }

    fn stop(&mut self, port: PortId) {
        let Some(near) = self.table.get_mut(port) else { return };
        let playing = near.playing.take();
        near.close();
        if let Some(playing) = playing {
            self.wheel.remove(playing.slot, index(port));
        }
    }

    fn record(&mut self, port: PortId, track: Option<Track>, out: &mut Vec<Effect>) {
        let Some(near) = self.table.get_mut(port) else { return };
        out.extend(near.untaped());
        let before = near.record(track);
        near.rethin(out);
        if before.is_some() && before != track {
            self.hand_on(out);
        }
    }

    /// The recorded sound that still waits for more: nothing more comes.
    pub fn hand_on(&mut self, out: &mut Vec<Effect>) {
        out.extend(self.tape.take().map(Effect::Recorded));
    }

    fn watch(
        &mut self,
        now: Instant,
        port: PortId,
        silence: Option<Duration>,
        out: &mut Vec<Effect>,
    ) {
        let Some(near) = self.table.get_mut(port) else { return };
        if self.watched == 0 {
            self.review = now + REVIEW;
        }
        self.watched -= usize::from(near.silence.is_some());
        self.watched += usize::from(silence.is_some());
        near.watch(now, silence);
        near.rethin(out);
    }

    pub(super) fn rethin(&mut self, port: PortId, out: &mut Vec<Effect>) {
        if let Some(port) = self.table.get_mut(port) {
            port.rethin(out);
        }
    }

    /// Two ports that are each other's far end would send one packet to and fro for ever.
    pub(super) fn guard(&mut self, port: PortId) {
        let Some(far) = self.table.get(port).and_then(|port| port.far) else { return };
        let at = u32::from(far.rtp.port()) / 2;
        let ours = self.table.at_mut(at).is_some_and(|other| {
            // Bound to every address, a port does not know them. Its bridged peer tells: nobody
            // else has the one's number for the far end of the other, and the other way round.
            let crosses = |far: Far| u32::from(far.rtp.port()) / 2 == index(port);
            other.address == far.rtp.ip()
                || other.address.is_unspecified()
                    && other.partner == Some(port)
                    && other.far.is_some_and(crosses)
        });
        if let Some(port) = self.table.get_mut(port) {
            port.looped = ours;
        }
    }
}

pub(super) fn index(port: PortId) -> u32 {
    port.slot() / 2
}

impl Table {
    #[inline]
    pub(super) fn get(&self, id: PortId) -> Option<&Port> {
        let port = self.ports.get(index(id) as usize)?.as_deref()?;
        (port.id == id).then_some(port)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: PortId) -> Option<&mut Port> {
        let port = self.ports.get_mut(index(id) as usize)?.as_deref_mut()?;
        (port.id == id).then_some(port)
    }

    pub(super) fn at_mut(&mut self, index: u32) -> Option<&mut Port> {
        self.ports.get_mut(index as usize)?.as_deref_mut()
    }

    /// A port number has 16 bits; what has more is nobody's.
    fn insert(&mut self, port: Box<Port>) {
        let at = index(port.id) as usize;
        if at > usize::from(u16::MAX) / 2 {
            return;
        }
        if self.ports.len() <= at {
            self.ports.resize_with(at + 1, || None);
        }
        self.open += usize::from(self.ports[at].replace(port).is_none());
    }

    fn remove(&mut self, id: PortId) -> Option<Box<Port>> {
        self.get(id)?;
        self.open -= 1;
        self.ports[index(id) as usize].take()
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut Port> {
        self.ports.iter_mut().flatten().map(|port| &mut **port)
    }
}
