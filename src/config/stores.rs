//! `[records]`: where finished rows go. A store is one text, `kind:` and a path or a URL; what
//! stands before the `@` of a URL is a login, and in no sentence of ours.

use super::Env;
use super::mistake::{Log, Wrong, choose, wrong};
use super::retention;
use super::secret;
use super::section::{At, Section};
use super::settings::{Remote, Settings, Store};
use super::tree::Table;
use super::value;
use crate::sip::Secret;
use std::net::IpAddr;

const KINDS: [&str; 7] = ["sqlite", "jsonl", "csv", "postgres", "https", "http", "nats"];

const POSTGRES: &str = "write it as \"postgres://USER:env:NAME@HOST/DATABASE\"";
const WEBHOOK: &str = "write it as \"https://env:TOKEN@HOST/PATH\"";
const NATS: &str = "write it as \"nats://env:TOKEN@HOST/STREAM\"";

pub fn records(table: &Table, env: Env, settings: &mut Settings, log: &mut Log) {
    let mut section = Section::new(table, "[records]", log);
    if let Some(found) = section.texts_shown("stores", shown, |raw| store(raw, env)) {
        settings.stores.clear();
        for At { it: store, place } in found {
            if settings.stores.iter().any(|known| known.place() == store.place()) {
                section.log.add(place, "a store stands twice", "take one out");
            }
            if bare(&store) {
                let what = "call records, with callers' numbers, go over the network in the clear";
                section.log.warn(place, what, "write https:, or take out tls=off");
            }
            settings.stores.push(store);
        }
    }
    let megabytes = section.number("outbox", 64..=1_000_000);
    settings.journal.outbox = megabytes.map_or(settings.journal.outbox, |n| u64::from(n) << 20);
    retention::keep(&mut section, settings);
    purge(&mut section, env, settings);
    section.done();
}

/// Where web servers are asked to take out what is too old: nobody else can.
fn purge(section: &mut Section, env: Env, settings: &mut Settings) {
    let asked = section.texts_shown("purge", shown, |raw| web(raw, env)).unwrap_or_default();
    for At { it: asked, place } in asked {
        let same = |known: &Remote| known.server() == asked.server();
        if settings.retention.web.iter().any(same) {
            section.log.add(place, "a server stands twice in purge", "take one out");
        } else if !settings.stores.iter().any(|store| web_server(store).is_some_and(same)) {
            let what = format!("no store is at {}, which purge names", asked.server());
            section.log.add(place, what, "write the scheme, host and port of one of stores");
        }
        settings.retention.web.push(asked);
    }
    let (limited, place) = (settings.retention.is_limited(), section.place_of("stores"));
    for store in settings.stores.iter().filter(|_| limited) {
        let Some(at) = web_server(store) else { continue };
        if !settings.retention.web.iter().any(|known| known.server() == at.server()) {
            let what = format!("{} keeps its rows by itself, whatever keep says", store.place());
            let instead = "write under purge where it is asked to take them out";
            section.log.warn(place, what, instead);
        }
    }
}

fn web_server(store: &Store) -> Option<&Remote> {
    match store {
        Store::Webhook(at) => Some(at),
        Store::Sqlite { .. } | Store::JsonLines { .. } | Store::Csv { .. } => None,
        Store::Postgres(_) | Store::Nats(_) => None,
    }
}

fn web(raw: &str, env: Env) -> Result<Remote, Wrong> {
    match raw.split_once(':') {
        Some((kind @ ("https" | "http"), rest)) => webhook(kind == "https", rest, env),
        _ => wrong("is no address of a web server", WEBHOOK),
    }
}

/// Whether whoever listens on the way can read it.
fn bare(store: &Store) -> bool {
    match store {
        Store::Postgres(at) | Store::Webhook(at) | Store::Nats(at) => !at.tls && !is_near(&at.host),
        Store::Sqlite { .. } | Store::JsonLines { .. } | Store::Csv { .. } => false,
    }
}

/// The text of a store without its login: mistakes quote it.
fn shown(raw: &str) -> String {
    let scheme = raw.find("://").map(|at| at + 3).or_else(|| raw.find(':').map(|at| at + 1));
    match (scheme, raw.rfind('@')) {
        (Some(from), Some(to)) if from <= to => format!("{}…{}", &raw[..from], &raw[to..]),
        _ => raw.into(),
    }
}

fn store(raw: &str, env: Env) -> Result<Store, Wrong> {
    let Some((kind, rest)) = raw.split_once(':') else {
        return wrong("is no store", format!("write \"sqlite:{raw}\" or \"jsonl:{raw}\""));
    };
    let path = || match rest.trim() {
        "" => wrong("has no path", "write it as \"sqlite:data/records.db\""),
        path => Ok(path.into()),
    };
    match kind {
        "sqlite" => Ok(Store::Sqlite { path: path()? }),
        "jsonl" => Ok(Store::JsonLines { path: path()? }),
        "csv" => Ok(Store::Csv { folder: path()? }),
        "postgres" | "postgresql" => postgres(rest, env).map(Store::Postgres),
        "https" | "http" => webhook(kind == "https", rest, env).map(Store::Webhook),
        "nats" => nats(rest, env).map(Store::Nats),
        _ => wrong("is no store", choose(kind, &KINDS, "kinds of store")),
    }
}

fn postgres(rest: &str, env: Env) -> Result<Remote, Wrong> {
    let url = Url::read(rest, POSTGRES)?;
    let mut remote = url.remote(5432, env)?;
    url.options(&mut remote)?;
    if !is_plain(&remote.path) {
        return wrong("names no database", POSTGRES);
    }
    if remote.user.is_empty() {
        return wrong("names no user", POSTGRES);
    }
    Ok(remote)
}

/// The query of the URL is the receiver's own.
fn webhook(tls: bool, rest: &str, env: Env) -> Result<Remote, Wrong> {
    let url = Url::read(rest, WEBHOOK)?;
    let mut remote = Remote { tls, ..url.remote(if tls { 443 } else { 80 }, env)? };
    let graphic = |c: char| c.is_ascii_graphic() && !"\"<>\\^`{|}".contains(c);
    if !url.rest.chars().all(graphic) {
        return wrong("holds what no URL may", "write it with %XX for such characters");
    }
    remote.path = url.rest.into();
    Ok(remote)
}

fn nats(rest: &str, env: Env) -> Result<Remote, Wrong> {
    let url = Url::read(rest, NATS)?;
    let mut remote = url.remote(4222, env)?;
    url.options(&mut remote)?;
    if remote.path.is_empty() {
        remote.path = "pukar".into();
    }
    if !is_plain(&remote.path) {
        return wrong("has a bad stream name", "use letters, digits, - and _");
    }
    Ok(remote)
}

/// `//LOGIN@HOST:PORT/…`, taken apart.
struct Url<'a> {
    login: &'a str,
    host: &'a str,
    port: Option<u16>,
    /// The path and what follows it, with its slash.
    rest: &'a str,
}

impl<'a> Url<'a> {
    fn read(raw: &'a str, example: &str) -> Result<Self, Wrong> {
        let Some(raw) = raw.strip_prefix("//") else {
            return wrong("has no // after its kind", example);
        };
        let (authority, rest) = raw.split_at(raw.find(['/', '?']).unwrap_or(raw.len()));
        let (login, place) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (place, None),
        };
        let port = match port.map(str::parse::<u16>) {
            None => None,
            Some(Ok(port)) if port > 0 => Some(port),
            Some(_) => return wrong("has a bad port", "write a number from 1 to 65535"),
        };
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        if host.parse::<IpAddr>().is_err() && !value::is_host(host) {
            return wrong("names no host", example);
        }
        Ok(Self { login, host, port, rest })
    }

    fn remote(&self, port: u16, env: Env) -> Result<Remote, Wrong> {
        let path = self.rest.split('?').next().unwrap_or_default();
        let (user, secret) = login(self.login, env)?;
        Ok(Remote {
            user,
            secret,
            host: self.host.into(),
            port: self.port.unwrap_or(port),
            path: path.trim_start_matches('/').into(),
            tls: !is_near(self.host),
            switch: "main".into(),
        })
    }

    fn options(&self, remote: &mut Remote) -> Result<(), Wrong> {
        let query = self.rest.split_once('?').map_or("", |(_, query)| query);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=').unwrap_or((pair, "")) {
                ("switch", name) if is_plain(name) => remote.switch = name.into(),
                ("switch", _) => {
                    return wrong("has a bad switch name", "use letters, digits, - and _");
                }
                ("tls", "on") => remote.tls = true,
                ("tls", "off") => remote.tls = false,
                ("tls", _) => return wrong("has a bad tls", "write tls=on or tls=off"),
                (key, _) => {
                    let what = format!("has an unknown option \"{key}\"");
                    return wrong(what, choose(key, &["switch", "tls"], "options"));
                }
            }
        }
        Ok(())
    }
}

/// `USER:SECRET`, `USER`, or a token alone, which is `env:NAME`.
fn login(raw: &str, env: Env) -> Result<(String, Option<Secret>), Wrong> {
    let reveal = |raw: &str| -> Result<Secret, Wrong> {
        match raw.starts_with("env:") {
            true => secret::look_up(raw, env).map(Secret),
            false => Ok(Secret(decoded(raw))),
        }
    };
    if raw.starts_with("env:") {
        return Ok((String::new(), Some(reveal(raw)?)));
    }
    match raw.split_once(':') {
        Some((user, secret)) => Ok((decoded(user), Some(reveal(secret)?))),
        None => Ok((decoded(raw), None)),
    }
}

/// `%40` is `@`.
fn decoded(raw: &str) -> String {
    let (mut octets, mut rest) = (Vec::new(), raw.as_bytes());
    while let [first, tail @ ..] = rest {
        let hex = |octet: u8| char::from(octet).to_digit(16);
        let code = match (first, tail) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)).map(|(h, l)| (h * 16 + l) as u8),
            _ => None,
        };
        octets.push(code.unwrap_or(*first));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&octets).into_owned()
}

fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (1..=63).contains(&name.len()) && name.chars().all(plain)
}

/// On this machine: nobody else hears it.
fn is_near(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(raw: &str) -> Result<Store, Wrong> {
        store(raw, &|name| (name == "SECRET").then(|| "p@ss/word".to_string()))
    }

    #[test]
    fn a_database_is_a_url_whose_secret_comes_from_the_environment() {
        let Ok(Store::Postgres(remote)) = read("postgres://pukar:env:SECRET@10.0.0.5/helpline")
        else {
            panic!("no database");
        };
        assert_eq!((remote.user.as_str(), remote.port, remote.tls), ("pukar", 5432, true));
        assert_eq!((remote.host.as_str(), remote.path.as_str()), ("10.0.0.5", "helpline"));
        assert_eq!(remote.secret, Some(Secret("p@ss/word".into())));
        let text = "postgres://pukar:a%40b@[::1]:5433/calls?switch=bhopal&tls=on";
        let Ok(Store::Postgres(remote)) = read(text) else { panic!("no database") };
        assert_eq!((remote.host.as_str(), remote.port, remote.tls), ("::1", 5433, true));
        assert_eq!(remote.switch, "bhopal");
        assert_eq!(remote.secret, Some(Secret("a@b".into())));
    }

    #[test]
    fn a_webhook_keeps_its_path_and_query_and_a_stream_has_a_name() {
        let text = "https://env:SECRET@hook.example/in?dept=wcd";
        let Ok(Store::Webhook(remote)) = read(text) else { panic!("no webhook") };
        assert_eq!((remote.path.as_str(), remote.port), ("/in?dept=wcd", 443));
        assert!(remote.tls && remote.user.is_empty() && remote.secret.is_some());
        let Ok(Store::Nats(remote)) = read("nats://127.0.0.1") else { panic!("no stream") };
        assert_eq!((remote.path.as_str(), remote.port, remote.tls), ("pukar", 4222, false));
    }

    #[test]
    fn what_is_wrong_is_said_and_no_secret_with_it() {
        for (raw, what) in [
            ("postgres:calls", "has no // after its kind"),
            ("postgres://u:hunter22@/db", "names no host"),
            ("postgres://u:hunter22@db.example", "names no database"),
            ("postgres://db.example/calls", "names no user"),
            ("postgres://u@db.example/calls?sslmode=on", "has an unknown option \"sslmode\""),
            ("postgres://u:env:NONE@db.example/calls", "NONE, which is not set"),
            ("https://hook.example:0/", "has a bad port"),
            ("https://hook.example/a b", "holds what no URL may"),
            ("nats://127.0.0.1/my.stream", "has a bad stream name"),
            ("csv:", "has no path"),
            ("sqllite:x", "is no store"),
        ] {
            let Err(Wrong { what: said, instead }) = read(raw) else { panic!("{raw}") };
            assert!(said.contains(what), "{raw}: {said}");
            assert!(!instead.contains("hunter22") && !said.contains("hunter22"), "{raw}");
        }
        for raw in ["postgres://u:hunter22@h/d", "postgres:u:hunter22@h", "nats:hunter22@h/x"] {
            assert!(!shown(raw).contains("hunter22"), "{}", shown(raw));
        }
    }
}
