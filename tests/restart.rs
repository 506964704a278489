//! What must not keep a switch from coming back to its calls, or a new version from taking over,
//! and what must: files with mistakes, ports that are taken, a second switch, signals at the wrong
//! time.

mod support;

use pukar::core::journal::{HEADER_LEN, Header};
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;
use support::one::{ONE, is_served, live, with_a_caller};
use support::street::{CALLER, PHONE, SWITCH};
use support::switch::{HELPLINE, Switch};
use support::{Deadline, PATIENCE, raw};

#[test]
fn a_mistake_in_the_configuration_costs_nobody_the_call_when_the_switch_dies() {
    let mut switch = Switch::start(&[HELPLINE, ONE]);
    let (caller, call) = with_a_caller(&mut switch);
    let mut good = String::new();
    switch.configure(|text| {
        good = text;
        // A slip that leaves not even the syntax whole.
        good.replace("ring_for = \"10s\"", "ring_fro = 10s")
    });
    switch.crash();
    let said = switch.program().said();
    assert!(said.contains("goes on with the configuration that was in force"), "{said}");
    assert!(said.contains("mistake"), "{said}");
    assert_eq!(live(&mut switch), call);
    assert!(switch.metrics().contains("\npukar_configuration_refused 1"), "{}", switch.metrics());
    assert!(switch.admin.ask("config.reload", json!({})).is_err(), "it is still wrong");
    switch.configure(|_| good);
    switch.admin.ask("config.reload", json!({})).unwrap();
    is_served(&mut switch, caller);
}

#[test]
fn a_mistake_in_the_configuration_is_final_where_the_last_switch_ended_in_order() {
    let mut switch = Switch::start(&[HELPLINE, ONE]);
    switch.stop();
    switch.configure(|text| text.replace("ring_for", "ring_fro"));
    let output = switch.start_another();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("ring_fro") && said.contains("1 mistake in"), "{said}");
}

#[test]
fn an_upgrade_does_not_happen_while_the_configuration_has_mistakes() {
    let mut switch = Switch::start(&[HELPLINE, ONE]);
    let (caller, call) = with_a_caller(&mut switch);
    switch.configure(|text| text.replace("ring_for", "ring_fro"));
    switch.program().signal(libc::SIGUSR2);
    let why = switch.program().line_with("no upgrade, and everything goes on");
    assert!(why.contains("cannot use the configuration"), "{why}");
    switch.program().line_with("ring_fro");
    assert_eq!(live(&mut switch), call);
    switch.configure(|text| text.replace("ring_fro", "ring_for"));
    switch.upgrade();
    assert_eq!(live(&mut switch), call);
    is_served(&mut switch, caller);
}

#[test]
fn an_upgrade_into_another_data_folder_does_not_happen_and_a_crash_finds_the_calls_in_the_old_one()
{
    let mut switch = Switch::start(&[HELPLINE, ONE]);
    let (caller, call) = with_a_caller(&mut switch);
    let (own, other) = (switch.data(), switch.street.folder("elsewhere"));
    let line = |at: &Path| format!("data = \"{}\"", at.display());
    switch.configure(|text| text.replace(&line(&own), &line(&other)));
    let output = switch.tell(&["upgrade"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("[switch] data says"), "{said}");
    assert!(said.contains(&own.display().to_string()), "{said}");
    switch.program().signal(libc::SIGHUP);
    switch.program().line_with("a note in the new folder has the next start find its calls");
    switch.program().line_with("the new configuration is in force");
    switch.crash();
    assert_eq!(live(&mut switch), call);
    switch.configure(|text| text.replace(&line(&other), &line(&own)));
    switch.upgrade();
    assert_eq!(live(&mut switch), call);
    assert!(!own.join("is-to-be-left-for").exists(), "it was edited back");
    is_served(&mut switch, caller);
}

#[test]
fn a_start_of_another_version_that_fails_leaves_the_calls_to_the_one_before() {
    let mut switch = Switch::start(&[HELPLINE, ONE]);
    let (caller, call) = with_a_caller(&mut switch);
    switch.program().signal(libc::SIGKILL);
    switch.program().end(PATIENCE);
    let journal = switch.data().join("journal");
    as_by_another_build(&journal);
    let mut good = String::new();
    switch.configure(|text| {
        good = text;
        good.replace("ring_for", "ring_fro")
    });
    let output = switch.start_another();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && said.contains("ring_fro"), "{said}");
    assert!(!journal.join("set-aside").exists(), "{said}");
    // Whoever sees that goes back to the version that wrote the journal.
    switch.configure(|_| good);
    as_by_another_build(&journal);
    switch.restart();
    assert_eq!(live(&mut switch), call);
    is_served(&mut switch, caller);
    assert_eq!(switch.records().len(), 1, "nobody was closed as recovered");
}

#[test]
fn listeners_that_changed_and_a_taken_port_for_the_wallboard_cost_nobody_the_call() {
    let mut switch = Switch::start(&[HELPLINE, ONE]);
    let (caller, call) = with_a_caller(&mut switch);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let http = format!("[admin]\nhttp = \"{}\"", taken.local_addr().unwrap());
    let (old, new) = (switch.sip(), format!("{}:5082", switch.street.ip(SWITCH)));
    let udp = format!("udp:{old}");
    switch.configure(|text| text.replace("[admin]", &http).replace(&udp, &format!("udp:{new}")));
    switch.crash();
    assert_eq!(live(&mut switch), call);
    let said = switch.program().said();
    assert!(said.contains("stays open until a start without calls"), "{said}");
    assert!(said.contains("There is no wallboard until the next start"), "{said}");
    for at in [old, new.parse().unwrap()] {
        raw::Udp::new(switch.street.ip(PHONE), at).options_until_answered("both");
    }
    is_served(&mut switch, caller);
}

#[test]
fn a_second_switch_on_the_same_folder_is_turned_away_and_told_who_has_it() {
    let mut switch = Switch::start(&[HELPLINE, ONE]);
    for _ in 0..2 {
        let output = switch.start_another();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        let folder = format!("the data folder {} is in use", switch.data().display());
        let pid = format!("process {}.", switch.program().pid());
        assert!(said.contains(&folder) && said.contains(&pid), "{said}");
        // The lock goes along with the program that takes over.
        switch.upgrade();
    }
    switch.crash();
    assert_eq!(switch.status()["calls"]["live"], 0, "the lock of the dead is nobody's");
}

#[test]
fn signals_in_the_midst_of_an_upgrade_end_nobody() {
    let mut switch = Switch::start(&[HELPLINE, ONE]);
    let (caller, call) = with_a_caller(&mut switch);
    for _ in 0..3 {
        switch.program().signal(libc::SIGUSR2);
        let pid = switch.program().pid() as i32;
        let storm = std::thread::spawn(move || {
            for _ in 0..1_500 {
                // SAFETY: kill(2) reads no memory.
                unsafe { libc::kill(pid, libc::SIGHUP) };
                std::thread::park_timeout(std::time::Duration::from_micros(200));
            }
        });
        switch.program().line_with("goes on in the place of this program");
        switch.program().line_with("admin socket");
        storm.join().unwrap();
        switch.meet();
        assert_eq!(live(&mut switch), call);
    }
    is_served(&mut switch, caller);
}

/// Nothing has to be gone through after the last snapshot, so another build can read it.
#[test]
fn an_orderly_end_leaves_a_snapshot_after_which_nothing_came() {
    let mut switch = Switch::start(&[HELPLINE, ONE]);
    let paused = json!({"agent": "op1", "state": "pause", "reason": "tea"});
    switch.admin.ask("agents.set", paused).unwrap();
    let block = json!({"number": "9826012345", "reason": "shouts", "seconds": 86_400});
    switch.admin.ask("blocks.add", block).unwrap();
    switch.stop();
    let journal = switch.data().join("journal");
    let newest = newest(&journal, "events");
    assert_eq!(std::fs::metadata(&newest).unwrap().len(), 40, "a header and no event");
    assert!(newest.with_extension("snapshot").exists());
    switch.restart();
    let agent = switch.ask("agents.list")[0].clone();
    assert_eq!((&agent["state"], &agent["reason"]), (&json!("paused"), &json!("tea")));
    let blocks: Value = switch.ask("blocks.list");
    assert!(blocks.to_string().contains("9826012345"), "{blocks:#}");
}

fn newest(folder: &Path, kind: &str) -> PathBuf {
    let files = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    files.filter(|path| path.extension().is_some_and(|end| end == kind)).max().unwrap()
}

/// Acts are in a file for as long as people keep it, each once, whatever happens to the process.
#[test]
fn who_did_what_is_written_down_once_over_a_kill_an_upgrade_and_an_orderly_end() {
    let mut switch = Switch::start(&[HELPLINE, ONE]);
    let act = |switch: &mut Switch, state: &str| {
        let wish = json!({"agent": "op1", "state": state, "reason": "tea"});
        switch.admin.ask("agents.set", wish).unwrap();
    };
    let lines = |switch: &Switch| {
        let folder = std::fs::read_dir(switch.data().join("audit")).into_iter().flatten().flatten();
        let mut files: Vec<_> = folder.map(|entry| entry.path()).collect();
        files.retain(|path| path.extension().is_some_and(|end| end == "jsonl"));
        files.sort();
        let text: String =
            files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    act(&mut switch, "pause");
    switch.crash();
    act(&mut switch, "ready");
    switch.upgrade();
    act(&mut switch, "pause");
    let deadline = Deadline::after(PATIENCE);
    let is_act = |line: &&Value| line["verb"] == "agents.set";
    while lines(&switch).iter().filter(is_act).count() < 3 {
        assert!(deadline.left().is_some(), "{:#?}", lines(&switch));
        std::thread::park_timeout(Duration::from_millis(20));
    }
    act(&mut switch, "ready");
    switch.stop();
    let lines = lines(&switch);
    assert_eq!(lines.iter().filter(is_act).count(), 4, "{lines:#?}");
    let seqs: Vec<_> = lines.iter().map(|line| line["seq"].as_u64().unwrap()).collect();
    assert!(seqs.is_sorted_by(|a, b| a < b), "each once, in order: {seqs:?}");
    assert!(lines.iter().all(|line| line["kind"] == "audit" && line["at"].is_string()));
}

#[test]
fn a_terminated_upgrade_is_not_forgotten() {
    let mut switch = Switch::start(&[HELPLINE, ONE]);
    switch.program().signal(libc::SIGUSR2);
    switch.program().line_with("goes on in the place of this program");
    switch.program().signal(libc::SIGTERM);
    assert!(switch.program().end(PATIENCE).success());
}

fn until_metric(switch: &mut Switch, line: &str) {
    let deadline = Deadline::after(PATIENCE);
    while !switch.metrics().contains(line) {
        assert!(deadline.left().is_some(), "never {line}: {}", switch.metrics());
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

#[test]
fn a_switch_that_dies_on_a_full_disk_is_back_with_its_calls_and_says_that_it_writes_nothing() {
    let mut switch = Switch::start(&[HELPLINE, ONE]);
    let (caller, call) = with_a_caller(&mut switch);
    switch.crash_onto_a_full_disk();
    assert_eq!(live(&mut switch), call);
    until_metric(&mut switch, "\npukar_journal_gap 1");
    let gap = switch.until("journal.gap", |_| true);
    assert!(gap["why"].as_str().unwrap().contains("File too large"), "{gap:#}");
    assert!(switch.status()["journal_gap"]["since"].is_string());
    raw::Udp::new(switch.street.ip(PHONE), switch.sip()).options_until_answered("full");
    switch.program().signal(libc::SIGUSR2);
    let why = switch.program().line_with("no upgrade, and everything goes on");
    assert!(why.contains("the journal has a gap"), "{why}");
    switch.frees_the_disk();
    switch.until("journal.whole", |_| true);
    until_metric(&mut switch, "\npukar_journal_gap 0");
    assert!(switch.status()["journal_gap"].is_null());
    switch.crash();
    assert_eq!(live(&mut switch), call, "the journal is whole again");
    drop(caller);
    switch.admin.ask("calls.hangup", json!({"call": call})).unwrap();
    switch.until_ended(1);
    assert_eq!(switch.records().len(), 1);
}

#[test]
fn a_switch_that_begins_on_a_full_disk_serves_and_writes_down_what_it_can_later() {
    let mut switch = Switch::start(&[HELPLINE, ONE]);
    switch.stop();
    std::fs::remove_dir_all(switch.data().join("journal")).unwrap();
    switch.start_onto_a_full_disk();
    let (caller, call) = with_a_caller(&mut switch);
    switch.frees_the_disk();
    switch.until("journal.whole", |_| true);
    until_metric(&mut switch, "\npukar_journal_gap 0");
    switch.crash();
    assert_eq!(live(&mut switch), call);
    is_served(&mut switch, caller);
}

/// Another build wrote it, and something came after its last snapshot.
fn as_by_another_build(journal: &Path) {
    // The program lies there as well, and is the very file that others run.
    let files = std::fs::read_dir(journal).unwrap().flatten().map(|entry| entry.path());
    let is_ours =
        |path: &PathBuf| path.extension().is_some_and(|e| e == "events" || e == "snapshot");
    for path in files.filter(is_ours) {
        let mut bytes = std::fs::read(&path).unwrap();
        let own = Header::decode(&bytes).unwrap();
        let other = Header { build: own.build ^ 1, ..own };
        bytes[..HEADER_LEN].copy_from_slice(&other.encode());
        std::fs::write(path, bytes).unwrap();
    }
}

#[test]
fn books_that_are_closed_on_a_full_disk_are_closed_once_when_there_is_room() {
    let mut switch = Switch::start(&[HELPLINE, ONE]);
    let (caller, _) = with_a_caller(&mut switch);
    drop(caller);
    switch.program().signal(libc::SIGKILL);
    switch.program().end(PATIENCE);
    as_by_another_build(&switch.data().join("journal"));
    for _ in 0..2 {
        switch.start_onto_a_full_disk();
        assert_eq!(switch.status()["calls"]["live"], 0);
        switch.program().signal(libc::SIGKILL);
        switch.program().end(PATIENCE);
    }
    switch.start_onto_a_full_disk();
    switch.frees_the_disk();
    until_metric(&mut switch, "\npukar_journal_gap 0");
    switch.crash();
    let records = switch.records();
    assert_eq!(records.len(), 1, "{records:#?}");
    assert_eq!(records[0]["ended_by"], "recovered");
}

/// A caller on TCP, as one message: in a dialog where it has a tag.
fn over_tcp(method: &str, from: SocketAddr, to: SocketAddr, tag: &str, body: &str) -> String {
    let number = if method == "INVITE" || method == "ACK" { 1 } else { 2 };
    let branch = format!("{method}{}", from.port());
    format!(
        "{method} sip:181@{to} SIP/2.0\r\nVia: SIP/2.0/TCP {from};branch=z9hG4bK{branch}\r\n\
         From: <sip:9826012345@helpline.test>;tag=caller\r\nTo: <sip:181@{to}>{tag}\r\n\
         Call-ID: tcp-caller\r\nCSeq: {number} {method}\r\n\
         Contact: <sip:9826012345@{from};transport=tcp>\r\nMax-Forwards: 70\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn final_answer(phone: &mut raw::Tcp) -> String {
    loop {
        let answer = phone.receive_within(PATIENCE).expect("an answer over TCP");
        if raw::status(&answer).is_some_and(|status| status >= 200) {
            return answer;
        }
    }
}

#[test]
fn a_caller_over_tcp_connects_anew_after_kill_nine_and_the_call_is_the_same() {
    let mut switch = Switch::start(&[HELPLINE, ONE]);
    let (house, to) = (switch.street.ip(CALLER), switch.sip());
    let mut phone = raw::Tcp::new(house, to);
    let sdp = format!(
        "v=0\r\no=a 1 1 IN IP4 {house}\r\ns=-\r\nc=IN IP4 {house}\r\nt=0 0\r\n\
         m=audio 30000 RTP/AVP 8\r\n"
    );
    phone.send(over_tcp("INVITE", phone.at(), to, "", &sdp).as_bytes());
    let answer = final_answer(&mut phone);
    assert_eq!(raw::status(&answer), Some(200), "{answer}");
    let tag = raw::header(&answer, "To").unwrap().split_once(";tag=").unwrap().1.to_string();
    let tag = format!(";tag={tag}");
    phone.send(over_tcp("ACK", phone.at(), to, &tag, "").as_bytes());
    switch.until("queue.joined", |_| true);
    let call = live(&mut switch);
    switch.crash();
    assert_eq!(live(&mut switch), call);
    assert!(phone.is_closed_within(PATIENCE), "the connection has died with the process");
    let mut phone = raw::Tcp::new(house, to);
    phone.send(over_tcp("BYE", phone.at(), to, &tag, "").as_bytes());
    let answer = final_answer(&mut phone);
    assert!(raw::status(&answer) == Some(200) && answer.contains("tcp-caller"), "{answer}");
    switch.until_ended(1);
    let records = switch.records();
    assert_eq!((records.len(), &records[0]["ended_by"]), (1, &json!("caller")), "{records:#?}");
}
