//! What a service manager and its people see: readiness, the watchdog, sockets that are open before
//! the switch is, and an upgrade by command.

mod support;

use serde_json::json;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::process::Command;
use support::street::PHONE;
use support::switch::{HELPLINE, Switch};
use support::{PATIENCE, raw};

const ONE: &str = "[[agent]]\nid = \"op1\"\nskills = [\"operator\"]\n\
                   contact = \"sip:op1@NET.3:5060\"\n";

/// Hears what a service manager would.
struct Ear(UnixDatagram);

impl Ear {
    /// The next word of this kind; others are passed over.
    fn hears(&self, word: &str) -> String {
        let mut room = [0; 512];
        loop {
            let size = self.0.recv(&mut room).unwrap_or_else(|e| panic!("never {word}: {e}"));
            let text = String::from_utf8_lossy(&room[..size]).into_owned();
            if text.starts_with(word) {
                return text;
            }
        }
    }
}

#[test]
fn a_service_manager_hears_that_it_is_ready_well_reloading_and_stopping() {
    let mut switch = Switch::start(&[HELPLINE, ONE]);
    switch.stop();
    let path = switch.data().join("notify");
    let ear = Ear(UnixDatagram::bind(&path).unwrap());
    ear.0.set_read_timeout(Some(PATIENCE)).unwrap();
    switch.restart_with(|command| {
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "400000");
    });
    ear.hears("READY=1");
    (0..3).for_each(|_| drop(ear.hears("WATCHDOG=1")));
    switch.program().signal(libc::SIGHUP);
    let reloading = ear.hears("RELOADING=1");
    assert!(reloading.contains("\nMONOTONIC_USEC="), "{reloading}");
    ear.hears("READY=1");
    switch.upgrade();
    ear.hears("RELOADING=1");
    ear.hears("READY=1");
    ear.hears("WATCHDOG=1");
    switch.program().signal(libc::SIGTERM);
    ear.hears("STOPPING=1");
    assert!(switch.program().end(PATIENCE).success());
}

/// Has the shell name its own process, as the convention wants it, and become the switch.
fn with_sockets(command: &mut Command, sockets: [RawFd; 2]) {
    let (program, words) = (command.get_program().to_owned(), command.get_args());
    let words: Vec<_> = words.map(ToOwned::to_owned).collect();
    let folder = command.get_current_dir().unwrap().to_owned();
    let mut shell = Command::new("/bin/sh");
    let line = "LISTEN_PID=$$ LISTEN_FDS=2 exec \"$0\" \"$@\"";
    shell.arg("-c").arg(line).arg(program).args(words).current_dir(folder);
    // SAFETY: dup2(2) may be called between fork and exec, and reads no memory.
    unsafe {
        shell.pre_exec(move || {
            // First out of each other's way.
            let [one, other] = sockets.map(|fd| libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 200));
            libc::dup2(one, 3);
            libc::dup2(other, 4);
            Ok(())
        });
    }
    *command = shell;
}

#[test]
fn listeners_that_the_service_manager_has_opened_are_taken_and_kept_over_an_upgrade() {
    let mut switch = Switch::start(&[HELPLINE, ONE]);
    switch.stop();
    // Nobody else could bind these while they are open here.
    let udp = UdpSocket::bind(switch.sip()).unwrap();
    let tcp = TcpListener::bind(switch.sip()).unwrap();
    switch.restart_with(|command| with_sockets(command, [udp.as_raw_fd(), tcp.as_raw_fd()]));
    for _ in 0..2 {
        let phone = raw::Udp::new(switch.street.ip(PHONE), switch.sip());
        phone.options_until_answered("activated");
        let mut phone = raw::Tcp::new(switch.street.ip(PHONE), switch.sip());
        let (message, id) = raw::options("TCP", phone.at(), switch.sip(), "activated");
        phone.send(message.as_bytes());
        let answer = phone.receive_within(PATIENCE).expect("an answer over TCP");
        assert!(answer.contains(&id), "{answer}");
        switch.upgrade();
    }
}

#[test]
fn an_upgrade_by_command_says_whether_it_happened_and_is_on_the_books() {
    let mut switch = Switch::start(&[HELPLINE, ONE]);
    let pause = json!({"agent": "op1", "state": "pause", "reason": "tea"});
    switch.admin.ask("agents.set", pause).unwrap();
    let said = |output: std::process::Output| {
        let texts =
            [output.stdout, output.stderr].map(|t| String::from_utf8_lossy(&t).into_owned());
        (output.status.code(), texts.concat())
    };
    switch.configure(|text| text.replace("ring_for", "ring_fro"));
    let (exit, text) = said(switch.tell(&["upgrade"]));
    assert!(exit == Some(1) && text.contains("cannot use the configuration"), "{text}");
    switch.configure(|text| text.replace("ring_fro", "ring_for"));
    let before = switch.status()["restarted_at"].clone();
    let (exit, text) = said(switch.tell(&["upgrade"]));
    assert!(exit == Some(0) && text.starts_with("the same build goes on"), "{exit:?} {text}");
    switch.meet();
    assert_ne!(switch.status()["restarted_at"], before);
    assert_eq!(switch.ask("agents.list")[0]["state"], "paused");
    let books = switch.ask("audit.list").to_string();
    assert!(books.contains("switch.upgrade"), "{books}");
}

/// Every value that the unit names is one that this program takes.
#[test]
fn the_unit_for_systemd_starts_what_there_is() {
    let unit = std::fs::read_to_string("config/pukar.service").unwrap();
    for key in ["Type=notify", "Restart=always", "WatchdogSec=", "LimitNOFILE=", "KillMode=mixed"] {
        assert!(unit.lines().any(|line| line.starts_with(key)), "{key}");
    }
    for key in ["ExecStart=", "ExecReload="] {
        let line = unit.lines().find_map(|line| line.strip_prefix(key)).expect(key);
        let mut words = line.split(' ');
        assert_eq!(words.next(), Some("/usr/local/bin/pukar"));
        let output = Command::new(env!("CARGO_BIN_EXE_pukar")).args(words).arg("--help").output();
        let output = output.unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
