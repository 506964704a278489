//! A street of its own for each test: the addresses 127.a.b.1 to 127.a.b.253, held by a socket for
//! as long as the test lives, so that all ports on them are free; and a folder that goes with it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Houses on the street.
pub const SWITCH: u8 = 1;
pub const CALLER: u8 = 2;
pub const PHONE: u8 = 3;
pub const OTHER_PHONE: u8 = 4;

pub struct Street {
    a: u8,
    b: u8,
    dir: PathBuf,
    _held: UdpSocket,
}

impl Street {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        for _ in 0..u16::MAX {
            let n = std::process::id().wrapping_mul(37) + NEXT.fetch_add(1, Ordering::Relaxed);
            let (a, b) = (64 + (n >> 8) as u8 % 128, n as u8);
            if let Ok(held) = UdpSocket::bind((Ipv4Addr::new(127, a, b, 254), 9)) {
                let dir = std::env::temp_dir().join(format!("pukar-test-{a}-{b}"));
                let _ = fs::remove_dir_all(&dir);
                fs::create_dir_all(&dir).expect("a folder for the test");
                return Self { a, b, dir, _held: held };
            }
        }
        panic!("no free street of loopback addresses");
    }

    pub fn ip(&self, house: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, self.a, self.b, house)
    }

    /// SIP's own port in that house.
    pub fn sip(&self, house: u8) -> SocketAddr {
        (self.ip(house), 5060).into()
    }

    /// A number below 32,768 that hardly any other street has just now.
    pub fn number(&self) -> u16 {
        u16::from(self.a - 64) << 8 | u16::from(self.b)
    }

    /// `NET.3` becomes the address of house 3.
    pub fn address(&self, text: &str) -> String {
        text.replace("NET.", &format!("127.{}.{}.", self.a, self.b))
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A new folder below the street's own.
    pub fn folder(&self, name: &str) -> PathBuf {
        let dir = self.dir.join(name);
        fs::create_dir_all(&dir).expect("a folder for the test");
        dir
    }
}

impl Drop for Street {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("what the test left behind is in {}", self.dir.display());
        } else {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}
