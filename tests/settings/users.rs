//! `[[user]]`, `[admin] http` and `[reports]`: who may do what, and every way to say it wrong.

use pukar::config::{Role, parse};

/// `text` has exactly one mistake, and it reads `f.toml:` and `expected`.
#[track_caller]
fn one(text: &str, expected: &str) {
    let found = parse(&[("f.toml".into(), text.into())], &|_| None).expect_err("it has a mistake");
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found, [format!("f.toml:{expected}")]);
}

#[test]
fn users_have_a_role_a_ground_and_a_way_in() {
    let text = "[[queue]]\nname = \"q\"\n[[user]]\nname = \"deepa\"\nrole = \"supervisor\"\n\
        queues = [\"q\"]\nuid = 1001\ntoken = \"env:DEEPA\"\n[[user]]\nname = \"ana\"\n\
        role = \"analyst\"\nuid = 1002\n";
    let env = |name: &str| (name == "DEEPA").then(|| "long-enough".to_string());
    let settings = parse(&[("c".into(), text.into())], &env).unwrap();
    let [deepa, ana] = &settings.admin.users[..] else { panic!("two users") };
    assert_eq!((deepa.role, deepa.numbers, deepa.uid), (Role::Supervisor, true, Some(1001)));
    assert_eq!((ana.role, ana.numbers), (Role::Analyst, false));
    one(
        "[[user]]\nname = \"x\"\nrole = \"boss\"\nuid = 1\n",
        "3: role \"boss\" is no role; the roles are analyst, read-only, supervisor, administrator",
    );
    one(
        "[[user]]\nname = \"x\"\nrole = \"supervisor\"\n",
        "1: [[user]] has neither a uid nor a token, so nobody can be this user; write uid = 1001 \
         (the socket), or token = \"env:NAME\" (HTTP)",
    );
    one(
        "[[user]]\nname = \"x\"\nrole = \"analyst\"\nuid = 1\nnumbers = true\n",
        "5: an analyst never sees numbers; take it out, or make them read-only",
    );
    one(
        "[[user]]\nname = \"x\"\nrole = \"analyst\"\nuid = 1\nqueues = [\"q\"]\n",
        "5: queues: \"q\" does not exist; there are no queues yet",
    );
    one(
        "[admin]\nhttp = \"0.0.0.0:8080\"\n",
        "2: http \"0.0.0.0:8080\" is open to the network, and no [[user]] has a token; give a \
         [[user]] a token, or write http = \"127.0.0.1:8080\"",
    );
}

#[test]
fn a_token_that_stands_twice_is_never_repeated() {
    let user = |name: &str| {
        format!("[[user]]\nname = \"{name}\"\nrole = \"analyst\"\ntoken = \"correct-horse\"\n")
    };
    one(
        &format!("{}{}", user("a"), user("b")),
        "5: this token is already at f.toml:1; give every user a name, a uid and a token of their \
         own",
    );
}

#[test]
fn cut_offs_are_times_of_the_day() {
    let text = "[reports]\ncut_offs = [\"20:00\", \"08:00\"]\nshort_abandon = \"3s\"\n";
    let settings = parse(&[("f".into(), text.into())], &|_| None).unwrap();
    assert_eq!(settings.reports.cut_offs, [480, 1_200]);
    one(
        "[reports]\ncut_offs = [\"8\"]\n",
        "2: cut_offs \"8\" is no time of day; write it from \"00:00\" to \"23:59\"",
    );
}
