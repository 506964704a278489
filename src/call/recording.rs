//! Which calls are recorded, and what of each port goes where: the caller to the left, whoever
//! talks with them, or about them, to the right. Only what somebody hears is recorded: not a caller
//! who waits or is on hold, through however many hands the call goes; and nobody before they were
//! told so: whoever talks sooner hears the notice then.
//!
//! In: calls as every event leaves them. Out: the start and the end of a recording, and a track for
//! each port that begins or ceases to be heard. May import: media, base.

use super::calls::{Calls, Io};
use super::leg::Leg;
use super::{Call, Effect, Fact, Goal, Line, Means, Role};
use crate::base::{AgentId, CallId, Instant, PortId, QueueId, TuneId, Wall};
use crate::media::control::Command;
use crate::media::{Side, Track};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Whose calls are recorded. A line says so itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    pub all: bool,
    pub queues: Vec<QueueId>,
    pub agents: Vec<AgentId>,
    pub form: Form,
    /// What tells callers of it, after the welcome.
    pub notice: Option<TuneId>,
}

/// What a recording is as a file. Its name says so, whatever the settings are by then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Form {
    /// Ogg Opus, and not WAV.
    pub opus: bool,
    /// Encrypted with a key.
    pub sealed: bool,
}

/// What whoever writes recordings is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tape {
    /// Begin this file, or go on with it. Its clock began at `at`.
    Begin { call: CallId, file: String, at: Instant },
    /// The call is over; the file is as long as it was.
    End { call: CallId, at: Instant },
    /// The call was over before another process had finished this file: finish it, if it has not.
    Close { call: CallId, file: String, at: Instant, end: Instant },
}

/// What whoever writes recordings tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TapeEvent {
    Finished {
        call: CallId,
        millis: u64,
    },
    Failed {
        call: CallId,
        why: String,
    },
    /// Sound was lost: the disk was too slow, somebody sent too much, a process has died.
    Gaps {
        call: CallId,
    },
}

/// What became of a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Recorded {
    Started {
        file: String,
    },
    Paused,
    Resumed,
    Gaps,
    Finished {
        millis: u64,
    },
    Failed {
        why: String,
    },
    /// Whoever writes has not said for too long what became of it.
    Unfinished,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recordings(BTreeMap<CallId, Recording>);

/// The piece that the notice is in the midst of a talk.
pub const NOTICE: u32 = u32::MAX;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Recording {
    /// Empty until somebody is heard.
    file: String,
    began: Instant,
    tracks: BTreeMap<PortId, Side>,
    /// Those who talk hear the notice just now; when it is over here, the recording begins.
    telling: Option<PortId>,
    /// Those who have come from outside into a call that is recorded, and hear the notice just now.
    newcomers: BTreeSet<PortId>,
    /// Nobody is to hear this part.
    paused: bool,
    /// The disk would not have it; nothing is tried again in this call.
    failed: bool,
    /// When the call was over, whose file is still being finished.
    over: Option<Instant>,
}

impl Form {
    const ALL: [Self; 4] = [
        Self { opus: false, sealed: false },
        Self { opus: true, sealed: false },
        Self { opus: false, sealed: true },
        Self { opus: true, sealed: true },
    ];

    fn end(self) -> &'static str {
        match (self.opus, self.sealed) {
            (false, false) => ".wav",
            (true, false) => ".opus",
            (false, true) => ".sealed",
            (true, true) => ".opus.sealed",
        }
    }

    /// What a file is, by its name. `None`: none of ours.
    pub fn of(file: &str) -> Option<Self> {
        let fits = Self::ALL.into_iter().filter(|form| file.ends_with(form.end()));
        fits.max_by_key(|form| form.end().len())
    }

    /// The file of a call.
    pub fn name(self, call: &str) -> String {
        format!("{call}{}", self.end())
    }

    /// The files that a call may have.
    pub fn names(call: &str) -> impl Iterator<Item = String> {
        Self::ALL.into_iter().map(move |form| form.name(call))
    }
}

impl Rules {
    /// What callers of this line are told of recording, if they may be recorded.
    pub(super) fn notice(&self, line: &Line, goal: &Goal) -> Option<TuneId> {
        let chosen = line.menu.iter().any(|choice| match choice.means {
            Means::Queue(queue, _) => self.queues.contains(&queue),
            Means::Language(_) | Means::District(_) => false,
        });
        let may = self.all || line.record || self.queue(goal) || chosen || !self.agents.is_empty();
        self.notice.filter(|_| may)
    }

    fn queue(&self, goal: &Goal) -> bool {
        match goal {
            Goal::Queue(queue)
            | Goal::Served { queue }
            | Goal::Menu { queue }
            | Goal::Later { queue } => self.queues.contains(queue),
            Goal::Dial(_) | Goal::Goodbye | Goal::Placed | Goal::Codes => false,
        }
    }
}

impl Recordings {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The day of a moment, `YYYY-MM-DD`, in UTC: where its recordings lie.
pub fn day(wall: Wall) -> String {
    let at = jiff::Timestamp::from_microsecond(wall.0).unwrap_or_default();
    at.strftime("%Y-%m-%d").to_string()
}

impl Calls {
    /// Brings the recordings into line with what `effects`, those since `from`, have done to ports.
    pub fn record(&mut self, io: &mut Io, from: usize) {
        if self.recordings.is_empty() && !io.settings.records() {
            return;
        }
        self.tell_of_recording(io, from);
        let touched = io.out[from..].iter().filter_map(|effect| match effect {
            Effect::Media(command) => self.by_port.get(&command.port()).map(|(call, _)| *call),
            Effect::Fact(Fact::Ended { call, .. } | Fact::LegClosed { call, .. }) => Some(*call),
            _ => None,
        });
        let touched: BTreeSet<CallId> = touched.collect();
        // What has come out of a call that is over is of another one from now on.
        let (alive, over): (Vec<CallId>, Vec<CallId>) =
            touched.into_iter().partition(|call| self.table.get(*call).is_some());
        over.into_iter().for_each(|call| self.end_recording(io, call));
        alive.into_iter().for_each(|call| self.record_call(io, call));
    }

    /// Whoever comes into a queue that is recorded, from whatever line, is told so once.
    fn tell_of_recording(&mut self, io: &mut Io, from: usize) {
        let rules = &io.settings.recording;
        let Some(notice) = rules.notice else { return };
        let comes = |effect: &Effect| match effect {
            Effect::Join { call, queue, .. } if rules.queues.contains(queue) => Some(*call),
            _ => None,
        };
        for id in io.out[from..].iter().filter_map(comes).collect::<Vec<CallId>>() {
            let Some(call) = self.table.get_mut(id) else { continue };
            if call.is_caller_up() && !call.told && !call.says.contains(&notice) {
                let tunes = call.says.iter().copied().chain([notice]).collect();
                self.tell(io, id, tunes);
            }
        }
    }

    fn record_call(&mut self, io: &mut Io, id: CallId) {
        let Some(call) = self.table.get(id) else { return };
        let known = self.recordings.0.get(&id);
        if known.is_none() && !(call.was_connected && wanted(io, call)) {
            return;
        }
        let heard = if known.is_some_and(|known| known.paused || known.failed) {
            BTreeMap::new()
        } else {
            heard(call)
        };
        if known.is_none() && heard.is_empty() {
            return;
        }
        let open: BTreeSet<PortId> = call.legs().map(|leg| leg.side.port).collect();
        let recording = self.recordings.0.entry(id).or_insert_with(|| Recording {
            file: String::new(),
            began: io.cx.now.instant,
            tracks: BTreeMap::new(),
            telling: None,
            newcomers: BTreeSet::new(),
            paused: false,
            failed: false,
            over: None,
        });
        let owed = io.settings.recording.notice;
        let heard = match owed.filter(|_| !call.told && recording.file.is_empty()) {
            Some(notice) => {
                recording.tell(io, call, notice, !heard.is_empty());
                BTreeMap::new()
            }
            None => recording.greet(io, call, owed, heard),
        };
        if recording.file.is_empty() && !heard.is_empty() {
            let name = io.settings.recording.form.name(&call.name.to_string());
            recording.began = io.cx.now.instant;
            recording.file = format!("{}/{name}", day(io.cx.now.wall));
            let (file, at) = (recording.file.clone(), recording.began);
            io.fact(Fact::Recording { call: id, what: Recorded::Started { file: file.clone() } });
            io.out.push(Effect::Tape(Tape::Begin { call: id, file, at }));
        }
        let before = std::mem::replace(&mut recording.tracks, heard.clone());
        for port in before.keys().filter(|port| !heard.contains_key(port) && open.contains(port)) {
            io.media(Command::Record { port: *port, track: None });
        }
        for (port, side) in heard.into_iter().filter(|(port, side)| before.get(port) != Some(side))
        {
            io.media(Command::Record { port, track: Some(Track { call: id, side }) });
        }
    }

    /// Those who talk have heard that they are recorded.
    pub(super) fn notice_is_over(&mut self, io: &mut Io, id: CallId, port: PortId) {
        let Some(recording) = self.recordings.0.get_mut(&id) else { return };
        let Some(call) = self.table.get_mut(id) else { return };
        let all = recording.telling == Some(port);
        if all {
            (recording.telling, call.told) = (None, true);
        } else if !recording.newcomers.remove(&port) {
            return;
        }
        let talk = call.talk.clone();
        for leg in call.legs_mut() {
            leg.told |= leg.side.port == port || all && talk.contains(&leg.id);
        }
        self.record_call(io, id);
    }

    fn end_recording(&mut self, io: &mut Io, id: CallId) {
        let now = io.cx.now.instant;
        let known = self.recordings.0.get_mut(&id).filter(|known| known.over.is_none());
        let Some(recording) = known else { return };
        (recording.over, recording.telling) = (Some(now), None);
        let tracks = std::mem::take(&mut recording.tracks);
        let moved = |port: &&PortId| self.by_port.get(port).is_some_and(|(call, _)| *call != id);
        for port in tracks.keys().filter(moved) {
            io.media(Command::Record { port: *port, track: None });
        }
        if recording.file.is_empty() || recording.failed {
            self.recordings.0.remove(&id);
        } else {
            io.out.push(Effect::Tape(Tape::End { call: id, at: now }));
        }
    }

    /// Whoever writes has not said for too long what became of it.
    pub fn forget_recording(&mut self, id: CallId) {
        if self.recordings.0.get(&id).is_some_and(|recording| recording.over.is_some()) {
            self.recordings.0.remove(&id);
        }
    }

    /// Private matter is not recorded: `on` is false, until it is over. A call that no rule records
    /// is recorded where `on` is true, as soon as anybody talks.
    pub fn pause_recording(&mut self, io: &mut Io, id: CallId, on: bool) -> Result<(), String> {
        if self.table.get(id).is_none() {
            return Err("the call is over".into());
        }
        match self.recordings.0.get_mut(&id) {
            Some(recording) if recording.failed => {
                return Err("its recording has failed: see to the disk".into());
            }
            Some(recording) => {
                if std::mem::replace(&mut recording.paused, !on) == on {
                    let what = if on { Recorded::Resumed } else { Recorded::Paused };
                    io.fact(Fact::Recording { call: id, what });
                }
            }
            None => {
                let began = io.cx.now.instant;
                let (file, tracks) = (String::new(), BTreeMap::new());
                let (telling, newcomers) = (None, BTreeSet::new());
                let (paused, failed, over) = (!on, false, None);
                let recording =
                    Recording { file, began, tracks, telling, newcomers, paused, failed, over };
                self.recordings.0.insert(id, recording);
                if !on {
                    io.fact(Fact::Recording { call: id, what: Recorded::Paused });
                }
            }
        }
        self.record_call(io, id);
        Ok(())
    }

    /// An agent keys in that what follows is private, or no longer.
    pub(super) fn keep_private(&mut self, io: &mut Io, id: CallId) -> Result<(), String> {
        let known = self.recordings.0.get(&id).ok_or("it is not recorded")?;
        self.pause_recording(io, id, known.paused)
    }

    /// Whoever writes has something to tell.
    pub fn taped(&mut self, io: &mut Io, event: TapeEvent) {
        let (call, what) = match event {
            TapeEvent::Finished { call, millis } => {
                self.forget_recording(call);
                (call, Recorded::Finished { millis })
            }
            // Of one that is done with nothing more is told.
            TapeEvent::Gaps { call } if !self.recordings.0.contains_key(&call) => return,
            TapeEvent::Gaps { call } => (call, Recorded::Gaps),
            TapeEvent::Failed { call, why } => {
                if let Some(recording) = self.recordings.0.get_mut(&call) {
                    recording.failed = true;
                    self.record_call(io, call);
                }
                self.forget_recording(call);
                (call, Recorded::Failed { why })
            }
        };
        io.fact(Fact::Recording { call, what });
    }

    /// What is recorded is what is heard now, of calls that are alive.
    pub fn check_recordings(&self) -> Result<(), String> {
        for (id, recording) in &self.recordings.0 {
            if recording.over.is_some() && recording.tracks.is_empty() {
                continue;
            }
            let call = self.table.get(*id).ok_or_else(|| format!("{id:?} is over and recorded"))?;
            let off = recording.paused || recording.failed || recording.telling.is_some();
            let mut heard = if off { BTreeMap::new() } else { heard(call) };
            heard.retain(|port, _| !recording.newcomers.contains(port));
            if heard != recording.tracks {
                let tracks = &recording.tracks;
                return Err(format!("{id:?} is recorded as {tracks:?} and heard as {heard:?}"));
            }
        }
        Ok(())
    }

    /// The process is another: ports are opened anew and files gone on with.
    pub(super) fn record_again(&mut self, io: &mut Io) {
        for (call, recording) in &mut self.recordings.0 {
            recording.tracks.clear();
            recording.telling = None;
            recording.newcomers.clear();
            let (call, file, at) = (*call, recording.file.clone(), recording.began);
            if let Some(end) = recording.over {
                io.out.push(Effect::Tape(Tape::Close { call, file, at, end }));
            } else if !recording.file.is_empty() && !recording.failed {
                io.out.push(Effect::Tape(Tape::Begin { call, file, at }));
                // What the dead process had heard, and what was said since, is not in it.
                io.fact(Fact::Recording { call, what: Recorded::Gaps });
            }
        }
    }
}

impl Recording {
    /// All who talk hear the notice, where anybody does; from its beginning where it was broken
    /// off.
    fn tell(&mut self, io: &mut Io, call: &Call, notice: TuneId, talks: bool) {
        let ports = call.legs().filter(|leg| talks && call.is_heard(leg.id));
        let ports: Vec<PortId> = ports.map(|leg| leg.side.port).collect();
        if self.telling != ports.first().copied() {
            self.telling = ports.first().copied();
            for port in ports {
                let tunes = vec![notice];
                io.media(Command::Play { port, piece: NOTICE, tunes, then: None });
            }
        }
    }
}

impl Recording {
    /// Whoever comes from outside into a call that is recorded already hears the notice first, and
    /// is recorded when it is over. A centre of ours that takes the call was told by what goes with
    /// it.
    fn greet(
        &mut self,
        io: &mut Io,
        call: &Call,
        notice: Option<TuneId>,
        mut heard: BTreeMap<PortId, Side>,
    ) -> BTreeMap<PortId, Side> {
        let Some(notice) = notice.filter(|_| !self.file.is_empty() && call.centre.is_none()) else {
            return heard;
        };
        let is_new = |leg: &&Leg| leg.role == Role::Target && !leg.told && !leg.gives_back;
        let new = call.legs().filter(is_new);
        let new = new.map(|leg| leg.side.port).filter(|port| heard.contains_key(port));
        let before = std::mem::replace(&mut self.newcomers, new.collect());
        for &port in self.newcomers.difference(&before) {
            io.media(Command::Play { port, piece: NOTICE, tunes: vec![notice], then: None });
        }
        heard.retain(|port, _| !self.newcomers.contains(port));
        heard
    }
}

/// What of each port is heard by somebody just now: of a pair nothing, while one has put the other
/// on hold.
fn heard(call: &Call) -> BTreeMap<PortId, Side> {
    let pair = call.talk.len() == 2;
    let on_hold = pair && call.legs().any(|leg| call.is_talking(leg.id) && leg.side.held());
    let talks = |leg: &&Leg| call.is_heard(leg.id) && !on_hold;
    let track = |leg: &Leg| match leg.role {
        Role::Caller => (leg.side.port, Side::Left),
        Role::Agent(_) | Role::Target | Role::Supervisor(_) => (leg.side.port, Side::Right),
    };
    // Of supervisors only what is said to all: neither who listens, nor what only an agent hears.
    let speaks = call.watchers.iter().filter(|own| call.is_heard_by_all(own) && !on_hold);
    let speaks = speaks.filter_map(|own| own.up());
    call.legs().filter(talks).chain(speaks).map(track).collect()
}

fn wanted(io: &Io, call: &Call) -> bool {
    let rules = &io.settings.recording;
    let agent = |role: Role| matches!(role, Role::Agent(agent) if rules.agents.contains(&agent));
    let mut own = call.own.iter().flat_map(|own| &own.agents);
    rules.all
        || call.recorded
        || own.any(|agent| rules.agents.contains(agent))
        || rules.queue(&call.goal)
        || call.partners().any(|leg| agent(leg.role))
}
