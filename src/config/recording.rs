//! `[recording]`: whose calls are recorded, where, for how long, and under which key.

use super::Env;
use super::mistake::{Log, Wrong};
use super::section::Section;
use super::settings::Settings;
use super::switch::unknown;
use super::tree::Table;
use super::{secret, value};
use crate::sip::Secret;

/// Whoever is recorded is told so.
const NOTICE: &str = "hi/rec";
const DAY: u64 = 86_400_000;

/// The notice that callers hear, by its name.
pub fn recording(
    table: &Table,
    env: Env,
    settings: &mut Settings,
    log: &mut Log,
) -> Option<String> {
    let mut section = Section::new(table, "[recording]", log);
    let rules = &mut settings.call.recording;
    rules.all = section.flag("all").unwrap_or(false);
    rules.form.opus = section.text("format", format).is_some_and(|at| at.it);
    settings.recording.folder = match section.text("folder", |raw| Ok(raw.to_string())) {
        Some(folder) => folder.it.into(),
        None => settings.data.join("recordings"),
    };
    let keep = section.span("keep", 0..=36_500 * DAY);
    if let Some(short) = keep.filter(|keep| !keep.is_zero() && keep.as_millis() < DAY.into()) {
        let what = format!("keep \"{}h\" is less than a day", short.as_secs() / 3_600);
        let place = section.place_of("keep");
        section.log.add(place, what, "write \"90d\", or \"0s\" for ever");
    }
    settings.recording.keep = keep.filter(|keep| !keep.is_zero());
    settings.recording.key = secret::written(&mut section, "key").and_then(|raw| {
        secret::master(&raw.it, env)
            .map_err(|w| section.log.add(raw.place, format!("key {}", w.what), w.instead))
            .ok()
    });
    let hidden = |_: &str| "…".to_string();
    let old = |raw: &str| secret::look_up(raw, env).map(Secret);
    let old = section.texts_shown("old_keys", hidden, old);
    settings.recording.old_keys = old.unwrap_or_default().into_iter().map(|at| at.it).collect();
    rules.form.sealed = settings.recording.key.is_some();
    let notice = section.text_or_none("notice", value::prompt);
    section.done();
    notice.map_or(Some(NOTICE.into()), |at| at.map(|at| at.it))
}

/// Whether it is Opus.
fn format(raw: &str) -> Result<bool, Wrong> {
    match raw {
        "wav" | "opus" => Ok(raw == "opus"),
        _ => Err(unknown("is no format of recordings", raw, &["wav", "opus"], "formats")),
    }
}

/// What callers are told, where some of them may be recorded.
pub fn notice(name: Option<String>, settings: &mut Settings) {
    if settings.call.records() {
        let notice = name.map(|name| super::routes::tune(settings, name));
        settings.call.recording.notice = notice;
    }
}
