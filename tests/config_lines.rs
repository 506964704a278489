//! `[[line]]`: what a dialled number means, and what its callers want of their queue.

use pukar::config::{Settings, parse};

const AGENT: &str = "[[agent]]\nid = \"op1\"\ncontact = \"sip:op1@127.0.0.1:6001\"\n";

fn read(text: &str) -> Result<Settings, Vec<String>> {
    let files = [("f.toml".to_string(), text.to_string())];
    parse(&files, &|_| None).map_err(|all| all.iter().map(ToString::to_string).collect())
}

/// The one mistake in `text`.
fn one(text: &str, expected: &str) {
    assert_eq!(read(text).unwrap_err(), [format!("f.toml:{expected}")]);
}

#[test]
fn a_line_says_who_goes_first_and_in_which_languages() {
    let with = |more: &str| {
        format!(
            "{AGENT}skills = [\"a\"]\n[[queue]]\nname = \"q\"\nskills = [\"a\"]\n\
             [[line]]\nnumbers = [\"1098\"]\nqueue = \"q\"\n{more}"
        )
    };
    let more = "priority = 5\nemergency = true\nlanguages = [\"surgujia\", \"hi\"]\n";
    let wish = &read(&with(more)).unwrap().call.lines[0].wish;
    assert_eq!((wish.priority, wish.emergency), (5, true));
    assert_eq!(wish.languages, ["surgujia", "hi"]);
    assert_eq!(read(&with("")).unwrap().call.lines[0].wish, Default::default());
    one(&with("priority = 10\n"), "11: priority = 10 is out of range; write a number from 0 to 9");
    one(
        &with("languages = [\"lang:hi\"]\n"),
        "11: languages \"lang:hi\" is the skill of an agent; write \"hi\"",
    );
    one(
        &with("languages = [\"a\", \"b\", \"c\", \"d\", \"e\"]\n"),
        "11: 5 languages are too many; keep to 4",
    );
}
