//! `[[trunk]]` and `[[line]]`: where calls come from, and what a dialled number means.

use super::Env;
use super::menus;
use super::mistake::{Log, Wrong, choose, wrong};
use super::out;
use super::section::{At, Section};
use super::settings::{Settings, Tune};
use super::tree::Table;
use super::{secret, value};
use crate::base::{Network, QueueId, TuneId, limits, number};
use crate::call::{CallerIn, DialledIn, Goal, Line, Networks, Numbering, Srtp};
use crate::sip::Trunk;
use std::collections::BTreeMap;
use std::time::Duration;

/// The tune that needs no file.
const TONE: &str = "tone";
const DIDS: [(&str, DialledIn); 4] = [
    ("any", DialledIn::Any),
    ("request-uri", DialledIn::RequestUri),
    ("to", DialledIn::To),
    ("p-called-party-id", DialledIn::PCalledPartyId),
];
/// How keys come: beside the sound (RFC 4733, INFO), or as tones in it.
const KEYS: [(&str, bool); 2] = [("auto", false), ("inband", true)];
const CALLERS: [(&str, CallerIn); 2] = [("asserted", CallerIn::Asserted), ("from", CallerIn::From)];

pub fn trunks(tables: &[&Table], env: Env, settings: &mut Settings, log: &mut Log) {
    let mut names = BTreeMap::new();
    let mut hosts = BTreeMap::new();
    for table in tables {
        let mut section = Section::new(table, "[[trunk]]", log);
        let place = section.place_of("name");
        let (trunk, peers) = trunk(&mut section, env);
        let numbering = numbering(&mut section);
        in_the_clear(&mut section, &trunk, numbering.srtp);
        section.done();
        if let Some(first) = names.insert(trunk.name.clone(), place)
            && !trunk.name.is_empty()
        {
            let what = format!("trunk \"{}\" is already at {}", trunk.name, log.name(first));
            log.add(place, what, "give it another name");
        }
        for peer in peers {
            if let Some(first) = hosts.insert(peer.it.clone(), peer.place) {
                let what = format!("host \"{}\" is already at {}", peer.it, log.name(first));
                log.add(peer.place, what, "keep it in one trunk, or nobody knows whose call it is");
            }
        }
        if trunk.prove {
            settings.tls.asked.extend(trunk.secure_names());
        }
        settings.sip.trunks.push(trunk);
        settings.call.trunks.push(numbering);
    }
    if let Some(table) = tables.get(limits::TRUNKS_MAX) {
        let what = format!("{} trunks are too many", tables.len());
        log.add(table.place, what, format!("keep to {}", limits::TRUNKS_MAX));
    }
}

fn trunk(section: &mut Section, env: Env) -> (Trunk, Vec<At<String>>) {
    section.missing("name", "\"bsnl\"");
    section.missing("hosts", "[\"10.0.0.9:5060\"]");
    let name = section.text("name", value::name).map_or(String::new(), |at| at.it);
    let hosts = section.texts("hosts", value::peer);
    let hosts = hosts.unwrap_or_default();
    let ping = section.span("ping", 0..=3_600_000).unwrap_or(Duration::from_secs(30));
    if (1..1_000).contains(&ping.as_millis()) {
        let place = section.place_of("ping");
        section.log.add(place, "ping is too often", "write \"1s\" or more, or \"0s\" for never");
    }
    let login = secret::login(section, "login", env);
    let register = secret::login(section, "register", env);
    if section.has("login") && section.has("register") {
        let place = section.place_of("login");
        section.log.add(place, "login and register stand together", "keep register alone");
    }
    let identity = section.text("identity", value::number).map(|at| at.it);
    let prove = section.flag("prove").unwrap_or(false);
    let trunk = Trunk {
        name,
        hosts: hosts.iter().map(|at| at.it.clone()).collect(),
        ping,
        register: register.is_some(),
        login: register.or(login),
        identity,
        prove,
    };
    if prove && trunk.secure_names().len() < trunk.hosts.len() {
        let place = section.place_of("prove");
        let instead = "write hosts = [\"tls:NAME\"], as in its certificate";
        section.log.add(place, "prove needs a name for each host, over TLS", instead);
    }
    (trunk, hosts)
}

/// Where the trunk puts its numbers.
fn numbering(section: &mut Section) -> Numbering {
    let did = section.text("did", |raw| one_of(raw, &DIDS, "is no place of a number"));
    let caller = section.text("caller", |raw| one_of(raw, &CALLERS, "is no place of a caller"));
    Numbering {
        dialled: did.map_or(DialledIn::default(), |at| at.it),
        caller: caller.map_or(CallerIn::default(), |at| at.it),
        peer: section.flag("peer").unwrap_or(false),
        inband: section
            .text("dtmf", |raw| one_of(raw, &KEYS, "is no way to tell of keys"))
            .is_some_and(|at| at.it),
        media_from: media_from(section),
        srtp: section.text("srtp", srtp).map(|at| at.it),
    }
}

/// Whether sound is sealed.
pub(super) fn srtp(raw: &str) -> Result<Srtp, Wrong> {
    let names = Srtp::ALL.map(Srtp::name);
    let known = Srtp::ALL.into_iter().find(|srtp| srtp.name() == raw);
    known.ok_or_else(|| Wrong {
        what: "does not say whether sound is sealed".into(),
        instead: choose(raw, &names, "ways"),
    })
}

/// RFC 4568 section 8: whoever reads the signalling reads the keys.
fn in_the_clear(section: &mut Section, trunk: &Trunk, srtp: Option<Srtp>) {
    if srtp == Some(Srtp::Require) && trunk.secure_names().len() < trunk.hosts.len() {
        let place = section.place_of("srtp");
        let what = "srtp is required, and the keys go to hosts in the clear";
        section.log.warn(place, what, "write hosts = [\"tls:NAME\"]");
    }
}

/// Networks that the trunk's sound may come from. Whoever is in one of them could take the place of
/// a far end that is not heard yet.
fn media_from(section: &mut Section) -> Networks {
    let found = section.texts("media_from", |raw| match Network::parse(raw) {
        Some(network) if network.bits().0 >= network.bits().1 / 4 => Ok(network),
        Some(_) => wrong("lets in half the world", "name the carrier's own networks"),
        None => wrong("is no network", "write one such as \"203.0.113.0/24\" or \"10.0.0.9\""),
    });
    let found = found.unwrap_or_default();
    if let Some(more) = found.get(limits::MEDIA_NETWORKS_MAX) {
        let what = format!("media_from has {} networks", found.len());
        section.log.add(more.place, what, format!("keep to {}", limits::MEDIA_NETWORKS_MAX));
    }
    Networks::new(found.into_iter().map(|at| at.it))
}

fn one_of<T: Copy>(raw: &str, known: &[(&str, T)], what: &str) -> Result<T, Wrong> {
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    let found = known.iter().find(|(name, _)| *name == raw).map(|(_, value)| *value);
    found.ok_or_else(|| Wrong { what: what.into(), instead: choose(raw, &names, "places") })
}

/// What lines are given by the rest of the configuration.
pub struct Given {
    /// What a line plays where it does not say so itself.
    pub welcome: Option<String>,
    pub music: Option<String>,
    /// Some queue or district could not be read, and may be the one that a line names.
    pub no_queue: bool,
    pub no_district: bool,
    /// Some route could not be read, and may be the one that call backs take.
    pub no_route: bool,
}

pub fn lines(tables: &[&Table], given: Given, settings: &mut Settings, log: &mut Log) {
    let mut names = BTreeMap::new();
    let (mut dialled, mut default) = (BTreeMap::new(), None);
    for table in tables {
        let mut section = Section::new(table, "[[line]]", log);
        let numbers = line_numbers(&mut section);
        let goal = goal(&mut section, settings, given.no_queue);
        let district = district(&mut section, settings, given.no_district);
        let by_district = section.flag("by_district").unwrap_or(true);
        let block = section.flag("block").unwrap_or(true);
        let is_default = section.flag("default").unwrap_or(false);
        let default_at = section.place_of("default");
        let first = numbers.first().map_or(String::new(), |at| at.it.clone());
        let place = section.place_of(if section.has("name") { "name" } else { "numbers" });
        let name = section.text("name", value::words).map_or(first, |at| at.it);
        let welcome = played(&mut section, "welcome", &given.welcome, settings);
        let music = played(&mut section, "music", &given.music, settings);
        let asks = asks(&mut section, &goal, &given, settings);
        let record = section.flag("record").unwrap_or(false);
        section.done();
        if let Some(first) = names.insert(name.clone(), place)
            && table.entries.contains_key("name")
        {
            let what = format!("line \"{name}\" is already at {}", log.name(first));
            log.add(place, what, "give it another name");
        }
        for at in &numbers {
            let key = number::dialled(&at.it, &settings.call.plan);
            if let Some(first) = dialled.insert(key, at.place) {
                let what = format!("number \"{}\" is already at {}", at.it, log.name(first));
                log.add(at.place, what, "keep it on one line");
            }
        }
        if is_default {
            if let Some(first) = default {
                let what = format!("the default line is already at {}", log.name(first));
                log.add(default_at, what, "keep one of them");
            }
            default = Some(default_at);
            let leads = goal.as_ref().filter(|goal| **goal != Goal::Codes);
            settings.call.default_line = leads.map(|_| settings.call.lines.len());
        }
        let plan = &settings.call.plan;
        let numbers = numbers.iter().map(|at| number::dialled(&at.it, plan)).collect();
        let line = |goal| Line {
            name,
            numbers,
            goal,
            by_district,
            block,
            district,
            welcome,
            music,
            record,
            ..asks
        };
        settings.call.lines.extend(goal.map(line));
    }
    if let Some(table) = tables.get(limits::LINES_MAX) {
        let what = format!("{} lines are too many", tables.len());
        log.add(table.place, what, format!("keep to {}", limits::LINES_MAX));
    }
}

/// How a line's callers stand in the queue, what they may press and what they are asked.
fn asks(
    section: &mut Section,
    goal: &Option<Goal>,
    given: &Given,
    settings: &mut Settings,
) -> Line {
    let default = Line::default();
    let keys = menus::keys(section);
    let unsure = menus::Unsure { queues: given.no_queue, districts: given.no_district };
    let menu = menus::menu(section, keys, unsure, settings);
    let offers = ["menu", "emergency_key", "callback_key", "priority", "emergency", "default"];
    let (offers, does) = match goal {
        Some(Goal::Dial(_)) => (&offers[..5], "rings a phone"),
        Some(Goal::Codes) => (&offers[..], "is for codes"),
        Some(_) | None => (&[][..], ""),
    };
    if let Some(key) = offers.iter().find(|key| section.has(key)) {
        let place = section.place_of(key);
        let what = format!("{key} is for callers who wait, and this line {does}");
        section.log.add(place, what, "lead it to a queue, or take it out");
    }
    let waits = !matches!(goal, Some(Goal::Dial(_) | Goal::Codes));
    if keys.callback.is_some() && waits && !given.no_route {
        let place = section.place_of("callback_key");
        out::needed_for("callback_key", place, settings, section.log);
    }
    let highest = u32::from(limits::PRIORITY_MAX);
    Line {
        priority: section.number("priority", 0..=highest).map_or(0, |n| n as u8),
        emergency: section.flag("emergency").unwrap_or(false),
        languages: menus::languages(section, "languages"),
        keys,
        menu,
        menu_prompt: played(section, "menu_prompt", &None, settings),
        menu_wait: section.span("menu_wait", 1_000..=60_000).unwrap_or(default.menu_wait),
        ..default
    }
}

fn line_numbers(section: &mut Section) -> Vec<At<String>> {
    section.missing("numbers", "[\"181\"]");
    section.texts("numbers", value::number).unwrap_or_default()
}

fn goal(section: &mut Section, settings: &Settings, unsure: bool) -> Option<Goal> {
    let queues: Vec<&str> = settings.acd.queues.iter().map(|q| q.name.as_str()).collect();
    let queue = section.text("queue", |raw| Ok(raw.to_string()));
    let to = section.text("to", value::uri);
    let codes = section.flag("codes").unwrap_or(false);
    match (section.has("queue"), section.has("to")) {
        (false, false) if !codes => {
            let instead = "write queue = \"general\", or to = \"sip:someone@10.0.0.5\"";
            section.lacking("[[line]] leads nowhere".into(), instead.into());
        }
        (true, true) => {
            let place = section.place_of("to");
            section.log.add(place, "[[line]] has both queue and to", "keep one of them");
        }
        (true, false) | (false, true) | (false, false) => {}
    }
    if codes && (section.has("queue") || section.has("to")) {
        let place = section.place_of("codes");
        let what = "a line of codes is for agents at home, and leads nowhere else";
        section.log.add(place, what, "take out queue and to, or codes");
    }
    if codes {
        return Some(Goal::Codes);
    }
    if let Some(to) = to {
        return Some(Goal::Dial(to.it));
    }
    let queue = queue?;
    let found = queues.iter().position(|name| *name == queue.it);
    if found.is_none() && !unsure {
        let what = format!("queue \"{}\" does not exist", queue.it);
        section.log.add(queue.place, what, choose(&queue.it, &queues, "queues"));
    }
    found.map(|position| Goal::Queue(QueueId(position as u64)))
}

/// The district that a line's numbers are in.
fn district(section: &mut Section, settings: &Settings, unsure: bool) -> String {
    let Some(at) = section.text("district", |raw| Ok(raw.to_string())) else {
        return String::new();
    };
    if settings.call.district(&at.it).is_none() && !unsure {
        let known: Vec<&str> = settings.call.districts.iter().map(|d| d.name.as_str()).collect();
        let what = format!("district \"{}\" does not exist", at.it);
        section.log.add(at.place, what, choose(&at.it, &known, "districts"));
    }
    at.it
}

/// The tune that a line names, or else the one that all lines have; `""` is silence.
fn played(
    section: &mut Section,
    key: &'static str,
    default: &Option<String>,
    settings: &mut Settings,
) -> Option<TuneId> {
    let name = match section.text_or_none(key, value::prompt) {
        Some(own) => own.map(|at| at.it),
        None => default.clone(),
    }?;
    Some(tune(settings, name))
}

/// The tune of this name, which is one of the settings' from now on.
pub fn tune(settings: &mut Settings, name: String) -> TuneId {
    if let Some(known) = settings.tunes.iter().position(|tune| tune.name == name) {
        return TuneId(known as u64);
    }
    let file = (name != TONE).then(|| settings.prompts.join(format!("{name}.wav")));
    settings.tunes.push(Tune { name, file, speech: false });
    TuneId(settings.tunes.len() as u64 - 1)
}
