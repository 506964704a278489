//! The sections that stand once: `[switch]`, `[sip]`, `[media]`, `[admin]`, `[limits]`,
//! `[numbers]`, `[directory]`.

use super::homes::{self, Addresses};
use super::menus;
use super::mistake::{Log, Wrong, choose, wrong};
use super::routes;
use super::section::{At, Section};
use super::settings::{Country, Level, Settings, Store, Tls};
use super::tree::{Table, Value};
use super::value;
use crate::base::{limits, text};
use crate::call::{Codec, MediaIo, MediaSettings, Srtp};
use crate::sip::{Listener, Transport};
use jiff::tz::TimeZoneDatabase;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

const IO: [(&str, MediaIo); 3] =
    [("auto", MediaIo::Auto), ("epoll", MediaIo::Epoll), ("uring", MediaIo::Uring)];

pub fn switch(table: &Table, settings: &mut Settings, log: &mut Log) {
    let mut section = Section::new(table, "[switch]", log);
    if let Some(name) = section.text("name", value::words) {
        settings.name = name.it;
    }
    if let Some(timezone) = section.text("timezone", timezone) {
        settings.timezone = timezone.it;
        settings.call.zone.clone_from(&settings.timezone);
    }
    if let Some(data) = section.text("data", |raw| Ok(raw.to_string())) {
        settings.data = data.it.into();
    }
    if let Some(drain) = section.span("drain", 0..=86_400_000) {
        settings.drain = drain;
    }
    settings.roster.lead =
        section.span("shift_lead", 0..=86_400_000).unwrap_or(settings.roster.lead);
    let level = section.text("log", |raw| {
        let names: Vec<&str> = Level::ALL.iter().map(|(name, _)| *name).collect();
        let known = Level::ALL.iter().find(|(name, _)| *name == raw).map(|(_, level)| *level);
        known.ok_or_else(|| unknown("is no log level", raw, &names, "levels"))
    });
    settings.log = level.map_or(settings.log, |at| at.it);
    section.done();
    settings.stores = vec![Store::Sqlite { path: settings.data.join("records.db") }];
    settings.admin.socket = settings.data.join("pukar.sock");
}

pub(super) fn unknown(what: &str, raw: &str, known: &[&str], kind: &str) -> Wrong {
    Wrong { what: what.into(), instead: choose(raw, known, kind) }
}

fn timezone(raw: &str) -> Result<String, Wrong> {
    let zones = TimeZoneDatabase::bundled();
    if let Ok(zone) = zones.get(raw) {
        return Ok(zone.iana_name().unwrap_or(raw).to_string());
    }
    let names: Vec<String> = zones.available().map(|name| name.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let instead = match super::mistake::nearest(raw, names) {
        Some(name) => format!("did you mean \"{name}\"?"),
        None => "write an IANA name such as \"Asia/Kolkata\"".into(),
    };
    Err(Wrong { what: "is no time zone".into(), instead })
}

/// The addresses to advertise, if they are written.
pub fn sip(table: &Table, settings: &mut Settings, log: &mut Log) -> Addresses {
    let mut section = Section::new(table, "[sip]", log);
    let sip = &mut settings.sip;
    let advertise = Addresses::advertised(&mut section);
    let listen = section.texts("listen", value::listener);
    if listen.is_none() {
        let bind = SocketAddr::from(([0, 0, 0, 0], 5_060));
        sip.listen = [Transport::Udp, Transport::Tcp]
            .map(|transport| Listener { transport, bind, advertise: advertise.like(bind.ip()) })
            .into();
    }
    let mut seen = BTreeMap::new();
    for At { it: (transport, bind), place } in listen.unwrap_or_default() {
        if let Some(first) = seen.insert((transport, bind), place) {
            let what = format!("{bind} is listened on twice, first at {}", section.log.name(first));
            section.log.add(place, what, "take one out");
        }
        sip.listen.push(Listener { transport, bind, advertise: advertise.like(bind.ip()) });
    }
    let open: Vec<IpAddr> = sip.listen.iter().map(|listener| listener.bind.ip()).collect();
    advertise.check(&open, "listen", section.log);
    let domains = section.texts("domain", value::domain).unwrap_or_default();
    sip.domains = domains.into_iter().map(|at| at.it).collect();
    if sip.domains.is_empty() {
        sip.domains.push("pukar".into());
    }
    timers(&mut section, sip);
    sip.lock_after = section.number("lock_after", 1..=1_000).unwrap_or(sip.lock_after);
    sip.dscp = section.number("dscp", 0..=63).map_or(sip.dscp, |n| n as u8);
    let tls_at = sip.listen.iter().any(|listener| listener.transport == Transport::Tls);
    settings.tls = Tls { asked: std::mem::take(&mut settings.tls.asked), ..tls(&mut section) };
    if tls_at && settings.tls.certificate.is_none() {
        let place = section.place_of("listen");
        let instead = "write tls = { certificate = \"tls/cert.pem\", key = \"tls/key.pem\" }";
        section.log.add(place, "listen has tls:, and there is no certificate", instead);
    }
    section.done();
    advertise
}

/// `tls = { certificate = "…", key = "…", ca = "…" }`: files, which are read at the start.
fn tls(section: &mut Section) -> Tls {
    const EXAMPLE: &str = "{ certificate = \"tls/cert.pem\", key = \"tls/key.pem\" }";
    let Some(table) = section.table("tls", EXAMPLE) else { return Tls::default() };
    let mut inner = Section::new(table, "[sip.tls]", section.log);
    let mut file = |key| inner.text(key, |raw| Ok(PathBuf::from(raw))).map(|at| at.it);
    let (certificate, key, ca) = (file("certificate"), file("key"), file("ca"));
    if certificate.is_some() != key.is_some() {
        let lacking = if key.is_some() { "certificate" } else { "key" };
        inner.missing(lacking, "\"tls/….pem\"");
    }
    inner.done();
    Tls { certificate: certificate.zip(key), ca, asked: Vec::new() }
}

fn timers(section: &mut Section, sip: &mut crate::sip::Settings) {
    sip.min_se = section.span("min_se", 90_000..=86_400_000).unwrap_or(sip.min_se);
    sip.session_expires =
        section.span("session_expires", 90_000..=86_400_000).unwrap_or(sip.session_expires);
    if sip.session_expires < sip.min_se {
        let place = section.place_of("session_expires");
        let instead = format!("write \"{}\" or more", value::show(sip.min_se.as_millis() as u64));
        section.log.add(place, "session_expires is shorter than min_se", instead);
    }
    let (least, most) = limits::REGISTER_EXPIRES;
    let range = least.as_millis() as u64..=most.as_millis() as u64;
    sip.register = (
        section.span("register_min", range.clone()).unwrap_or(least),
        section.span("register_max", range).unwrap_or(most),
    );
    if sip.register.0 > sip.register.1 {
        let place = section.place_of("register_min");
        let instead = "write the shorter one into register_min";
        section.log.add(place, "register_min is longer than register_max", instead);
    }
}

/// Reads `[media]` and checks it against the agents; gives the music and the welcome of lines that
/// have none of their own.
pub fn media(
    table: &Table,
    advertise: &Addresses,
    settings: &mut Settings,
    log: &mut Log,
) -> [Option<String>; 2] {
    let mut section = Section::new(table, "[media]", log);
    let defaults = MediaSettings::default();
    let homes = homes::media(&mut section, &settings.sip.listen, advertise);
    settings.call.media = MediaSettings {
        homes: homes.unwrap_or(defaults.homes),
        ports: ports(&mut section, settings).unwrap_or(defaults.ports),
        codecs: codecs(&mut section).unwrap_or(defaults.codecs),
        workers: section.number("workers", 1..=64).map_or(defaults.workers, |n| n as u8),
        silence_alarm: section
            .span("silence_alarm", 500..=3_600_000)
            .unwrap_or(defaults.silence_alarm),
        silence_hangup: section
            .span("silence_hangup", 0..=86_400_000)
            .unwrap_or(defaults.silence_hangup),
        dscp: section.number("dscp", 0..=63).map_or(defaults.dscp, |n| n as u8),
        strict: section.flag("strict").unwrap_or(defaults.strict),
        io: section.text("io", io).map_or(defaults.io, |at| at.it),
        srtp: section.text("srtp", routes::srtp).map_or(defaults.srtp, |at| at.it),
    };
    let media = &settings.call.media;
    let open = settings.sip.listen.iter().any(|listener| listener.transport != Transport::Tls);
    if media.srtp == Srtp::Require && open {
        let place = section.place_of("srtp");
        let what = "srtp is required, and keys come in the clear where listen has udp: or tcp:";
        section.log.warn(place, what, "have phones come by tls: alone");
    }
    if media.srtp == Srtp::Require {
        heirs_in_the_clear(&mut section, settings);
    }
    if media.silence_hangup > Duration::ZERO && media.silence_hangup <= media.silence_alarm {
        let place = section.place_of("silence_hangup");
        let instead = "make silence_hangup longer, or \"0s\" for never";
        section.log.add(place, "silence_hangup is not longer than silence_alarm", instead);
    }
    let tones = settings.call.trunks.iter().any(|trunk| trunk.inband);
    if tones && media.codecs.iter().all(|codec| codec.law().is_none()) {
        let place = section.place_of("codecs");
        let what = "codecs has neither PCMA nor PCMU, and a trunk has dtmf = \"inband\"";
        section.log.add(place, what, "put one of them in: other codecs let no tones through");
    }
    if let Some(prompts) = section.text("prompts", |raw| Ok(raw.to_string())) {
        settings.prompts = prompts.it.into();
    }
    if let Some(country) = section.text("country", country) {
        settings.country = country.it;
    }
    settings.prompt_fallback = fallback(&mut section);
    let messages = section.texts_or_none("messages", message).unwrap_or_default();
    settings.call.messages = messages.into_iter().map(|at| at.it).collect();
    if let Some(language) = section.text("language", menus::language) {
        settings.call.language = language.it;
    }
    let music = section.text_or_none("music", value::prompt);
    let welcome = section.text_or_none("welcome", value::prompt);
    section.done();
    let music = music.map_or(Some("tone".into()), |at| at.map(|at| at.it));
    [music, welcome.flatten().map(|at| at.it)]
}

/// Trunks that say nothing of seals have to seal as phones do.
fn heirs_in_the_clear(section: &mut Section, settings: &Settings) {
    let trunks = settings.call.trunks.iter().zip(&settings.sip.trunks);
    let heirs = trunks.filter(|(call, _)| call.srtp.is_none()).map(|(_, trunk)| trunk);
    for trunk in heirs.filter(|trunk| trunk.secure_names().len() < trunk.hosts.len()) {
        let place = section.place_of("srtp");
        let what = format!(
            "srtp is required, of trunk \"{}\" too, and the keys go to its hosts in the clear",
            trunk.name
        );
        let instead = "write hosts = [\"tls:NAME\"] there, or srtp = \"accept\"";
        section.log.warn(place, what, instead);
    }
}

/// Its words are prompts; what is composed needs none.
fn message(raw: &str) -> Result<String, Wrong> {
    crate::say::words(raw).try_for_each(|word| value::prompt(word).map(|_| ()))?;
    match raw.trim() {
        "" => wrong("says nothing", "write words such as \"flood\" or \"closed tomorrow 9:30\""),
        message => Ok(text::name(message)),
    }
}

fn country(raw: &str) -> Result<Country, Wrong> {
    let names = Country::ALL.map(Country::name);
    let known = Country::ALL.into_iter().find(|country| country.name() == raw);
    known.ok_or_else(|| unknown("is no country whose tones we know", raw, &names, "countries"))
}

fn io(raw: &str) -> Result<MediaIo, Wrong> {
    let names = IO.map(|(name, _)| name);
    let known = IO.iter().find(|(name, _)| *name == raw).map(|(_, io)| *io);
    known.ok_or_else(|| unknown("is no way to move packets", raw, &names, "ways"))
}

/// `fallback = { surgujia = "hi" }`: any language, and the one that speaks for it.
fn fallback(section: &mut Section) -> BTreeMap<String, String> {
    let mut speakers = BTreeMap::new();
    let Some(table) = section.table("fallback", "{ surgujia = \"hi\", hi = \"en\" }") else {
        return speakers;
    };
    for (language, (place, node)) in &table.entries {
        match &node.value {
            Value::Text(other) if value::language(other) && value::language(language) => {
                speakers.insert(language.clone(), other.clone());
            }
            Value::Text(_)
            | Value::Number(_)
            | Value::Real
            | Value::Flag(_)
            | Value::Date
            | Value::List(_)
            | Value::Table(_) => {
                let what = format!("\"{language}\" in fallback is no pair of languages");
                section.log.add(*place, what, "write it as surgujia = \"hi\"");
            }
        }
    }
    speakers
}

/// The port range: wide enough for every agent to talk, and clear of the SIP listeners.
fn ports(section: &mut Section, settings: &Settings) -> Option<(u16, u16)> {
    let at = section.text("ports", value::ports)?;
    let (first, last) = at.it;
    let pairs = (usize::from(last) - usize::from(first)).div_ceil(2);
    let agents = settings.acd.agents.len();
    if pairs < 2 * agents {
        let what = format!("ports \"{first}-{last}\" hold {} calls for {agents} agents", pairs / 2);
        let end = usize::from(first) + 4 * agents - 1;
        let instead = match u16::try_from(end) {
            Ok(end) => format!("a call takes four ports: write \"{first}-{end}\" or more"),
            Err(_) => "a call takes four ports: begin lower and take more".into(),
        };
        section.log.add(at.place, what, instead);
    }
    let within = |listener: &&Listener| (first..=last).contains(&listener.bind.port());
    if let Some(listener) = settings.sip.listen.iter().find(within) {
        let what =
            format!("ports \"{first}-{last}\" take in the SIP port {}", listener.bind.port());
        section.log.add(at.place, what, "move one of them out of the other's way");
    }
    Some(at.it)
}

fn codecs(section: &mut Section) -> Option<Vec<Codec>> {
    let names: Vec<&str> = Codec::ALL.iter().map(|codec| codec.name()).collect();
    let found = section.texts("codecs", |raw| {
        Codec::named(raw).ok_or_else(|| unknown("is no codec that we have", raw, &names, "codecs"))
    })?;
    let mut codecs = Vec::new();
    for At { it: codec, place } in &found {
        if codecs.contains(codec) {
            section.log.add(*place, "a codec stands twice", "take one out");
        }
        codecs.push(*codec);
    }
    Some(codecs)
}

pub fn admin(table: &Table, settings: &mut Settings, log: &mut Log) {
    let mut section = Section::new(table, "[admin]", log);
    // A Unix socket's path has 108 octets on Linux, the last of them zero.
    let socket = section.text("socket", |raw| match raw.len() {
        0..108 => Ok(raw.to_string()),
        _ => wrong("is too long for a socket", "write a path below 108 octets"),
    });
    if let Some(socket) = socket {
        settings.admin.socket = socket.it.into();
    }
    // "" is off.
    let http = section.text_or_none("http", value::socket);
    settings.admin.http = http.flatten().map(|at| at.it);
    section.done();
}

/// Whoever can reach it could do anything with the switch: outside of this machine only with users.
pub fn check_http(table: &Table, settings: &Settings, log: &mut Log) {
    let Some(http) = settings.admin.http.filter(|at| !at.ip().is_loopback()) else { return };
    if settings.admin.users.iter().all(|user| user.token.is_none()) {
        let place = Section::new(table, "[admin]", log).place_of("http");
        let what = format!("http \"{http}\" is open to the network, and no [[user]] has a token");
        let instead =
            format!("give a [[user]] a token, or write http = \"127.0.0.1:{}\"", http.port());
        log.add(place, what, instead);
    }
}

pub fn limits(table: &Table, settings: &mut Settings, log: &mut Log) {
    let mut section = Section::new(table, "[limits]", log);
    let call = &mut settings.call;
    let calls = section.number("max_calls", 1..=(limits::LEGS_MAX / 2) as u32);
    call.max_calls = calls.map_or(call.max_calls, |n| n as usize);
    call.max_rate = section.number("max_rate", 1..=100_000).unwrap_or(call.max_rate);
    section.done();
}

pub fn numbers(table: &Table, settings: &mut Settings, log: &mut Log) {
    let mut section = Section::new(table, "[numbers]", log);
    let plan = &mut settings.call.plan;
    if let Some(country) = section.text("country", |raw| value::digits(raw, 1, 3)) {
        plan.country = country.it;
    }
    let area = section.text_or_none("area", |raw| match raw.strip_prefix('0') {
        Some(rest) => Err(Wrong {
            what: "begins with 0".into(),
            instead: format!("write it without: \"{rest}\""),
        }),
        None => value::digits(raw, 2, 4),
    });
    plan.area = area.flatten().map_or(String::new(), |at| at.it);
    section.done();
}

pub fn directory(table: &Table, settings: &mut Settings, log: &mut Log) {
    let mut section = Section::new(table, "[directory]", log);
    let files = section.texts_or_none("files", |raw| match raw.ends_with(".csv") {
        true => Ok(raw.to_string()),
        false => wrong("is no CSV file", "name one that ends in .csv"),
    });
    settings.directory_files =
        files.unwrap_or_default().into_iter().map(|at| at.it.into()).collect();
    section.done();
}
