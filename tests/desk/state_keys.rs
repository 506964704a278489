//! The state of `config/state`, worked by the keys of its telephones: a colleague, a counsellor,
//! the centre of another district, an officer; and whoever comes on shift logs in.

use crate::desk_world::{BSNL, Habit, MIDNIGHT, Stage, secs};
use pukar::call::Directory;
use std::fs;

const ALI02: &str = "10.73.94.12:5060";
const ALI03: &str = "10.73.94.13:5060";
const ALI04: &str = "10.73.94.14:5060";
const ALI06: &str = "10.73.94.16:5060";
const ALI08: &str = "10.73.94.18:5060";
const SHIVPURI: &str = "10.74.92.10:5060";
const HOUR: i64 = 3_600_000_000;

/// At seven in the morning, in Alirajpur.
fn morning() -> Stage {
    let mut files: Vec<_> = fs::read_dir("config/state").unwrap().flatten().collect();
    files.sort_by_key(|file| file.path());
    let toml = files.iter().filter(|file| file.path().extension().is_some_and(|e| e == "toml"));
    let read = |file: &fs::DirEntry| {
        let text = fs::read_to_string(file.path()).unwrap().replace("10.0.0.9:5060", BSNL);
        (file.path().display().to_string(), text)
    };
    let files: Vec<_> = toml.map(read).collect();
    let mut settings = pukar::config::parse(&files, &|_| None).unwrap();
    let mut directory = Directory::default();
    let csv = fs::read_to_string("config/state/directory.csv").unwrap();
    directory.read("directory.csv", &csv, &settings.call);
    assert_eq!(directory.refused, []);
    settings.call.directory = directory.into();
    Stage::of(settings, MIDNIGHT + 7 * HOUR)
}

#[test]
fn an_operator_of_the_state_example_reaches_everybody_by_keys() {
    let mut stage = morning();
    assert_eq!((stage.state("ali02"), stage.state("ali08")), ("ready", "off"));
    stage.habit(ALI02, Habit::Answers);
    let caller = stage.dial("9826012345", "07394181", "");
    assert_eq!(stage.state("ali02"), "talking");
    let operator = *stage.opened.last().unwrap();
    for (keys, at, what) in [
        ("*2203#", ALI03, "a colleague"),
        ("*21#", ALI06, "the counsellor on shift"),
        ("*206#", "", "nobody has that extension"),
        ("*23#", SHIVPURI, "another district"),
        ("*207492181#", SHIVPURI, "the same by its number"),
        ("*251#", BSNL, "the first of the officers"),
        ("*2108#", BSNL, "whoever is in need"),
    ] {
        stage.wait(secs(2));
        stage.invites.clear();
        stage.press_at(operator, keys);
        let rung: Vec<String> = stage.invites.iter().map(|(at, _)| at.to_string()).collect();
        let expected: Vec<String> = (!at.is_empty()).then(|| at.to_string()).into_iter().collect();
        assert_eq!(rung, expected, "{what}");
        if keys == "*251#" {
            let officer = "INVITE sip:07394233201@";
            assert!(stage.invites[0].1.starts_with(officer), "{}", stage.invites[0].1);
        }
        stage.press_at(operator, "*0");
    }
    stage.habit(ALI03, Habit::Answers);
    stage.wait(secs(2));
    stage.press_at(operator, "*4203#");
    stage.wait(secs(2));
    assert_eq!(stage.state("ali03"), "talking", "the caller was sent there");
    stage.hang_up(&caller);
}

#[test]
fn an_idle_phone_of_the_state_example_calls_the_directory_and_logs_in() {
    let mut stage = morning();
    let call = stage.phone_dials(ALI04, "ali04", "*7101");
    let [(at, invite)] = &stage.invites[..] else { panic!("{:?}", stage.invites) };
    assert_eq!(at.to_string(), BSNL);
    assert!(invite.starts_with("INVITE sip:07394233201@"), "{invite}");
    stage.phone_cancels(ALI04, &call);
    stage.phone_dials(ALI08, "ali08", "*11208*7408");
    stage.wait(secs(3));
    assert_eq!(stage.state("ali08"), "ready");
    stage.phone_dials(ALI08, "ali08", "203");
    assert_eq!(stage.invites.last().unwrap().0.to_string(), ALI03);
}

#[test]
fn a_counsellor_of_the_state_example_works_from_home() {
    let mut stage = morning();
    let (home, codes) = ("9425098765", "+917552551199");
    let call = stage.dial(home, codes, "");
    stage.press("7501#*11");
    stage.hang_up(&call);
    assert_eq!(stage.state("ghar1"), "ready");
    // Everybody else is a caller of 181.
    let stranger = stage.dial("9826000009", codes, "");
    assert_eq!(stage.arrival().line, "181");
    stage.hang_up(&stranger);
    for doctor in ["ali06", "ali12", "ali18"] {
        stage.set_agent(doctor, "logout");
    }
    stage.dial("9826012345", "104", "");
    let (at, invite) = stage.invites.last().unwrap().clone();
    assert_eq!(at.to_string(), BSNL);
    assert!(invite.contains(home), "{invite}");
    stage.far_end_answers(BSNL);
    stage.press("1");
    assert_eq!(stage.state("ghar1"), "talking");
}
