//! `[in_call]` and the codes that an agent keys in while they talk.

use pukar::call::codes::Act;
use pukar::config::parse;
use std::time::Duration;

fn read(text: &str) -> Result<pukar::config::Settings, Vec<String>> {
    let read = parse(&[("f.toml".into(), text.into())], &|_| None);
    read.map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect())
}

/// `text` has exactly this mistake.
#[track_caller]
fn one(text: &str, expected: &str) {
    assert_eq!(read(text).expect_err("a mistake"), [format!("f.toml:{expected}")]);
}

#[test]
fn codes_that_are_keyed_in_during_a_call() {
    let text = "[codes]\nconsult = \"*21\"\n\
                [in_call]\nshort = { 1 = \"queue:health\" }\npark_for = \"60s\"\n";
    let settings = read(text).unwrap();
    let codes = &settings.call.codes;
    assert_eq!((codes.public(Act::Consult), codes.public(Act::Blind)), ("*21", "*4"));
    let own = &settings.call.in_call;
    assert_eq!((own.short["1"].as_str(), own.park_for), ("queue:health", Duration::from_secs(60)));
    one(
        "[codes]\nblind = \"4\"\n",
        "2: blind \"4\" is no code; write * or # and one to six digits, such as \"*11\"",
    );
    one(
        "[codes]\nblind = \"*21\"\n",
        "2: blind = \"*21\" cannot be told from consult = \"*2\"; choose codes of which none \
         begins with another",
    );
    one(
        "[codes]\nback = \"#9\"\n",
        "2: back = \"#9\" cannot be keyed in during a call, where # ends a code; write one that \
         begins with *",
    );
    one(
        "[in_call]\nshort = { a = \"queue:health\" }\n",
        "2: \"a\" cannot be keyed in; write digits, such as 1 = \"queue:health\"",
    );
}

#[test]
fn a_code_of_conversation_is_not_one_that_is_dialled_either() {
    one(
        "[codes]\npark = \"*1\"\n",
        "2: park = \"*1\" cannot be told from login = \"*11\"; choose codes of which none begins \
         with another",
    );
}
