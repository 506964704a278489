//! What waiting callers hear and press, as stories of the whole switch: announcements, keys, the
//! menu, and what the agent's phone is told before anybody answers.

use pukar::base::{Instant, QueueId, TuneId};
use pukar::call::{self, Choice, EndedBy, Means, Outcome};
use pukar::config::Settings;
use pukar::core::{Event, Fact, Verb, What};
use pukar::sim::{Habits, Plan, Reach, World, agent_address, caller_address, number_of};
use std::sync::Arc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn world(callers: u16, agents: usize) -> World {
    let plan = Plan { callers, agents: vec![Reach::Fixed; agents], ..Plan::calm() };
    World::story(21, plan)
}

/// The same, with other settings in force before anybody calls.
fn world_with(callers: u16, agents: usize, change: impl FnOnce(&mut Settings)) -> World {
    let mut world = world(callers, agents);
    world.adjust(change);
    world
}

/// When each announcement was made, and of what, without the language.
fn announced(world: &World) -> Vec<(Instant, String)> {
    let said = |fact: &Fact| match &fact.what {
        What::Call(call::Fact::Announced { names, .. }) => {
            Some((fact.at.instant, names.join(" ").replace("hi/", "")))
        }
        _ => None,
    };
    world.facts().iter().filter_map(said).collect()
}

fn arrived(world: &World) -> Vec<Instant> {
    let came = |fact: &Fact| {
        matches!(fact.what, What::Call(call::Fact::Arrived { .. })).then_some(fact.at.instant)
    };
    world.facts().iter().filter_map(came).collect()
}

/// The last INVITE that the switch sent to this agent.
fn invite(world: &World, agent: u16) -> String {
    let to = agent_address(agent);
    let sent = world.said().iter().rev().map(|(hop, bytes)| (hop.peer, bytes));
    let mut sent = sent.filter(|(peer, bytes)| *peer == to && bytes.starts_with(b"INVITE"));
    String::from_utf8(sent.next().expect("no INVITE").1.to_vec()).unwrap()
}

#[test]
fn a_caller_hears_the_place_within_ten_seconds_then_every_thirty_five() {
    let mut world = world(2, 0);
    world.dial(0);
    world.wait(SECOND);
    world.dial(1);
    world.wait(90 * SECOND);
    let said = announced(&world);
    let came = arrived(&world);
    let of = |caller: usize| -> Vec<u128> {
        let own = said.iter().skip(caller).step_by(2);
        own.map(|(at, _)| at.since(came[caller]).as_millis()).collect()
    };
    assert_eq!(of(0), [10_000, 45_000, 80_000]);
    assert_eq!(of(1), [10_000, 45_000, 80_000]);
    let words: Vec<&str> = said.iter().map(|(_, words)| words.as_str()).collect();
    assert_eq!(words[0], "busy next emerg n/0 press");
    assert_eq!(words[1], "busy pos n/2 is emerg n/0 press");
    assert_eq!(words[2], "next cb_offer n/1 press");
    assert_eq!(words[3], "pos n/2 is cb_offer n/1 press");
    world.give_up(0);
    world.wait(40 * SECOND);
    let words = announced(&world).pop().unwrap().1;
    assert_eq!(words, "next cb_offer n/1 press", "the next in line is told so");
    world.give_up(1);
    world.end();
}

#[test]
fn positions_over_twenty_are_said_as_more_than_twenty() {
    let mut world = world(23, 0);
    (0..23).for_each(|caller| {
        world.dial(caller);
        world.wait(SECOND / 10);
    });
    world.wait(12 * SECOND);
    let said = announced(&world);
    assert_eq!(said.len(), 23);
    assert!(said[19].1.contains("pos n/20 is"), "{:?}", said[19]);
    assert!(said[20].1.contains("pos n/20 over is"), "{:?}", said[20]);
    assert!(said[22].1.contains("pos n/20 over is"), "{:?}", said[22]);
    (0..23).for_each(|caller| world.give_up(caller));
    world.end();
}

#[test]
fn nothing_is_said_where_the_queue_says_nothing_and_a_reload_changes_that() {
    let mut world = world_with(1, 0, |s| s.acd.queues[0].announce.every = Duration::ZERO);
    world.dial(0);
    world.wait(60 * SECOND);
    assert_eq!(announced(&world), []);
    world.adjust(|settings| settings.acd.queues[0].announce.every = 20 * SECOND);
    world.wait(35 * SECOND);
    assert_eq!(announced(&world).len(), 2);
    world.give_up(0);
    world.end();
}

#[test]
fn q43_what_is_being_said_does_not_delay_the_bridge() {
    let mut world = world(1, 1);
    world.agent_does(0, Habits { answer_after: None, ..Habits::polite(SECOND, SECOND) });
    world.dial(0);
    world.wait_until(11 * SECOND, |world| announced(world).len() == 1);
    world.agent_does(0, Habits::polite(SECOND / 2, 5 * SECOND));
    // What is being said takes 3 s here; it is cut off.
    world.wait_until(25 * SECOND, |world| world.talks(agent_address(0)) == 1);
    world.wait(20 * SECOND);
    world.end();
    assert_eq!(world.records()[0].outcome, Outcome::Answered);
}

#[test]
fn q37_announcements_go_on_after_a_kill() {
    let mut world = world(1, 0);
    world.dial(0);
    world.wait(11 * SECOND);
    world.kill().unwrap();
    world.wait(35 * SECOND);
    let said = announced(&world);
    assert_eq!(said.len(), 2);
    assert_eq!(said[1].0.since(said[0].0), 35 * SECOND);
    world.give_up(0);
    world.end();
}

#[test]
fn the_emergency_key_goes_ahead_of_everybody() {
    let mut world = world(3, 1);
    world.agent_does(0, Habits::polite(SECOND, 20 * SECOND));
    (0..3).for_each(|caller| {
        world.dial(caller);
        world.wait(SECOND);
    });
    world.press(2, '0');
    world.press(2, '0');
    world.wait(120 * SECOND);
    world.end();
    let mut records = world.records().to_vec();
    records.sort_by_key(|record| record.connected_at);
    let callers: Vec<&str> = records.iter().map(|record| record.caller.as_str()).collect();
    let expected = [0, 2, 1].map(|n| number_of(caller_address(n)));
    assert_eq!(callers, expected);
    assert_eq!(records[1].flags, "emergency");
    let told = |fact: &&Fact| matches!(fact.what, What::Call(call::Fact::Emergency { .. }));
    assert_eq!(world.facts().iter().filter(told).count(), 1);
}

#[test]
fn a_line_gives_its_callers_priority_or_says_that_they_are_emergencies() {
    for emergency in [false, true] {
        let mut world = world_with(3, 1, |settings| {
            let mut second = settings.call.lines[0].clone();
            (second.name, second.numbers) = ("112".into(), vec!["112".into()]);
            (second.priority, second.emergency) = (5, emergency);
            settings.call.lines.push(second);
        });
        world.agent_does(0, Habits::polite(SECOND, 10 * SECOND));
        world.dial(0);
        world.wait(SECOND);
        world.dial(1);
        world.wait(SECOND);
        world.dial_number(2, "112");
        world.wait(90 * SECOND);
        world.end();
        let mut records = world.records().to_vec();
        records.sort_by_key(|record| record.connected_at);
        let lines: Vec<&str> = records.iter().map(|record| record.line.as_str()).collect();
        assert_eq!(lines, ["181", "112", "181"]);
        assert_eq!(records[1].flags, if emergency { "emergency" } else { "" });
    }
}

fn menu(settings: &mut Settings) {
    let means = [Means::Language("hi".into()), Means::Language("en".into())];
    let choices = (['1', '2'].into_iter().zip(means)).map(|(key, means)| Choice { key, means });
    settings.call.lines[0].menu = choices.collect();
    let mut health = settings.acd.queues[0].clone();
    health.name = "health".into();
    settings.acd.queues.push(health);
    let means = Means::Queue(QueueId(1), "health".into());
    settings.call.lines[0].menu.push(Choice { key: '3', means });
}

/// What the callers chose, in order.
fn chosen(world: &World) -> Vec<String> {
    let chose = |fact: &Fact| match &fact.what {
        What::Call(call::Fact::Chose { what, .. }) => Some(what.clone()),
        _ => None,
    };
    world.facts().iter().filter_map(chose).collect()
}

#[test]
fn a_menu_is_said_in_the_language_of_each_choice_and_what_is_chosen_is_asked_of_agents() {
    let mut world = world_with(1, 1, menu);
    world.dial(0);
    world.wait(5 * SECOND);
    assert_eq!(announced(&world).len(), 1);
    let words = &announced(&world)[0].1;
    assert!(words.starts_with("language/hi for n/1 press en/for en/language/en"), "{words}");
    assert_eq!(world.rings(agent_address(0)), 0, "nobody serves them yet");
    world.press(0, '2');
    world.wait(SECOND / 10);
    assert_eq!(chosen(&world), ["language:en"]);
    // No agent here speaks English, so the first 30 s go to those who might.
    world.wait(25 * SECOND);
    assert_eq!(world.rings(agent_address(0)) + world.talks(agent_address(0)), 0);
    world.wait(60 * SECOND);
    world.end();
    assert_eq!(world.records()[0].outcome, Outcome::Answered);
}

#[test]
fn silence_and_wrong_keys_lead_from_a_menu_to_a_human() {
    let mut world = world_with(2, 2, menu);
    world.dial(0);
    // 3 s of welcome and 3 s of menu here, then 5 s to answer.
    world.wait_until(20 * SECOND, |world| {
        world.talks(agent_address(0)) + world.talks(agent_address(1)) > 0
    });
    world.dial(1);
    world.wait(SECOND);
    world.press(1, '9');
    world.wait(3 * SECOND);
    assert_eq!(chosen(&world), ["", ""]);
    assert_eq!(world.talks(agent_address(0)) + world.talks(agent_address(1)), 2);
    world.wait(20 * SECOND);
    world.end();
    assert!(world.records().iter().all(|record| record.outcome == Outcome::Answered));
}

#[test]
fn the_emergency_key_ends_a_menu_and_hanging_up_in_one_loses_nobody() {
    let mut world = world_with(2, 1, menu);
    world.dial(0);
    world.wait(SECOND);
    world.press(0, '0');
    world.wait_until(3 * SECOND, |world| world.talks(agent_address(0)) == 1);
    world.dial(1);
    world.wait(SECOND);
    world.kill().unwrap();
    world.wait(SECOND);
    world.give_up(1);
    world.wait(20 * SECOND);
    world.end();
    let [first, second] = world.records() else { panic!("{:?}", world.records()) };
    assert_eq!(second.flags, "emergency");
    assert_eq!((first.outcome, first.ended_by), (Outcome::Abandoned, EndedBy::Caller));
}

#[test]
fn q47_the_agents_phone_is_told_who_calls_on_which_line_and_how_long_they_have_waited() {
    let mut world = world(2, 1);
    world.agent_does(0, Habits::polite(SECOND, 60 * SECOND));
    world.dial(0);
    world.wait(5 * SECOND);
    world.dial(1);
    world.wait_until(90 * SECOND, |world| {
        world.rings(agent_address(0)) == 1 && world.live_calls() == 1
    });
    let invite = invite(&world, 0);
    let number = number_of(caller_address(1));
    let from = invite.lines().find(|line| line.starts_with("From:") || line.starts_with("f:"));
    assert!(from.unwrap().contains(&number), "{invite}");
    assert!(invite.contains("\r\nX-Pukar-Line: 181\r\n"), "{invite}");
    assert!(invite.contains("\r\nSubject: 181 "), "{invite}");
    let wait = invite.split("X-Pukar-Wait: ").nth(1).and_then(|rest| rest.split("\r\n").next());
    let wait: u64 = wait.unwrap().parse().unwrap();
    assert!((50..70).contains(&wait), "{wait}");
    world.wait(120 * SECOND);
    world.end();
}

#[test]
fn a_supervisors_message_is_heard_at_once_and_for_its_time_by_whoever_comes() {
    let mut world = world_with(2, 0, |settings| settings.call.messages = vec!["flood".into()]);
    world.dial(0);
    world.wait(12 * SECOND);
    let put = |message: &str, minutes| Verb::PutMessage {
        queue: "general".into(),
        message: message.into(),
        minutes,
    };
    let ask = |world: &mut World, verb| {
        world.tell(Event::Admin { request: 1, by: "asha".into(), verb });
    };
    ask(&mut world, put("nonsense", 1));
    ask(&mut world, put("flood", 2));
    world.dial(1);
    world.wait(60 * SECOND);
    let words: Vec<String> = announced(&world).into_iter().map(|(_, words)| words).collect();
    assert_eq!(words[0], "busy next emerg n/0 press");
    assert_eq!(words[1], "flood", "who waits hears it at once");
    assert!(words[2].starts_with("flood busy pos n/2"), "who comes hears it first: {words:?}");
    assert!(words[3].starts_with("flood next"), "and then again: {words:?}");
    ask(&mut world, Verb::Hush { queue: "general".into() });
    world.wait(40 * SECOND);
    let last = announced(&world).pop().unwrap().1;
    assert!(!last.contains("flood"), "{last}");
    ask(&mut world, put("flood", 0));
    let now = announced(&world).len();
    world.wait(60 * SECOND);
    let later = announced(&world);
    assert!(later[now..].iter().all(|(_, words)| !words.contains("flood")), "once: {later:?}");
    let acts = world.facts().iter().filter_map(|fact| match &fact.what {
        What::Audit(act) => Some((act.verb.as_str(), act.refused.as_str())),
        _ => None,
    });
    let refused = "no message \"nonsense\"; there are flood";
    let (say, hush) = (("queues.say", ""), ("queues.hush", ""));
    assert_eq!(acts.collect::<Vec<_>>(), [("queues.say", refused), say, hush, say]);
}

fn put(world: &mut World, message: &str, minutes: u64) {
    let (queue, message) = ("general".into(), message.into());
    let verb = Verb::PutMessage { queue, message, minutes };
    world.tell(Event::Admin { request: 1, by: "asha".into(), verb });
}

fn heard(world: &World) -> Vec<String> {
    announced(world).into_iter().map(|(_, words)| words).collect()
}

#[test]
fn a_message_may_be_put_together_of_words_times_and_numbers() {
    let mut world = world_with(1, 0, |settings| {
        settings.call.messages = vec!["flood".into()];
        let words = ["hi/parked", "hi/tomorrow"].map(|word| (word.to_string(), TuneId(6)));
        settings.call.prompts = Arc::new(words.into());
    });
    world.dial(0);
    world.wait(12 * SECOND);
    put(&mut world, "flood tomorrow 9:30 45m #17", 0);
    put(&mut world, "flood someday", 0);
    put(&mut world, &"9:30 ".repeat(31), 0);
    let composed = "flood tomorrow morning n/half n/9 oclock n/45 minute n/1 n/7";
    assert_eq!(heard(&world)[1..], [composed]);
    let refused = world.facts().iter().filter_map(|fact| match &fact.what {
        What::Audit(act) if !act.refused.is_empty() => Some(act.refused.clone()),
        _ => None,
    });
    let expected = ["no message \"someday\"; there are flood", "a message has 1 to 30 words"];
    assert_eq!(refused.collect::<Vec<_>>(), expected);
}

#[test]
fn where_nothing_else_is_told_a_message_is_told_to_whoever_waits_and_whoever_comes_once() {
    let mut world = world_with(2, 0, |settings| {
        settings.call.messages = vec!["flood".into()];
        settings.acd.queues[0].announce.every = Duration::ZERO;
    });
    world.dial(0);
    world.wait(60 * SECOND);
    assert_eq!(heard(&world), [""; 0]);
    put(&mut world, "flood", 10);
    assert_eq!(heard(&world), ["flood"]);
    world.dial(1);
    world.wait(120 * SECOND);
    assert_eq!(heard(&world), ["flood"; 2]);
    put(&mut world, "flood", 1);
    world.wait(120 * SECOND);
    assert_eq!(heard(&world), ["flood"; 4], "who waits hears it again");
}

#[test]
fn messages_that_come_while_something_is_said_displace_nothing() {
    let mut world = world_with(1, 0, |settings| {
        settings.call.messages = vec!["flood".into(), "power".into()];
        let words = ["busy", "next", "flood", "power"];
        let words = words.map(|word| (format!("hi/{word}"), TuneId(6)));
        settings.call.prompts = Arc::new(words.into());
    });
    world.dial(0);
    // The first words of all begin after 10 s.
    world.wait_until(15 * SECOND, |world| !announced(world).is_empty());
    put(&mut world, "flood", 0);
    put(&mut world, "power", 0);
    put(&mut world, "flood", 0);
    world.wait(20 * SECOND);
    let said = heard(&world)[1..].join(" ");
    assert_eq!(said.matches("flood").count(), 1, "{said}");
    assert_eq!(said.matches("power").count(), 1, "{said}");
}
