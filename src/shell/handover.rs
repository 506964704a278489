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
use serde::{Deserialize, Serialize};
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
#[derive(Debug, Default, Serialize, Deserialize)]
struct Note {
    listeners: Vec<(Transport, SocketAddr, RawFd)>,
    flows: Vec<(FlowId, RawFd, Vec<u8>)>,
    #[serde(default)]
    strangers: BTreeSet<FlowId>,
    ports: Vec<(u32, RawFd, RawFd)>,
    #[serde(default)]
    caretakers: Vec<(u32, RawFd)>,
    #[serde(default)]
    word: Word,
    #[serde(default)]
    lock: Option<RawFd>,
    #[serde(default)]
    laps: Laps,
    #[serde(default)]
    shelf: Option<RawFd>,
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
    Ok(serde_json::from_slice(&text)?)
}

/// The number of a descriptor that stays open.
fn kept_open(fd: OwnedFd) -> io::Result<RawFd> {
    inherit::keep(fd.as_fd())?;
    Ok(fd.into_raw_fd())
}
