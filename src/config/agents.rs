//! `[[agent]]`: who takes calls. `id = "agent{1-500}"` is five hundred of them, and `{}` in the
//! other keys is the number of each.

use super::Env;
use super::mistake::{Log, Place, Wrong, choose, wrong};
use super::section::{At, Section};
use super::settings::Settings;
use super::tree::Table;
use super::{secret, value};
use crate::acd::{AgentSettings, Skill};
use crate::base::{AgentId, Id, TrunkId, limits, number};
use crate::call::Phone;
use crate::sip::{Algorithms, FixedPhone, Secret, User};
use std::collections::BTreeMap;

pub fn agents(tables: &[&Table], env: Env, settings: &mut Settings, log: &mut Log) -> Seen {
    let mut seen = Seen::default();
    for table in tables {
        let mut section = Section::new(table, "[[agent]]", log);
        let written = Written::read(&mut section);
        let place = section.place_of("id");
        section.done();
        let Some(ids) = &written.ids else { continue };
        if settings.acd.agents.len() + ids.it.len() > limits::AGENTS_MAX {
            let what = format!("more than {} agents", limits::AGENTS_MAX);
            log.add(place, what, "take some out, or run a second switch");
            continue;
        }
        for (id, number) in ids.it.each() {
            // One mistake a table: the other four hundred of a range would repeat it.
            if written.agent(&id, &number, env, &mut seen, settings, log).is_none() {
                break;
            }
        }
    }
    seen
}

/// `[[phone]]`: one that is nobody's, at which agents log in.
pub fn phones(tables: &[&Table], env: Env, mut seen: Seen, settings: &mut Settings, log: &mut Log) {
    for table in tables {
        let mut section = Section::new(table, "[[phone]]", log);
        let written = Written::read(&mut section);
        section.done();
        let Some(ids) = &written.ids else { continue };
        for (id, number) in ids.it.each() {
            let (agents, pins) = (settings.acd.agents.len(), settings.pins.len());
            let sound = written.agent(&id, &number, env, &mut seen, settings, log);
            settings.acd.agents.truncate(agents);
            settings.pins.truncate(pins);
            if sound.is_none() {
                break;
            }
        }
    }
}

/// Where each id and each contact stands.
#[derive(Default)]
pub struct Seen {
    ids: BTreeMap<String, Place>,
    contacts: BTreeMap<String, Place>,
    pins: BTreeMap<String, Place>,
    extensions: BTreeMap<String, Place>,
}

/// The keys of one table, before the numbers are filled in.
struct Written {
    ids: Option<At<Ids>>,
    name: Option<At<String>>,
    secret: Option<At<String>>,
    digest: Algorithms,
    pin: Option<At<String>>,
    contact: Option<At<String>>,
    extension: Option<At<String>>,
    trunk: Option<At<String>>,
    skills: Vec<Skill>,
    ready: bool,
    record: bool,
    call_waiting: bool,
}

impl Written {
    fn read(section: &mut Section) -> Self {
        section.missing("id", "\"op1\"");
        let ids = section.text("id", Ids::read);
        let raw = |text: &str| Ok(text.to_string());
        let mut written = Self {
            name: section.text("name", raw),
            secret: secret::written(section, "secret"),
            digest: section.text("digest", digest).map(|at| at.it).unwrap_or_default(),
            pin: section.text("pin", raw),
            contact: section.text("contact", raw),
            extension: section.text("extension", raw),
            trunk: section.text("trunk", raw),
            skills: section
                .texts_or_none("skills", skill)
                .unwrap_or_default()
                .into_iter()
                .map(|skill| skill.it)
                .collect(),
            ready: section.flag("ready").unwrap_or(false),
            record: section.flag("record").unwrap_or(false),
            call_waiting: section.flag("call_waiting").unwrap_or(false),
            ids,
        };
        let roams = section.has("pin");
        if !section.has("secret") && !section.has("contact") && section.has("id") && !roams {
            let what = "this agent's phone can neither register nor be reached".into();
            let instead = "write secret = \"env:NAME\" or contact = \"sip:op1@10.0.0.5:5060\"";
            section.lacking(what, instead.into());
        }
        let many = written.ids.as_ref().is_some_and(|ids| ids.it.len() > 1);
        if let Some(contact) = written.contact.take_if(|at| many && !at.it.contains("{}")) {
            let what = format!("contact \"{}\" is the same for all of them", contact.it);
            section.log.add(contact.place, what, "put {} where the number of each belongs");
        }
        written
    }

    fn agent(
        &self,
        id: &str,
        number: &str,
        env: Env,
        seen: &mut Seen,
        settings: &mut Settings,
        log: &mut Log,
    ) -> Option<()> {
        let place = self.ids.as_ref()?.place;
        let mut sound = true;
        if let Some(first) = seen.ids.insert(id.into(), place) {
            let what = format!("agent \"{id}\" is already at {}", log.name(first));
            log.add(place, what, "give every agent an id of their own");
            sound = false;
        }
        let mut fill = |at: &Option<At<String>>, key: &str, read: &dyn Fn(&str) -> Read| {
            let at = at.as_ref()?;
            let text = at.it.replace("{}", number);
            read(&text)
                .map_err(|Wrong { what, instead }| {
                    sound = false;
                    let shown = if key == "secret" || key == "pin" { "" } else { &text };
                    let what =
                        format!("{key} {shown}{}{what}", if shown.is_empty() { "" } else { " " });
                    log.add(at.place, what, instead);
                })
                .ok()
        };
        let name = fill(&self.name, "name", &value::words);
        let plan = settings.call.plan.clone();
        let contact = fill(&self.contact, "contact", &|raw| contact(raw, &plan));
        let pin = fill(&self.pin, "pin", &|raw| value::digits(raw, 4, 12));
        let extension = fill(&self.extension, "extension", &|raw| value::digits(raw, 2, 8));
        let secret = fill(&self.secret, "secret", &|raw| Ok(secret::reveal(raw, id, env)?.0));
        let unique = [
            (&mut seen.contacts, "contact", &contact, &self.contact),
            (&mut seen.pins, "pin", &pin, &self.pin),
            (&mut seen.extensions, "extension", &extension, &self.extension),
        ];
        for (seen, key, own, at) in unique {
            if let (Some(own), Some(at)) = (own, at) {
                sound &= is_new(seen, (key, own), at.place, log);
            }
        }
        if self.record {
            let agent = AgentId::new(settings.acd.agents.len() as u32, 0);
            settings.call.recording.agents.push(agent);
        }
        settings.acd.agents.push(AgentSettings {
            id: id.into(),
            skills: self.skills.clone(),
            ready: self.ready,
            fixed: contact.is_some(),
        });
        let name = name.unwrap_or_else(|| id.into());
        let trunk = self.trunk.as_ref().and_then(|at| known_trunk(at, settings, log));
        sound &= trunk.is_some() == self.trunk.is_some();
        if let (None, Some(contact)) = (&secret, &contact) {
            let (name, contact) = (id.into(), contact.clone());
            settings.sip.fixed.push(FixedPhone { name, contact });
        }
        let extension = extension.unwrap_or_default();
        let (user, call_waiting) = (id.into(), self.call_waiting);
        settings.call.phones.push(Phone { user, name, contact, extension, call_waiting, trunk });
        settings.pins.push(pin.map(Secret));
        let (name, digest) = (id.into(), self.digest);
        settings.sip.users.extend(secret.map(|it| User { name, secret: Secret(it), digest }));
        sound.then_some(())
    }
}

/// No two agents have the same; what is secret is not shown.
fn is_new(
    seen: &mut BTreeMap<String, Place>,
    (key, own): (&str, &str),
    place: Place,
    log: &mut Log,
) -> bool {
    let Some(first) = seen.insert(own.into(), place) else { return true };
    let shown = if key == "pin" { String::new() } else { format!(" {own}") };
    let what = format!("{key}{shown} is already another agent's, at {}", log.name(first));
    let thing = match key {
        "contact" => "a phone",
        "extension" => "an extension",
        _ => "a pin",
    };
    log.add(place, what, format!("give every agent {thing} of their own"));
    false
}

/// The trunk through which an agent at a number outside is rung.
fn known_trunk(at: &At<String>, settings: &Settings, log: &mut Log) -> Option<TrunkId> {
    let trunks: Vec<&str> = settings.sip.trunks.iter().map(|t| t.name.as_str()).collect();
    let found = trunks.iter().position(|name| *name == at.it);
    if found.is_none() {
        let what = format!("trunk \"{}\" does not exist", at.it);
        log.add(at.place, what, choose(&at.it, &trunks, "trunks"));
    }
    found.map(|slot| TrunkId::new(slot as u32, 0))
}

/// A SIP URI, or `tel:` and a number for an agent who works from home.
fn contact(raw: &str, plan: &number::Plan) -> Read {
    let Some(dialled) = raw.strip_prefix("tel:") else { return value::uri(raw) };
    match number::e164(dialled, plan) {
        Some(number) => Ok(format!("tel:{number}")),
        None => wrong("is no telephone number", "write one such as \"tel:+919826012345\""),
    }
}

type Read = Result<String, Wrong>;

fn digest(raw: &str) -> Result<Algorithms, Wrong> {
    match raw {
        "both" => Ok(Algorithms::Both),
        "md5" => Ok(Algorithms::Md5),
        _ => wrong("is no way to prove a password", "write \"both\" or \"md5\""),
    }
}

/// The ids that `op1` or `agent{1-500}` stands for.
pub fn expand(raw: &str) -> Result<Vec<String>, Wrong> {
    Ok(Ids::read(raw)?.each().map(|(id, _)| id).collect())
}

/// `op1`, or `agent{1-500}`: what stands before and after the number, and the numbers.
#[derive(Clone, Debug)]
struct Ids {
    before: String,
    after: String,
    numbers: Option<(u32, u32)>,
    /// `{01-24}` counts 01, 02, …
    width: usize,
}

impl Ids {
    fn read(raw: &str) -> Result<Self, Wrong> {
        let Some((before, rest)) = raw.split_once('{') else {
            let id = value::user(raw)?;
            return Ok(Self { before: id, after: String::new(), numbers: None, width: 0 });
        };
        let example = "write it as \"agent{1-500}\"";
        let Some(((from, to), after)) =
            rest.split_once('}').and_then(|(range, after)| Some((range.split_once('-')?, after)))
        else {
            return wrong("is no range of ids", example);
        };
        let (Ok(first), Ok(last)) = (from.parse::<u32>(), to.parse::<u32>()) else {
            return wrong("is no range of ids", example);
        };
        if last < first {
            return wrong("counts backwards", format!("write \"{before}{{{to}-{from}}}{after}\""));
        }
        if (last - first) as usize >= limits::AGENTS_MAX {
            let instead = format!("keep to {} agents", limits::AGENTS_MAX);
            return wrong("is too many agents", instead);
        }
        value::user(&format!("{before}1{after}"))?;
        let width = if from.starts_with('0') && from.len() > 1 { from.len() } else { 0 };
        let (before, after) = (before.to_string(), after.to_string());
        Ok(Self { before, after, numbers: Some((first, last)), width })
    }

    fn len(&self) -> usize {
        self.numbers.map_or(1, |(first, last)| (last - first) as usize + 1)
    }

    /// Each id, and its number as written: empty where there is only one.
    fn each(&self) -> impl Iterator<Item = (String, String)> {
        let (first, last) = self.numbers.unwrap_or((0, 0));
        (first..=last).map(move |n| {
            let width = self.width;
            let number = if self.numbers.is_some() { format!("{n:0width$}") } else { "{}".into() };
            let inner = if self.numbers.is_some() { number.as_str() } else { "" };
            (format!("{}{inner}{}", self.before, self.after), number.clone())
        })
    }
}

/// `health`, or `health=3` where the level is not the least.
fn skill(raw: &str) -> Result<Skill, Wrong> {
    let Some((name, level)) = raw.split_once('=') else {
        return Ok(Skill { name: value::name(raw)?, level: 1 });
    };
    let name = value::name(name.trim())?;
    let max = limits::LEVEL_MAX;
    match level.trim().parse() {
        Ok(level) if (1..=max).contains(&level) => Ok(Skill { name, level }),
        _ => wrong("has no such level", format!("write \"{name}=1\" to \"{name}={max}\"")),
    }
}
