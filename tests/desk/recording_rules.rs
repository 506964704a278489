//! Which calls are recorded and which part of them, as the core decides it; and what the record
//! says of it. Sound and files are elsewhere.

use crate::desk_world::{BSNL, Habit, ROUTE, Stage, secs};
use pukar::base::{CallId, Instant};
use pukar::call::{self, Tape, TapeEvent, Way};
use pukar::core::{Command, Event, Verb, What};
use pukar::media::{Side, control};
use std::time::Duration;

const AGENT: &str = "10.2.0.1:5060";

fn stage(line: &str, queue: &str, agent: &str, more: &str) -> Stage {
    let mut stage = Stage::new(&format!(
        "{more}\n[[line]]\nnumbers = [\"181\"]\nqueue = \"general\"\n{line}\n\
         [[queue]]\nname = \"general\"\nskills = [\"state\"]\nwrap_up = \"0s\"\n{queue}\n\
         [[agent]]\nid = \"op0\"\ncontact = \"sip:op0@10.2.0.9\"\nskills = [\"none\"]\n\
         [[agent]]\nid = \"op1\"\ncontact = \"sip:op1@10.2.0.1\"\nskills = [\"state\"]\n\
         ready = true\n{agent}\n"
    ));
    stage.habit(AGENT, Habit::Answers);
    stage
}

/// The whole of one call, and what was recorded of it.
fn after_a_call(stage: &mut Stage) -> Vec<String> {
    let call = stage.dial("9876543210", "181", "");
    stage.wait(secs(20));
    stage.hang_up(&call);
    stage.wait(secs(10));
    words(stage)
}

fn words(stage: &mut Stage) -> Vec<String> {
    let word = |command: Command| match command {
        Command::Tape(Tape::Begin { .. }) => "begin".to_string(),
        Command::Tape(Tape::End { .. }) => "end".to_string(),
        Command::Tape(Tape::Close { .. }) => "close".to_string(),
        Command::Media(control::Command::Record { track, .. }) => match track.map(|t| t.side) {
            Some(Side::Left) => "left".to_string(),
            Some(Side::Right) => "right".to_string(),
            None => "none".to_string(),
        },
        other => panic!("{other:?}"),
    };
    let mut words: Vec<String> = stage.tapes.drain(..).map(word).collect();
    // Of one event, the order of ports says nothing.
    words.chunk_by_mut(|a, b| a.len() == b.len()).for_each(<[String]>::sort);
    words
}

#[test]
fn a_call_is_recorded_where_the_line_the_queue_the_agent_or_everything_is() {
    for (line, queue, agent, all) in [
        ("record = true", "", "", ""),
        ("", "record = true", "", ""),
        ("", "", "record = true", ""),
        ("", "", "", "[recording]\nall = true"),
    ] {
        let mut stage = stage(line, queue, agent, all);
        let heard = after_a_call(&mut stage);
        let both = heard.contains(&"left".into()) && heard.contains(&"right".into());
        assert!(both, "{line}{queue}{agent}{all}: {heard:?}");
        assert_eq!((heard[0].as_str(), heard[heard.len() - 1].as_str()), ("begin", "end"));
        let record = &stage.records[0];
        assert_eq!(record.recording, format!("2026-11-21/{}.wav", record.id), "the day is UTC's");
    }
    let mut stage = stage("", "", "", "");
    assert!(after_a_call(&mut stage).is_empty());
    assert_eq!(stage.records[0].recording, "");
}

#[test]
fn a_caller_who_only_waits_is_not_recorded() {
    let mut stage = stage("record = true", "", "", "");
    stage.habit(AGENT, Habit::Rings);
    assert!(after_a_call(&mut stage).is_empty());
    assert_eq!(stage.records[0].recording, "");
}

#[test]
fn a_recording_is_as_long_as_the_talk() {
    let mut stage = stage("record = true", "", "", "");
    let call = stage.dial("9876543210", "181", "");
    let began = stage.now.instant;
    stage.wait(secs(47));
    stage.hang_up(&call);
    let times: Vec<_> = (stage.tapes.iter())
        .filter_map(|command| match command {
            Command::Tape(Tape::Begin { at, .. } | Tape::End { at, .. }) => Some(*at),
            _ => None,
        })
        .collect();
    assert_eq!(times, [began, began + secs(47)]);
}

#[test]
fn private_matter_is_left_out_and_the_record_says_so() {
    let mut stage = stage("record = true", "", "", "");
    let call = stage.dial("9876543210", "181", "");
    stage.wait(secs(5));
    words(&mut stage);
    let name = stage.arrival().id.clone();
    let record = |stage: &mut Stage, on| stage.ask(Verb::Record { call: name.clone(), on });
    record(&mut stage, false);
    assert_eq!(words(&mut stage), ["none", "none"]);
    record(&mut stage, false);
    assert!(words(&mut stage).is_empty());
    record(&mut stage, true);
    assert_eq!(words(&mut stage).len(), 2);
    stage.hang_up(&call);
    stage.wait(secs(10));
    assert!(stage.records[0].recording.ends_with(".wav; paused"), "{:?}", stage.records[0]);
    record(&mut stage, false);
    assert!(stage.replies.last().unwrap().is_err());
}

#[test]
fn a_call_that_no_rule_records_is_recorded_from_when_somebody_says_so() {
    let mut stage = stage("", "", "", "");
    let call = stage.dial("9876543210", "181", "");
    stage.wait(secs(5));
    let name = stage.arrival().id.clone();
    stage.ask(Verb::Record { call: name, on: true });
    stage.hang_up(&call);
    let heard = words(&mut stage);
    assert_eq!((heard.first().unwrap().as_str(), heard.last().unwrap().as_str()), ("begin", "end"));
}

#[test]
fn q40_a_disk_that_fails_costs_the_recording_and_not_the_call() {
    let mut stage = stage("record = true", "", "", "");
    let call = stage.dial("9876543210", "181", "");
    let (begun, ..) = begun(&stage);
    stage.tell(failed(begun));
    stage.wait(secs(30));
    stage.hang_up(&call);
    stage.wait(secs(10));
    let heard = words(&mut stage);
    assert!(!heard.contains(&"end".into()), "{heard:?}");
    let record = &stage.records[0];
    assert_eq!(record.talk_ms, 30_000);
    assert!(record.recording.ends_with("; broken off: no space left on device"), "{record:?}");
}

/// The call whose file was begun last, the file, and when.
fn begun(stage: &Stage) -> (CallId, String, Instant) {
    let begun = stage.tapes.iter().rev().find_map(|command| match command {
        Command::Tape(Tape::Begin { call, file, at }) => Some((*call, file.clone(), *at)),
        _ => None,
    });
    begun.unwrap()
}

fn failed(call: CallId) -> Event {
    Event::Recording(TapeEvent::Failed { call, why: "no space left on device".into() })
}

/// The end of a recording is written when the call is over, and nobody has to wrap this one up.
#[test]
fn q40_what_becomes_of_the_end_of_a_recording_is_in_the_record_of_every_kind_of_call() {
    let gaps: fn(CallId) -> Event = |call| Event::Recording(TapeEvent::Gaps { call });
    let finished: fn(CallId) -> Event =
        |call| Event::Recording(TapeEvent::Finished { call, millis: 5_000 });
    for (told, flaw) in [
        (vec![failed as fn(CallId) -> Event], "; broken off: no space left on device"),
        (vec![gaps, finished], "; gaps"),
        (vec![finished], ""),
    ] {
        for way in ["queue", "transferred", "own"] {
            let mut stage = stage("", "", "", &format!("[recording]\nall = true\n{ROUTE}"));
            stage.is_disk_slow = true;
            stage.habit(BSNL, Habit::Answers);
            let call = match way {
                "own" => stage.phone_dials(AGENT, "op1", "9826012345"),
                _ => stage.dial("9876543210", "181", ""),
            };
            stage.wait(secs(5));
            if way == "transferred" {
                let call = stage.arrival().id.clone();
                let to = "9826012345".into();
                stage.ask(Verb::Transfer { call, to, way: Way::Blind });
                stage.wait(secs(5));
            }
            match way {
                "own" => stage.phone_hangs_up(AGENT, &call),
                _ => stage.hang_up(&call),
            }
            stage.wait(secs(20));
            assert!(stage.records.is_empty(), "{way}: nobody knows yet what is in the file");
            let (call, file, _) = begun(&stage);
            told.iter().for_each(|told| stage.tell(told(call)));
            let [record] = &stage.records[..] else { panic!("{way}: {:?}", stage.records) };
            assert_eq!(record.recording, format!("{file}{flaw}"), "{way}");
            stage.wait(secs(120));
            assert_eq!(stage.records.len(), 1, "{way}");
        }
    }
}

#[test]
fn q40_a_disk_that_says_nothing_keeps_no_record_open_for_more_than_a_minute() {
    let mut stage = stage("record = true", "", "", "");
    stage.is_disk_slow = true;
    let call = stage.dial("9876543210", "181", "");
    stage.wait(secs(5));
    stage.hang_up(&call);
    stage.wait(secs(58));
    assert!(stage.records.is_empty());
    stage.wait(secs(4));
    assert!(stage.records[0].recording.ends_with(".wav; unfinished"), "{:?}", stage.records);
    let unfinished = stage.facts.iter().filter(|fact| match &fact.what {
        What::Call(call::Fact::Recording { what, .. }) => *what == call::Recorded::Unfinished,
        _ => false,
    });
    assert_eq!(unfinished.count(), 1, "of which there is an alarm");
    let (call, ..) = begun(&stage);
    stage.tell(Event::Recording(TapeEvent::Gaps { call }));
    let told = |stage: &Stage| {
        stage
            .facts
            .iter()
            .filter(|fact| match &fact.what {
                What::Call(call::Fact::Recording { what, .. }) => *what == call::Recorded::Gaps,
                _ => false,
            })
            .count()
    };
    assert_eq!(told(&stage), 0, "nobody waits for that");
    stage.tell(failed(call));
    assert_eq!(stage.records.len(), 1, "what is told later is an alarm and no record");
    words(&mut stage);
    stage.kill();
    stage.tell(Event::Restarted { flows: Default::default(), secret: Default::default() });
    assert!(words(&mut stage).is_empty(), "nor does another process look for it");
}

#[test]
fn q40_a_process_that_is_told_to_end_at_once_leaves_no_record_to_the_next_one() {
    let mut stage = stage("record = true", "", "", "");
    stage.is_disk_slow = true;
    stage.dial("9876543210", "181", "");
    stage.wait(secs(5));
    stage.tell(Event::Close);
    stage.wait(Duration::from_millis(1_900));
    assert!(stage.records.is_empty());
    stage.wait(Duration::from_millis(200));
    assert!(stage.records[0].recording.ends_with(".wav; unfinished"), "{:?}", stage.records);
}

#[test]
fn a_recording_whose_call_was_over_when_the_process_died_is_finished_by_the_next_one() {
    let mut stage = stage("record = true", "", "", "");
    stage.is_disk_slow = true;
    let call = stage.dial("9876543210", "181", "");
    stage.wait(secs(5));
    let (id, file, at) = begun(&stage);
    stage.hang_up(&call);
    stage.wait(secs(1));
    stage.tapes.clear();
    stage.kill();
    stage.tell(Event::Restarted { flows: Default::default(), secret: Default::default() });
    let close = Tape::Close { call: id, file: file.clone(), at, end: at + secs(5) };
    assert_eq!(stage.tapes, [Command::Tape(close)]);
    stage.tell(Event::Recording(TapeEvent::Gaps { call: id }));
    stage.tell(Event::Recording(TapeEvent::Finished { call: id, millis: 5_000 }));
    assert_eq!(stage.records[0].recording, format!("{file}; gaps"));
    stage.tapes.clear();
    stage.kill();
    stage.tell(Event::Restarted { flows: Default::default(), secret: Default::default() });
    assert!(stage.tapes.is_empty(), "once");
}

#[test]
fn after_a_restart_the_same_file_is_gone_on_with() {
    let mut stage = stage("record = true", "", "", "");
    let call = stage.dial("9876543210", "181", "");
    stage.wait(secs(5));
    let before = stage.tapes[0].clone();
    stage.tapes.clear();
    stage.kill();
    stage.tell(Event::Restarted { flows: Default::default(), secret: Default::default() });
    assert_eq!(stage.tapes[0], before);
    assert_eq!(words(&mut stage).len(), 3, "both ports again");
    stage.hang_up(&call);
    stage.wait(secs(10));
    assert!(stage.records[0].recording.ends_with(".wav; gaps"), "what the dead process had heard");
}

/// An agent answers sooner than the welcome and the notice are over.
#[test]
fn nobody_is_recorded_before_they_have_heard_that_they_are() {
    let mut stage = stage("record = true", "", "", "");
    let notice = stage.settings.call.recording.notice.unwrap();
    let count = |stage: &Stage| stage.played.iter().filter(|tune| **tune == notice).count();
    stage.is_telling = true;
    let call = stage.dial("9876543210", "181", "");
    assert_eq!(count(&stage), 3, "after the welcome, and then again for both who talk");
    stage.wait(secs(3));
    assert!(words(&mut stage).is_empty(), "it is not over");
    stage.tells_to_the_end();
    assert_eq!(words(&mut stage), ["begin", "left", "right"]);
    stage.wait(secs(10));
    stage.hang_up(&call);
    stage.wait(secs(10));
    assert_eq!(count(&stage), 3);
    assert_eq!(words(&mut stage), ["end"]);
    // Whoever hangs up before is not recorded, and who was told while they waited hears it once.
    let call = stage.dial("9876543211", "181", "");
    stage.hang_up(&call);
    stage.wait(secs(10));
    assert!(words(&mut stage).is_empty());
    stage.habit(AGENT, Habit::Rings);
    stage.played.clear();
    let call = stage.dial("9876543212", "181", "");
    stage.tells_to_the_end();
    stage.habit(AGENT, Habit::Answers);
    stage.wait(secs(120));
    assert_eq!(count(&stage), 1);
    assert_eq!(words(&mut stage), ["begin", "left", "right"]);
    stage.hang_up(&call);
}

#[test]
fn whoever_may_be_recorded_is_told_once() {
    let health = "[[queue]]\nname = \"health\"\nskills = [\"none\"]\nrecord = true\n";
    for (line, more, told_first) in
        [("", health, 0), ("record = true", health, 1), ("", "[recording]\nall = true\n", 1)]
    {
        let mut stage = stage(line, "", "", more);
        let notice = stage.settings.call.recording.notice.unwrap();
        let told = |stage: &Stage| stage.played.iter().filter(|tune| **tune == notice).count();
        stage.habit(AGENT, Habit::Rings);
        let call = stage.dial("9876543210", "181", "");
        stage.tells_to_the_end();
        stage.habit(AGENT, Habit::Answers);
        assert_eq!(told(&stage), told_first, "{line}{more}");
        stage.wait(secs(5));
        let name = stage.arrival().id.clone();
        if more == health {
            let to = "queue:health".into();
            stage.ask(Verb::Transfer { call: name.clone(), to, way: Way::Blind });
            stage.wait(secs(5));
            stage.ask(Verb::Transfer { call: name, to: "general".into(), way: Way::Blind });
            stage.wait(secs(5));
        }
        assert_eq!(told(&stage), 1, "{line}{more}");
        stage.hang_up(&call);
    }
}

/// Somebody from outside is asked to join a call that is recorded.
#[test]
fn who_joins_a_recorded_call_later_is_told_before_they_are_recorded() {
    let desk = "[[line]]\nnumbers = [\"104\"]\nto = \"sip:desk@10.2.0.7\"\n";
    let mut stage = stage("record = true", "", "", desk);
    stage.habit("10.2.0.7:5060", Habit::Answers);
    let notice = stage.settings.call.recording.notice.unwrap();
    let count = |stage: &Stage| stage.played.iter().filter(|tune| **tune == notice).count();
    let call = stage.dial("9876543210", "181", "");
    stage.wait(secs(5));
    words(&mut stage);
    let (name, before) = (stage.arrival().id.clone(), count(&stage));
    stage.is_telling = true;
    stage.ask(Verb::Transfer { call: name, to: "104".into(), way: Way::Join });
    stage.wait(secs(2));
    assert_eq!(count(&stage), before + 1, "they alone hear it: {:?}", stage.replies.last());
    assert!(words(&mut stage).is_empty(), "and are not recorded yet");
    stage.tells_to_the_end();
    assert_eq!(words(&mut stage), ["right"]);
    stage.wait(secs(10));
    assert_eq!(count(&stage), before + 1);
    stage.hang_up(&call);
}
