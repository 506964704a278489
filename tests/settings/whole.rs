//! The configuration as its users meet it: the shipped files work, and every kind of mistake is
//! reported with its line and what to write instead, all of them at once.

use pukar::acd::Strategy;
use pukar::call::{Codec, Family, Goal, Home};
use pukar::config::{Mistake, Settings, Store, parse};
use pukar::sip::Algorithms;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

fn read(files: &[(&str, &str)]) -> Result<Settings, Vec<Mistake>> {
    let files: Vec<_> = files.iter().map(|(n, t)| (n.to_string(), t.to_string())).collect();
    parse(&files, &|name| (name == "OP1_SECRET").then(|| "correct horse".into()))
}

fn shipped(path: &str) -> Settings {
    let text = std::fs::read_to_string(path).unwrap();
    parse(&[(path.into(), text)], &|_| None).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"))
}

/// The lines of all mistakes in `text`.
fn mistakes(text: &str) -> Vec<String> {
    let found = read(&[("f.toml", text)]).expect_err("the text has mistakes");
    found.iter().map(ToString::to_string).collect()
}

/// `text` has exactly one mistake, and it reads `f.toml:` and `expected`.
#[track_caller]
fn one(text: &str, expected: &str) {
    assert_eq!(mistakes(text), [format!("f.toml:{expected}")]);
}

#[test]
fn nothing_at_all_is_a_configuration() {
    let settings = read(&[]).unwrap();
    assert_eq!(settings.timezone, "Asia/Kolkata");
    assert_eq!(settings.sip.listen.len(), 2);
    assert_eq!(settings.wants_addresses(), [Family::V4]);
    assert_eq!(settings.stores, [Store::Sqlite { path: "data/records.db".into() }]);
    let there_and_back: Settings =
        serde_json::from_str(&serde_json::to_string(&settings).unwrap()).unwrap();
    assert_eq!(there_and_back, settings);
}

#[test]
fn the_example_works_from_a_fresh_clone() {
    let settings = shipped("config/helpline.toml");
    assert_eq!(settings.name, "राज्य हेल्पलाइन");
    let names: Vec<_> = settings.call.phones.iter().map(|phone| phone.name.as_str()).collect();
    assert_eq!(names, ["सीमा", "राजेश", "अंजलि", "डॉ. मीना"]);
    assert_eq!(settings.call.lines.len(), 2);
    assert_eq!(settings.call.lines[1].goal, Goal::Queue(pukar::base::QueueId(1)));
    assert_eq!(settings.acd.queues[0].strategy, Strategy::LongestIdle);
    assert_eq!(settings.pins.len(), settings.acd.agents.len());
    assert_eq!(settings.call.media.codecs, Codec::ALL);
}

#[test]
fn the_example_states_the_defaults() {
    let (stated, default) = (shipped("config/helpline.toml"), read(&[]).unwrap());
    let without_names = |mut settings: Settings| {
        settings.sip.domains = default.sip.domains.clone();
        settings.sip.trunks.clear();
        settings.sip.fixed.clear();
        settings.sip
    };
    assert_eq!(without_names(stated.clone()), default.sip);
    assert_eq!(stated.call.media, default.call.media);
    assert_eq!(
        (stated.drain, stated.log, stated.admin),
        (default.drain, default.log, default.admin)
    );
    assert_eq!((stated.data, stated.stores), (default.data, default.stores));
}

#[test]
fn the_kit_has_five_hundred_agents_and_a_line_for_each_measurement() {
    let settings = shipped("benches/kit.toml").with_data(Path::new("/tmp/kit"));
    assert_eq!(settings.acd.agents.len(), 500);
    assert!(settings.acd.agents.iter().all(|agent| agent.ready && agent.fixed));
    let last = settings.call.phones.last().unwrap();
    assert_eq!(last.user, "agent500");
    assert_eq!(last.contact.as_deref(), Some("sip:agent500@127.0.0.3:5094"));
    assert_eq!(settings.call.lines[2].goal, Goal::Dial("sip:any@127.0.0.3:5094".into()));
    assert!(settings.call.lines.iter().all(|line| line.music.is_some()));
    assert_eq!(settings.call.media.codecs, [Codec::Pcmu, Codec::Pcma]);
    let homes: Vec<Home> = settings.call.media.homes.iter().collect();
    assert_eq!(homes, [Home::at(IpAddr::from([127, 0, 0, 1]))]);
    assert_eq!(settings.acd.queues[0].wrap_up, Duration::ZERO);
    let nobody = &settings.acd.queues[1].skills;
    assert!(
        settings
            .acd
            .agents
            .iter()
            .all(|agent| agent.skills.iter().all(|skill| skill.name != nobody[0]))
    );
    assert_eq!(settings.stores, [Store::Sqlite { path: "/tmp/kit/records.db".into() }]);
    assert_eq!(settings.wants_addresses(), []);
}

#[test]
fn ten_mistakes_are_ten_reports_with_their_lines() {
    let text = r#"[switch]
timezone = "Asia/Kolkatta"
drain = 20s
[sip]
listen = ["udp:0.0.0.0:5060", "udp:0.0.0.0:5060"]
[media]
ports = "20001-29999"
codecs = ["PCMA", "PCMX"]
[[line]]
numbers = ["181"]
queue = "generel"
[[queue]]
name = "general"
skills = ["operater"]
strategi = "ring-all"
[[agent]]
id = "op1"
secret = "env:NOT_SET"
skills = ["operator"]
[[agent]]
id = "op1"
contact = "sip:op1@127.0.0.1:6001"
skills = ["operator"]
"#;
    let found = mistakes(text);
    let expected = [
        "2: timezone \"Asia/Kolkatta\" is no time zone; did you mean \"Asia/Kolkata\"?",
        "3: ",
        "5: 0.0.0.0:5060 is listened on twice, first at f.toml:5; take one out",
        "7: ports \"20001-29999\" does not begin even and end odd, as pairs of RTP and RTCP ports \
         need; write \"20000-29999\"",
        "8: codecs \"PCMX\" is no codec that we have; did you mean \"PCMA\"?",
        "11: queue \"generel\" does not exist; did you mean \"general\"?",
        "14: no agent has the skill \"operater\"; did you mean \"operator\"? (staffed = false if \
         nobody is to serve it)",
        "15: unknown key \"strategi\" in [[queue]]; did you mean \"strategy\"?",
        "18: secret is in the environment variable NOT_SET, which is not set; set NOT_SET before \
         starting pukar",
        "21: agent \"op1\" is already at f.toml:17; give every agent an id of their own",
    ];
    assert_eq!(found.len(), 10, "{found:#?}");
    for line in expected {
        let line = format!("f.toml:{line}");
        assert!(found.iter().any(|f| f.starts_with(&line)), "{line}\nnot in\n{found:#?}");
    }
    assert!(found[1].contains("write drain = \"20s\""), "{}", found[1]);
}

#[test]
fn a_syntax_error_hides_nothing_after_it() {
    let text = "[switch\nname = 3\n[sip]\nlock_after = \"x\"\n[media]\ncodecs = [\"PCMA\"\n\
                workers = 0\n[limits]\nmax_calls = 1 2\nmax_rate = 0\n[[line]]\nnumbers = oops\n";
    let found = mistakes(text);
    let lines: Vec<_> = found.iter().map(|f| f.split(':').nth(1).unwrap()).collect();
    assert_eq!(lines, ["1", "4", "6", "7", "9", "10", "12"], "{found:#?}");
}

#[test]
fn keys_that_nobody_knows_are_set_right() {
    one("[swich]\n", "1: unknown key \"swich\" in the configuration; did you mean \"switch\"?");
    one("[sip]\nlisen = []\n", "2: unknown key \"lisen\" in [sip]; did you mean \"listen\"?");
    one(
        "[admin]\ncolour = 1\n",
        "2: unknown key \"colour\" in [admin]; the keys of [admin] are socket, http",
    );
}

#[test]
fn what_belongs_to_a_later_step_is_refused_not_ignored() {
    one(
        "[sip]\nlisten = [\"wss:0.0.0.0:5061\"]\n",
        "2: listen \"wss:0.0.0.0:5061\" is not supported yet; listen on udp:, tcp: or tls: for now",
    );
}

#[test]
fn tls_needs_a_certificate_and_its_key() {
    one(
        "[sip]\nlisten = [\"tls:0.0.0.0:5061\"]\n",
        "2: listen has tls:, and there is no certificate; \
         write tls = { certificate = \"tls/cert.pem\", key = \"tls/key.pem\" }",
    );
    let text = "[sip]\nlisten = [\"tls:0.0.0.0:5061\"]\n\
                tls = { certificate = \"a.pem\", key = \"a.key\" }\n";
    assert!(read(&[("f.toml", text)]).is_ok(), "files are looked at by a start and by `check`");
}

#[test]
fn values_of_the_wrong_type_are_set_right() {
    one("[switch]\nname = 5\n", "2: name must be text in quotes, not a number; write name = \"5\"");
    one(
        "[sip]\nlock_after = \"5\"\n",
        "2: lock_after must be a whole number, not text; write lock_after = 5",
    );
    one("[switch]\ndrain = 20\n", "2: drain = 20 has no unit; write drain = \"20s\"");
    one(
        "[queue]\nname = \"q\"\n",
        "1: queue must be a list of sections, not a table; write \
         [[queue]], once for each",
    );
    one("[[sip]]\n", "1: [[sip]] stands only once; write [sip]");
}

#[test]
fn values_out_of_range_are_set_right() {
    one("[media]\nworkers = -1\n", "2: workers = -1 is out of range; write a number from 1 to 64");
    one(
        "[limits]\nmax_calls = 99999999999999999999\n",
        "2: max_calls is too large; write a number \
         from 1 to 20000",
    );
    one(
        "[sip]\nmin_se = \"5s\"\n",
        "2: min_se \"5s\" is out of range; write a duration from \
         \"1m30s\" to \"24h\"",
    );
    one(
        "[switch]\nname = \" \"\n",
        "2: name is empty; write something between the quotes, or \
         leave name out",
    );
    one(
        "[sip]\nsession_expires = \"2m\"\nmin_se = \"5m\"\n",
        "2: session_expires is shorter than \
         min_se; write \"5m\" or more",
    );
}

const AGENT: &str = "[[agent]]\nid = \"op1\"\ncontact = \"sip:op1@127.0.0.1:6001\"\n";

#[test]
fn ports_must_hold_the_agents_and_miss_the_listeners() {
    let text = "[media]\nports = \"20000-20099\"\n[[agent]]\nid = \"a{1-100}\"\n\
                contact = \"sip:a{}@127.0.0.1\"\n";
    one(
        text,
        "2: ports \"20000-20099\" hold 25 calls for 100 agents; a call takes four ports: \
         write \"20000-20399\" or more",
    );
    one(
        "[media]\nports = \"5000-6001\"\n",
        "2: ports \"5000-6001\" take in the SIP port 5060; \
         move one of them out of the other's way",
    );
}

#[test]
fn duplicates_name_both_places() {
    let line = "[[line]]\nnumbers = [\"0755-2551234\"]\nto = \"sip:a@b\"\n";
    let same = line.replace("0755-2551234", "+917552551234");
    one(
        &format!("{line}{same}"),
        "5: number \"+917552551234\" is already at f.toml:2; keep it on \
         one line",
    );
    let queue = "[[queue]]\nname = \"q\"\n";
    one(&format!("{queue}{queue}"), "4: queue \"q\" is already at f.toml:2; give it another name");
    one(
        &format!("{AGENT}{}", AGENT.replace("\"op1\"", "\"op2\"")),
        "6: contact sip:op1@127.0.0.1:6001 is already another agent's, at f.toml:3; give every \
         agent a phone of their own",
    );
    let trunk = "[[trunk]]\nname = \"a\"\nhosts = [\"10.0.0.9\"]\n";
    one(
        &format!("{trunk}{}", trunk.replace("\"a\"", "\"b\"")),
        "6: host \"10.0.0.9\" is already \
         at f.toml:3; keep it in one trunk, or nobody knows whose call it is",
    );
}

#[test]
fn what_is_missing_is_named() {
    one("[[queue]]\n", "1: [[queue]] has no name; write name = \"general\"");
    one(
        "[[line]]\nnumbers = [\"181\"]\n",
        "1: [[line]] leads nowhere; write queue = \"general\", \
         or to = \"sip:someone@10.0.0.5\"",
    );
    one(
        "[[agent]]\nid = \"op1\"\n",
        "1: this agent's phone can neither register nor be reached; \
         write secret = \"env:NAME\" or contact = \"sip:op1@10.0.0.5:5060\"",
    );
    one(
        "[[trunk]]\nname = \"b\"\n",
        "1: [[trunk]] has no hosts; write hosts = \
         [\"10.0.0.9:5060\"]",
    );
}

#[test]
fn a_queue_that_nobody_can_serve_is_a_mistake_unless_it_says_so() {
    let agent = format!("{AGENT}skills = [\"operator\"]\n");
    one(
        &format!("{agent}[[queue]]\nname = \"q\"\nskills = [\"operater\"]\n"),
        "7: no agent has \
         the skill \"operater\"; did you mean \"operator\"? (staffed = false if nobody is to \
         serve it)",
    );
    assert!(read(&[("f", &format!("{agent}[[queue]]\nname = \"q\"\nstaffed = false\n"))]).is_ok());
}

#[test]
fn a_strategy_must_be_one_that_we_have() {
    one(
        "[[queue]]\nname = \"q\"\nstrategy = \"longest\"\n",
        "3: strategy \"longest\" is no \
         strategy; the strategies are longest-idle, \
         ring-all, fewest-calls, least-talk-time, round-robin, ordered, random",
    );
}

#[test]
fn skills_have_levels_and_queues_relax_what_they_ask_for() {
    let queue = "[[queue]]\nname = \"q\"\nskills = [\"health\"]\nlevel = 3\n";
    let agent = format!("{AGENT}skills = [\"health=2\", \"lang:hi\"]\n");
    let relax = "relax = [{ after = \"1m\", level = 1 }, { after = \"30s\", level = 2 }]\n";
    let settings = read(&[("f", &format!("{agent}{queue}{relax}"))]).unwrap();
    let skills = &settings.acd.agents[0].skills;
    assert_eq!((skills[0].name.as_str(), skills[0].level), ("health", 2));
    assert_eq!((skills[1].name.as_str(), skills[1].level), ("lang:hi", 1));
    let seconds: Vec<u64> =
        settings.acd.queues[0].relax.iter().map(|step| step.after.as_secs()).collect();
    assert_eq!(seconds, [30, 60], "in the order of time");
    one(
        &format!("{agent}{queue}"),
        "7: no agent has all the skills of queue \"q\" at level 3; give one agent all of them, \
         or ask for fewer",
    );
    one(
        &format!("{AGENT}skills = [\"health=12\"]\n"),
        "4: skills \"health=12\" has no such level; write \"health=1\" to \"health=9\"",
    );
    let relax = format!("{queue}staffed = false\nrelax = [{{ level = 2 }}]\n");
    one(&relax, "6: a step of relax has no after; write after = \"30s\"");
}

#[test]
fn secrets_come_from_the_environment_and_are_never_repeated() {
    let settings =
        read(&[("f", "[[agent]]\nid = \"op1\"\nsecret = \"env:OP1_SECRET\"\n")]).unwrap();
    assert_eq!(settings.sip.users[0].secret.0, "correct horse");
    assert!(!format!("{settings:?}").contains("correct horse"));
    one(
        "[[agent]]\nid = \"op1\"\nsecret = \"tiger\"\n",
        "3: secret is too short; use at least 8 \
         characters, best \"env:NAME\"",
    );
    one(
        "[[agent]]\nid = \"operator1\"\nsecret = \"operator1\"\n",
        "3: secret is the name of its \
         user; choose one that cannot be guessed",
    );
}

#[test]
fn a_trunk_may_log_in_or_register() {
    let trunk = "[[trunk]]\nname = \"bsnl\"\nhosts = [\"tcp:sip.bsnl.example\"]\n";
    let login = "{ user = \"u\", secret = \"env:OP1_SECRET\" }";
    let settings = read(&[("f", &format!("{trunk}register = {login}\n"))]).unwrap();
    assert!(settings.sip.trunks[0].register);
    assert_eq!(settings.sip.trunks[0].login.as_ref().unwrap().user, "u");
    one(
        &format!("{trunk}login = {{ user = \"u\" }}\n"),
        "4: login has no \
         secret; write secret = \"env:NAME\"",
    );
}

#[test]
fn a_range_of_agents_fills_in_the_number_of_each() {
    let text = "[[agent]]\nid = \"desk{08-11}\"\nname = \"डेस्क {}\"\n\
                contact = \"sip:d{}@10.0.0.1\"\n";
    let settings = read(&[("f", text)]).unwrap();
    let phones: Vec<_> = settings.call.phones.iter().map(|p| (&*p.user, &*p.name)).collect();
    let names = ["08", "09", "10", "11"].map(|n| (format!("desk{n}"), format!("डेस्क {n}")));
    assert_eq!(phones, names.each_ref().map(|(user, name)| (&**user, &**name)));
    assert_eq!(settings.call.phones[1].contact.as_deref(), Some("sip:d09@10.0.0.1"));
    one(
        "[[agent]]\nid = \"a{1-9}\"\ncontact = \"sip:a@10.0.0.1\"\n",
        "3: contact \
         \"sip:a@10.0.0.1\" is the same for all of them; put {} where the number of each belongs",
    );
}

#[test]
fn an_agents_phone_is_offered_both_algorithms_unless_its_table_says_md5() {
    let agent = |id: &str, more: &str| {
        format!("[[agent]]\nid = \"{id}\"\nsecret = \"correct-horse-1\"\n{more}\n")
    };
    let text = [agent("a", ""), agent("b", "digest = \"md5\""), agent("c", "digest = \"both\"")];
    let settings = read(&[("f", &text.concat())]).unwrap();
    let digests: Vec<_> = settings.sip.users.iter().map(|user| user.digest).collect();
    assert_eq!(digests, [Algorithms::Both, Algorithms::Md5, Algorithms::Both]);
    one(
        &agent("a", "digest = \"sha1\""),
        "4: digest \"sha1\" is no way to prove a password; write \"both\" or \"md5\"",
    );
}

#[test]
fn several_files_are_one_configuration() {
    let first = ("a.toml", "[switch]\nname = \"A\"\n[[queue]]\nname = \"q\"\n");
    let second = ("b.toml", "[switch]\nlog = \"debug\"\n[[queue]]\nname = \"r\"\n");
    let settings = read(&[first, second]).unwrap();
    assert_eq!((&*settings.name, settings.acd.queues.len()), ("A", 2));
    let clash = ("c.toml", "[switch]\nname = \"C\"\n[[queue]]\nname = \"q\"\n");
    let found: Vec<_> =
        read(&[first, clash]).unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "c.toml:2: key \"name\" stands in two files, first at a.toml:2; keep one of them",
            "c.toml:4: queue \"q\" is already at a.toml:4; give it another name",
        ]
    );
}

const QUEUE: &str = "[[queue]]\nname = \"a\"\n";

#[test]
fn overflows_that_go_round_are_a_mistake_unless_two_queues_help_one_another() {
    let to = |to: &str| format!("[[queue.overflow]]\nafter = \"60s\"\nto = \"{to}\"\n");
    one(
        &format!("{QUEUE}{}", to("queue:a")),
        "5: queue \"a\" overflows to itself; name another queue or a district, or take it out",
    );
    let b = QUEUE.replace("\"a\"", "\"b\"");
    let c = QUEUE.replace("\"a\"", "\"c\"");
    let circle = format!("{QUEUE}{}{b}{}{c}{}", to("queue:b"), to("district:d"), to("queue:a"));
    one(
        &format!("{circle}[[district]]\nname = \"d\"\nqueue = \"c\"\n"),
        "15: callers would go round: c -> a -> b -> c; take one of these overflows out; only two \
         queues may help one another, such as those of the state and a district",
    );
    let (ab, ba) = (to("queue:b"), to("queue:a"));
    one(
        &format!("{QUEUE}{ab}{b}{}{}{c}{}", to("queue:c"), ba, to("queue:a")),
        "18: callers would go round: c -> a -> b -> c; take one of these overflows out; only two \
         queues may help one another, such as those of the state and a district",
    );
    let star = format!("{QUEUE}{ab}{}{b}{ba}{c}{ba}", to("queue:c"));
    assert!(read(&[("f", &star)]).is_ok(), "a state and its districts");
    let mutual = format!("{QUEUE}{}{b}{}", to("queue:b"), to("queue:a"));
    let files = [("f.toml".to_string(), mutual)];
    let (settings, warnings) = pukar::config::parse_and_warn(&files, &|_| None);
    assert_eq!((settings.unwrap().overflows.len(), warnings.len()), (2, 0), "state and district");
    let tree = format!("{QUEUE}{}{}{b}{}{c}", to("queue:b"), to("queue:c"), to("queue:c"));
    assert!(read(&[("f", &tree)]).is_ok(), "two ways to one queue are no circle");
}

#[test]
fn an_overflow_says_when_and_where_to() {
    let b = QUEUE.replace("\"a\"", "\"b\"");
    let overflow = |more: &str| format!("{QUEUE}[[queue.overflow]]\n{more}\n");
    one(
        &overflow("after = \"60s\""),
        "3: [[queue.overflow]] has no to; write to = \"queue:general\", or \"district:alirajpur\"",
    );
    one(
        &overflow("to = \"district:x\""),
        "3: [[queue.overflow]] says not when; write after = \"60s\", unstaffed = true, \
         wait_over = \"5m\" or trunk_down = \"bsnl\"",
    );
    one(
        &overflow("after = \"60s\"\nto = \"b\""),
        "5: to \"b\" is nowhere; write \"queue:b\" or \"district:b\"",
    );
    one(
        &overflow("after = \"60s\"\nto = \"district:x\""),
        "5: district \"x\" does not exist; there are no districts yet",
    );
    one(
        &format!("{QUEUE}[[queue.overflow]]\ntrunk_down = \"bsnl\"\nto = \"queue:b\"\n{b}"),
        "4: trunk \"bsnl\" does not exist; there are no trunks yet",
    );
}

#[test]
fn a_district_leads_to_a_queue_or_a_trunk_by_std_codes_of_its_own() {
    one(
        "[[district]]\nname = \"d\"\nstd = [\"07394\"]\n",
        "1: [[district]] has neither a queue nor a trunk; write queue = \"general\", or trunk = \
         \"alirajpur-edaksh\"",
    );
    let district = format!("{QUEUE}[[district]]\nname = \"d\"\nqueue = \"a\"\nstd = \"07394\"\n");
    let same = "[[district]]\nname = \"e\"\nqueue = \"a\"\nstd = \"7394\"\n";
    one(
        &format!("{district}{same}"),
        "10: std \"07394\" is already at f.toml:6; keep it in one district, or nobody knows which \
         is meant",
    );
    one(
        &district.replace("07394", "0"),
        "6: std \"0\" is no STD code; write its two to four digits after the 0, such as \"07394\"",
    );
    one(
        &district.replace("queue = \"a\"", "queue = \"b\""),
        "5: queue \"b\" does not exist; did you mean \"a\"?",
    );
    let settings = read(&[("f", &district)]).unwrap();
    assert_eq!(settings.call.districts[0].std, ["7394"]);
}

const SHIFT: &str = "[[shift]]\nname = \"m\"\nhours = \"06:00-14:00\"\nagents = [\"op1\"]\n";

#[test]
fn shifts_are_checked() {
    one(
        &format!("{AGENT}{}", SHIFT.replace("op1", "op2")),
        "7: agent \"op2\" does not exist; did you mean \"op1\"?",
    );
    one(
        &format!("{AGENT}{SHIFT}minimum = 2\n"),
        "8: minimum = 2 is more than the 1 on the shift; put more on it, or ask for fewer",
    );
    for (hours, what) in [
        ("6-14", "are no hours; write it as \"06:00-14:00\""),
        ("06:00-06:00", "are empty; write \"00:00-24:00\" for a whole day"),
        ("06:00-25:00", "are no hours; write it as \"06:00-14:00\""),
    ] {
        one(
            &format!("{AGENT}{}", SHIFT.replace("06:00-14:00", hours)),
            &format!("6: hours \"{hours}\" {what}"),
        );
    }
    one(
        &format!("{AGENT}{SHIFT}supervisors = [\"op1\"]\n"),
        "7: \"op1\" is on this shift twice; take one out",
    );
    one(
        &format!("{AGENT}{SHIFT}[[holiday]]\ndate = \"26 Jan\"\n"),
        "9: date \"26 Jan\" is no date; write it as \"2026-11-25\"",
    );
}

#[test]
fn two_agents_have_not_one_pin() {
    let first = format!("{AGENT}pin = \"1101\"\n");
    let second = first.replace("op1", "op2");
    let found = mistakes(&format!("{first}{second}"));
    assert_eq!(
        found,
        ["f.toml:8: pin is already another agent's, at f.toml:4; give every agent a pin of \
             their own"]
    );
}

#[test]
fn a_trunk_says_where_its_numbers_are() {
    let trunk = "[[trunk]]\nname = \"b\"\nhosts = [\"10.0.0.9\"]\n";
    one(
        &format!("{trunk}did = \"diversion\"\n"),
        "4: did \"diversion\" is no place of a number; the places are any, request-uri, to, \
         p-called-party-id",
    );
    one(
        "[[line]]\nnumbers = [\"181\"]\nto = \"sip:a@b\"\ndistrict = \"x\"\n",
        "4: district \"x\" does not exist; there are no districts yet",
    );
}

#[test]
fn the_state_example_has_the_roster_of_alirajpur_and_no_warning() {
    let mut files: Vec<_> = std::fs::read_dir("config/state").unwrap().flatten().collect();
    files.retain(|file| file.path().extension().is_some_and(|end| end == "toml"));
    files.sort_by_key(|file| file.path());
    let text = |path: std::path::PathBuf| std::fs::read_to_string(path).unwrap();
    let files: Vec<_> =
        files.iter().map(|f| (f.path().display().to_string(), text(f.path()))).collect();
    let (settings, warnings) = pukar::config::parse_and_warn(&files, &|_| None);
    let settings = settings.unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    assert_eq!(warnings, []);
    let roster = &settings.roster;
    assert_eq!((roster.shifts.len(), roster.holidays.len()), (3, 1));
    for shift in &roster.shifts {
        use pukar::acd::Role::{Counsellor, Operator, Supervisor};
        let count = |role| shift.members.iter().filter(|m| m.role == role).count();
        let counts = [Supervisor, Operator, Counsellor].map(count);
        assert_eq!(counts, [1, 4, 1]);
        let minima = shift.minima.iter().map(|minimum| (&*minimum.of, minimum.number));
        let each = [("counsellor", 1), ("operator", 4), ("supervisor", 1)];
        assert_eq!(minima.collect::<Vec<_>>(), each);
    }
    let titles: Vec<_> = settings.call.districts.iter().map(|d| d.title.clone()).collect();
    let written = ["अलीराजपुर", "शिवपुरी", "छिंदवाड़ा"];
    assert_eq!(titles, written.map(|title| pukar::base::text::clean(title, 64)));
    let mut directory = pukar::call::Directory::default();
    let csv = text(settings.directory_files[0].clone());
    directory.read("directory.csv", &csv, &settings.call);
    assert_eq!((directory.entries.len(), directory.refused_count), (17, 0));
}
