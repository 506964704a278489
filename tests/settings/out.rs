//! The configuration of what agents may dial: its mistakes, each with its line and what to write
//! instead.

use pukar::call::out::OutSettings;
use pukar::config::{Mistake, Settings, parse, parse_and_warn};

/// Eleven lines; each test goes on at line 12.
const BEFORE: &str = r#"[[trunk]]
name = "bsnl"
hosts = ["10.0.0.9"]
identity = "+917552551181"
[[trunk]]
name = "jio"
hosts = ["10.0.0.8"]
[[agent]]
id = "op1"
contact = "sip:op1@10.0.0.5"
skills = ["operator"]
"#;

fn read(text: &str) -> Result<Settings, Vec<Mistake>> {
    parse(&[("f.toml".into(), format!("{BEFORE}{text}"))], &|_| None)
}

#[track_caller]
fn one(text: &str, expected: &str) {
    let found = read(text).expect_err("the text has a mistake");
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found, [format!("f.toml:{expected}")]);
}

#[test]
fn the_example_states_the_defaults_of_dialling_out() {
    let text = std::fs::read_to_string("config/helpline.toml").unwrap();
    let stated = parse(&[("helpline.toml".into(), text)], &|_| None).unwrap().call.out;
    assert_eq!(stated.routes.len(), 1);
    assert_eq!(OutSettings { routes: Vec::new(), ..stated }, OutSettings::default());
}

#[test]
fn a_route_is_for_all_or_for_those_it_names_by_id_or_skill() {
    let settings = read(
        "[[route]]\nprefixes = [\"+91\"]\ntrunk = \"bsnl\"\nskills = [\"operator\"]\n\
         [[route]]\nprefixes = \"108\"\ntrunk = \"jio\"\nidentity = \"0755 2551182\"\n",
    );
    let settings = settings.map_err(|mistakes| format!("{mistakes:#?}"));
    let routes = settings.unwrap().call.out.routes;
    assert_eq!(routes[0].agents.iter().collect::<Vec<_>>(), ["op1"]);
    assert_eq!(routes[0].identity, "+917552551181", "its trunk's");
    assert!(routes[1].agents.is_empty());
    assert_eq!(routes[1].identity, "+917552551182");
}

#[test]
fn routes_that_cannot_work_are_mistakes() {
    one(
        "[[route]]\nprefixes = [\"+91\"]\ntrunk = \"bsln\"\n",
        "14: trunk \"bsln\" does not exist; did you mean \"bsnl\"?",
    );
    one(
        "[[route]]\nprefixes = [\"+91\"]\ntrunk = \"jio\"\n",
        "12: calls by trunk \"jio\" would show no number; write identity = \"+917552551181\", the \
         number to be called back at",
    );
    one(
        "[[route]]\nprefixes = [\"+91\"]\ntrunk = \"bsnl\"\nagents = [\"op2\"]\n",
        "15: agent \"op2\" does not exist; did you mean \"op1\"?",
    );
    one(
        "[[route]]\nprefixes = [\"+91\"]\ntrunk = \"bsnl\"\nskills = [\"operators\"]\n",
        "15: no agent has the skill \"operators\"; did you mean \"operator\"?",
    );
    one(
        "[[route]]\nprefixes = [\"+91\", \"+1\"]\ntrunk = \"bsnl\"\n",
        "13: prefix \"+1\" is of another country, which [out] forbids; take it out, or write \
         international = true under [out]",
    );
    one(
        "[[route]]\nprefixes = [\"+911900\"]\ntrunk = \"bsnl\"\n",
        "13: prefix \"+911900\" is premium by \"+911900\" of [out]; take it out, or change premium \
         under [out]",
    );
    one(
        "[[route]]\nprefixes = [\"9*\"]\ntrunk = \"bsnl\"\n",
        "13: prefixes \"9*\" is no prefix of a number; write one such as \"+91\", \"+91755\" or \
         \"108\"",
    );
    one(
        "[[route]]\nprefixes = [\"+91\"]\ntrunk = \"bsnl\"\n[[route]]\nprefixes = [\"+91\"]\n\
         trunk = \"bsnl\"\n",
        "16: prefix \"+91\" has this trunk already, at f.toml:13; take one out",
    );
}

#[test]
fn a_national_prefix_with_its_0_fits_nothing_and_is_warned_of() {
    let text = format!("{BEFORE}[[route]]\nprefixes = [\"0755\"]\ntrunk = \"bsnl\"\n");
    let (read, warned) = parse_and_warn(&[("f.toml".into(), text)], &|_| None);
    assert!(read.is_ok());
    let warned: Vec<String> = warned.iter().map(ToString::to_string).collect();
    let expected = "f.toml:13: prefix \"0755\" fits no whole number: they begin with +; write \
                    \"+91755\"";
    assert_eq!(warned, [expected]);
}

#[test]
fn codes_that_cannot_be_told_apart_are_mistakes() {
    one(
        "[codes]\nready = \"*11\"\n",
        "13: ready = \"*11\" cannot be told from login = \"*11\"; choose codes of which none \
         begins with another",
    );
    one(
        "[codes]\npause = \"*1\"\n",
        "13: pause = \"*1\" cannot be told from login = \"*11\"; choose codes of which none \
         begins with another",
    );
    one(
        "[codes]\nlogin = \"11\"\n",
        "13: login \"11\" is no code; write * or # and one to six digits, such as \"*11\"",
    );
    one(
        "[[line]]\nnumbers = [\"*99\"]\nto = \"sip:a@10.0.0.7\"\n[codes]\nlogin = \"*99\"\n",
        "16: login = \"*99\" hides the line with number *99; write another login under [codes]",
    );
}

#[test]
fn reasons_and_categories_have_digits_and_names_of_their_own() {
    one(
        "[[category]]\ndigit = \"1\"\nname = \"food\"\n[[category]]\ndigit = \"1\"\n\
         name = \"water\"\n",
        "16: digit \"1\" is already at f.toml:13; give each one of its own",
    );
    one(
        "[[reason]]\ndigit = \"10\"\nname = \"tea\"\n",
        "13: digit \"10\" is no digit; write one from \"0\" to \"9\"",
    );
    let settings =
        read("[[category]]\ndigit = \"1\"\nname = \"पानी\"\nenglish = \"Water\"\nstrike = true\n");
    let codes = settings.unwrap().call.codes;
    assert_eq!(codes.categories.len(), 1, "the usual ones are gone");
    assert!(codes.categories[0].strike && codes.categories[0].title == "पानी");
    assert_eq!(codes.reasons.len(), 5);
}

#[test]
fn two_agents_have_not_one_extension_and_an_agent_at_home_needs_a_route() {
    let agent = |id: &str, more: &str| {
        format!("[[agent]]\nid = \"{id}\"\nskills = [\"operator\"]\n{more}\n")
    };
    let two = agent("op2", "contact = \"sip:op2@10.0.0.6\"\nextension = \"21\"")
        + &agent("op3", "contact = \"sip:op3@10.0.0.7\"\nextension = \"21\"");
    one(
        &two,
        "21: extension 21 is already another agent's, at f.toml:16; give every agent an extension \
         of their own",
    );
    one(
        &agent("op2", "contact = \"tel:9826012345\""),
        "8: agent \"op2\" at +919826012345 cannot be rung: no-route; add a [[route]] with a prefix \
         of the number and this trunk",
    );
    one(
        &agent("op2", "contact = \"tel:181\""),
        "15: contact tel:181 is no telephone number; write one such as \"tel:+919826012345\"",
    );
    let route = "[[route]]\nprefixes = [\"+91\"]\ntrunk = \"bsnl\"\n";
    let home = agent("op2", "contact = \"tel:9826012345\"\ntrunk = \"bsln\"") + route;
    one(&home, "16: trunk \"bsln\" does not exist; did you mean \"bsnl\"?");
    let roams = agent("op2", "pin = \"1234\"");
    assert!(read(&roams).is_ok(), "an agent without a phone logs in at another's");
}

#[test]
fn a_phone_may_be_nobodys() {
    let phone = "[[phone]]\nid = \"desk9\"\ncontact = \"sip:desk9@10.0.0.9:5070\"\n";
    let settings = read(phone).unwrap();
    assert_eq!(settings.acd.agents.len(), 1);
    let users: Vec<&str> = settings.call.phones.iter().map(|phone| phone.user.as_str()).collect();
    assert_eq!(users, ["op1", "desk9"]);
    assert_eq!(settings.pins.len(), 1);
}
