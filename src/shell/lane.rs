//! Queues between threads. Every one has a limit; the core thread never waits at any of them.
//!
//! [`Inbox`]: towards the core, one lane for each kind of sender, so that a flood on one starves no
//! other. [`Lane`]: away from the core, with a bounded reserve for a receiver that lags.

use super::sys::epoll::Waker;
use crate::core::Event;
use crate::media::control::Event as MediaEvent;
use crossbeam_channel as channel;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::mpsc;

const STREAMS_QUEUED: usize = 4_096;
const CONTROL_QUEUED: usize = 1_024;
const MEDIA_QUEUED: usize = 65_536;

/// The core is over and takes nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoreGone;

/// Brings events to the core from any thread, and wakes it.
#[derive(Clone)]
pub struct Inbox {
    streams: mpsc::Sender<Event>,
    control: mpsc::Sender<Event>,
    media: channel::Sender<MediaEvent>,
    waker: Arc<Waker>,
}

/// The core's end of an [`Inbox`].
pub struct InboxEnd {
    streams: mpsc::Receiver<Event>,
    control: mpsc::Receiver<Event>,
    media: channel::Receiver<MediaEvent>,
}

pub fn inbox(waker: Arc<Waker>) -> (Inbox, InboxEnd) {
    let (streams, streams_end) = mpsc::channel(STREAMS_QUEUED);
    let (control, control_end) = mpsc::channel(CONTROL_QUEUED);
    let (media, media_end) = channel::bounded(MEDIA_QUEUED);
    let end = InboxEnd { streams: streams_end, control: control_end, media: media_end };
    (Inbox { streams, control, media, waker }, end)
}

impl Inbox {
    /// From a connection. A full queue holds the connection back, and so its peer.
    pub async fn stream(&self, event: Event) -> Result<(), CoreGone> {
        self.streams.send(event).await.map_err(|_| CoreGone)?;
        self.waker.wake();
        Ok(())
    }

    /// From the admin socket, a signal or the DNS.
    pub async fn control(&self, event: Event) -> Result<(), CoreGone> {
        self.control.send(event).await.map_err(|_| CoreGone)?;
        self.waker.wake();
        Ok(())
    }

    /// From a thread outside the runtime; waits while the queue is full.
    pub fn control_blocking(&self, event: Event) -> Result<(), CoreGone> {
        self.control.blocking_send(event).map_err(|_| CoreGone)?;
        self.waker.wake();
        Ok(())
    }

    /// From whoever must not wait, and tells it again later: false where it does not fit.
    pub fn alarm(&self, event: Event) -> bool {
        let fits = self.control.try_send(event).is_ok();
        if fits {
            self.waker.wake();
        }
        fits
    }

    /// From a media worker, which must not wait: what does not fit comes back.
    pub fn media(&self, event: MediaEvent) -> Result<(), MediaEvent> {
        self.media.try_send(event).map_err(channel::TrySendError::into_inner)?;
        self.waker.wake();
        Ok(())
    }
}

impl InboxEnd {
    /// What one batch takes from each lane at most.
    const SHARE: usize = 256;

    pub fn take(&mut self, batch: &mut Vec<Event>) {
        let control = std::iter::from_fn(|| self.control.try_recv().ok());
        batch.extend(control.take(Self::SHARE));
        batch.extend(self.media.try_iter().take(Self::SHARE).map(Event::Media));
        let streams = std::iter::from_fn(|| self.streams.try_recv().ok());
        batch.extend(streams.take(Self::SHARE));
    }

    /// Keys that came when nobody took anything any more.
    pub fn keys(&self) -> impl Iterator<Item = MediaEvent> {
        self.media.try_iter().filter(|event| matches!(event, MediaEvent::Key { .. }))
    }

    pub fn is_empty(&self) -> bool {
        self.control.is_empty() && self.media.is_empty() && self.streams.is_empty()
    }
}

/// Takes one value without waiting, or gives it back.
pub trait Outlet<T>: Send {
    fn put(&self, value: T) -> Result<(), T>;

    /// Nothing more comes for now: a taker who is woken for it, is woken here, once.
    fn flush(&self) {}
}

impl<T: Send> Outlet<T> for channel::Sender<T> {
    fn put(&self, value: T) -> Result<(), T> {
        self.try_send(value).map_err(channel::TrySendError::into_inner)
    }
}

/// A queue away from the core. What the receiver has no room for waits here, in order, up to a
/// limit; what is over the limit is lost, and counted.
pub struct Lane<T> {
    name: &'static str,
    outlet: Box<dyn Outlet<T>>,
    waiting: VecDeque<T>,
    limit: usize,
    lost: u64,
}

impl<T> Lane<T> {
    pub fn new(name: &'static str, outlet: Box<dyn Outlet<T>>, limit: usize) -> Self {
        Self { name, outlet, waiting: VecDeque::new(), limit, lost: 0 }
    }

    pub fn put(&mut self, value: T) {
        let refused = if self.waiting.is_empty() { self.outlet.put(value) } else { Err(value) };
        let Err(value) = refused else { return };
        if self.waiting.len() < self.limit {
            self.waiting.push_back(value);
            return;
        }
        self.lost += 1;
        if self.lost.is_power_of_two() {
            tracing::error!(
                lane = self.name,
                lost = self.lost,
                "a queue out of the core is full and its reader does not come: what is over is lost"
            );
        }
    }

    /// Tries again with what waits, and has the receiver woken.
    pub fn flush(&mut self) {
        while let Some(value) = self.waiting.pop_front() {
            if let Err(value) = self.outlet.put(value) {
                self.waiting.push_front(value);
                break;
            }
        }
        self.outlet.flush();
    }

    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lagging_reader_gets_everything_in_order_up_to_the_limit() {
        let (sender, receiver) = channel::bounded(2);
        let mut lane = Lane::new("test", Box::new(sender), 3);
        (0..6).for_each(|n| lane.put(n));
        assert_eq!((lane.lost, lane.has_waiting()), (1, true));
        let mut got: Vec<_> = receiver.try_iter().collect();
        lane.put(6);
        lane.flush();
        got.extend(receiver.try_iter());
        lane.flush();
        got.extend(receiver.try_iter());
        assert_eq!(got, [0, 1, 2, 3, 4]);
        assert!(!lane.has_waiting());
    }

    #[test]
    fn one_flooded_lane_leaves_room_for_the_others() {
        let waker = Arc::new(Waker::new().unwrap());
        let (inbox, mut end) = inbox(waker);
        for _ in 0..1_000 {
            inbox.streams.try_send(Event::Tick).unwrap();
        }
        inbox.control_blocking(Event::Drain).unwrap();
        let mut batch = Vec::new();
        end.take(&mut batch);
        assert_eq!(batch[0], Event::Drain);
        assert_eq!(batch.len(), 1 + InboxEnd::SHARE);
        assert!(!end.is_empty());
    }
}
