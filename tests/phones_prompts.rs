//! Prompts and music are files of people who change them while callers wait: what a reload finds is
//! played from then on, and whoever hears something hears it to its end.

mod support;

use serde_json::json;
use std::path::Path;
use support::agents::{REGISTERS, agent};
use support::baresip::Baresip;
use support::street::Street;
use support::switch::{HELPLINE, Switch};
use support::{talk, tone};

const OLD_SONG: u32 = 500;
const NEW_SONG: u32 = 900;
const GREETING: u32 = 1_400;
/// Seconds of sound that are awaited, and that files last.
const AWAITED: f64 = 2.0;
const LASTS: usize = 3;

fn calls(switch: &Switch, caller: &mut Baresip) {
    caller.command("dial", &switch.street.address("sip:181@NET.1:5060"));
    caller.until("CALL_ESTABLISHED");
}

/// A file that is there as a whole, or not yet.
fn put(folder: &Path, name: &str, hertz: u32) {
    let new = folder.join(format!(".{name}.new"));
    tone::write(&new, hertz, LASTS);
    std::fs::rename(new, folder.join(format!("{name}.wav"))).unwrap();
}

/// A dead source, and one that is not there: the switch says so, and starts, and loads again.
#[test]
fn q43_a_start_names_what_is_missing_and_waits_for_no_prompt_that_never_ends() {
    let street = Street::new();
    let prompts = street.folder("prompts");
    std::fs::create_dir_all(prompts.join("hi")).unwrap();
    let pipe = prompts.join("hi/busy.wav");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let media = format!("prompts = {:?}\nwelcome = \"hi/anthem\"\n", prompts.display().to_string());
    let queue = format!("{HELPLINE}announce_first = \"1s\"\n");
    let stores = [format!("sqlite:{}", street.dir().join("records.db").display())];
    let op1 = agent("op1", &[REGISTERS]);
    let mut switch = Switch::storing(street, &stores, &[&media, &queue, &op1]);
    let started = switch.program().said();
    let dead = format!("{}: it is no regular file", pipe.display());
    let missing = "prompts that are missing, callers hear a tone in their place: hi/anthem";
    for expected in [dead.as_str(), "Callers hear the built-in hi/busy in its place", missing] {
        assert!(started.contains(expected), "{expected}: {started}");
    }
    switch.admin.ask("config.reload", json!({})).unwrap();
    switch.program().line_with(&dead);
}

#[test]
fn a_reload_plays_a_new_song_and_a_prompt_that_was_not_there_and_stops_nobodys() {
    let street = Street::new();
    let prompts = street.folder("prompts");
    put(&prompts, "song", OLD_SONG);
    let media = format!("prompts = {:?}\nmusic = \"song\"\n", prompts.display().to_string());
    let stores = [format!("sqlite:{}", street.dir().join("records.db").display())];
    let parts = [media.as_str(), HELPLINE, &agent("op1", &[REGISTERS])];
    let mut switch = Switch::storing(street, &stores, &parts);
    let mut caller = talk::caller(&switch.street);
    calls(&switch, &mut caller);
    caller.until_heard(OLD_SONG, AWAITED);
    put(&prompts, "song", NEW_SONG);
    put(&prompts, "greeting", GREETING);
    let music = "music = \"song\"";
    switch.configure(|text| text.replace(music, &format!("welcome = \"greeting\"\n{music}")));
    switch.admin.ask("config.reload", json!({})).unwrap();
    caller.until_heard(OLD_SONG, AWAITED + AWAITED + LASTS as f64);
    let heard = caller.recording();
    assert_eq!(tone::seconds(&heard, NEW_SONG), 0.0, "whoever waits hears their song on");
    caller.command("hangup", "");
    switch.until_ended(1);
    calls(&switch, &mut caller);
    caller.until_heard(GREETING, AWAITED);
    caller.until_heard(NEW_SONG, AWAITED);
    caller.command("hangup", "");
    switch.until_ended(2);
    assert_eq!(tone::seconds(&caller.recording(), OLD_SONG), 0.0);
}
