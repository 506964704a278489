//! The wire between the state and a district, for signalling: what comes in at one end goes out at
//! the other, until it is cut.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How soon an end notices that the demo is over.
const LOOK_UP: Duration = Duration::from_millis(200);

pub struct Wire {
    ends: [Arc<UdpSocket>; 2],
    /// Where each end leads: the state, and the centre.
    to: Arc<Mutex<[Option<SocketAddr>; 2]>>,
    switch: Cut,
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// Cuts the wire and mends it.
#[derive(Clone, Default)]
pub struct Cut(Arc<AtomicBool>);

impl Cut {
    pub fn cut(&self, is_cut: bool) {
        self.0.store(is_cut, Ordering::Relaxed);
    }
}

impl Wire {
    pub fn new() -> io::Result<Self> {
        let end = || {
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            socket.set_read_timeout(Some(LOOK_UP))?;
            Ok::<_, io::Error>(Arc::new(socket))
        };
        let mut wire = Self {
            ends: [end()?, end()?],
            to: Arc::default(),
            switch: Cut::default(),
            over: Arc::default(),
            threads: Vec::new(),
        };
        for from in 0..2 {
            let (ends, to) = (wire.ends.clone(), Arc::clone(&wire.to));
            let (cut, over) = (wire.switch.clone(), Arc::clone(&wire.over));
            let carry = move || {
                let mut buffer = [0; 65_535];
                while !over.load(Ordering::Relaxed) {
                    let Ok((length, _)) = ends[from].recv_from(&mut buffer) else { continue };
                    let to = to.lock().unwrap_or_else(PoisonError::into_inner)[1 - from];
                    if let Some(to) = to.filter(|_| !cut.0.load(Ordering::Relaxed)) {
                        let _ = ends[1 - from].send_to(&buffer[..length], to);
                    }
                }
            };
            wire.threads.push(std::thread::Builder::new().name("wire".into()).spawn(carry)?);
        }
        Ok(wire)
    }

    /// The end that the state sees.
    pub fn near(&self) -> SocketAddr {
        self.ends[0].local_addr().expect("it is bound")
    }

    /// The end that the centre sees.
    pub fn far(&self) -> SocketAddr {
        self.ends[1].local_addr().expect("it is bound")
    }

    pub fn lead_to(&self, state: SocketAddr) {
        self.to.lock().unwrap_or_else(PoisonError::into_inner)[0] = Some(state);
    }

    pub fn reach(&self, centre: SocketAddr) {
        self.to.lock().unwrap_or_else(PoisonError::into_inner)[1] = Some(centre);
    }

    pub fn switch(&self) -> Cut {
        self.switch.clone()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
