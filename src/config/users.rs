//! `[[user]]`: who may do what through the admin socket and over HTTP.

use super::Env;
use super::mistake::{Log, choose};
use super::section::{At, Section};
use super::settings::{Role, Settings, User};
use super::tree::Table;
use super::{secret, value};
use crate::base::limits;
use std::collections::BTreeMap;

/// Some queue or district could not be read, and may be the one that a user names.
#[derive(Clone, Copy)]
pub struct Unsure {
    pub queues: bool,
    pub districts: bool,
}

pub fn users(tables: &[&Table], env: Env, unsure: Unsure, settings: &mut Settings, log: &mut Log) {
    let mut known = BTreeMap::new();
    for table in tables {
        let Some(user) = user(table, env, unsure, settings, log) else { continue };
        let (uid, token) = (user.it.uid, user.it.token.clone());
        let marks = [
            Some(format!("user \"{}\"", user.it.name)),
            uid.map(|uid| format!("uid {uid}")),
            token.map(|token| format!("this token {}", token.0)),
        ];
        for (nth, mark) in marks.into_iter().enumerate() {
            let Some(first) = mark.clone().and_then(|mark| known.insert(mark, user.place)) else {
                continue;
            };
            // A token is never repeated, not even to say that it stands twice.
            let shown = if nth == 2 { "this token".into() } else { mark.unwrap_or_default() };
            let what = format!("{shown} is already at {}", log.name(first));
            log.add(user.place, what, "give every user a name, a uid and a token of their own");
        }
        settings.admin.users.push(user.it);
    }
    if let Some(table) = tables.get(limits::USERS_MAX) {
        let what = format!("{} users are too many", tables.len());
        log.add(table.place, what, format!("keep to {}", limits::USERS_MAX));
    }
}

fn user(
    table: &Table,
    env: Env,
    unsure: Unsure,
    settings: &Settings,
    log: &mut Log,
) -> Option<At<User>> {
    let mut section = Section::new(table, "[[user]]", log);
    section.missing("name", "\"deepa\"");
    section.missing("role", "\"supervisor\"");
    let name = section.text("name", value::name);
    let role = section.text("role", |raw| {
        let names: Vec<&str> = Role::ALL.iter().map(|(name, _)| *name).collect();
        let role = Role::ALL.iter().find(|(name, _)| *name == raw).map(|(_, role)| *role);
        role.ok_or_else(|| super::mistake::Wrong {
            what: "is no role".into(),
            instead: choose(raw, &names, "roles"),
        })
    });
    let queues: Vec<&str> = settings.acd.queues.iter().map(|q| q.name.as_str()).collect();
    let queues = places(&mut section, "queues", &queues, unsure.queues);
    let districts: Vec<&str> = settings.call.districts.iter().map(|d| d.name.as_str()).collect();
    let districts = places(&mut section, "districts", &districts, unsure.districts);
    let numbers = section.flag("numbers");
    let uid = section.number("uid", 0..=u32::MAX);
    let token = secret::written(&mut section, "token").and_then(|raw| {
        let owner = name.as_ref().map_or("", |name| &name.it);
        secret::reveal(&raw.it, owner, env)
            .map_err(|w| section.log.add(raw.place, format!("token {}", w.what), w.instead))
            .ok()
    });
    if !section.has("uid") && !section.has("token") {
        let what = "[[user]] has neither a uid nor a token, so nobody can be this user".into();
        let instead = "write uid = 1001 (the socket), or token = \"env:NAME\" (HTTP)";
        section.lacking(what, instead.into());
    }
    let place = table.place;
    let analyst = role.as_ref().is_some_and(|role| role.it == Role::Analyst);
    if analyst && numbers == Some(true) {
        let at = section.place_of("numbers");
        let instead = "take it out, or make them read-only";
        section.log.add(at, "an analyst never sees numbers", instead);
    }
    section.done();
    let (name, role) = (name?.it, role?.it);
    let numbers = numbers.unwrap_or(role > Role::Analyst);
    Some(At { it: User { name, role, queues, districts, numbers, uid, token }, place })
}

fn places(section: &mut Section, key: &'static str, known: &[&str], unsure: bool) -> Vec<String> {
    let found = section.texts_or_none(key, |raw| Ok(raw.to_string())).unwrap_or_default();
    for at in &found {
        if !unsure && !known.contains(&at.it.as_str()) {
            let what = format!("{key}: \"{}\" does not exist", at.it);
            section.log.add(at.place, what, choose(&at.it, known, key));
        }
    }
    found.into_iter().map(|at| at.it).collect()
}
