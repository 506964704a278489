//! What else has callers' numbers: the outbox, the access log, what a store has refused, and web
//! servers are purged by the same rules, with proof.

use super::*;
use crate::shell::store::outbox::{self, Position};
use crate::shell::store::{proof, refused};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const NOW: &str = "2026-11-22T12:00:00+05:30[Asia/Kolkata]";
/// Calls 1 to 4 are older, and every state.
const BEFORE: &str = "2023-11-14T22:13:25.000Z";
/// Midnight in India before it.
const DAY_BEFORE: &str = "2023-11-14T18:30:00.000Z";

/// Two years for records and acts, and call 4 is held.
fn settings(folder: &Folder, stores: &[config::Store]) -> config::Settings {
    let mut settings = config::Settings {
        stores: stores.into(),
        data: folder.0.clone(),
        ..config::Settings::default()
    };
    settings.retention.days = Some(366);
    settings.retention.audit = Some(366);
    settings.retention.holds.push(config::Hold {
        reason: "WP 17/2024".into(),
        call: Some(format!("01HZ{:022}", 4)),
        ..config::Hold::default()
    });
    settings
}

fn purge_all(settings: &config::Settings, only: &str, dry_run: bool) -> Vec<purge::Purged> {
    let (store, before, by) = (only.into(), Some(BEFORE.into()), "hema (uid 1)".into());
    purge(settings, &Purge { store, before, dry_run, by, now: NOW.parse().unwrap() }).unwrap()
}

fn proofs(folder: &Folder) -> Vec<Value> {
    let text = std::fs::read_to_string(proof::of_data(&folder.0)).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn rows_are_blotted_in_the_outbox_where_they_lie_and_stores_go_on_behind_them() {
    let folder = Folder::new("purge-outbox");
    let (dir, lines) = (folder.0.join("outbox"), folder.0.join("records.jsonl"));
    let stores = [config::Store::JsonLines { path: lines.clone() }];
    let settings = settings(&folder, &stores);
    let rows: Vec<Row> = [state(1)].into_iter().chain((1..=6).map(call)).collect();
    let mut log = open(&dir).unwrap().in_segments_of(100);
    log.append(&rows[..1]).unwrap();
    log.append(&rows[1..4]).unwrap();
    // Half of the calls is in the store, and the journal has noted all.
    run(&folder, configured(&folder, &stores), std::iter::empty());
    let mut log = open(&dir).unwrap();
    log.append(&rows[4..]).unwrap();
    journal_of(&folder, &rows);
    let all = || -> Vec<Vec<u8>> {
        let segments = outbox::segments(&dir).unwrap().into_iter();
        segments.map(|n| std::fs::read(outbox::segment_path(&dir, n)).unwrap()).collect()
    };
    let whole = all();
    let of = |done: Vec<purge::Purged>| (done[0].calls, done[0].states, done[0].held);
    assert_eq!(of(purge_all(&settings, "/outbox", true)), (3, 1, 1));
    assert_eq!(all(), whole, "it was only counted");
    assert_eq!(of(purge_all(&settings, "/outbox", false)), (3, 1, 1));
    let lengths = |texts: &[Vec<u8>]| texts.iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(lengths(&all()), lengths(&whole), "every place is what it was");
    let text = String::from_utf8(all().concat()).unwrap();
    assert_eq!(text.matches("+919826012345").count(), 3, "those of calls 4 to 6: {text}");
    let told = proofs(&folder);
    let told: Vec<_> = told
        .iter()
        .map(|proof| (&proof["of"], &proof["table_name"], &proof["seqs"], &proof["purged_by"]))
        .collect();
    let (of, by) = (json!("outbox"), json!("hema (uid 1)"));
    let (states, calls) = (json!("agent_states"), json!("calls"));
    assert_eq!(told, [(&of, &states, &json!("1"), &by), (&of, &calls, &json!("1-3"), &by)]);
    assert_eq!(open(&dir).unwrap().last(), (6, 1), "numbers stay");
    let left = outbox::read(&dir, Position::default(), open(&dir).unwrap().end(), 99).unwrap().0;
    assert_eq!(numbers(&left), [4, 5, 6]);
    // The store goes on with what it had not got yet, and nobody takes anything for missing.
    run(&folder, configured(&folder, &stores), std::iter::empty());
    for verdict in verify(&settings, "").unwrap() {
        assert!(verdict.is_good(), "{verdict}");
    }
    let again = purge_all(&settings, "/outbox", false);
    assert_eq!((again[0].calls, proofs(&folder).len()), (0, 2), "once, with one proof");
    // What the store had, and has lost without a proof of its own, is missing all the same.
    let text = std::fs::read_to_string(&lines).unwrap();
    let rest: Vec<&str> = text.lines().filter(|line| !line.contains("\"seq\":2,")).collect();
    std::fs::write(&lines, rest.join("\n") + "\n").unwrap();
    let verdict = verify(&settings, "").unwrap().remove(0);
    assert!(verdict.wrong > 0 && verdict.named[0].contains("number 2"), "{verdict}");
}

/// The disk was full, or the power went.
#[test]
fn a_proof_of_which_half_was_written_is_named_and_spoils_no_other() {
    let folder = Folder::new("purge-half");
    let stores = [config::Store::JsonLines { path: folder.0.join("records.jsonl") }];
    let settings = settings(&folder, &stores);
    run(&folder, configured(&folder, &stores), (1..=6).map(call));
    let verdicts = || verify(&settings, "").unwrap();
    let of_lines = folder.0.join("records.jsonl.purges");
    for torn in [proof::of_data(&folder.0), of_lines] {
        std::fs::write(torn, "{\"purged_at\":\"2023-11-14T2").unwrap();
    }
    purge_all(&settings, "", false);
    let told: Vec<String> = verdicts().into_iter().flat_map(|verdict| verdict.named).collect();
    assert_eq!(told.len(), 2, "the halves, and no row: {told:?}");
    assert!(told.iter().all(|what| what.contains(":1: it is no proof")), "{told:?}");
}

/// It would be missing there, and nobody has lost it.
#[test]
fn what_was_too_old_before_a_store_had_it_is_not_missing_there() {
    let folder = Folder::new("purge-before");
    let stores = [config::Store::JsonLines { path: folder.0.join("records.jsonl") }];
    let mut settings = settings(&folder, &stores);
    // What goes is not all at the beginning.
    let held = settings.retention.holds[0].clone();
    let call_2 = Some(format!("01HZ{:022}", 2));
    settings.retention.holds.push(config::Hold { call: call_2, ..held });
    let rows: Vec<Row> = (1..=6).map(call).collect();
    // It is known, has the first, and is away when the others come.
    run(&folder, configured(&folder, &stores), std::iter::once(call(1)));
    open(&folder.0.join("outbox")).unwrap().append(&rows[1..]).unwrap();
    journal_of(&folder, &rows);
    purge_all(&settings, "/outbox", false);
    let told = proofs(&folder);
    let never: Vec<_> = told[0]["never_came_to"].as_object().unwrap().values().collect();
    assert_eq!(never.len(), 1, "{told:?}");
    let (place, metrics) = (configured(&folder, &stores), Metrics::new());
    let outbox = folder.0.join("outbox");
    let started = start(&outbox, place, pace(), &metrics, Box::new(|_, _| true)).unwrap();
    let (lane, stores) = started;
    drop(lane);
    let health = stores.health();
    stores.finish();
    assert_eq!(health.list()[0]["behind"], 0, "nothing waits for it: {:#}", health.list());
    for verdict in verify(&settings, "").unwrap() {
        assert!(verdict.is_good(), "{verdict}");
    }
    // Nor in one that there was not yet: it begins with what the outbox still has.
    let later = [config::Store::JsonLines { path: folder.0.join("later.jsonl") }];
    settings.stores = later.to_vec();
    run(&folder, configured(&folder, &later), std::iter::empty());
    for verdict in verify(&settings, "").unwrap() {
        assert!(verdict.is_good(), "{verdict}");
    }
}

#[test]
fn what_a_store_has_refused_is_purged_too() {
    let folder = Folder::new("purge-refused");
    let outbox = folder.0.join("outbox");
    std::fs::create_dir_all(&outbox).unwrap();
    for n in 3..=5 {
        refused::put(&outbox, "web", call(n), 9).unwrap();
    }
    let settings = settings(&folder, &[]);
    let done = purge_all(&settings, "/outbox", false);
    assert_eq!((done[0].calls, done[0].held), (1, 1));
    assert_eq!(numbers(&refused::rows(&outbox, "web").unwrap()), [4, 5]);
    assert_eq!(proofs(&folder)[0]["seqs"], "3");
}

fn month(folder: &Folder, name: &str, acts: &[(u64, &str)]) -> String {
    let dir = folder.0.join("audit");
    std::fs::create_dir_all(&dir).unwrap();
    let act = |(seq, on): &(u64, &str)| {
        let at = format!("{name}-17T05:00:00.000Z");
        format!("{}\n", json!({"seq": seq, "at": at, "kind": "audit", "by": "hema", "on": on}))
    };
    let text: String = acts.iter().map(act).collect();
    std::fs::write(dir.join(format!("{name}.jsonl")), &text).unwrap();
    text
}

#[test]
fn the_access_log_goes_by_months_but_for_what_concerns_a_call_that_is_held() {
    let folder = Folder::new("purge-audit");
    let held = format!("01HZ{:022}", 4);
    let oldest = month(&folder, "2020-01", &[(3, "01HZ7"), (9, "01HZ8")]);
    month(&folder, "2020-02", &[(12, &held), (13, "01HZ9")]);
    month(&folder, "2023-11", &[(20, "01HZA")]);
    let mut settings = settings(&folder, &[]);
    let only = |dry_run: bool, settings: &config::Settings| purge_all(settings, "/audit", dry_run);
    assert_eq!((only(true, &settings)[0].acts, proofs(&folder).len()), (Some(2), 0));
    let done = only(false, &settings);
    assert_eq!((done[0].acts, done[0].held), (Some(2), 2), "{}", done[0]);
    let left = crate::shell::access_log::months(&folder.0.join("audit")).unwrap();
    // The month of the wish itself is not over by then.
    assert_eq!(left.into_keys().collect::<Vec<_>>(), ["2020-02", "2023-11"]);
    let told = proofs(&folder);
    assert_eq!((&told[0]["of"], &told[0]["count"]), (&json!("audit"), &json!(2)));
    assert_eq!(told[0]["seqs"], "3,9");
    assert_eq!(told[0]["digest"], proof::hex(Sha256::digest(oldest.as_bytes())));
    assert!(!folder.0.join("audit/seen").exists(), "what stays says how far it came");
    settings.retention.audit = None;
    let done = only(false, &settings);
    assert!(done[0].left.as_ref().is_some_and(|why| why.contains("keep_audit")), "{}", done[0]);
}

#[test]
fn a_hold_on_a_caller_holds_the_acts_of_its_days_and_damage_holds_up_no_other_month() {
    let folder = Folder::new("purge-audit-held");
    for name in ["2020-01", "2020-02", "2020-03", "2020-04"] {
        month(&folder, name, &[(3, "01HZ7")]);
    }
    let path = |name: &str| folder.0.join(format!("audit/{name}.jsonl"));
    // Half a line about the call that is held, and octets that are no text.
    std::fs::write(path("2020-02"), format!("{{\"on\":\"01HZ{:022}", 4)).unwrap();
    std::fs::write(path("2020-03"), b"{\"on\":\"\xff\"}\n").unwrap();
    let mut settings = settings(&folder, &[]);
    settings.retention.holds.push(config::Hold {
        reason: "WP 18/2024".into(),
        caller: Some("+919826012345".into()),
        from: Some("2020-01-17".into()),
        until: Some("2020-01-17".into()),
        ..config::Hold::default()
    });
    let done = purge_all(&settings, "/audit", false);
    assert_eq!((done[0].acts, done[0].held), (Some(2), 2), "{}", done[0]);
    let left = crate::shell::access_log::months(&folder.0.join("audit")).unwrap();
    assert_eq!(left.into_keys().collect::<Vec<_>>(), ["2020-01", "2020-02"]);
}

/// The second segment of the outbox cannot be written.
#[test]
fn what_has_gone_before_a_purge_broke_off_is_counted_with_the_reason() {
    let folder = Folder::new("purge-broken-off");
    let dir = folder.0.join("outbox");
    let mut log = open(&dir).unwrap().in_segments_of(100);
    (1..=3).for_each(|n| log.append(&[call(n)]).unwrap());
    let second = outbox::segment_path(&dir, 2);
    std::fs::remove_file(&second).unwrap();
    std::fs::create_dir(&second).unwrap();
    let done = purge_all(&settings(&folder, &[]), "/outbox", false).remove(0);
    assert!(done.failed && done.calls == 1, "{done}");
    let said = done.to_string();
    let whole = ": NOT purged whole, 1 calls and 0 states of agents have gone: ";
    assert!(said.contains(whole), "{said}");
}

/// Behind the last that is numbered somebody has only looked by hand.
#[test]
fn how_far_the_access_log_came_is_noted_where_nothing_is_left_that_says_so() {
    let folder = Folder::new("purge-audit-seen");
    // Before the journal was taken away numbers had come further.
    month(&folder, "2020-01", &[(900, "01HZ7")]);
    month(&folder, "2020-02", &[(9, "01HZ8")]);
    let by_hand = "{\"at\":\"2023-11-17T05:00:00.000Z\",\"kind\":\"audit\",\"by\":\"hema\"}\n";
    std::fs::write(folder.0.join("audit/2023-11.jsonl"), by_hand).unwrap();
    assert_eq!(purge_all(&settings(&folder, &[]), "/audit", false)[0].acts, Some(2));
    assert_eq!(std::fs::read_to_string(folder.0.join("audit/seen")).unwrap(), "9");
}

fn web(at: std::net::SocketAddr, path: &str) -> config::Remote {
    let config::Store::Webhook(remote) = webhook(at) else { panic!("a web server") };
    config::Remote { path: path.into(), ..remote }
}

#[test]
fn a_web_server_is_sent_the_rules_and_its_word_is_the_proof() {
    let folder = Folder::new("purge-web");
    let word = r#"{"calls": 7, "agent_states": 2, "held": 1}"#;
    let (at, asked) = rude::says(&[word, "done!", word, word, word, word]);
    let mut settings = settings(&folder, &[webhook(at)]);
    settings.retention.lines.insert("104".into(), None);
    let purged = |settings: &_, dry_run| purge_all(settings, "http", dry_run).remove(0);
    let own = purged(&settings, false);
    assert!(!own.failed, "it is meant to be so: {own}");
    assert!(own.left.unwrap().contains("keeps its rows by itself"));
    settings.retention.web.push(web(at, "/purges"));
    assert!(purged(&settings, true).left.unwrap().contains("would be asked"));
    let done = purged(&settings, false);
    assert_eq!((done.calls, done.states, done.held), (7, 2, 1), "{done}");
    let (head, body) = asked.lock().unwrap()[0].clone();
    assert!(head.starts_with("POST /purges HTTP/1.1"), "{head}");
    assert!(head.to_lowercase().contains("authorization: bearer a-token-of-ours"), "{head}");
    let rules = json!([
        {"table": "calls", "line": "104", "before": null},
        {"table": "calls", "before": DAY_BEFORE},
        {"table": "agent_states", "before": DAY_BEFORE},
    ]);
    assert_eq!((&body["rules"], &body["asked_on"]), (&rules, &json!("2026-11-22")));
    assert_eq!(body["holds"][0]["call"], format!("01HZ{:022}", 4));
    let told = proofs(&folder);
    assert_eq!((told.len(), &told[0]["count"], &told[1]["count"]), (2, &json!(7), &json!(2)));
    assert!(told[0]["of"].as_str().unwrap().ends_with("/in"), "{told:?}");
    let mute = purged(&settings, false);
    assert!(mute.failed, "and whoever asks daily hears of it: {mute}");
    let mute = mute.left.unwrap();
    assert!(mute.contains("did not say how many") && mute.contains("done!"), "{mute}");
    assert_eq!(proofs(&folder).len(), 2, "no proof without a word");
    // In the evening it has the same to say, and on the next day something new.
    let evening = NOW.replace("T12", "T21");
    let tomorrow = evening.replace("22T", "23T");
    let night = tomorrow.replace("T21", "T23");
    for (now, before, proofs_by_then) in [
        (&evening, Some(BEFORE), 2),
        (&tomorrow, Some(BEFORE), 4),
        (&tomorrow, None, 6),
        (&night, None, 6),
    ] {
        let (store, by, before) = ("http".into(), now.clone(), before.map(String::from));
        let wish = Purge { store, before, dry_run: false, by, now: now.parse().unwrap() };
        assert!(!purge(&settings, &wish).unwrap()[0].failed);
        assert_eq!(proofs(&folder).len(), proofs_by_then, "{now}");
    }
    let key = |head: &str| {
        let mut lines = head.lines().map(str::to_ascii_lowercase);
        lines.find(|line| line.starts_with("idempotency-key: ")).expect("a key")
    };
    let asked = asked.lock().unwrap();
    let keys: Vec<String> = asked.iter().map(|(head, _)| key(head)).collect();
    assert_eq!((keys.len(), &keys[0]), (6, &keys[2]));
    // Many refuse a key that they know with another body.
    for (one, other) in (0..6).flat_map(|one| (0..6).map(move |other| (one, other))) {
        assert_eq!(keys[one] == keys[other], asked[one].1 == asked[other].1, "{one}, {other}");
    }
    assert_eq!(keys[4], keys[5], "two hours later the same rows are too old");
    assert!(keys[2] != keys[3] && keys[3] != keys[4], "{keys:?}");
}
