//! `[in_call]`: the codes that an agent keys in while they talk.

use pukar::config::parse;

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
    let text =
        "[in_call]\nconsult = \"*21\"\nshort = { 1 = \"queue:health\" }\npark_for = \"60s\"\n";
    let settings = read(text).unwrap();
    let codes = &settings.call.in_call;
    assert_eq!((codes.consult.as_str(), codes.blind.as_str()), ("*21", "*4"));
    assert_eq!(codes.short["1"], "queue:health");
    one(
        "[in_call]\nblind = \"4\"\n",
        "2: blind \"4\" is no code; write a * and one to four digits, such as \"*2\"",
    );
    one(
        "[in_call]\nblind = \"*21\"\n",
        "2: blind \"*21\" and consult \"*2\" begin alike; give each a key of its own behind the *",
    );
}
