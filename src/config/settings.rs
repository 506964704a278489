//! Everything the switch is told before it starts, checked. Paths are relative to the directory
//! that the switch is started in.

use crate::base::TuneId;
use crate::call::{Family, Home, Homes};
use crate::{acd, call, sip};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Shown on wallboards and reports. UTF-8.
    pub name: String,
    /// A name of the IANA time zone database; days and shifts are counted in it.
    pub timezone: String,
    /// The folder that everything written goes to, unless a key says otherwise.
    pub data: PathBuf,
    /// How long an orderly stop waits for live calls.
    pub drain: Duration,
    pub log: Level,
    pub sip: sip::Settings,
    pub acd: acd::Settings,
    pub call: call::Settings,
    /// What becomes of callers whose queue cannot serve them.
    pub overflows: Vec<acd::WaysOut>,
    pub roster: acd::RosterSettings,
    /// CSV files with the rows of `call.directory`; whoever reads the configuration reads them.
    pub directory_files: Vec<PathBuf>,
    /// Whose tones are heard.
    pub country: Country,
    /// The folder of prompts, `<language>/<name>.wav`.
    pub prompts: PathBuf,
    /// What SIP over TLS needs.
    pub tls: Tls,
    /// Whose prompts are played where a language has none of its own.
    pub prompt_fallback: BTreeMap<String, String>,
    /// Who is called back, how often.
    pub callbacks: acd::CallbackPolicy,
    /// What is played to callers, in the order of their ids.
    pub tunes: Vec<Tune>,
    pub recording: Recording,
    pub stores: Vec<Store>,
    pub retention: Retention,
    pub admin: Admin,
    pub journal: Journal,
    pub reports: Reports,
    /// What an agent keys in to log in, in the order of the agents' ids.
    pub pins: Vec<Option<sip::Secret>>,
}

/// SIP over TLS: files in PEM, which are read at the start and by every reload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tls {
    /// Ours, with the chain below it; and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Who vouches for those that we connect to. `None`: whom this machine trusts.
    pub ca: Option<PathBuf>,
    /// Names that trunks have to prove when they call: whoever connects is asked for a certificate.
    pub asked: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: "Pukar".into(),
            timezone: "Asia/Kolkata".into(),
            data: "data".into(),
            drain: Duration::from_secs(300),
            log: Level::Info,
            sip: sip::Settings::default(),
            acd: acd::Settings::default(),
            call: call::Settings::default(),
            overflows: Vec::new(),
            roster: acd::RosterSettings::default(),
            directory_files: Vec::new(),
            country: Country::default(),
            prompts: "prompts".into(),
            tls: Tls::default(),
            prompt_fallback: BTreeMap::new(),
            callbacks: acd::CallbackPolicy::default(),
            tunes: Vec::new(),
            recording: Recording::default(),
            stores: vec![Store::Sqlite { path: "data/records.db".into() }],
            retention: Retention::default(),
            admin: Admin::default(),
            journal: Journal::default(),
            reports: Reports::default(),
            pins: Vec::new(),
        }
    }
}

/// Whose telephones the tones are known from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Country {
    #[default]
    India,
    /// Nobody's: what ITU-T E.180 recommends to all.
    Itu,
    Britain,
    America,
}

impl Country {
    pub const ALL: [Self; 4] = [Self::India, Self::Itu, Self::Britain, Self::America];

    /// As the configuration has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::India => "in",
            Self::Itu => "itu",
            Self::Britain => "gb",
            Self::America => "us",
        }
    }
}

/// A prompt or a piece of music.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tune {
    /// As the configuration names it: `hi/welcome`, `music`, `tone`.
    pub name: String,
    /// `None`: the built-in tone, which needs no file.
    pub file: Option<PathBuf>,
    /// A word of a sentence: where it is recorded in no language that may speak for it, nothing is
    /// heard in its place.
    pub speech: bool,
}

/// Where recordings lie. Whose calls are recorded: [`call::Rules`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    pub folder: PathBuf,
    /// Files are sealed with it.
    pub key: Option<sip::Secret>,
    /// Files were sealed with these once.
    pub old_keys: Vec<sip::Secret>,
    /// `None`: for ever.
    pub keep: Option<Duration>,
}

impl Default for Recording {
    fn default() -> Self {
        let old_keys = Vec::new();
        Self { folder: "data/recordings".into(), key: None, old_keys, keep: None }
    }
}

/// Where call records go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Store {
    Sqlite {
        path: PathBuf,
    },
    JsonLines {
        path: PathBuf,
    },
    /// A folder of files, one a day and table.
    Csv {
        folder: PathBuf,
    },
    Postgres(Remote),
    Webhook(Remote),
    Nats(Remote),
}

/// How long records are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// Days; `None`: for ever.
    pub days: Option<u32>,
    /// Lines for which it is another time.
    pub lines: BTreeMap<String, Option<u32>>,
    /// The same of the access log.
    pub audit: Option<u32>,
    /// Where web servers are asked to take out what is older.
    pub web: Vec<Remote>,
    pub holds: Vec<Hold>,
}

impl Retention {
    /// Whether some records are not kept for ever.
    pub fn is_limited(&self) -> bool {
        self.days.is_some() || self.lines.values().any(Option::is_some)
    }
}

/// Records that nobody may purge: those that fit all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    pub reason: String,
    pub line: Option<String>,
    /// The id of a record.
    pub call: Option<String>,
    /// E.164.
    pub caller: Option<String>,
    /// Days in the switch's time zone, as `2026-11-22`, both included.
    pub from: Option<String>,
    pub until: Option<String>,
}

impl Hold {
    /// Whether a day, as `2026-11-22`, is among those that it is about.
    pub fn covers(&self, day: &str) -> bool {
        self.from.as_deref().is_none_or(|from| day >= from)
            && self.until.as_deref().is_none_or(|until| day <= until)
    }
}

/// A store that is reached over the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remote {
    /// Empty where there is a token alone, or nothing.
    pub user: String,
    pub secret: Option<sip::Secret>,
    pub host: String,
    pub port: u16,
    /// The database, the stream, or the path of the URL with its query.
    pub path: String,
    pub tls: bool,
    /// What this switch is called among those that write to the same place.
    pub switch: String,
}

impl Store {
    /// What it is called in lists and logs, and by its cursor: nothing of its login is in it.
    pub fn place(&self) -> String {
        match self {
            Store::Sqlite { path } => format!("sqlite:{}", path.display()),
            Store::JsonLines { path } => format!("jsonl:{}", path.display()),
            Store::Csv { folder } => format!("csv:{}", folder.display()),
            Store::Postgres(at) => {
                format!("postgres://{}/{}?switch={}", at.authority(), at.path, at.switch)
            }
            Store::Webhook(at) => {
                format!("{}{}", at.server(), at.path.split('?').next().unwrap_or_default())
            }
            Store::Nats(at) => {
                format!("nats://{}/{}?switch={}", at.authority(), at.path, at.switch)
            }
        }
    }
}

impl Remote {
    /// Of a web server: `https://hook.example:443`.
    pub fn server(&self) -> String {
        format!("http{}://{}", if self.tls { "s" } else { "" }, self.authority())
    }

    pub fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admin {
    /// The Unix socket that `pukar status` and the other commands talk to.
    pub socket: PathBuf,
    /// Where the wallboard, the API and the metrics are served over HTTP.
    pub http: Option<SocketAddr>,
    pub users: Vec<User>,
}

impl Default for Admin {
    fn default() -> Self {
        Self { socket: "data/pukar.sock".into(), http: None, users: Vec::new() }
    }
}

/// Somebody who may use the admin socket or HTTP. The socket's owner needs none to be one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub name: String,
    pub role: Role,
    /// What of the switch is theirs; both empty: all of it.
    pub queues: Vec<String>,
    pub districts: Vec<String>,
    /// Whether they see callers' numbers in full.
    pub numbers: bool,
    /// Who they are on this machine.
    pub uid: Option<u32>,
    /// What they show over HTTP.
    pub token: Option<sip::Secret>,
}

/// Each may do what the ones before may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    /// Looks, and sees no caller's number.
    Analyst,
    ReadOnly,
    /// Acts on calls, agents and queues.
    Supervisor,
    Administrator,
}

impl Role {
    pub const ALL: [(&str, Role); 4] = [
        ("analyst", Role::Analyst),
        ("read-only", Role::ReadOnly),
        ("supervisor", Role::Supervisor),
        ("administrator", Role::Administrator),
    ];

    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, role)| *role == self).map_or("", |(name, _)| name)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// Octets of old segments that are kept beside those that a restart needs.
    pub keep: u64,
    /// And for how many days at most, however few they are. `None`: their size alone counts.
    pub days: Option<u32>,
    /// Octets of rows that may wait in the outbox for stores that are away.
    pub outbox: u64,
}

impl Default for Journal {
    fn default() -> Self {
        Self { days: None, keep: 256 << 20, outbox: 4 << 30 }
    }
}

/// How the day's figures are made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reports {
    /// Minutes of the day, in the switch's time zone, in order. None: midnight.
    pub cut_offs: Vec<u16>,
    /// Whoever leaves within this never waited, and does not count against the service level.
    pub short: Duration,
}

impl Default for Reports {
    fn default() -> Self {
        Self { cut_offs: vec![8 * 60, 20 * 60], short: Duration::from_secs(5) }
    }
}

/// What is worth a line in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Level {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

impl Level {
    pub const ALL: [(&str, Level); 5] = [
        ("error", Level::Error),
        ("warn", Level::Warn),
        ("info", Level::Info),
        ("debug", Level::Debug),
        ("trace", Level::Trace),
    ];

    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, level)| *level == self).map_or("info", |(name, _)| name)
    }
}

impl Settings {
    /// The same switch, but whatever the run writes goes under `dir`: what lay under the data
    /// folder keeps its place in it, and what lay elsewhere keeps its whole path below `dir`.
    pub fn with_data(mut self, dir: &Path) -> Self {
        let old = std::mem::replace(&mut self.data, dir.to_path_buf());
        for store in &mut self.stores {
            match store {
                Store::Sqlite { path }
                | Store::JsonLines { path }
                | Store::Csv { folder: path } => *path = moved(path, &old, dir),
                Store::Postgres(_) | Store::Webhook(_) | Store::Nats(_) => {}
            }
        }
        self.recording.folder = moved(&self.recording.folder, &old, dir);
        self.admin.socket = moved(&self.admin.socket, &old, dir);
        self
    }

    /// The same for a folder that has moved: what is named elsewhere stays there.
    pub fn with_data_at(mut self, dir: &Path) -> Self {
        let old = std::mem::replace(&mut self.data, dir.to_path_buf());
        let moved = |path: &mut PathBuf| {
            if let Ok(rest) = path.strip_prefix(&old) {
                *path = dir.join(rest);
            }
        };
        for store in &mut self.stores {
            match store {
                Store::Sqlite { path }
                | Store::JsonLines { path }
                | Store::Csv { folder: path } => moved(path),
                Store::Postgres(_) | Store::Webhook(_) | Store::Nats(_) => {}
            }
        }
        moved(&mut self.recording.folder);
        moved(&mut self.admin.socket);
        self
    }

    /// Puts what `find` gives, the address of a family that the rest of the network knows this
    /// machine by, wherever the configuration says "auto" and listens on every interface. Media of
    /// a family that the machine has no such address of are left out, where there is another. Only
    /// the shell can find it out.
    pub fn with_addresses(mut self, find: impl Fn(Family) -> Option<IpAddr>) -> Self {
        for listener in &mut self.sip.listen {
            let any = listener.bind.ip();
            if listener.advertise.is_none() && any.is_unspecified() {
                listener.advertise = Some(find(Family::of(any)).unwrap_or(loopback(any)));
            }
        }
        let known = |home: Home| match home.advertise.is_unspecified() {
            true => find(home.family()).map(|advertise| Home { advertise, ..home }),
            false => Some(home),
        };
        let here = |home: Home| Home { advertise: loopback(home.bind), ..home };
        let all = self.call.media.homes;
        let homes = Homes::all(all.iter().filter_map(known)).or(Homes::all(all.iter().map(here)));
        self.call.media.homes = homes.unwrap_or(all);
        self
    }

    /// The families of which [`Settings::with_addresses`] asks for an address.
    pub fn wants_addresses(&self) -> Vec<Family> {
        let listen = self.sip.listen.iter().filter(|at| at.advertise.is_none());
        let listen = listen.map(|at| at.bind.ip()).filter(IpAddr::is_unspecified);
        let media = self.call.media.homes.iter().map(|home| home.advertise);
        let all = listen.chain(media.filter(IpAddr::is_unspecified)).map(Family::of);
        all.collect::<BTreeSet<Family>>().into_iter().collect()
    }

    pub fn tune(&self, tune: TuneId) -> Option<&Tune> {
        self.tunes.get(tune.0 as usize)
    }
}

/// Nobody else reaches us there.
fn loopback(like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    }
}

fn moved(path: &Path, old: &Path, dir: &Path) -> PathBuf {
    let rest = path.strip_prefix(old).or_else(|_| path.strip_prefix("data")).unwrap_or(path);
    let plain = rest.components().filter(|part| matches!(part, Component::Normal(_)));
    dir.join(plain.collect::<PathBuf>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_folder_from_the_command_line_takes_everything_with_it() {
        let mut settings = Settings::default();
        settings.stores.push(Store::JsonLines { path: "/srv/export/calls.jsonl".into() });
        let settings = settings.with_data(Path::new("/tmp/try"));
        assert_eq!(settings.data, Path::new("/tmp/try"));
        assert_eq!(settings.admin.socket, Path::new("/tmp/try/pukar.sock"));
        assert_eq!(
            settings.stores,
            [
                Store::Sqlite { path: "/tmp/try/records.db".into() },
                Store::JsonLines { path: "/tmp/try/srv/export/calls.jsonl".into() },
            ]
        );
    }

    #[test]
    fn an_address_that_was_found_fills_only_what_is_auto_and_only_its_own_family() {
        let mut settings = Settings::default();
        assert_eq!(settings.wants_addresses(), []);
        let any = |text: &str| -> IpAddr { text.parse().unwrap() };
        let [four, six] = [any("0.0.0.0"), any("::")];
        settings.call.media.homes = Homes::new(Home::at(four), Some(Home::at(six)));
        settings.sip.listen = [four, six]
            .map(|ip| sip::Listener {
                transport: sip::Transport::Udp,
                bind: (ip, 5_060).into(),
                advertise: None,
            })
            .into();
        assert_eq!(settings.wants_addresses(), [Family::V4, Family::V6]);
        let found = |family| (family == Family::V4).then_some(IpAddr::from([10, 1, 2, 3]));
        let with = settings.clone().with_addresses(found);
        assert_eq!(with.wants_addresses(), []);
        let advertised = |settings: &Settings| -> Vec<String> {
            let listen = settings.sip.listen.iter().filter_map(|at| at.advertise);
            let media = settings.call.media.homes.iter().map(|home| home.advertise);
            listen.chain(media).map(|at| at.to_string()).collect()
        };
        assert_eq!(advertised(&with), ["10.1.2.3", "::1", "10.1.2.3"], "no sound by IPv6");
        let alone = settings.with_addresses(|_| None);
        assert_eq!(advertised(&alone), ["127.0.0.1", "::1", "127.0.0.1", "::1"]);
    }
}
