//! The real `pukar`, started as a user starts it, with a configuration of its own and a folder of
//! its own.

use super::PATIENCE;
use super::certs::authority;
use super::facts::{Admin, Facts};
use super::program::Program;
use super::street::{SWITCH, Street};
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Before each test's own part. `NET.` stands for the street; example.com is where the messages of
/// RFC 4475 go. [media] comes last, so that a part may begin with further keys of it.
const COMMON: &str = r#"
[switch]
name = "Under test"
data = "DATA"
log = "debug"
drain = "20s"
[sip]
listen = ["udp:NET.1:5060", "tcp:NET.1:5060"]
domain = ["helpline.test", "example.com"]
advertise = "NET.1"
[records]
stores = ["sqlite:DATA/records.db", "jsonl:DATA/records.jsonl"]
[admin]
socket = "DATA/s"
[media]
ports = "20000-21999"
"#;

const STORES: &str = r#"stores = ["sqlite:DATA/records.db", "jsonl:DATA/records.jsonl"]"#;

/// A helpline of one queue, which the trunk in house 2 calls as 181.
pub const HELPLINE: &str = r#"
[[trunk]]
name = "carrier"
hosts = ["NET.2:5060", "tcp:NET.2:5060"]
ping = "0s"
[[line]]
numbers = ["181"]
queue = "general"
[[queue]]
name = "general"
skills = ["operator"]
ring_for = "10s"
wrap_up = "0s"
rest = "100ms"
"#;

pub struct Switch {
    pub facts: Facts,
    pub admin: Admin,
    program: Program,
    own: PathBuf,
    supervised: bool,
    pub street: Street,
}

impl Switch {
    /// A switch with this configuration, ready for calls.
    pub fn start(parts: &[&str]) -> Self {
        Self::start_as(false, parts)
    }

    /// The same, as the child of a supervisor.
    pub fn supervised(parts: &[&str]) -> Self {
        Self::start_as(true, parts)
    }

    /// The same on a street that has other houses, with these stores.
    pub fn storing(street: Street, stores: &[String], parts: &[&str]) -> Self {
        let stores = format!("stores = {stores:?}");
        Self::start_on(street, own(), false, &COMMON.replace(STORES, &stores), parts)
    }

    /// The same, where it is reached over TLS as well, with the certificate in the street's folder.
    pub fn secured(street: Street, parts: &[&str]) -> Self {
        let dir = street.dir().display();
        let common = COMMON.replace(
            "listen = [",
            &format!(
                "tls = {{ certificate = \"{dir}/server.pem\", key = \"{dir}/server.key\" }}\n\
                 listen = [\"tls:NET.1:5061\", "
            ),
        );
        Self::start_on(street, own(), false, &common, parts)
    }

    /// The same, where it listens here as well, and has other media ports.
    pub fn listening(street: Street, at: SocketAddr, ports: &str, parts: &[&str]) -> Self {
        let common = COMMON.replace("listen = [", &format!("listen = [\"udp:{at}\", "));
        let common = common.replace("20000-21999", ports);
        Self::start_on(street, own(), false, &common, parts)
    }

    /// The same, from a copy of the program in the street's folder, for tests that replace it.
    pub fn start_from_a_copy(parts: &[&str]) -> Self {
        let street = Street::new();
        let copy = street.dir().join("pukar");
        fs::copy(own(), &copy).unwrap();
        Self::start_on(street, copy, false, COMMON, parts)
    }

    fn start_as(supervised: bool, parts: &[&str]) -> Self {
        Self::start_on(Street::new(), own(), supervised, COMMON, parts)
    }

    fn start_on(
        street: Street,
        own: PathBuf,
        supervised: bool,
        common: &str,
        parts: &[&str],
    ) -> Self {
        let data = street.folder("d");
        let text = format!("{common}{}", parts.concat());
        let text = street.address(&text).replace("DATA", &data.to_string_lossy());
        fs::write(street.dir().join("helpline.toml"), text).unwrap();
        let program = launch(&own, &street, supervised);
        let socket = data.join("s");
        Self {
            facts: Facts::of(&socket),
            admin: Admin::connect(&socket),
            program,
            own,
            supervised,
            street,
        }
    }

    /// Kills the process as nothing can refuse, and starts another in its place.
    pub fn crash(&mut self) {
        self.program.signal(libc::SIGKILL);
        self.program.end(PATIENCE);
        self.restart();
    }

    /// Starts another process where the last one has ended.
    pub fn restart(&mut self) {
        self.program = launch(&self.own, &self.street, self.supervised);
        self.meet();
    }

    /// Starts another process where the last one has ended, with something changed about it.
    pub fn restart_with(&mut self, change: impl FnOnce(&mut Command)) {
        let mut command = command(&self.own, &self.street, self.supervised);
        change(&mut command);
        self.program = Program::start("pukar", &mut command);
        self.program.line_with("admin socket");
        self.meet();
    }

    /// What the command line says to it.
    pub fn tell(&self, words: &[&str]) -> std::process::Output {
        let mut command = Command::new(&self.own);
        command.arg("--socket").arg(self.data().join("s")).args(words);
        command.output().unwrap()
    }

    /// Kills the process, and starts another whose disk takes nothing any more.
    pub fn crash_onto_a_full_disk(&mut self) {
        self.program.signal(libc::SIGKILL);
        self.program.end(PATIENCE);
        self.start_onto_a_full_disk();
    }

    /// Starts another process where the last one has ended: its disk takes nothing.
    pub fn start_onto_a_full_disk(&mut self) {
        // SAFETY: the call may be made between fork and exec, and reads no memory of ours.
        self.restart_with(|command| unsafe {
            command.pre_exec(|| {
                let none = libc::rlimit { rlim_cur: 0, rlim_max: libc::RLIM_INFINITY };
                libc::setrlimit(libc::RLIMIT_FSIZE, &none);
                Ok(())
            });
        });
    }

    /// There is room again.
    pub fn frees_the_disk(&mut self) {
        let all = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
        // SAFETY: prlimit(2) reads `all`, which lives through the call; no old limit is asked for.
        let done = unsafe {
            let pid = self.program.pid() as i32;
            libc::prlimit(pid, libc::RLIMIT_FSIZE, &all, std::ptr::null_mut())
        };
        assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
    }

    /// Has the program replaced in the same process.
    pub fn upgrade(&mut self) {
        self.program.signal(libc::SIGUSR2);
        self.program.line_with("goes on in the place of this program");
        self.program.line_with("admin socket");
        self.meet();
    }

    /// Kills the child of a supervisor, and waits for the next one.
    pub fn crash_child(&mut self) {
        let pid = self.program.pid();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        let child: i32 = children.split_whitespace().next().unwrap().parse().unwrap();
        // SAFETY: kill(2) reads no memory.
        unsafe { libc::kill(child, libc::SIGKILL) };
        self.program.line_with("is started again");
        self.program.line_with("admin socket");
        self.meet();
    }

    /// Changes what the next start, or a reload, will read.
    pub fn configure(&mut self, change: impl FnOnce(String) -> String) {
        let path = self.street.dir().join("helpline.toml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, change(text)).unwrap();
    }

    /// What a second program with the same configuration says, which must not stay.
    pub fn start_another(&self) -> std::process::Output {
        let config = self.street.dir().join("helpline.toml");
        let mut command = Command::new(&self.own);
        command.arg("run").arg("--config").arg(config).current_dir(self.street.dir());
        command.output().unwrap()
    }

    pub fn metrics(&mut self) -> String {
        self.ask("metrics").as_str().unwrap().into()
    }

    pub fn meet(&mut self) {
        let socket = self.data().join("s");
        (self.facts, self.admin) = (Facts::of(&socket), Admin::connect(&socket));
    }

    /// The process, to do something to it.
    pub fn program(&mut self) -> &mut Program {
        &mut self.program
    }

    pub fn sip(&self) -> SocketAddr {
        self.street.sip(SWITCH)
    }

    pub fn ask(&mut self, method: &str) -> Value {
        self.admin.ask(method, json!({})).unwrap()
    }

    pub fn status(&mut self) -> Value {
        self.ask("status")
    }

    /// Waits for a fact; see [`Facts::until`].
    pub fn until(&mut self, kind: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.facts.until(kind, fits)
    }

    /// Waits until so many calls have ended since the start.
    pub fn until_ended(&mut self, calls: usize) {
        self.facts.until_count("call.ended", calls);
    }

    /// Octets of memory that are really there (proc(5)).
    pub fn memory(&self) -> usize {
        let path = format!("/proc/{}/statm", self.program.pid());
        let text = fs::read_to_string(path).expect("the switch is alive");
        text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap() * 4096
    }

    /// Ends it in order and reads what it wrote: one record a call, the same in both stores.
    pub fn records(mut self) -> Vec<Value> {
        self.leaves_records()
    }

    /// The same, while its folder stays.
    pub fn leaves_records(&mut self) -> Vec<Value> {
        self.program.signal(libc::SIGTERM);
        let status = self.program.end(PATIENCE);
        assert!(status.success(), "the switch ended with {status}");
        let data = self.data();
        let lines = fs::read_to_string(data.join("records.jsonl")).unwrap_or_default();
        let rows = lines.lines().map(|line| serde_json::from_str(line).expect("a line of JSON"));
        let calls: Vec<Value> = rows.filter(|row: &Value| row["outcome"].is_string()).collect();
        let database = rusqlite::Connection::open(data.join("records.db")).unwrap();
        let sql = "SELECT count(*) FROM calls";
        let stored = database.query_row(sql, [], |row| row.get::<_, i64>(0));
        // The table comes with the first record.
        let stored = stored.unwrap_or_default();
        assert_eq!(stored, calls.len() as i64, "the stores disagree");
        calls
    }

    /// Ends it in order, and keeps its folder; all that it said.
    pub fn stop(&mut self) -> String {
        self.program.signal(libc::SIGTERM);
        let status = self.program.end(PATIENCE);
        assert!(status.success(), "the switch ended with {status}");
        self.program.said()
    }

    pub fn data(&self) -> PathBuf {
        self.street.dir().join("d")
    }
}

/// The process, with its admin socket open.
/// The program that the tests have built.
fn own() -> PathBuf {
    env!("CARGO_BIN_EXE_pukar").into()
}

fn launch(own: &Path, street: &Street, supervised: bool) -> Program {
    let mut program = Program::start("pukar", &mut command(own, street, supervised));
    program.line_with("admin socket");
    program
}

fn command(own: &Path, street: &Street, supervised: bool) -> Command {
    let config = street.dir().join("helpline.toml");
    let mut command = Command::new(own);
    command.arg("run").arg("--config").arg(&config).current_dir(street.dir());
    command.args(supervised.then_some("--supervise"));
    command.env("RUST_BACKTRACE", "1");
    let authority = authority(street);
    if authority.exists() {
        command.env("SSL_CERT_FILE", authority);
    }
    command
}
