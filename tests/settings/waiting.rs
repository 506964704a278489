//! What callers hear, press and are promised, as it is configured: every mistake with its line and
//! what to write instead.

use pukar::acd::Instead;
use pukar::call::{Keys, Means};
use pukar::config::{Settings, parse};
use std::time::Duration;

const TRUNK: &str = "[[trunk]]\nname = \"bsnl\"\nhosts = [\"10.0.0.9:5060\"]\n";
const ROUTE: &str =
    "[[route]]\nprefixes = \"+91\"\ntrunk = \"bsnl\"\nidentity = \"+917552551181\"\n";
const QUEUE: &str = "[[queue]]\nname = \"q\"\nstaffed = false\n";
const LINE: &str = "[[line]]\nnumbers = [\"181\"]\nqueue = \"q\"\n";

fn read(text: &str) -> Result<Settings, Vec<String>> {
    let found = parse(&[("f".into(), text.into())], &|_| None);
    found.map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect())
}

#[track_caller]
fn one(text: &str, expected: &str) {
    assert_eq!(read(text).expect_err("no mistake"), [format!("f:{expected}")]);
}

#[test]
fn keys_menus_languages_and_announcements_are_read() {
    let text = format!(
        "[media]\nlanguage = \"hi\"\nmessages = [\"flood\"]\n\
         [callback]\nattempts = 2\napart = \"10m\"\n\
         {TRUNK}{ROUTE}{QUEUE}when_full = \"callback\"\nwhen_unstaffed = \"callback\"\n\
         when_expired = \"refuse\"\nannounce_first = \"8s\"\nannounce_every = \"30s\"\n\
         announce_wait = false\ncall_back_abandoned = true\n\
         [[district]]\nname = \"surguja\"\nqueue = \"q\"\nlanguages = [\"surgujia\", \"hi\"]\n\
         {LINE}priority = 3\nemergency = false\nlanguages = \"hi\"\nemergency_key = \"0\"\n\
         callback_key = \"1\"\nmenu_wait = \"4s\"\n\
         [[line.menu]]\nkey = \"2\"\nlanguage = \"en\"\n\
         [[line.menu]]\nkey = \"3\"\ndistrict = \"surguja\"\n\
         [[line.menu]]\nkey = \"4\"\nqueue = \"q\"\n"
    );
    let settings = read(&text).unwrap();
    let line = &settings.call.lines[0];
    assert_eq!(line.keys, Keys { emergency: Some('0'), callback: Some('1') });
    assert_eq!((line.priority, line.languages.clone()), (3, vec!["hi".to_string()]));
    let [en, surguja, queue] = &line.menu[..] else { panic!("{:?}", line.menu) };
    assert_eq!(en.means, Means::Language("en".into()));
    assert_eq!((surguja.key, &surguja.means), ('3', &Means::District("surguja".into())));
    assert!(matches!(&queue.means, Means::Queue(_, name) if name == "q"));
    let queue = &settings.acd.queues[0];
    assert_eq!(
        (queue.when_full, queue.when_unstaffed),
        (Instead::Callback, Some(Instead::Callback))
    );
    assert_eq!(queue.announce.first, Duration::from_secs(8));
    assert!(!queue.announce.wait && queue.call_back_abandoned);
    assert_eq!(settings.callbacks.attempts, 2);
    for name in ["hi/pos", "hi/n/99", "en/n/0", "surgujia/next", "en/language/en", "hi/flood"] {
        let tune = settings.call.prompts[name];
        let tune = settings.tune(tune).unwrap();
        assert!(tune.name == name && tune.speech, "{name}");
    }
}

#[test]
fn mistakes_in_keys_and_menus_are_set_right() {
    let line = format!("{QUEUE}{LINE}");
    one(
        &format!("{line}emergency_key = \"10\"\n"),
        "7: emergency_key \"10\" is no key; write one of 0 to 9, * and #",
    );
    one(
        &format!("{line}emergency_key = \"0\"\ncallback_key = \"0\"\n{TRUNK}{ROUTE}"),
        "8: \"0\" is the emergency key and the callback key; give them different keys",
    );
    one(
        &format!("{line}priority = 10\n"),
        "7: priority = 10 is out of range; write a number from 0 to 9",
    );
    one(
        &format!("{line}languages = [\"Hindi!\"]\n"),
        "7: languages \"Hindi!\" is no language; write its folder of prompts, such as \"hi\" or \
         \"surgujia\"",
    );
    let menu = |rest: &str| format!("{line}emergency_key = \"0\"\n[[line.menu]]\n{rest}");
    one(&menu("language = \"hi\"\n"), "8: [[line.menu]] has no key; write key = \"1\"");
    one(
        &menu("key = \"1\"\n"),
        "8: [[line.menu]] leads nowhere; write language = \"hi\", district = \"alirajpur\" or \
         queue = \"health\"",
    );
    one(
        &menu("key = \"1\"\nlanguage = \"hi\"\nqueue = \"q\"\n"),
        "11: one choice means language and queue; write one [[line.menu]] for each",
    );
    one(
        &menu("key = \"0\"\nlanguage = \"hi\"\n"),
        "9: key \"0\" is the emergency key of the line; give every choice a key of its own",
    );
    one(
        &menu("key = \"1\"\nlanguage = \"hi\"\n[[line.menu]]\nkey = \"1\"\nlanguage = \"en\"\n"),
        "12: key \"1\" stands twice in one menu; give every choice a key of its own",
    );
    let found = read(&menu("key = \"1\"\nqueue = \"qq\"\n")).unwrap_err();
    assert_eq!(found, ["f:10: queue \"qq\" does not exist; did you mean \"q\"?"]);
    let found = read(&menu("key = \"1\"\ndistrict = \"x\"\n")).unwrap_err();
    assert!(found[0].starts_with("f:10: district \"x\" does not exist; "), "{found:?}");
    one(
        "[[line]]\nnumbers = [\"181\"]\nto = \"sip:a@10.0.0.5\"\ncallback_key = \"1\"\n",
        "4: callback_key is for callers who wait, and this line rings a phone; lead it to a queue, \
         or take it out",
    );
}

#[test]
fn mistakes_in_announcements_and_promises_are_set_right() {
    one(
        &format!("{QUEUE}announce_every = \"3s\"\n"),
        "4: announce_every is too often; write \"10s\" or more, or \"0s\" for never",
    );
    one(
        &format!("{QUEUE}when_full = \"callback\"\n"),
        "4: when_full = \"callback\" calls people back, and no [[route]] is there for it; write a \
         [[route]] without agents and skills",
    );
    one(
        &format!("{QUEUE}when_expired = \"overflow\"\n"),
        "4: when_expired is \"overflow\", and queue \"q\" has no way out; write a \
         [[queue.overflow]] below it",
    );
    let found = read(&format!("{QUEUE}when_unstaffed = \"call-back\"\n")).unwrap_err();
    assert_eq!(
        found,
        ["f:4: when_unstaffed \"call-back\" is not what can be done; did you mean \"callback\"?"]
    );
    one(
        &format!("{QUEUE}call_back_abandoned = true\n"),
        "4: call_back_abandoned calls people back, and no [[route]] is there for it; write a \
         [[route]] without agents and skills",
    );
    one(
        &format!("{QUEUE}{LINE}callback_key = \"1\"\n"),
        "7: callback_key calls people back, and no [[route]] is there for it; write a [[route]] \
         without agents and skills",
    );
    one(
        "[callback]\nattempts = 0\n",
        "2: attempts = 0 is out of range; write a number from 1 to 10",
    );
}

#[test]
fn a_roster_with_a_gap_is_refused_unless_somebody_has_said_what_callers_do_then() {
    let agent = "[[agent]]\nid = \"op1\"\ncontact = \"sip:op1@10.0.0.5\"\nskills = [\"state\"]\n";
    let queue = "[[queue]]\nname = \"q\"\nskills = [\"state\"]\n";
    let shift = "[[shift]]\nname = \"m\"\nhours = \"06:00-14:00\"\nagents = [\"op1\"]\n";
    one(
        &format!("{agent}{queue}{shift}"),
        "8: nobody who serves queue \"q\" is on shift from mon 14:00 to tue 06:00, and 6 times \
         more a week; close the gap, add [[queue.overflow]] with unstaffed = true, or say what \
         becomes of callers then: when_unstaffed = \"callback\", or \"wait\"",
    );
    let six = shift.replace("06:00-14:00\"", "00:00-24:00\"\ndays = \"mon-sat\"");
    one(
        &format!("{agent}{queue}{six}"),
        "8: nobody who serves queue \"q\" is on shift from sun 00:00 to mon 00:00; close the gap, \
         add [[queue.overflow]] with unstaffed = true, or say what becomes of callers then: \
         when_unstaffed = \"callback\", or \"wait\"",
    );
    let night = shift.replace("\"m\"", "\"n\"").replace("06:00-14:00", "14:00-06:00");
    let planned = format!("{queue}when_unstaffed = \"wait\"\n");
    for good in [format!("{agent}{queue}{shift}{night}"), format!("{agent}{planned}{shift}")] {
        let files = [("f".to_string(), good)];
        assert_eq!(pukar::config::parse_and_warn(&files, &|_| None).1, []);
    }
}

#[test]
fn a_shift_says_how_many_it_needs_of_each_role_or_skill() {
    let agent = "[[agent]]\nid = \"op1\"\ncontact = \"sip:op1@10.0.0.5\"\nskills = [\"health\"]\n";
    let shift = |minimum: &str| {
        format!(
            "{agent}[[shift]]\nname = \"m\"\nhours = \"06:00-14:00\"\nagents = [\"op1\"]\n\
             minimum = {{ {minimum} }}\n"
        )
    };
    one(
        &shift("operator = 1, counsellor = 1"),
        "9: counsellor = 1 is more than the 0 on the shift; put more on it, or ask for fewer",
    );
    one(
        &shift("operater = 1"),
        "9: minimum of \"operater\" is of no role and of no skill of anybody; did you mean \
         \"operator\"?",
    );
    one(
        &shift("helth = 1"),
        "9: minimum of \"helth\" is of no role and of no skill of anybody; did you mean \
         \"health\"?",
    );
    one(
        &shift("operator = \"1\""),
        "9: minimum of \"operator\" must be a whole number up to 10000; write operator = 1",
    );
    let minima = read(&shift("health = 1, operator = 1")).unwrap().roster.shifts[0].minima.clone();
    let minima: Vec<_> = minima.iter().map(|own| (&*own.of, own.number)).collect();
    assert_eq!(minima, [("health", 1), ("operator", 1)]);
    let least = |minimum: &str| {
        let settings = read(&shift(minimum)).unwrap();
        settings.roster.shifts[0].least()
    };
    assert_eq!(least("health = 1, operator = 1"), "1 health, 1 operator");
    assert_eq!(read(&shift("").replace("{  }", "1")).unwrap().roster.shifts[0].least(), "1");
}

#[test]
fn whoever_comes_instead_is_what_the_one_is_in_whose_place_they_come() {
    let mut text = String::new();
    for (at, id) in ["op2", "dr6", "op9", "dr9"].iter().enumerate() {
        text += &format!("[[agent]]\nid = \"{id}\"\ncontact = \"sip:{id}@10.0.0.{at}\"\n");
    }
    let roles = |absent: &str, instead: &str| {
        let settings = read(&format!(
            "{text}[[shift]]\nname = \"m\"\nhours = \"06:00-14:00\"\nagents = [\"op2\"]\n\
             counsellors = [\"dr6\"]\n[[shift.exception]]\ndate = \"2026-12-03\"\n\
             absent = [{absent}]\ninstead = [{instead}]\n"
        ));
        let day = settings.unwrap().roster.shifts[0].exceptions[0].clone();
        day.instead.iter().map(|own| (own.agent.clone(), own.role.name())).collect::<Vec<_>>()
    };
    let (dr9, op9) = (("dr9".into(), "counsellor"), ("op9".into(), "operator"));
    let both = [dr9.clone(), op9.clone()];
    assert_eq!(roles("\"dr6\", \"op2\"", "\"dr9\", \"op9\""), both);
    assert_eq!(roles("\"op2\", \"dr6\"", "\"op9\", \"dr9\""), [op9, dr9.clone()]);
    assert_eq!(roles("\"dr6\", \"op2\"", "\"dr9\""), [dr9]);
}

#[test]
fn a_rota_says_which_days_of_a_round_are_on_and_is_set_right() {
    let agent = "[[agent]]\nid = \"op1\"\ncontact = \"sip:op1@10.0.0.5\"\n";
    let with = |rota: &str| {
        format!(
            "{agent}[[shift]]\nname = \"m\"\nhours = \"06:00-14:00\"\nagents = [\"op1\"]\n\
             rota = {rota}\n"
        )
    };
    let good = with("{ from = \"2026-11-23\", round = 8, on = [\"1-3\", \"6\"] }");
    let rota = read(&good).unwrap().roster.shifts[0].rota.clone().unwrap();
    assert_eq!(rota.from.to_string(), "2026-11-23");
    assert_eq!(rota.on, [true, true, true, false, false, true, false, false]);
    let from = "from = \"2026-11-23\"";
    for (rota, why) in [
        (
            "\"1/3\"",
            "8: rota must be { from = \"2026-11-23\", round = 21, on = \"1-7\" }, not text; \
             write { from = \"2026-11-23\", round = 21, on = \"1-7\" }",
        ),
        (
            &*format!("{{ {from}, round = 7, on = \"6-8\" }}"),
            "8: on ends at day 8, after the end of the round; write days from 1 to 7",
        ),
        (
            &format!("{{ {from}, round = 7, on = \"3-1\" }}"),
            "8: on \"3-1\" are no days of a round; write \"1-7\", or a list such as \
             [\"1-5\", \"8\"]",
        ),
        (
            &format!("{{ {from}, round = 1, on = \"1\" }}"),
            "8: round = 1 is out of range; write a number from 2 to 366",
        ),
        (
            "{ from = \"monday\", round = 7, on = \"1\" }",
            "8: from \"monday\" is no date; write it as \"2026-11-25\"",
        ),
        (
            &format!("{{ {from}, on = \"1-7\" }}"),
            "8: rota has no round; write round = 21, its days",
        ),
    ] {
        one(&with(rota), why);
    }
}

#[test]
fn three_crews_that_change_by_the_week_leave_no_gap_but_where_one_is_off() {
    let agents: String = (0..3)
        .map(|n| {
            format!(
                "[[agent]]\nid = \"op{n}\"\ncontact = \"sip:op{n}@10.0.0.{n}\"\n\
                 skills = [\"state\"]\n"
            )
        })
        .collect();
    let queue = "[[queue]]\nname = \"q\"\nskills = [\"state\"]\n";
    let house = |last: &str| {
        let mut text = format!("{agents}{queue}");
        for (n, hours) in ["06:00-14:00", "14:00-22:00", "22:00-06:00"].iter().enumerate() {
            for crew in 0..3 {
                let on = ["1-7", "8-14", if n == 2 && crew == 0 { last } else { "15-21" }];
                text += &format!(
                    "[[shift]]\nname = \"s{n}{crew}\"\nhours = \"{hours}\"\n\
                     agents = [\"op{crew}\"]\n\
                     rota = {{ from = \"2026-11-23\", round = 21, on = \"{}\" }}\n",
                    on[(n + crew) % 3]
                );
            }
        }
        text
    };
    assert!(read(&house("15-21")).is_ok(), "{:?}", read(&house("15-21")));
    one(
        &house("15-20"),
        "16: nobody who serves queue \"q\" is on shift on 2026-11-23 from 00:00 to 06:00, by \
         their rotas; close the gap, add [[queue.overflow]] with unstaffed = true, or say what \
         becomes of callers then: when_unstaffed = \"callback\", or \"wait\"",
    );
}

#[test]
fn a_day_that_leaves_a_queue_alone_is_a_gap_with_its_date() {
    let agent = "[[agent]]\nid = \"op1\"\ncontact = \"sip:op1@10.0.0.5\"\nskills = [\"state\"]\n";
    let queue = "[[queue]]\nname = \"q\"\nskills = [\"state\"]\n";
    let shift = |name: &str, hours: &str| {
        format!("[[shift]]\nname = \"{name}\"\nhours = \"{hours}\"\nagents = [\"op1\"]\n")
    };
    let both = format!("{agent}{queue}{}{}", shift("d", "06:00-22:00"), shift("n", "22:00-06:00"));
    let holiday =
        |shifts: &str| format!("[[holiday]]\ndate = \"2027-01-26\"\nshifts = [{shifts}]\n");
    let then = "; name the shifts that work that day, add [[queue.overflow]] with \
                unstaffed = true, or say what becomes of callers then: \
                when_unstaffed = \"callback\", or \"wait\"";
    let gap = |line: u32, when: &str| {
        format!("{line}: nobody who serves queue \"q\" is on shift on {when}{then}")
    };
    one(&format!("{both}{}", holiday("")), &gap(16, "2027-01-26 from 06:00 to 24:00"));
    one(&format!("{both}{}", holiday("\"d\"")), &gap(16, "2027-01-26 from 22:00 to 24:00"));
    one(&format!("{both}{}", holiday("\"n\"")), &gap(16, "2027-01-26 from 06:00 to 22:00"));
    let absent = "[[shift.exception]]\ndate = \"2026-12-03\"\n";
    for (what, when) in [
        ("off = true\n", "2026-12-03 from 22:00 to 24:00"),
        ("absent = [\"op1\"]\n", "2026-12-03 from 22:00 to 24:00"),
    ] {
        one(&format!("{both}{absent}{what}"), &gap(8, when));
    }
    let other = agent.replace("op1", "op2").replace("10.0.0.5", "10.0.0.6");
    let instead = "absent = [\"op1\"]\ninstead = [\"op2\"]\n";
    let planned = both.replace("name = \"q\"\n", "name = \"q\"\nwhen_unstaffed = \"wait\"\n");
    for good in [
        format!("{both}{}", holiday("\"d\", \"n\"")),
        format!("{other}{both}{absent}{instead}"),
        format!("{planned}{}", holiday("")),
    ] {
        let files = [("f".to_string(), good)];
        assert_eq!(pukar::config::parse_and_warn(&files, &|_| None).1, []);
    }
}

#[test]
fn a_gap_is_closed_neither_by_a_level_that_nobody_has_nor_by_a_way_into_the_same_gap() {
    let agent = |id: &str, skill: &str| {
        format!(
            "[[agent]]\nid = \"{id}\"\ncontact = \"sip:{id}@10.0.0.5\"\nskills = [\"{skill}\"]\n"
        )
    };
    let shift = |name: &str, hours: &str, who: &str| {
        format!("[[shift]]\nname = \"{name}\"\nhours = \"{hours}\"\nagents = [\"{who}\"]\n")
    };
    let shifts = shift("d", "06:00-22:00", "op1") + &shift("n", "22:00-06:00", "op2");
    let queue = "[[queue]]\nname = \"q\"\nskills = [\"state\"]\nlevel = 2\n";
    let found =
        read(&format!("{}{}{queue}{shifts}", agent("op1", "state=2"), agent("op2", "state")));
    assert!(found.unwrap_err()[0].contains("queue \"q\" is on shift from mon 22:00 to tue 06:00"));
    // Two queues that help one another have the same night.
    let way = |name: &str, to: &str| {
        format!(
            "[[queue]]\nname = \"{name}\"\nskills = [\"{name}\"]\n[[queue.overflow]]\n\
             unstaffed = true\nto = \"queue:{to}\"\n"
        )
    };
    let agents = agent("op1", "a") + &agent("op2", "b");
    let two = |night: &str| {
        let (d, n) = (shift("d", "06:00-22:00", "op1"), shift("n", night, "op2"));
        format!("{agents}{}{}{d}{n}", way("a", "b"), way("b", "a"))
    };
    let found = read(&two("07:00-22:00")).unwrap_err();
    assert!(found.len() == 2 && found[0].contains("from mon 22:00 to tue 06:00"), "{found:?}");
    assert!(read(&two("22:00-06:00")).is_ok(), "one is there when the other is not");
    // Nor by one whose own callers wait then: nobody else is sent there.
    let waits =
        two("07:00-22:00").replace("name = \"b\"\n", "name = \"b\"\nwhen_unstaffed = \"wait\"\n");
    let found = read(&waits).unwrap_err();
    assert!(found.len() == 1 && found[0].contains("serves queue \"a\""), "{found:?}");
    // Nor by a queue that takes nobody then.
    let shut =
        two("07:00-22:00").replace("name = \"b\"\n", "name = \"b\"\nwhen_unstaffed = \"refuse\"\n");
    let found = read(&shut).unwrap_err();
    assert!(found.len() == 1 && found[0].contains("serves queue \"a\""), "{found:?}");
    // A way leads on: at night a third is there for both.
    let third = "[[queue]]\nname = \"c\"\nskills = [\"c\"]\n";
    let day = shift("d", "06:00-22:00", "op1") + &shift("e", "06:00-22:00", "op2");
    let queues = way("a", "b") + &way("b", "c") + third;
    let row = |hours: &str| {
        let third = shift("n", hours, "op3");
        read(&format!("{agents}{}{queues}{day}{third}", agent("op3", "c")))
    };
    assert!(row("00:00-24:00").is_ok());
    assert_eq!(row("06:00-22:00").unwrap_err().len(), 3);
}

#[test]
fn a_day_on_which_the_clocks_change_has_a_gap_where_nobody_works_and_nowhere_else() {
    let agent = "[[agent]]\nid = \"op1\"\ncontact = \"sip:op1@10.0.0.5\"\nskills = [\"state\"]\n";
    let queue = "[[queue]]\nname = \"q\"\nskills = [\"state\"]\n";
    let day = |hours: &str| {
        format!(
            "{agent}{queue}[[shift]]\nname = \"a\"\nhours = \"{hours}\"\nagents = [\"op1\"]\n\
             [switch]\ntimezone = \"Europe/Berlin\"\n"
        )
    };
    let night = "[[shift]]\nname = \"n\"\nhours = \"22:00-06:00\"\nagents = [\"op1\"]\n";
    // One of 23 hours and one of 25, with everybody at work.
    for date in ["2027-03-28", "2027-10-31"] {
        let holiday = format!("[[holiday]]\ndate = \"{date}\"\nshifts = [\"a\", \"n\"]\n");
        let files = [("f".to_string(), format!("{}{night}{holiday}", day("06:00-22:00")))];
        assert_eq!(pukar::config::parse_and_warn(&files, &|_| None).1, [], "{date}");
    }
    // The last hour of the long day is one too.
    let holiday = "[[holiday]]\ndate = \"2027-10-31\"\nshifts = [\"a\"]\n";
    let found = read(&format!("{}{night}{holiday}", day("06:00-22:00"))).unwrap_err();
    assert!(found.len() == 1 && found[0].contains("on 2027-10-31 from"), "{found:?}");
}

#[test]
fn a_line_of_codes_is_for_codes_alone() {
    let line = "[[line]]\nnumbers = [\"181\"]\ncodes = true\n";
    let settings = read(line).unwrap();
    assert_eq!(settings.call.lines[0].goal, pukar::call::Goal::Codes);
    one(
        &format!("{QUEUE}{line}queue = \"q\"\n"),
        "6: a line of codes is for agents at home, and leads nowhere else; take out queue and to, \
         or codes",
    );
    for (key, value) in [("default", "true"), ("emergency_key", "\"0\""), ("priority", "3")] {
        let said = format!("{key} is for callers who wait, and this line is for codes");
        one(
            &format!("{line}{key} = {value}\n"),
            &format!("4: {said}; lead it to a queue, or take it out"),
        );
    }
}

#[test]
fn an_agent_at_home_without_a_pin_beside_a_line_of_codes_is_warned_of() {
    let route = "[[trunk]]\nname = \"bsnl\"\nhosts = [\"10.1.0.1\"]\n[[route]]\n\
        prefixes = [\"+91\"]\ntrunk = \"bsnl\"\nidentity = \"+917552551181\"\n";
    let line = "[[line]]\nname = \"codes\"\nnumbers = [\"+917552551199\"]\ncodes = true\n";
    let agent = |id: &str, contact: &str, pin: &str| {
        format!("[[agent]]\nid = \"{id}\"\ncontact = \"{contact}\"\n{pin}")
    };
    let warnings = |text: String| {
        let files = [("f".to_string(), text)];
        let (settings, warnings) = pukar::config::parse_and_warn(&files, &|_| None);
        assert!(settings.is_ok(), "{settings:?}");
        warnings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let open = agent("asha", "tel:+919826012345", "");
    let more = agent("bina", "tel:+919826054321", "");
    let sound = agent("chitra", "tel:+919826054322", "pin = \"7401\"\n")
        + &agent("desk", "sip:desk@10.2.0.1", "");
    assert_eq!(warnings(format!("{route}{line}{sound}")), [""; 0]);
    assert_eq!(warnings(format!("{route}{sound}{open}")), [""; 0], "nobody can key in anything");
    let said = warnings(format!("{route}{line}{sound}{open}"));
    assert!(said.len() == 1 && said[0].contains("agent \"asha\" at home has no pin, and line"));
    let said = warnings(format!("{route}{line}{open}{more}"));
    assert!(said.len() == 1 && said[0].contains("has no pin, nor have 1 more, and"), "{said:?}");
}
