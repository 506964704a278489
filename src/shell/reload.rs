//! What a reload may change, and what stays as it is until the next start: sockets that are bound,
//! ports that are dealt out, files that are open. Prompts keep their ids, new ones get new ones.

use crate::base::limits::TUNES_MAX;
use crate::base::{Id, TuneId};
use crate::call;
use crate::config::{Settings, Tune};
use crate::sip::Listener;
use std::sync::Arc;

/// `fresh`, with whatever cannot change in mid-run taken from `running`. Each difference that has
/// to wait is a sentence in the log.
pub fn adopt(running: &Settings, mut fresh: Settings) -> Settings {
    fresh.call.media.homes = fresh.call.media.homes.as_known(&running.call.media.homes);
    let waits = |what: &str| tracing::warn!("{what} change at the next start");
    if bound(running) != bound(&fresh) {
        waits("listeners, media ports and media workers");
    }
    let outside = |settings: &Settings| {
        let Settings { stores, admin, .. } = settings.clone();
        (stores, admin.socket, admin.http)
    };
    if outside(running) != outside(&fresh) {
        waits("stores and the admin socket");
    }
    if running.data != fresh.data {
        tracing::error!(
            "[switch] data says {} now, and everything is in {}, where it stays until this switch \
             has ended in order (SIGTERM); a note in the new folder has the next start find its \
             calls",
            fresh.data.display(),
            running.data.display()
        );
    }
    if running.recording != fresh.recording {
        waits("the folder, the key and the age of recordings");
    }
    fresh.sip.listen.clone_from(&running.sip.listen);
    let (old, new) = (&running.call.media, &mut fresh.call.media);
    (new.homes, new.ports, new.workers, new.dscp) = (old.homes, old.ports, old.workers, old.dscp);
    new.io = old.io;
    fresh.sip.dscp = running.sip.dscp;
    fresh.stores.clone_from(&running.stores);
    fresh.admin.socket.clone_from(&running.admin.socket);
    fresh.admin.http = running.admin.http;
    fresh.journal = running.journal;
    fresh.recording.clone_from(&running.recording);
    fresh.call.recording.form.sealed = running.call.recording.form.sealed;
    fresh.data.clone_from(&running.data);
    with_what_stays(running, fresh)
}

/// `fresh`, for a switch that goes on where one with the settings `before` stopped. `live`: there
/// are calls, whose far ends know our sockets and ports as they were: those stay, with whatever is
/// new beside them.
pub fn go_on(before: &Settings, fresh: Settings, live: bool) -> Settings {
    let mut fresh = with_what_stays(before, fresh);
    if !live {
        return fresh;
    }
    for old in &before.sip.listen {
        let same = |new: &&mut Listener| {
            // A port that the system chooses is chosen already.
            let is_any = new.bind.port() == 0 && new.bind.ip() == old.bind.ip();
            new.transport == old.transport && (is_any || new.bind == old.bind)
        };
        match fresh.sip.listen.iter_mut().find(same) {
            Some(new) => new.bind = old.bind,
            None => {
                tracing::warn!(
                    "{:?} {} stays open until a start without calls: there are calls by it",
                    old.transport,
                    old.bind
                );
                fresh.sip.listen.push(old.clone());
            }
        }
    }
    let (old, new) = (&before.call.media, &mut fresh.call.media);
    new.homes = new.homes.as_known(&old.homes);
    if old.ports != new.ports || old.homes.binds() != new.homes.binds() {
        tracing::warn!("media ports change at a start without calls: there are calls on the old");
        (new.homes, new.ports) = (old.homes, old.ports);
    }
    fresh
}

/// `fresh`, for a switch that goes on with calls of `before`: what those hear keeps its id, and a
/// directory's file that cannot be read just now keeps its entries.
fn with_what_stays(before: &Settings, mut fresh: Settings) -> Settings {
    if !fresh.call.directory.away.is_empty() {
        Arc::make_mut(&mut fresh.call.directory).keep_of(&before.call.directory);
    }
    let wanted = std::mem::replace(&mut fresh.tunes, before.tunes.clone());
    for tune in &wanted {
        if !fresh.tunes.contains(tune) && fresh.tunes.len() < TUNES_MAX {
            fresh.tunes.push(tune.clone());
        }
    }
    rename(&mut fresh, &wanted, before);
    fresh
}

/// Gives what the configuration wanted the ids of the tunes that there are. What there is no room
/// for is heard as it was: nobody is put on silence.
fn rename(fresh: &mut Settings, wanted: &[Tune], before: &Settings) {
    let loaded = &fresh.tunes;
    let find = |tune: &mut Option<TuneId>, old: Option<TuneId>| {
        *tune = tune.and_then(|id| same(wanted, loaded, id).or(old));
    };
    let music = before.call.lines.iter().find_map(|line| line.music);
    for line in &mut fresh.call.lines {
        let old = before.call.lines.iter().find(|old| old.name == line.name);
        find(&mut line.welcome, old.and_then(|old| old.welcome));
        find(&mut line.music, old.and_then(|old| old.music).or(music));
        find(&mut line.menu_prompt, old.and_then(|old| old.menu_prompt));
    }
    let old = &before.call.signals;
    let call::Signals { done, refused, busy, congested, unobtainable, go_on, ring, accept } =
        &mut fresh.call.signals;
    find(busy, old.busy);
    find(congested, old.congested);
    find(unobtainable, old.unobtainable);
    find(done, old.done);
    find(refused, old.refused);
    find(go_on, old.go_on);
    find(ring, old.ring);
    find(accept, old.accept);
    find(&mut fresh.call.recording.notice, before.call.recording.notice);
    let prompts = fresh.call.prompts.iter().filter_map(|(name, id)| {
        let old = || before.call.prompts.get(name).copied();
        Some((name.clone(), same(wanted, loaded, *id).or_else(old)?))
    });
    fresh.call.prompts = Arc::new(prompts.collect());
}

/// What is bound, by what the configuration says and not by what the system made of it.
fn bound(settings: &Settings) -> impl PartialEq {
    let media = &settings.call.media;
    let listens: Vec<_> = settings.sip.listen.iter().map(|l| (l.transport, l.bind)).collect();
    let moved = (media.workers, media.io, media.dscp);
    (listens, media.homes.binds(), media.ports, moved, settings.sip.dscp)
}

/// The id that a tune of the new configuration has in memory.
fn same(wanted: &[Tune], loaded: &[Tune], id: TuneId) -> Option<TuneId> {
    let tune = wanted.get(id.slot() as usize)?;
    match loaded.iter().position(|have| have == tune) {
        Some(slot) => Some(TuneId::new(slot as u32, 0)),
        None => {
            tracing::warn!(
                "there is no room for the prompt {}: it is played from the next start on, and \
                 until then what was played in its place",
                tune.name
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Line;

    fn tune(name: &str) -> Tune {
        Tune { name: name.into(), ..Tune::default() }
    }

    fn names(settings: &Settings) -> Vec<&str> {
        settings.tunes.iter().map(|tune| tune.name.as_str()).collect()
    }

    #[test]
    fn a_prompt_that_is_new_to_a_reload_gets_an_id_of_its_own_and_the_others_keep_theirs() {
        let line = |name: &str, welcome, music| Line {
            name: name.into(),
            welcome: Some(TuneId(welcome)),
            music: Some(TuneId(music)),
            ..Line::default()
        };
        let mut running =
            Settings { tunes: vec![tune("tone"), tune("music")], ..Settings::default() };
        running.call.lines = vec![line("181", 0, 1)];
        running.call.media.ports = (100, 199);
        let tunes = vec![tune("new"), tune("tone")];
        let mut fresh = Settings { tunes, ..Settings::default() };
        fresh.call.lines = vec![line("181", 0, 1), line("1098", 1, 0)];
        fresh.name = "New name".into();
        let adopted = adopt(&running, fresh.clone());
        assert_eq!(names(&adopted), ["tone", "music", "new"]);
        let heard = |at: usize| (adopted.call.lines[at].welcome, adopted.call.lines[at].music);
        assert_eq!(heard(0), (Some(TuneId(2)), Some(TuneId(0))));
        assert_eq!(heard(1), (Some(TuneId(0)), Some(TuneId(2))));
        assert_eq!((adopted.name.as_str(), adopted.call.media.ports), ("New name", (100, 199)));
        running.tunes.clone_from(&adopted.tunes);
        assert_eq!(adopt(&running, fresh).tunes, adopted.tunes, "nothing is new any more");
    }

    #[test]
    fn a_prompt_that_there_is_no_room_for_puts_nobody_on_silence() {
        let line = |name: &str, welcome| Line {
            name: name.into(),
            welcome: Some(TuneId(welcome)),
            music: Some(TuneId(welcome)),
            ..Line::default()
        };
        let tunes = (0..TUNES_MAX).map(|n| tune(&n.to_string())).collect();
        let mut running = Settings { tunes, ..Settings::default() };
        running.call.lines = vec![line("181", 7)];
        let mut fresh = Settings { tunes: vec![tune("new")], ..Settings::default() };
        fresh.call.lines = vec![line("181", 0), line("1098", 0)];
        let lines = adopt(&running, fresh).call.lines;
        assert_eq!((lines[0].welcome, lines[0].music), (Some(TuneId(7)), Some(TuneId(7))));
        assert_eq!((lines[1].welcome, lines[1].music), (None, Some(TuneId(7))), "music is better");
    }
}
