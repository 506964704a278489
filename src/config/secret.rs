//! Passwords: written out, or better `env:NAME`. None is ever repeated in a mistake.

use super::Env;
use super::mistake::{Wrong, wrong};
use super::section::{At, Section};
use crate::sip::{Login, Secret};

/// Shorter ones are found by guessing, and a guessed password is somebody else's trunk calls.
const SECRET_CHARS_MIN: usize = 8;
/// Half of 32 random bytes in hex; most of them in base64.
const MASTER_CHARS_MIN: usize = 32;

/// The text of a key that holds a secret, as written.
pub fn written(section: &mut Section, key: &'static str) -> Option<At<String>> {
    section.text(key, |raw| Ok(raw.to_string()))
}

/// What is written, or what the environment variable that it names holds.
pub fn look_up(raw: &str, env: Env) -> Result<String, Wrong> {
    match raw.strip_prefix("env:") {
        None => Ok(raw.to_string()),
        Some(name) if !is_variable(name) => {
            wrong("names no environment variable", "write it as \"env:OP1_SECRET\"")
        }
        Some(name) => env(name).map_or_else(
            || {
                let what = format!("is in the environment variable {name}, which is not set");
                wrong(what, format!("set {name} before starting pukar"))
            },
            Ok,
        ),
    }
}

/// The same, for one that we choose and strangers may guess at.
pub fn reveal(raw: &str, owner: &str, env: Env) -> Result<Secret, Wrong> {
    let secret = look_up(raw, env)?;
    if secret.chars().count() < SECRET_CHARS_MIN {
        let instead = format!("use at least {SECRET_CHARS_MIN} characters, best \"env:NAME\"");
        return wrong("is too short", instead);
    }
    if secret == owner {
        return wrong("is the name of its user", "choose one that cannot be guessed");
    }
    Ok(Secret(secret))
}

/// The same, for the one that files are sealed with: whoever has a file may guess as long and as
/// fast as they like.
pub fn master(raw: &str, env: Env) -> Result<Secret, Wrong> {
    let secret = look_up(raw, env)?;
    if secret.chars().count() < MASTER_CHARS_MIN {
        let instead = "write 32 random bytes, as `openssl rand -hex 32` or `-base64 32` prints \
                       them, best as \"env:NAME\"; what this one has sealed is opened by it as \
                       old_keys = [\"env:OLD\"]";
        return wrong("is short, and can be guessed by whoever has a file", instead);
    }
    Ok(Secret(secret))
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// `{ user = "…", secret = "…" }`.
pub fn login(section: &mut Section, key: &'static str, env: Env) -> Option<Login> {
    let table = section.table(key, "{ user = \"…\", secret = \"env:…\" }")?;
    let mut inner = Section::new(table, key, section.log);
    inner.missing("user", "\"…\"");
    inner.missing("secret", "\"env:NAME\"");
    let user = inner.text("user", |raw| Ok(raw.to_string()));
    let secret = written(&mut inner, "secret").and_then(|raw| {
        let owner = user.as_ref().map_or("", |user| &user.it);
        reveal(&raw.it, owner, env)
            .map_err(|w| inner.log.add(raw.place, format!("secret {}", w.what), w.instead))
            .ok()
    });
    inner.done();
    Some(Login { user: user?.it, secret: secret? })
}
