//! The command line as its users meet it: exit statuses, one line on stderr, what goes over the
//! admin socket. The switch here is a few lines that answer what they are told to.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread::JoinHandle;

fn pukar(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pukar")).args(arguments).output().unwrap()
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("console-{name}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Gives one answer after the other, one to a connection, and then what was asked.
fn switch(socket: &Path, answers: Vec<Value>) -> JoinHandle<Vec<Value>> {
    let listener = UnixListener::bind(socket).unwrap();
    std::thread::spawn(move || {
        let answer = |answer: Value| {
            let (stream, _) = listener.accept().unwrap();
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            let lines = answer.as_array().cloned().unwrap_or_else(|| vec![answer]);
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            (&stream).write_all(text.as_bytes()).unwrap();
            let mut request: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(request["jsonrpc"], "2.0");
            json!([request["method"].take(), request["params"].take()])
        };
        answers.into_iter().map(answer).collect()
    })
}

/// Standard output, standard error and the exit status.
fn said(output: &Output) -> (String, String, i32) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr), output.status.code().unwrap())
}

#[test]
fn check_says_no_mistakes_or_all_of_them() {
    let (out, err, exit) = said(&pukar(&["check"]));
    assert_eq!((&*err, exit), ("", 0));
    assert!(out.starts_with("config/helpline.toml: no mistakes; 2 lines, 2 queues"), "{out}");

    let (out, err, exit) = said(&pukar(&["check", "--config", "config/state"]));
    assert_eq!((&*err, exit), ("", 0));
    assert!(out.ends_with("3 districts, 3 shifts, 17 in the directory\n"), "{out}");

    let folder = folder("check");
    std::fs::write(folder.join("a.toml"), "[swich]\n").unwrap();
    std::fs::write(folder.join("b.toml"), "[sip]\nlock_after = 0\n").unwrap();
    let name = folder.display();
    let (out, err, exit) = said(&pukar(&["check", "--config", folder.to_str().unwrap()]));
    assert_eq!((&*out, exit), ("", 2));
    assert_eq!(
        err,
        format!(
            "{name}/a.toml:1: unknown key \"swich\" in the configuration; did you mean \
             \"switch\"?\n\
             {name}/b.toml:2: lock_after = 0 is out of range; write a number from 1 to 1000\n\
             pukar: 2 mistakes in {name}\n"
        )
    );
    let (_, err, exit) = said(&pukar(&["check", "--config", "nowhere.toml"]));
    assert_eq!(exit, 2);
    assert_eq!(err, "pukar: no configuration at nowhere.toml; name one with --config FILE\n");
}

#[test]
fn a_switch_that_is_not_there_is_one_line_and_a_failure() {
    let (out, err, exit) = said(&pukar(&["status", "--socket", "/nowhere/pukar.sock"]));
    assert_eq!((&*out, exit), ("", 1));
    assert!(err.contains("start one with `pukar run`") && err.lines().count() == 1, "{err}");
}

#[test]
fn lists_are_tables_for_people_and_json_for_machines() {
    let socket = folder("lists").join("s");
    let rows = json!([{"name": "bsnl", "up": true, "for_ms": 61_000, "calls": 3, "total": 70,
        "failures": 0, "last_failure": null}]);
    let answer = json!({"jsonrpc": "2.0", "id": 1, "result": rows});
    let switch = switch(&socket, vec![answer.clone(), answer]);
    let path = socket.to_str().unwrap();
    let (out, _, exit) = said(&pukar(&["trunks", "--socket", path]));
    let table = "TRUNK  IS   FOR  CALLS  SO FAR  FAILED  LAST FAILURE\n\
                 bsnl   up  1:01      3      70       0  -\n";
    assert_eq!((&*out, exit), (table, 0));
    let (out, _, _) = said(&pukar(&["trunks", "--json", "--socket", path]));
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), rows);
    assert_eq!(switch.join().unwrap(), vec![json!(["trunks.list", {}]); 2]);
}

#[test]
fn a_supervisor_acts_and_hears_why_not() {
    let socket = folder("acts").join("s");
    let done = json!({"jsonrpc": "2.0", "id": 1, "result": {}});
    let error = json!({"code": -32602, "message": "there is no call c9"});
    let refused = json!({"jsonrpc": "2.0", "id": 1, "error": error});
    let switch = switch(&socket, vec![done, refused]);
    let path = socket.to_str().unwrap();
    let (_, err, exit) = said(&pukar(&["agent", "op1", "pause", "चाय", "--socket", path]));
    assert_eq!((&*err, exit), ("", 0));
    let (_, err, exit) = said(&pukar(&["call", "c9", "hangup", "--socket", path]));
    assert_eq!((&*err, exit), ("pukar: there is no call c9\n", 1));
    assert_eq!(
        switch.join().unwrap(),
        [
            json!(["agents.set", {"agent": "op1", "state": "pause", "reason": "चाय"}]),
            json!(["calls.hangup", {"call": "c9"}]),
        ]
    );
}

#[test]
fn events_follow_until_the_switch_goes_away() {
    let socket = folder("events").join("s");
    let fact = json!({"seq": 7, "at": "T", "kind": "call.ended", "call": "c1"});
    let answer = json!([
        {"jsonrpc": "2.0", "id": 1, "result": {"from": 7}},
        {"jsonrpc": "2.0", "method": "event", "params": fact},
    ]);
    let switch = switch(&socket, vec![answer]);
    let path = socket.to_str().unwrap();
    let (out, err, exit) = said(&pukar(&["events", "--from", "7", "--socket", path]));
    assert_eq!((&*out, exit), ("7 T call.ended call=c1\n", 1));
    assert!(err.contains("closed the connection"), "{err}");
    assert_eq!(switch.join().unwrap(), [json!(["events.subscribe", {"from": 7}])]);
}

#[test]
fn records_come_page_by_page() {
    let socket = folder("records").join("s");
    let row = |n: usize| json!({"id": format!("c{n}"), "line": "181", "wait_ms": 1200});
    let page = |rows: Vec<Value>| json!({"jsonrpc": "2.0", "id": 1, "result": rows});
    let pages = vec![page((0..1_000).map(row).collect()), page(vec![row(1_000)])];
    let switch = switch(&socket, pages);
    let path = socket.to_str().unwrap();
    let arguments = ["records", "--since", "2026-11-22T00:00:00Z", "--json", "--socket", path];
    let (out, _, exit) = said(&pukar(&arguments));
    assert_eq!((out.lines().count(), exit), (1_001, 0));
    let asked = switch.join().unwrap();
    assert_eq!(asked[0][1], json!({"since": "2026-11-22T00:00:00.000Z", "limit": 1000}));
    assert_eq!(asked[1][1]["after"], "c999");
}

#[test]
fn a_directory_with_bad_rows_warns_of_each_and_is_in_force_with_the_rest() {
    let folder = folder("directory");
    let rows: String = (0..1_000).map(|n| format!("rrt,ALI,Name,0{n},1,,\n")).collect();
    let head = "kind,district,name,number,priority,valid_from,valid_to\n";
    let csv = folder.join("d.csv");
    std::fs::write(&csv, format!("{head}{rows}rrt,ALI,Good,9826000001,1,,\n")).unwrap();
    let config = folder.join("c.toml");
    std::fs::write(&config, format!("[directory]\nfiles = [{:?}]\n", csv.display().to_string()))
        .unwrap();
    let (out, err, exit) = said(&pukar(&["check", "--config", config.to_str().unwrap()]));
    assert_eq!(exit, 0, "{err}");
    assert!(out.ends_with("1 in the directory\n"), "{out}");
    assert_eq!(err.lines().count(), 1_000);
    let first = format!("warning: {}:2: \"00\" is no telephone number\n", csv.display());
    assert!(err.starts_with(&first), "{err}");
}

#[test]
fn shifts_and_the_directory_are_screens() {
    let folder = folder("shifts");
    let socket = folder.join("s");
    let shift = json!([{"name": "night", "hours": "22:00-06:00", "on": true,
        "minimum": "4 operator, 2 health",
        "present": 1, "starts_at": "2026-11-22T16:30:00.000Z",
        "ends_at": "2026-11-23T00:30:00.000Z",
        "members": [{"agent": "ali13", "name": "x", "role": "supervisor", "state": "ready"},
                    {"agent": "ali14", "name": "y", "role": "operator", "state": "off"}]}]);
    let listed = json!({"entries": [{"kind": "rrt", "district": "alirajpur", "name": "सीमा",
        "number": "+919826000001", "priority": 1, "valid_from": null, "valid_to": null,
        "valid": true, "failures": 0}], "refused": [], "refused_count": 2});
    let answers =
        [shift, listed].map(|result| json!({"jsonrpc": "2.0", "id": 1, "result": result}));
    let asked = switch(&socket, answers.to_vec());
    let at = socket.to_str().unwrap();
    let (out, _, exit) = said(&pukar(&["shifts", "--socket", at]));
    assert_eq!(exit, 0);
    assert!(
        out.contains(" 4 operator, 2 health ") && out.contains("ali13 ready, ali14 off"),
        "{out}"
    );
    let (out, _, exit) = said(&pukar(&["directory", "ALI/RRT/1", "--socket", at]));
    assert_eq!(exit, 0);
    assert!(out.contains("सीमा") && out.contains("2 rows were refused"), "{out}");
    let asked = asked.join().unwrap();
    assert_eq!(asked[1], json!(["directory.list", {"address": "ALI/RRT/1"}]));
}

/// A voice that cannot be heard is told of before anybody calls, each in a sentence.
#[test]
fn check_names_every_prompt_that_cannot_be_played_and_why() {
    let folder = folder("prompts");
    let put = |name: &str, octets: &[u8]| std::fs::write(folder.join(name), octets).unwrap();
    put("song.wav", b"ID3, an mp3 by another name");
    put("hello.wav", b"");
    let format = [&b"fmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0"[..]].concat();
    let lying = [&b"RIFF\x30\0\0\0WAVE"[..], &format, b"data\xff\xff\0\0some sound"].concat();
    put("rain.wav", &lying);
    let config = folder.join("pukar.toml");
    let line = |number: u32, music: &str| {
        format!("[[line]]\nnumbers = [\"{number}\"]\nqueue = \"a\"\nmusic = \"{music}\"\n")
    };
    let text = format!(
        "[media]\nprompts = \"{}\"\nwelcome = \"hello\"\nmusic = \"song\"\n{}{}\
         [[queue]]\nname = \"a\"\nskills = [\"x\"]\nstaffed = false\n",
        folder.display(),
        line(181, "rain"),
        line(104, "nothing"),
    );
    std::fs::write(&config, text).unwrap();
    let (_, err, exit) = said(&pukar(&["check", "--config", config.to_str().unwrap()]));
    assert_eq!(exit, 2, "{err}");
    for (file, why) in [
        ("hello.wav", "not a sound WAV file: it does not begin with RIFF and WAVE"),
        ("rain.wav", "not a sound WAV file: its length is longer than the file"),
        ("nothing.wav", "no such prompt; record it, or take it out"),
    ] {
        let line = format!("{}: {why}\n", folder.join(file).display());
        assert!(err.contains(&line), "{line}{err}");
    }
}

/// What espeak-ng makes of the shipped texts today is what is shipped, file by file: no two of them
/// are swapped. Another version of it may speak otherwise, and nobody shall have to render anew.
#[test]
fn prompts_build_speaks_the_shipped_numbers_as_they_are_and_keeps_what_people_have_recorded() {
    let version = Command::new("espeak-ng").arg("--version").output().unwrap_or_else(|e| {
        panic!("espeak-ng cannot be run ({e}): tests/run installs what is needed")
    });
    let is_the_same = String::from_utf8_lossy(&version.stdout).contains("text-to-speech: 1.51 ");
    let folder = folder("build");
    let (own, out) = (folder.join("own"), folder.join("out"));
    std::fs::create_dir_all(out.join("hi/n")).unwrap();
    std::fs::create_dir_all(&own).unwrap();
    let texts = std::fs::read_to_string("prompts/hi.tsv").unwrap();
    let is_number = |line: &&str| {
        let name = line.split('\t').next().and_then(|name| name.strip_prefix("n/"));
        name.is_some_and(|name| name.bytes().all(|octet| octet.is_ascii_digit()))
    };
    let numbers = texts.lines().filter(is_number);
    let numbers: String = numbers.map(|line| format!("{line}\n")).collect();
    std::fs::write(own.join("hi.tsv"), numbers).unwrap();
    std::fs::write(out.join("hi/n/7.wav"), b"a human voice").unwrap();
    let config = folder.join("pukar.toml");
    std::fs::write(&config, format!("[media]\nprompts = \"{}\"\n", own.display())).unwrap();
    let [config, to] = [&config, &out].map(|path| path.to_str().unwrap());
    let build = ["prompts", "build", "--config", config, "--language", "hi", "--out", to];
    let (said, err, exit) = said(&pukar(&build));
    let place = out.join("hi");
    let expected =
        format!("{}: 99 rendered, 1 were there, which --force renders anew\n", place.display());
    assert_eq!((said, exit), (expected, 0), "{err}");
    assert_eq!(std::fs::read(place.join("n/7.wav")).unwrap(), b"a human voice");
    for n in (0..100).filter(|n| *n != 7) {
        let [new, shipped] = [out.to_str().unwrap(), "prompts"].map(|folder| {
            std::fs::read(format!("{folder}/hi/n/{n}.wav")).unwrap_or_else(|e| panic!("{n}: {e}"))
        });
        assert!(new.starts_with(b"RIFF") && new.len() > 1_500, "{n}: {} octets", new.len());
        assert!(!is_the_same || new == shipped, "hi/n/{n}.wav does not say what hi.tsv has");
    }
}
