//! `[records]` and `[[hold]]` as their users meet them: what is wrong is named with its line and
//! what to write instead, and no password is ever in it.

use pukar::config::{parse, parse_and_warn};

/// `text` has exactly one mistake, and it reads `f.toml:` and `expected`.
#[track_caller]
fn one(text: &str, expected: &str) {
    let mistakes = parse(&[("f.toml".into(), text.into())], &|_| None).unwrap_err();
    let mistakes: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    assert_eq!(mistakes, [format!("f.toml:{expected}")]);
}

#[test]
fn a_mistake_in_a_store_is_named_and_its_password_is_not() {
    one(
        "[records]\nstores = [\"postgres://pukar:hunter22@/calls\"]\n",
        "2: stores \"postgres://…@/calls\" names no host; write it as \
         \"postgres://USER:env:NAME@HOST/DATABASE\"",
    );
    one(
        "[records]\nstores = [\"nats://env:NOBODY@127.0.0.1\"]\n",
        "2: stores \"nats://…@127.0.0.1\" is in the environment variable NOBODY, which is not \
         set; set NOBODY before starting pukar",
    );
    one(
        "[records]\nstores = [\"jsonl:a\", \"csv:b\", \"jsonl:a\"]\n",
        "2: a store stands twice; take one out",
    );
    let text = "[records]\nstores = [\"postgres://pukar:hunter22@10.0.0.5/calls\"]\n";
    let settings = parse(&[("f.toml".into(), text.into())], &|_| None).unwrap();
    assert!(!format!("{settings:?}").contains("hunter22"));
    assert_eq!(settings.stores[0].place(), "postgres://10.0.0.5:5432/calls?switch=main");
}

#[test]
fn records_are_kept_as_long_as_is_said_and_holds_say_what_they_hold() {
    let text = "[records]\nkeep = \"2y\"\nkeep_lines = { \"104\" = \"forever\" }\n\
                keep_audit = \"5y\"\n\
                [[hold]]\nreason = \"WP 17\"\nline = \"181\"\nfrom = \"2026-01-01\"\n";
    let settings = parse(&[("f.toml".into(), text.into())], &|_| None).unwrap();
    assert_eq!((settings.retention.days, settings.retention.audit), (Some(732), Some(1_830)));
    assert_eq!(settings.retention.lines["104"], None);
    assert_eq!(settings.retention.holds[0].from.as_deref(), Some("2026-01-01"));
    one(
        "[records]\nkeep = \"2 years\"\n",
        "2: keep \"2 years\" is no span of years or days; write it as \"2y\", \"400d\" or \
         \"forever\"",
    );
    one(
        "[[hold]]\nreason = \"x\"\n",
        "1: [[hold]] holds nothing in particular; write a line, a call, a caller, or from and \
         until",
    );
}

#[test]
fn a_web_server_keeps_its_rows_by_itself_unless_it_is_asked_where_it_is() {
    let text = |purge: &str| {
        format!("[records]\nkeep = \"2y\"\nstores = [\"https://hook.example/in\"]\n{purge}")
    };
    let read = |purge: &str| parse_and_warn(&[("f.toml".into(), text(purge))], &|_| None);
    let (settings, warnings) = read("");
    assert_eq!(settings.unwrap().retention.web, []);
    let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        ["f.toml:3: https://hook.example:443/in keeps its rows by itself, whatever keep says; \
          write under purge where it is asked to take them out"]
    );
    let (settings, warnings) = read("purge = \"https://pukar:hunter22@hook.example/purges\"\n");
    let settings = settings.unwrap();
    assert_eq!((settings.retention.web[0].path.as_str(), warnings.len()), ("/purges", 0));
    assert!(!format!("{settings:?}").contains("hunter22"));
    one(
        &text("purge = [\"https://u:hunter22@other.example/purges\"]\n"),
        "4: no store is at https://other.example:443, which purge names; write the scheme, host \
         and port of one of stores",
    );
    one(
        &text("purge = [\"nats://u:hunter22@hook.example\"]\n"),
        "4: purge \"nats://…@hook.example\" is no address of a web server; write it as \
         \"https://env:TOKEN@HOST/PATH\"",
    );
}

#[test]
fn how_much_may_wait_for_a_store_has_a_limit_that_is_said_in_megabytes() {
    let text = "[records]\noutbox = 512\n";
    let settings = parse(&[("f.toml".into(), text.into())], &|_| None).unwrap();
    assert_eq!(settings.journal.outbox, 512 << 20);
    one(
        "[records]\noutbox = 1\n",
        "2: outbox = 1 is out of range; write a number from 64 to 1000000",
    );
}
