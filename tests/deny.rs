//! What `deny.toml` says of dependencies, held against what is really built: `cargo deny` does the
//! same and more, where it is installed.

use serde_json::Value;
use std::path::Path;
use std::process::Command;

struct Deny {
    licenses: Vec<String>,
    banned: Vec<String>,
}

fn names(value: Option<&toml::Value>, key: Option<&str>) -> Vec<String> {
    let list = value.and_then(toml::Value::as_array).into_iter().flatten();
    let name = |one: &toml::Value| match key {
        Some(key) => one.get(key)?.as_str().map(str::to_string),
        None => one.as_str().map(str::to_string),
    };
    list.filter_map(name).collect()
}

fn deny() -> Deny {
    let text = std::fs::read_to_string("deny.toml").unwrap();
    let deny: toml::Value = toml::from_str(&text).unwrap();
    let licenses = &deny["licenses"];
    let whole = deny["bans"]["deny"].as_array().unwrap().iter();
    // A ban of certain versions is for `cargo deny`.
    let whole: Vec<_> = whole.filter(|ban| ban.get("version").is_none()).cloned().collect();
    Deny {
        licenses: names(licenses.get("allow"), None),
        banned: names(Some(&toml::Value::Array(whole)), Some("name")),
    }
}

fn packages() -> Vec<Value> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let asked = ["metadata", "--locked", "--format-version", "1", "--filter-platform", &host];
    let answer = Command::new(cargo).args(asked).output().unwrap();
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    let all: Value = serde_json::from_slice(&answer.stdout).unwrap();
    all["packages"].as_array().unwrap().clone()
}

/// As the package says; or as its file begins, where it only names one.
fn license_of(package: &Value) -> String {
    if let Some(license) = package["license"].as_str() {
        return license.into();
    }
    let manifest = Path::new(package["manifest_path"].as_str().unwrap());
    let file = package["license_file"].as_str().map(|file| manifest.with_file_name(file));
    let text = file.and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
    match text.lines().next().map(str::trim) {
        Some("MIT License" | "The MIT License (MIT)") => "MIT".into(),
        Some(other) => other.into(),
        None => String::new(),
    }
}

/// Whether an SPDX expression leaves a choice that is allowed. AND binds closer than OR; older
/// crates write a slash for OR.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let (sound, rest) = any(&words, allowed);
    sound && rest.is_empty()
}

fn any<'a>(words: &'a [&'a str], allowed: &[String]) -> (bool, &'a [&'a str]) {
    let (mut sound, mut rest) = all(words, allowed);
    while let ["OR", more @ ..] = rest {
        let (other, after) = all(more, allowed);
        (sound, rest) = (sound || other, after);
    }
    (sound, rest)
}

fn all<'a>(words: &'a [&'a str], allowed: &[String]) -> (bool, &'a [&'a str]) {
    let (mut sound, mut rest) = one(words, allowed);
    while let ["AND", more @ ..] = rest {
        let (other, after) = one(more, allowed);
        (sound, rest) = (sound && other, after);
    }
    (sound, rest)
}

fn one<'a>(words: &'a [&'a str], allowed: &[String]) -> (bool, &'a [&'a str]) {
    match words {
        ["(", inner @ ..] => match any(inner, allowed) {
            (sound, [")", rest @ ..]) => (sound, rest),
            (_, rest) => (false, rest),
        },
        [license, "WITH", exception, rest @ ..] => {
            (allowed.contains(&format!("{license} WITH {exception}")), rest)
        }
        [license, rest @ ..] => (allowed.iter().any(|known| known == license), rest),
        // Something is missing here: what is left over makes it no expression.
        [] => (false, &[""]),
    }
}

#[test]
fn an_expression_is_read_as_spdx_has_it() {
    let allowed = ["MIT".to_string(), "ISC".to_string()];
    for sound in ["MIT", "GPL-3.0 OR MIT", "MIT/GPL-3.0", "(GPL-3.0 OR MIT) AND ISC", "MIT AND ISC"]
    {
        assert!(is_allowed(sound, &allowed), "{sound}");
    }
    for unsound in
        ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR ISC) AND X", "MIT OR", "(MIT", "MIT ISC"]
    {
        assert!(!is_allowed(unsound, &allowed), "{unsound}");
    }
}

#[test]
fn nothing_is_built_that_deny_toml_forbids() {
    let deny = deny();
    let packages = packages();
    assert!(packages.len() > 100 && !deny.banned.is_empty());
    let mut complaints = Vec::new();
    for package in &packages {
        let name = package["name"].as_str().unwrap();
        if deny.banned.iter().any(|banned| banned == name) {
            complaints.push(format!("{name} is banned"));
        }
        let license = license_of(package);
        if !is_allowed(&license, &deny.licenses) {
            complaints.push(format!("{name}: license {license:?} is not among those allowed"));
        }
        let source = package["source"].as_str().unwrap_or("registry+ of our own");
        if !source.starts_with("registry+") {
            complaints.push(format!("{name} comes from {source}"));
        }
    }
    assert!(complaints.is_empty(), "{complaints:#?}");
}
