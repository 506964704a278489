//! The data plane as the simulator has it: which ports are open, and whether the commands that the
//! switch gives make sense. No audio flows here; the real engine has tests of its own.

use crate::base::limits::ROOM_MAX;
use crate::base::{Id, PortId};
use crate::media::control::{Command, Event, Far, Figures, Seals, Seat};
use crate::media::{Side, Track};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

#[derive(Debug, Default)]
pub struct Ports {
    open: BTreeMap<PortId, Port>,
    /// Ports that the system refused, which the switch may not know yet.
    refused: BTreeMap<PortId, ()>,
    pub opened: u64,
    rooms: u64,
    /// How many were asked for, and how many of the next are refused.
    pub asked: u64,
    pub refusing: u32,
}

#[derive(Debug, Default)]
struct Port {
    far: Option<Far>,
    peer: Option<PortId>,
    /// The room that it is in; 0: none.
    room: u64,
    /// Whom of that room it hears.
    hears: Vec<PortId>,
    track: Option<Track>,
    seal: Option<Seals>,
    watch: Option<Duration>,
    /// Silence was reported, and nothing was heard since.
    silent: bool,
}

impl Port {
    fn is_at(&self, phone: IpAddr) -> bool {
        self.far.is_some_and(|far| far.rtp.ip() == phone)
    }
}

/// What follows from a command, and after how long.
pub struct Follows(pub Duration, pub Event);

impl Ports {
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// Carries out a command. `refuse` makes an `Open` fail. The error is a broken law.
    pub fn command(&mut self, command: &Command, refuse: bool) -> Result<Option<Follows>, String> {
        let soon = Duration::from_millis(2);
        match command.clone() {
            Command::Play { port, piece, tunes, .. } => {
                let known = self.known(port, command)?.is_some();
                let end = (known && !tunes.is_empty()).then_some(Event::Played { port, piece });
                Ok(end.map(|event| Follows(Duration::from_secs(3), event)))
            }
            Command::Open { port, .. } => {
                if let Some(twin) = self.open.keys().find(|open| open.slot() == port.slot()) {
                    return Err(format!("{port:?} opened while {twin:?} is open"));
                }
                self.asked += 1;
                let refusing = self.refusing > 0;
                self.refusing = self.refusing.saturating_sub(1);
                if refuse || refusing {
                    self.refused.insert(port, ());
                    let why = "address already in use".into();
                    return Ok(Some(Follows(soon, Event::Failed { port, why })));
                }
                self.opened += 1;
                self.open.insert(port, Port::default());
                Ok(None)
            }
            Command::Close { port } => {
                if self.refused.remove(&port).is_some() {
                    return Ok(None);
                }
                self.known(port, command)?;
                self.open.remove(&port);
                let figures = Figures::default();
                Ok(Some(Follows(soon, Event::Closed { port, figures })))
            }
            Command::Agree { port, far } => self.set(port, command, |port| port.far = Some(far)),
            Command::Seal { port, keys } => self.set(port, command, |port| port.seal = keys),
            Command::Bridge { a, b } => {
                self.part(a);
                self.part(b);
                self.set(a, command, |port| port.peer = Some(b))?;
                self.set(b, command, |port| port.peer = Some(a))
            }
            Command::Gather { seats } => self.gather(&seats, command).map(|()| None),
            Command::Unbridge { port } => {
                self.known(port, command)?;
                self.part(port);
                Ok(None)
            }
            Command::Stop { .. } | Command::Codes { .. } | Command::Press { .. } => {
                self.known(command.port(), command).map(|_| None)
            }
            Command::Record { port, track } => self.set(port, command, |port| port.track = track),
            Command::Watch { port, silence } => {
                if let Some(port) = self.known(port, command)?
                    && port.watch != silence
                {
                    (port.watch, port.silent) = (silence, false);
                }
                Ok(None)
            }
        }
    }

    fn set(
        &mut self,
        port: PortId,
        command: &Command,
        change: impl FnOnce(&mut Port),
    ) -> Result<Option<Follows>, String> {
        if let Some(port) = self.known(port, command)? {
            change(port);
        }
        Ok(None)
    }

    fn gather(&mut self, seats: &[Seat], command: &Command) -> Result<(), String> {
        if !(2..=ROOM_MAX).contains(&seats.len()) {
            return Err(format!("{command:?} is no room"));
        }
        self.rooms += 1;
        for &Seat { port, hears, .. } in seats {
            self.part(port);
            let room = self.rooms;
            let others = seats
                .iter()
                .enumerate()
                .filter(|(n, seat)| seat.port != port && hears >> n & 1 != 0);
            let others: Vec<PortId> = others.map(|(_, seat)| seat.port).collect();
            if let Some(port) = self.known(port, command)? {
                (port.room, port.hears) = (room, others);
            }
        }
        Ok(())
    }

    /// What the sound of an open port is sealed with.
    pub fn seal(&self, port: PortId) -> Option<Option<Seals>> {
        self.open.get(&port).map(|port| port.seal)
    }

    /// The process that had them is dead.
    pub fn crash(&mut self) {
        self.open.clear();
        self.refused.clear();
    }

    /// The socket of an open port breaks; false: it is closed already.
    pub fn fail(&mut self, port: PortId) -> bool {
        let was_open = self.open.remove(&port).is_some();
        if was_open {
            self.refused.insert(port, ());
        }
        was_open
    }

    /// The switch has heard that this port failed: from now on it must not name it.
    pub fn told(&mut self, port: PortId) {
        self.refused.remove(&port);
    }

    /// Whether a port whose far end is there is bridged to another.
    pub fn is_bridged(&self, phone: IpAddr) -> bool {
        let bridged = |port: &Port| (port.peer.is_some() || port.room > 0) && port.is_at(phone);
        self.open.values().any(bridged) || !self.refused.is_empty()
    }

    /// The ports that listen for the phone at this address and are to report its silence.
    pub fn watching(&self, phone: IpAddr) -> Vec<(PortId, Duration)> {
        let watched = |(id, port): (&PortId, &Port)| {
            let far = port.far.filter(|far| far.rtp.ip() == phone)?;
            far.speaks.then_some((*id, port.watch?))
        };
        self.open.iter().filter_map(watched).collect()
    }

    /// Nothing came to this port for as long as it was to watch; false: it watches no more.
    pub fn fall_silent(&mut self, port: PortId) -> bool {
        let port = self.open.get_mut(&port).filter(|port| port.watch.is_some() && !port.silent);
        port.map(|port| port.silent = true).is_some()
    }

    /// The ports that reported the silence of this phone, which is heard again.
    pub fn hear(&mut self, phone: IpAddr) -> Vec<PortId> {
        let silent = |(_, port): &(&PortId, &mut Port)| port.silent && port.is_at(phone);
        let heard = self.open.iter_mut().filter(silent).map(|(id, port)| {
            port.silent = false;
            *id
        });
        heard.collect()
    }

    /// Whether these phones hear one another, and nobody else does.
    /// Whether what comes from one phone goes to the other.
    pub fn hears(&self, phone: IpAddr, other: IpAddr) -> bool {
        let at = |phone| self.open.iter().find(|(_, port)| port.is_at(phone)).map(|(id, _)| *id);
        let both = at(phone).zip(at(other));
        both.and_then(|(ear, mouth)| self.goes_to(ear, mouth)).unwrap_or(false)
    }

    /// Whether what comes in at `mouth` goes out at `ear`; `None` where they are not both open.
    pub fn goes_to(&self, ear: PortId, mouth: PortId) -> Option<bool> {
        let (at, said) = (self.open.get(&ear)?, self.open.get(&mouth)?);
        let in_room = at.room > 0 && at.room == said.room && at.hears.contains(&mouth);
        Some(in_room || at.peer == Some(mouth))
    }

    pub fn are_together(&self, phones: &[SocketAddr]) -> bool {
        let at = |phone: &SocketAddr| {
            let found = self.open.iter().find(|(_, port)| port.is_at(phone.ip()));
            found.map(|(id, port)| (*id, port))
        };
        let ports: Vec<_> = phones.iter().filter_map(at).collect();
        match ports[..] {
            [(a, one), (b, other)] => one.peer == Some(b) && other.peer == Some(a),
            [(_, one), ..] if ports.len() == phones.len() => {
                let inside = self.open.values().filter(|port| port.room == one.room).count();
                one.room > 0 && inside == phones.len() && ports.iter().all(|p| p.1.room == one.room)
            }
            _ => false,
        }
    }

    /// On which side what this phone says is recorded.
    pub fn recorded(&self, phone: IpAddr) -> Option<Side> {
        let mut ports = self.open.values().filter(|port| port.is_at(phone));
        ports.find_map(|port| port.track).map(|track| track.side)
    }

    /// Nobody is recorded whom nobody hears.
    pub fn check_tracks(&self) -> Result<(), String> {
        let alone = |port: &Port| port.peer.is_none() && port.room == 0;
        let mut ports = self.open.iter();
        match ports.find(|(_, port)| port.track.is_some() && alone(port)) {
            Some((id, port)) => Err(format!("{id:?} is recorded and unheard: {port:?}")),
            None => Ok(()),
        }
    }

    /// The ports that the phone at this address speaks to.
    pub fn at(&self, phone: IpAddr) -> Vec<PortId> {
        self.open.iter().filter(|(_, port)| port.is_at(phone)).map(|(id, _)| *id).collect()
    }

    /// The far end of a port that watches.
    pub fn far_of(&self, port: PortId) -> Option<IpAddr> {
        Some(self.open.get(&port)?.far?.rtp.ip())
    }

    fn part(&mut self, port: PortId) {
        let Some(port) = self.open.get_mut(&port) else { return };
        port.room = 0;
        let peer = port.peer.take();
        if let Some(peer) = peer.and_then(|peer| self.open.get_mut(&peer)) {
            peer.peer = None;
        }
    }

    fn known(&mut self, port: PortId, command: &Command) -> Result<Option<&mut Port>, String> {
        if self.refused.contains_key(&port) {
            return Ok(None);
        }
        match self.open.get_mut(&port) {
            Some(port) => Ok(Some(port)),
            None => Err(format!("{command:?} names a port that is not open")),
        }
    }
}
