//! Real database and message servers for a test: on the test's street, in its folder, dead with it.

use super::PATIENCE;
use super::certs::Certs;
use super::program::{Program, text_of};
use super::street::Street;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Houses on the street.
const POSTGRES: u8 = 9;
const NATS: u8 = 10;
/// The password of both; no log may hold it.
pub const PASSWORD: &str = "q7-Sandesh-1081";

/// Their certificate is for these.
pub const HOUSES: [u8; 3] = [POSTGRES, NATS, super::street::SWITCH];

/// PostgreSQL (package postgresql). It refuses to run as root, so root runs it as its own user.
pub struct Postgres {
    program: Option<Program>,
    data: PathBuf,
    ip: String,
    secure: bool,
}

/// The NATS server (package nats-server) with JetStream.
pub struct Nats {
    program: Option<Program>,
    data: PathBuf,
    ip: String,
    certs: Option<[PathBuf; 2]>,
}

impl Postgres {
    pub fn start(street: &Street, certs: Option<&Certs>) -> Self {
        let data = street.folder("pg");
        own(&data);
        let password = street.dir().join("pg.password");
        fs::write(&password, PASSWORD).unwrap();
        let mut initdb = as_own_user("initdb");
        initdb.arg("-D").arg(&data).args(["-U", "pukar", "-E", "UTF8", "--locale=C.UTF-8"]);
        initdb.args(["-A", "scram-sha-256", "--no-sync", "--pwfile"]).arg(&password);
        text_of(&mut initdb);
        if let Some(certs) = certs {
            for (from, name) in [(&certs.cert, "server.crt"), (&certs.key, "server.key")] {
                let path = data.join(name);
                fs::copy(from, &path).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
                own(&path);
            }
        }
        let (ip, secure) = (street.ip(POSTGRES).to_string(), certs.is_some());
        let mut server = Self { program: None, data, ip, secure };
        server.run();
        server
    }

    /// As a store of the configuration.
    pub fn store(&self) -> String {
        let tls = if self.secure { "on" } else { "off" };
        format!("postgres://pukar:{PASSWORD}@{}/postgres?tls={tls}", self.ip)
    }

    pub fn run(&mut self) {
        let mut command = as_own_user("postgres");
        command.arg("-D").arg(&self.data).args(["-p", "5432", "-c", "fsync=off"]);
        command.args(["-c", "unix_socket_directories=", "-c"]);
        command.arg(format!("listen_addresses={}", self.ip));
        command.args(["-c", if self.secure { "ssl=on" } else { "ssl=off" }]);
        let mut program = Program::start("postgresql", &mut command);
        program.line_with("ready to accept connections");
        self.program = Some(program);
    }

    /// Ends it at once, as after a loss of power.
    pub fn kill(&mut self) {
        if let Some(mut program) = self.program.take() {
            // To the postmaster, this is an immediate shutdown of all its children.
            program.signal(libc::SIGQUIT);
            program.end(PATIENCE);
        }
    }

    /// Stops every process of it in its tracks, or lets them go on.
    pub fn freeze(&self, frozen: bool) {
        let Some(program) = &self.program else { return };
        let signal = if frozen { libc::SIGSTOP } else { libc::SIGCONT };
        for pid in tree(program.pid()) {
            // SAFETY: kill(2) reads no memory; the processes are children of ours.
            unsafe { libc::kill(pid as i32, signal) };
        }
    }

    /// Does what psql does with this statement.
    pub fn sql(&self, statement: &str) -> String {
        let mut psql = Command::new("psql");
        psql.env("PGPASSWORD", PASSWORD).args(["-h", &self.ip, "-U", "pukar", "-d", "postgres"]);
        text_of(psql.args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement]))
    }
}

impl Nats {
    pub fn start(street: &Street, certs: Option<&Certs>) -> Self {
        let data = street.folder("nats");
        let certs = certs.map(|certs| [certs.cert.clone(), certs.key.clone()]);
        let mut server = Self { program: None, data, ip: street.ip(NATS).to_string(), certs };
        server.run();
        server
    }

    pub fn store(&self) -> String {
        let tls = if self.certs.is_some() { "on" } else { "off" };
        format!("nats://pukar:{PASSWORD}@{}/helpline?tls={tls}", self.ip)
    }

    pub fn run(&mut self) {
        let mut command = Command::new(found("nats-server", &["/usr/sbin"]));
        command.args(["-js", "-a", &self.ip, "-p", "4222", "-sd"]).arg(&self.data);
        command.args(["--user", "pukar", "--pass", PASSWORD]);
        if let Some([cert, key]) = &self.certs {
            command.arg("--tls").arg("--tlscert").arg(cert).arg("--tlskey").arg(key);
        }
        let mut program = Program::start("nats-server", &mut command);
        program.line_with("Server is ready");
        self.program = Some(program);
    }

    pub fn kill(&mut self) {
        if let Some(mut program) = self.program.take() {
            program.signal(libc::SIGKILL);
            program.end(PATIENCE);
        }
    }

    pub fn freeze(&self, frozen: bool) {
        let signal = if frozen { libc::SIGSTOP } else { libc::SIGCONT };
        self.program.iter().for_each(|program| program.signal(signal));
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.freeze(false);
        self.kill();
    }
}

/// A process and all below it.
fn tree(pid: u32) -> Vec<u32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let children = fs::read_to_string(path).unwrap_or_default();
    let below = children.split_whitespace().filter_map(|id| id.parse().ok()).flat_map(tree);
    std::iter::once(pid).chain(below).collect()
}

/// A program of PostgreSQL, the newest version there is.
fn as_own_user(name: &str) -> Command {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    folders.sort();
    let folders: Vec<&str> = folders.iter().rev().filter_map(|path| path.to_str()).collect();
    let program = found(name, &folders);
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
    // The folder of the one who started it is none of the server's business.
    command.current_dir("/");
    command
}

fn found(name: &str, folders: &[&str]) -> PathBuf {
    let at = folders.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.exists());
    at.unwrap_or_else(|| name.into())
}

/// Gives a file or a folder to the user that the server runs as.
fn own(path: &Path) {
    if is_root() {
        let id = |flag: &str| -> u32 {
            let text = text_of(Command::new("id").args([flag, "postgres"]));
            text.trim().parse().expect("the user postgres, who comes with package postgresql")
        };
        std::os::unix::fs::chown(path, Some(id("-u")), Some(id("-g"))).unwrap();
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|about| about.uid() == 0)
}
