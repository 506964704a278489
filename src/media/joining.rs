//! Who hears whom: two ports of one codec are relayed, two of unlike codecs are a room, and so are
//! three or more. Whichever of the two a bridge is follows from what its far ends have agreed.
//!
//! In: ports to be joined and parted. Out: effects that follow. May import: base, wire.

use super::control::{Far, Seat};
use super::effect::Effect;
use super::engine::{Engine, PRESSES, ROOMS, index};
use super::port::{Content, Port};
use super::press::Presses;
use super::room::{self, Mix, Room};
use crate::base::limits::ROOM_MAX;
use crate::base::{Instant, PortId};
use crate::wire::rtp::Rtp;

/// Whether what one sends the other can hear, if need be after a conversion in place. Before
/// anything is agreed, that is so.
fn alike(a: &Port, b: &Port) -> bool {
    let Some((one, other)) = a.far.zip(b.far) else { return true };
    let understood = |from: &Port, own: &Far, far: &Far| {
        let codec = from.strays.unwrap_or(own.codec);
        codec == far.codec || codec.law().and(far.codec.law()).is_some()
    };
    let codecs = understood(a, &one, &other) && understood(b, &other, &one);
    // Somebody has to make the noise for whoever does not know what it is.
    let noise = |noisy: bool, far: &Far| noisy && far.comfort.is_none();
    codecs && !noise(a.noisy, &other) && !noise(b.noisy, &one)
}

impl Engine {
    pub(super) fn bridge(&mut self, now: Instant, (a, b): (PortId, PortId), out: &mut Vec<Effect>) {
        if a == b || self.table.get(a).is_none() || self.table.get(b).is_none() {
            return;
        }
        self.unbridge(a, out);
        self.unbridge(b, out);
        for (one, other) in [(a, b), (b, a)] {
            if let Some(port) = self.table.get_mut(one) {
                port.partner = Some(other);
            }
        }
        self.join(now, a, b, out);
    }

    /// Has two partners hear each other in whichever way is the cheapest.
    fn join(&mut self, now: Instant, a: PortId, b: PortId, out: &mut Vec<Effect>) {
        let both = self.table.get(a).zip(self.table.get(b));
        if !both.is_none_or(|(a, b)| alike(a, b)) {
            return self.enter(now, vec![a, b], (vec![2, 1], 3), out);
        }
        for (one, other) in [(a, b), (b, a)] {
            if let Some(port) = self.table.get_mut(one) {
                port.peer = Some(other);
                port.rethin(out);
            }
            self.guard(one);
        }
    }

    /// What a far end has agreed to, or sends, may have changed how it is joined with its partner.
    pub(super) fn rejoin(&mut self, now: Instant, port: PortId, out: &mut Vec<Effect>) {
        let Some(near) = self.table.get(port) else { return };
        let (Some(partner), relayed) = (near.partner, near.peer.is_some()) else { return };
        let other = self.table.get(partner);
        if other.is_none_or(|other| alike(near, other)) != relayed {
            self.sever(port);
            self.sever(partner);
            self.join(now, port, partner, out);
        }
    }

    pub(super) fn unbridge(&mut self, port: PortId, out: &mut Vec<Effect>) {
        if let Some(partner) = self.part(port) {
            self.rethin(partner, out);
        }
        self.rethin(port, out);
    }

    pub(super) fn gather(&mut self, now: Instant, seats: &[Seat], out: &mut Vec<Effect>) {
        let seats = &seats[..seats.len().min(ROOM_MAX)];
        let open = |port: &PortId| self.table.get(*port).is_some();
        let mut members: Vec<PortId> = Vec::new();
        for port in seats.iter().map(|seat| seat.port).filter(open) {
            // Nobody sits in two places.
            if !members.contains(&port) {
                members.push(port);
            }
        }
        let hears: Vec<u16> = members.iter().map(|port| hears(seats, &members, *port)).collect();
        let keys = seats.iter().filter(|seat| seat.keys && open(&seat.port)).map(|seat| seat.port);
        let keys = keys.filter_map(|port| members.iter().position(|member| *member == port));
        let keys = keys.fold(0, |mask, at| mask | 1 << at);
        let before = members.iter().find_map(|port| self.table.get(*port)?.room);
        let before = before.and_then(|room| self.rooms.get_mut(room));
        let left = before.map_or(Vec::new(), |room| room.members.clone());
        for port in left.iter().filter(|port| !members.contains(port)) {
            self.unbridge(*port, out);
        }
        for port in &members {
            self.unbridge(*port, out);
        }
        if !members.is_empty() {
            self.enter(now, members, (hears, keys), out);
        }
    }

    fn enter(
        &mut self,
        now: Instant,
        members: Vec<PortId>,
        (hears, keys): (Vec<u16>, u16),
        out: &mut Vec<Effect>,
    ) {
        let number = self.rooms.free();
        for port in &members {
            if let Some(port) = self.table.get_mut(*port) {
                port.room = Some(number);
                port.rethin(out);
            }
            self.guard(*port);
        }
        let slot = self.wheel.add(now, ROOMS + number);
        self.rooms.put(number, Room { members, hears, keys, slot });
    }

    /// 20 ms of a room.
    pub(super) fn mix(&mut self, now: Instant, room: u32, round: u64, out: &mut Vec<Effect>) {
        let Some(room) = self.rooms.get_mut(room) else { return };
        let wide = |port: &&PortId| self.table.get(**port).is_some_and(Port::is_wide);
        let mut mix = Mix::new(room::rate(room.members.iter().filter(wide).count()));
        for (at, port) in room.members.iter().enumerate() {
            if let Some(port) = self.table.get_mut(*port) {
                mix.listen(at, port);
            }
        }
        for (port, hears) in room.members.iter().zip(&room.hears) {
            if let Some(port) = self.table.get_mut(*port) {
                mix.speak(*hears, port, round, out);
                out.extend(port.report(now));
            }
        }
    }

    fn leave_room(&mut self, port: PortId) {
        let Some(number) = self.table.get_mut(port).and_then(Port::leave_room) else { return };
        let Some(room) = self.rooms.get_mut(number) else { return };
        room.leave(port);
        if room.members.is_empty() {
            let slot = room.slot;
            self.rooms.remove(number);
            self.wheel.remove(slot, ROOMS + number);
        }
    }

    /// Ends the room or relay that `port` is part of, and leaves partners what they are.
    fn sever(&mut self, port: PortId) {
        self.leave_room(port);
        let peer = self.table.get_mut(port).and_then(|port| port.peer.take());
        if let Some(other) = peer.and_then(|peer| self.table.get_mut(peer)) {
            other.peer = None;
        }
    }

    /// Ends the bridge or room that `port` is part of; returns the other end of a bridge.
    pub(super) fn part(&mut self, port: PortId) -> Option<PortId> {
        self.sever(port);
        let partner = self.table.get_mut(port)?.partner.take()?;
        self.sever(partner);
        if let Some(other) = self.table.get_mut(partner) {
            other.partner = None;
        }
        Some(partner)
    }

    /// What the peer of a port cannot be told as it came: keys become tones, and where it hears
    /// something of ours just now they are pressed amid that; and from the first comfort noise on,
    /// or the first packet of another codec, the two are a room.
    #[cold]
    pub(super) fn tell_otherwise(
        &mut self,
        now: Instant,
        (port, peer): (PortId, PortId),
        content: Content,
        rtp: &Rtp,
        out: &mut Vec<Effect>,
    ) {
        match content {
            Content::Event { key: Some(key), .. } => {
                if let Some(near) = self.table.get_mut(port) {
                    near.remade = true;
                }
                let anew = |peer: &Port| peer.wants_tones() || peer.is_closed();
                if self.table.get(peer).is_some_and(anew) {
                    self.pass_key(now, port, key.char());
                }
            }
            Content::Comfort | Content::Audio(_) => {
                if let (Content::Audio(codec), Some(near)) = (content, self.table.get_mut(port)) {
                    near.strays = Some(codec);
                }
                self.rejoin(now, port, out);
                if let Some(near) = self.table.get_mut(port) {
                    near.say_in_room(content, rtp);
                }
            }
            Content::Event { key: None, .. } | Content::Code => {}
        }
    }

    /// Looks for keys in the sound of a port. Whoever has them as tones too hears those, unless it
    /// hears something of ours.
    #[cold]
    pub(super) fn look_for_keys(
        &mut self,
        now: Instant,
        port: PortId,
        content: Content,
        rtp: &mut Rtp,
        out: &mut Vec<Effect>,
    ) {
        let Some(near) = self.table.get(port) else { return };
        let partner = near.partner.and_then(|partner| self.table.get(partner));
        let as_tones = partner.is_some_and(|port| port.wants_tones() && !port.is_closed());
        let Some(near) = self.table.get_mut(port) else { return };
        let keys = near.find_keys(now, (content, as_tones), rtp, out);
        keys.into_iter().for_each(|key| self.pass_key(now, port, key));
    }

    /// A key of a port, for its partner, or for whoever hears it in a room.
    #[cold]
    pub(super) fn pass_key(&mut self, now: Instant, port: PortId, key: char) {
        let Some(near) = self.table.get(port) else { return };
        let room = near.room.and_then(|room| self.rooms.get_mut(room));
        let to = match room {
            Some(room) => room.hearers(port),
            None => near.partner.into_iter().collect(),
        };
        let mut room = [0; 4];
        let keys = key.encode_utf8(&mut room);
        to.into_iter().for_each(|to| self.press(now, to, keys));
    }

    pub(super) fn press(&mut self, now: Instant, port: PortId, keys: &str) {
        let Some(near) = self.table.get_mut(port).filter(|port| port.takes_keys()) else { return };
        let presses = near.presses.get_or_insert_with(|| {
            Box::new(Presses::new(self.wheel.add(now, PRESSES + index(port))))
        });
        presses.add(keys);
        near.close();
    }

    /// 20 ms of keys that we press; false when all have been.
    pub(super) fn press_on(&mut self, at: u32, round: u64, out: &mut Vec<Effect>) -> bool {
        let Some(port) = self.table.at_mut(at) else { return false };
        let more = port.press(round, out);
        if !more {
            port.presses = None;
        }
        port.close();
        more
    }
}

/// Whom a party hears, by the places of those who are there.
fn hears(seats: &[Seat], members: &[PortId], port: PortId) -> u16 {
    let mask = seats.iter().find(|seat| seat.port == port).map_or(0, |seat| seat.hears);
    let heard = |member: &PortId| {
        let seat = seats.iter().position(|seat| seat.port == *member);
        *member != port && seat.is_some_and(|seat| mask >> seat & 1 != 0)
    };
    let places = members.iter().enumerate().filter(|(_, member)| heard(member));
    places.fold(0, |mask, (place, _)| mask | 1 << place)
}
