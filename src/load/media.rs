//! The phones' voices: a thread with every RTP socket of the test, a packet each 20 ms for each
//! phone that speaks, and an ear for each phone that listens.
//!
//! In: orders from the phones. Out: whose voice was heard first, and what each phone heard in all.
//! Knows nothing of SIP. May import: base, wire.

use super::clock::{self, MILLISECOND};
use super::ear::{Delays, Ear, Notice};
use super::payload::{self, FRAME, Stamp};
use crate::wire::g711::Law;
use crossbeam_channel::{Receiver, Sender};
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token, Waker};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// Who speaks on a socket, and where to.
#[derive(Clone, Copy, Debug)]
pub struct Speaker {
    pub agent: bool,
    pub who: u32,
    pub leg: u32,
    pub law: Law,
    pub to: SocketAddr,
    /// False while on hold, or while a silent caller waits.
    pub speaks: bool,
}

/// What the phones ask of the media thread. A slot is a socket.
#[derive(Debug)]
pub enum Order {
    Plug {
        slot: usize,
        socket: std::net::UdpSocket,
    },
    /// Speak and listen from now on; a second one for the same leg changes the direction.
    Talk {
        slot: usize,
        speaker: Speaker,
    },
    /// The leg is over: report what it heard.
    Finish {
        slot: usize,
    },
    Stop,
}

/// What the media thread tells the phones.
#[derive(Debug)]
pub enum Heard {
    Voice { leg: u32, at: u64 },
    Finished { leg: u32, media: Box<LegMedia> },
    Stopped { delays: Box<Delays> },
}

/// The media of one leg.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LegMedia {
    pub ear: Ear,
    pub sent: u32,
    pub sent_first_at: u64,
    pub sent_last_at: u64,
}

impl LegMedia {
    fn new(keep: bool) -> Self {
        Self { ear: Ear::new(keep), ..Self::default() }
    }
}

/// Counters that progress lines read while the test runs.
#[derive(Debug, Default)]
pub struct Gauges {
    pub lost: AtomicI64,
    pub sent: AtomicU64,
    pub received: AtomicU64,
    /// Sends that the tester's own kernel refused.
    pub send_errors: AtomicU64,
    /// 1 ms send slots that the tester was more than 5 ms late for.
    pub late_ticks: AtomicU64,
}

struct Phone {
    socket: UdpSocket,
    speaker: Option<Speaker>,
    media: LegMedia,
    rtp_seq: u16,
    marked: bool,
}

const WAKE: Token = Token(usize::MAX);
const PHASES: u64 = 20;

pub struct Media {
    poll: Poll,
    phones: Vec<Option<Phone>>,
    orders: Receiver<Order>,
    heard: Sender<Heard>,
    phones_waker: Arc<Waker>,
    gauges: Arc<Gauges>,
    delays: Delays,
    /// Whether ears keep prints.
    keep: bool,
    stopping: bool,
}

impl Media {
    /// A media thread's state, and the waker that makes it look at its orders.
    pub fn new(
        orders: Receiver<Order>,
        heard: Sender<Heard>,
        phones_waker: Arc<Waker>,
        gauges: Arc<Gauges>,
        keep: bool,
    ) -> io::Result<(Self, Arc<Waker>)> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let delays = Delays::default();
        let phones = Vec::new();
        let stopping = false;
        let media =
            Self { poll, phones, orders, heard, phones_waker, gauges, delays, keep, stopping };
        Ok((media, waker))
    }

    /// Runs until told to stop.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1_024);
        let mut tick = clock::nanos() / MILLISECOND;
        while !self.stopping {
            tick = self.speak_until(tick);
            self.poll.poll(&mut events, self.pause(tick)).or_else(interrupted)?;
            for event in &events {
                if event.token() == WAKE {
                    self.obey();
                } else {
                    self.listen(event.token().0);
                }
            }
        }
        let _ = self.heard.send(Heard::Stopped { delays: Box::new(self.delays) });
        let _ = self.phones_waker.wake();
        Ok(())
    }

    /// Until the next millisecond with something to send; rounded up by the poll to a whole one.
    fn pause(&self, tick: u64) -> Option<Duration> {
        let next = (tick + 1) * MILLISECOND;
        Some(Duration::from_nanos(next.saturating_sub(clock::nanos()).max(50_000)))
    }

    /// Sends what is due in each millisecond after `tick` up to now.
    fn speak_until(&mut self, tick: u64) -> u64 {
        let now = clock::nanos() / MILLISECOND;
        let late = now.saturating_sub(tick + 5);
        self.gauges.late_ticks.fetch_add(late, Ordering::Relaxed);
        for due in (tick + 1).max(now.saturating_sub(1_000))..=now {
            let mut slot = (due % PHASES) as usize;
            while slot < self.phones.len() {
                self.speak(slot);
                slot += PHASES as usize;
            }
        }
        now
    }

    fn speak(&mut self, slot: usize) {
        let Some(phone) = self.phones[slot].as_mut() else { return };
        let Some(speaker) = phone.speaker.filter(|s| s.speaks) else { return };
        let sent = clock::nanos();
        let seq = phone.media.sent;
        let packet = phone.packet(&speaker, sent);
        if phone.socket.send_to(&packet, speaker.to).is_err() {
            self.gauges.send_errors.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if seq == 0 {
            phone.media.sent_first_at = sent;
        }
        phone.media.sent += 1;
        phone.media.sent_last_at = sent;
        phone.rtp_seq = phone.rtp_seq.wrapping_add(1);
        phone.marked = false;
        self.gauges.sent.fetch_add(1, Ordering::Relaxed);
    }

    fn listen(&mut self, slot: usize) {
        let Some(phone) = self.phones.get_mut(slot).and_then(Option::as_mut) else { return };
        let mut buffer = [0u8; 2_048];
        while let Ok((length, _)) = phone.socket.recv_from(&mut buffer) {
            let Some(speaker) = phone.speaker else { continue };
            self.gauges.received.fetch_add(1, Ordering::Relaxed);
            let at = clock::nanos();
            match phone.media.ear.hear(&buffer[..length], at) {
                Notice::NewVoice { delay } => {
                    self.delays.add(delay);
                    let _ = self.heard.send(Heard::Voice { leg: speaker.leg, at });
                    let _ = self.phones_waker.wake();
                }
                Notice::Voice { delay, lost } => {
                    self.delays.add(delay);
                    if lost != 0 {
                        self.gauges.lost.fetch_add(lost, Ordering::Relaxed);
                    }
                }
                Notice::Other => {}
            }
        }
    }

    fn obey(&mut self) {
        while let Ok(order) = self.orders.try_recv() {
            match order {
                Order::Plug { slot, socket } => self.plug(slot, socket),
                Order::Talk { slot, speaker } => {
                    if let Some(phone) = self.phones[slot].as_mut() {
                        phone.turn_to(speaker, self.keep);
                    }
                }
                Order::Finish { slot } => {
                    self.listen(slot);
                    self.finish(slot);
                }
                Order::Stop => self.stopping = true,
            }
        }
    }

    fn plug(&mut self, slot: usize, socket: std::net::UdpSocket) {
        let mut socket = UdpSocket::from_std(socket);
        if self.phones.len() <= slot {
            self.phones.resize_with(slot + 1, || None);
        }
        let registry = self.poll.registry();
        if registry.register(&mut socket, Token(slot), Interest::READABLE).is_ok() {
            let media = LegMedia::default();
            self.phones[slot] =
                Some(Phone { socket, speaker: None, media, rtp_seq: 0, marked: true });
        }
    }

    fn finish(&mut self, slot: usize) {
        let Some(phone) = self.phones.get_mut(slot).and_then(Option::as_mut) else { return };
        let Some(speaker) = phone.speaker.take() else { return };
        let media = Box::new(std::mem::take(&mut phone.media));
        let _ = self.heard.send(Heard::Finished { leg: speaker.leg, media });
        let _ = self.phones_waker.wake();
    }
}

impl Phone {
    fn turn_to(&mut self, speaker: Speaker, keep: bool) {
        if self.speaker.is_none_or(|s| s.leg != speaker.leg) {
            self.media = LegMedia::new(keep);
            self.marked = true;
        }
        self.speaker = Some(speaker);
    }

    /// The next packet, built by hand: `rtp-rs` would allocate, and it reads what arrives.
    fn packet(&self, speaker: &Speaker, sent: u64) -> [u8; 12 + FRAME] {
        let (agent, who, leg, law) = (speaker.agent, speaker.who, speaker.leg, speaker.law);
        let seq = self.media.sent;
        let mut packet = [0u8; 12 + FRAME];
        packet[0] = 0x80;
        packet[1] = u8::from(self.marked) << 7 | if law == Law::A { 8 } else { 0 };
        packet[2..4].copy_from_slice(&self.rtp_seq.to_be_bytes());
        packet[4..8].copy_from_slice(&seq.wrapping_mul(FRAME as u32).to_be_bytes());
        packet[8..12].copy_from_slice(&(0x5000_0000 | leg).to_be_bytes());
        let mut frame = [0; FRAME];
        payload::write(&Stamp { agent, law, who, leg, seq, sent }, &mut frame);
        packet[12..].copy_from_slice(&frame);
        packet
    }
}

fn interrupted(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) }
}
