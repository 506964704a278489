//! An upgrade in place: the process stays, its program is replaced. Whatever is open goes from the
//! one to the other, so that no packet and no connection is refused meanwhile; what it knew goes
//! through the journal.
//!
//! In: sockets. Out: a note in memory with their numbers, that the next program reads at its start.

use super::laps::Laps;
use super::manager;
use super::media::{Caretaker, Word};
use super::sys::inherit;
use super::tunes::Shelf;
use crate::base::FlowId;
use crate::sip::Transport;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Seek, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, IntoRawFd, OwnedFd, RawFd};

/// Names the descriptor of the note.
const VARIABLE: &str = "PUKAR_HANDOVER";

/// Everything that is open.
#[derive(Debug, Default)]
pub struct Handover {
    /// By the address that they are bound to.
    pub listeners: Vec<(Transport, SocketAddr, OwnedFd)>,
    pub flows: Vec<OpenFlow>,
    /// RTP and RTCP, by the number of the first.
    pub ports: BTreeMap<u32, (OwnedFd, OwnedFd)>,
    /// Who sees to it that they are heard until then.
    pub caretakers: Vec<Caretaker>,
    /// Keys that nobody has heard of, and those that somebody has.
    pub word: Word,
    /// That of the data folder.
    pub lock: Option<OwnedFd>,
    /// What has taken how long so far.
    pub laps: Laps,
    /// Prompts that are encoded.
    pub shelf: Option<OwnedFd>,
}

/// A connection between two messages.
#[derive(Debug)]
pub struct OpenFlow {
    pub id: FlowId,
    pub fd: OwnedFd,
    /// The beginning of a message whose end has not come yet.
    pub begun: Vec<u8>,
    /// Whoever is at the other end has said who they are.
    pub known: bool,
}

/// As the next program reads it.
#[derive(Debug, Default, Serialize)]
struct Note {
    listeners: Vec<(Transport, SocketAddr, RawFd)>,
    flows: Vec<(FlowId, RawFd, Vec<u8>)>,
    strangers: BTreeSet<FlowId>,
    ports: Vec<(u32, RawFd, RawFd)>,
    caretakers: Vec<(u32, RawFd)>,
    word: Word,
    lock: Option<RawFd>,
    laps: Laps,
    shelf: Option<RawFd>,
}

impl Note {
    /// Whichever version has written it: what it has more is left out, what it lacks is blank, and
    /// a part that has another form costs only itself.
    fn parse(text: &[u8]) -> io::Result<Self> {
        let mut parts: Map<String, Value> = serde_json::from_slice(text)?;
        Ok(Self {
            listeners: part(&mut parts, "listeners"),
            flows: part(&mut parts, "flows"),
            strangers: part(&mut parts, "strangers"),
            ports: part(&mut parts, "ports"),
            caretakers: part(&mut parts, "caretakers"),
            word: part(&mut parts, "word"),
            lock: part(&mut parts, "lock"),
            laps: part(&mut parts, "laps"),
            shelf: part(&mut parts, "shelf"),
        })
    }
}

fn part<T: DeserializeOwned + Default>(parts: &mut Map<String, Value>, name: &str) -> T {
    let read = parts.remove(name).map_or_else(|| Ok(T::default()), serde_json::from_value);
    read.unwrap_or_else(|error| {
        tracing::error!("{name} that the program before this one has left cannot be read: {error}");
        T::default()
    })
}

impl Handover {
    /// What the program before this one has left open, or the service manager.
    pub fn take() -> Self {
        let mut open = Self::left();
        open.laps.end_of("program and configuration");
        open
    }

    fn left() -> Self {
        let Some(fd) = std::env::var(VARIABLE).ok().and_then(|text| text.parse().ok()) else {
            let mut open = Self { laps: Laps::start(), ..Self::default() };
            manager::sockets(&mut open);
            return open;
        };
        match read(fd) {
            Ok(note) => Self::open(note),
            Err(error) => {
                tracing::error!(
                    "what the program before this one has left open cannot be read: {error}. \
                     Sockets are opened anew; phones over TCP connect again by themselves"
                );
                Self { laps: Laps::start(), ..Self::default() }
            }
        }
    }

    /// One that is not there costs only itself.
    fn open(note: Note) -> Self {
        let take = |fd: RawFd| {
            let taken = inherit::take(fd);
            taken.inspect_err(|e| tracing::error!("a descriptor that was left open: {e}")).ok()
        };
        let Note { listeners, flows, strangers, ports, caretakers, word, lock, laps, shelf } = note;
        let listeners = listeners.into_iter();
        let flows = flows.into_iter();
        let ports = ports.into_iter();
        Self {
            laps,
            word,
            shelf: shelf.and_then(take),
            lock: lock.and_then(take),
            listeners: listeners.filter_map(|(t, at, fd)| Some((t, at, take(fd)?))).collect(),
            flows: flows
                .filter_map(|(id, fd, begun)| {
                    let known = !strangers.contains(&id);
                    Some(OpenFlow { id, fd: take(fd)?, begun, known })
                })
                .collect(),
            caretakers: caretakers
                .into_iter()
                .filter_map(|(id, fd)| Some(Caretaker { id, line: take(fd)? }))
                .collect(),
            ports: ports
                .filter_map(|(number, rtp, rtcp)| Some((number, (take(rtp)?, take(rtcp)?))))
                .collect(),
        }
    }

    /// Keeps everything open for the next program; the variable that tells it where to look.
    pub fn leave(self) -> io::Result<(&'static str, String)> {
        let mut note = Note::default();
        for (transport, at, fd) in self.listeners {
            note.listeners.push((transport, at, kept_open(fd)?));
        }
        for OpenFlow { id, fd, begun, known } in self.flows {
            note.strangers.extend((!known).then_some(id));
            note.flows.push((id, kept_open(fd)?, begun));
        }
        for (number, (rtp, rtcp)) in self.ports {
            note.ports.push((number, kept_open(rtp)?, kept_open(rtcp)?));
        }
        for Caretaker { id, line } in self.caretakers {
            note.caretakers.push((id, kept_open(line)?));
        }
        note.word = self.word;
        note.lock = self.lock.map(kept_open).transpose()?;
        note.shelf = self.shelf.map(kept_open).transpose()?;
        note.laps = self.laps;
        note.laps.end_of("sockets left open");
        let mut file = inherit::memory_file()?;
        file.write_all(&serde_json::to_vec(&note)?)?;
        inherit::keep(file.as_fd())?;
        Ok((VARIABLE, file.into_raw_fd().to_string()))
    }

    /// The listener at this address, if it was left. What a service manager has opened for
    /// connections may be for TLS: it does not know.
    pub fn listener(&mut self, transport: Transport, at: SocketAddr) -> Option<OwnedFd> {
        let found = self.listeners.iter().position(|(known, place, _)| {
            *place == at && known.is_stream() == transport.is_stream()
        })?;
        Some(self.listeners.swap_remove(found).2)
    }

    /// What the program before this one has told: how long things took, and what it had encoded.
    pub fn told(&mut self) -> (Laps, Shelf) {
        let shelf = self.shelf.take().map_or_else(Shelf::default, |fd| Shelf::read(fd.into()));
        (std::mem::take(&mut self.laps), shelf)
    }

    pub fn ids(&self) -> BTreeSet<FlowId> {
        self.flows.iter().map(|flow| flow.id).collect()
    }
}

fn read(fd: RawFd) -> io::Result<Note> {
    let mut file = std::fs::File::from(inherit::take(fd)?);
    let mut text = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut text)?;
    Note::parse(&text)
}

/// The number of a descriptor that stays open.
fn kept_open(fd: OwnedFd) -> io::Result<RawFd> {
    inherit::keep(fd.as_fd())?;
    Ok(fd.into_raw_fd())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Whatever else a later version has to tell, nobody's socket is lost by it.
    #[test]
    fn a_part_that_another_version_writes_otherwise_costs_only_itself() {
        let at: SocketAddr = "10.0.0.1:5060".parse().unwrap();
        let own = Note {
            listeners: vec![(Transport::Udp, at, 7)],
            ports: vec![(20_000, 8, 9)],
            lock: Some(5),
            ..Note::default()
        };
        let mut other = serde_json::to_value(&own).unwrap();
        other["word"] = json!({"keys": {"of": "another form"}});
        other["moods"] = json!(["calm"]);
        other.as_object_mut().unwrap().remove("strangers");
        let read = Note::parse(other.to_string().as_bytes()).unwrap();
        assert_eq!((read.listeners, read.ports), (own.listeners, own.ports));
        assert_eq!((read.lock, read.word.keys.len(), read.strangers.len()), (Some(5), 0, 0));
        assert!(Note::parse(b"[1]").is_err(), "it is no note at all");
    }
}
