//! A program of somebody else's (or our own) as a child: its lines as they come, its end, its death
//! with the test. Nothing here waits for time alone: it waits for a line, an end, or a port, and
//! gives up at a deadline.

use super::{Deadline, PATIENCE};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// Lines shown of a program when the test fails.
const SHOWN: usize = 40;

pub struct Program {
    name: String,
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Program {
    /// Starts it. `package` is what to install where it is missing: a missing program is a failed
    /// test, never a skipped one.
    pub fn start(package: &str, command: &mut Command) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap_or_else(|error| {
            panic!("{name} cannot be started ({error}): install {package}, as tests/run does")
        });
        let (sender, lines) = channel();
        forward(child.stdout.take().unwrap(), sender.clone());
        forward(child.stderr.take().unwrap(), sender);
        Self { name, child, lines, seen: Vec::new() }
    }

    /// All that it has said so far.
    pub fn said(&mut self) -> String {
        self.seen.extend(self.lines.try_iter());
        self.seen.join("\n")
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Types a line into it.
    pub fn type_line(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(format!("{line}\n").as_bytes()).and_then(|()| stdin.flush()).unwrap();
    }

    /// The next line that holds `words`, skipping others.
    pub fn line_with(&mut self, words: &str) -> String {
        let deadline = Deadline::after(PATIENCE);
        loop {
            let left = deadline.left().unwrap_or_default();
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(words) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("{} never said `{words}`", self.name),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("{} ended and never said `{words}`", self.name)
                }
            }
        }
    }

    /// Waits until it listens there.
    pub fn listens(&mut self, udp: bool, at: SocketAddr) {
        self.until(|| is_bound(udp, at), &format!("listened on {at}"));
    }

    /// Looks again and again whether something is so, as long as the program lives.
    pub fn until(&mut self, is_so: impl Fn() -> bool, what: &str) {
        let deadline = Deadline::after(PATIENCE);
        while !is_so() {
            let ended = self.ends_within(Duration::from_millis(20));
            assert!(!ended, "{} ended before it {what}", self.name);
            assert!(deadline.left().is_some(), "{} never {what}", self.name);
        }
    }

    /// Waits for its end.
    pub fn end(&mut self, within: Duration) -> ExitStatus {
        let deadline = Deadline::after(within);
        while !self.ends_within(deadline.left().unwrap_or_default()) {
            assert!(deadline.left().is_some(), "{} did not end in {within:?}", self.name);
        }
        self.child.wait().unwrap()
    }

    pub fn signal(&self, signal: i32) {
        // SAFETY: kill(2) reads no memory; the child is not reaped yet, so its id is its own.
        unsafe { libc::kill(self.child.id() as i32, signal) };
    }

    /// Whether it ended within this span: its pidfd becomes readable then (pidfd_open(2)).
    fn ends_within(&mut self, span: Duration) -> bool {
        if let Ok(Some(_)) = self.child.try_wait() {
            return true;
        }
        let pid = self.child.id();
        // SAFETY: plain system calls; the descriptor is owned right away.
        unsafe {
            let raw = libc::syscall(libc::SYS_pidfd_open, pid, 0) as i32;
            assert!(raw >= 0, "pidfd_open: {}", std::io::Error::last_os_error());
            let fd = OwnedFd::from_raw_fd(raw);
            let mut poll = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
            libc::poll(&mut poll, 1, span.as_millis() as i32) > 0
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            self.seen.extend(self.lines.try_iter());
            let short = self.name.rsplit('/').next().unwrap_or_default();
            let file = std::env::temp_dir().join(format!("pukar-test-{short}-{}.log", self.pid()));
            let _ = std::fs::write(&file, self.seen.join("\n"));
            eprintln!("all that {} said is in {}", self.name, file.display());
            let from = self.seen.len().saturating_sub(SHOWN);
            eprintln!("---- {} said, at the end:\n{}", self.name, self.seen[from..].join("\n"));
        }
    }
}

/// What a program says that ends by itself, and well.
pub fn text_of(command: &mut Command) -> String {
    let name = command.get_program().to_string_lossy().into_owned();
    let Output { status, stdout, stderr } = command.output().unwrap_or_else(|e| {
        panic!("{name} cannot be run ({e}): tests/run installs what is needed")
    });
    assert!(status.success(), "{name}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8_lossy(&stdout).into_owned()
}

fn forward(from: impl Read + Send + 'static, to: Sender<String>) {
    std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_string();
            line.clear();
            if to.send(text).is_err() {
                return;
            }
        }
    });
}

/// Whether any socket is bound to this address, by the kernel's own list (proc(5)).
fn is_bound(udp: bool, at: SocketAddr) -> bool {
    let SocketAddr::V4(v4) = at else { return false };
    let list = if udp { "/proc/net/udp" } else { "/proc/net/tcp" };
    let ip = u32::from_ne_bytes(v4.ip().octets());
    let own = format!(" {ip:08X}:{:04X} ", v4.port());
    std::fs::read_to_string(list).unwrap_or_default().contains(&own)
}
