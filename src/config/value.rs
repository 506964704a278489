//! The words that a value may be written in: durations, addresses, names, numbers.

use super::mistake::{Wrong, choose, wrong};
use crate::base::text;
use crate::sip::Transport;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Characters in a name that people read.
const NAME_CHARS_MAX: usize = 64;
const UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// `20s`, `30m`, `1h30m`, `250ms`.
pub fn duration(text: &str) -> Result<Duration, Wrong> {
    if let Some(millis) = parts(text, false) {
        return Ok(Duration::from_millis(millis));
    }
    let instead = match parts(&text.to_lowercase().replace(' ', ""), true) {
        Some(millis) => format!("write \"{}\"", show(millis)),
        None => "write a number and a unit, such as \"20s\", \"30m\" or \"1h30m\"".into(),
    };
    wrong("is not a duration", instead)
}

/// The sum of number-and-unit pairs. `lenient` understands `sec`, `minutes` and no unit at all.
fn parts(text: &str, lenient: bool) -> Option<u64> {
    let (mut rest, mut sum) = (text, 0_u64);
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = rest[..digits].parse().ok()?;
        let tail = &rest[digits..];
        let letters = tail.len() - tail.trim_start_matches(char::is_alphabetic).len();
        let unit = match (&tail[..letters], lenient) {
            ("", true) => "s",
            ("msec" | "millis" | "milliseconds", true) => "ms",
            (word, true) if !word.starts_with("ms") => word.get(..1)?,
            (word, _) => word,
        };
        let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit)?;
        sum = sum.checked_add(number.checked_mul(*millis)?)?;
        rest = &tail[letters..];
    }
    (!text.is_empty()).then_some(sum)
}

/// Milliseconds as they would be written.
pub fn show(millis: u64) -> String {
    if millis == 0 {
        return "0s".into();
    }
    let mut rest = millis;
    let mut shown = String::new();
    for (name, unit) in UNITS.iter().rev().filter(|(name, _)| *name != "d") {
        if rest >= *unit {
            shown.push_str(&format!("{}{name}", rest / unit));
            rest %= unit;
        }
    }
    shown
}

/// Text that people read, in any script.
pub fn words(raw: &str) -> Result<String, Wrong> {
    if raw.trim().chars().count() > NAME_CHARS_MAX {
        return wrong("is too long", format!("write at most {NAME_CHARS_MAX} characters"));
    }
    Ok(text::clean(raw.trim(), NAME_CHARS_MAX))
}

/// A name that other keys and commands refer to: letters of any script, digits, `-`, `_`, `.`.
pub fn name(raw: &str) -> Result<String, Wrong> {
    let clean = words(raw)?;
    let fits = |c: char| !c.is_whitespace() && (!c.is_ascii_punctuation() || "-_.:".contains(c));
    if clean == raw && clean.chars().all(fits) {
        return Ok(clean);
    }
    let better: String = clean.chars().map(|c| if fits(c) { c } else { '-' }).collect();
    wrong("is no name", format!("write letters, digits and - . _ only, such as \"{better}\""))
}

/// A SIP user name.
pub fn user(raw: &str) -> Result<String, Wrong> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if raw.len() <= NAME_CHARS_MAX && raw.chars().all(fits) {
        return Ok(raw.into());
    }
    wrong("cannot be dialled", "write at most 64 of a-z, 0-9, - . _ and no space")
}

/// A number as dialled: `181`, `0755-181`, `+917552551234`, `helpline`.
pub fn number(raw: &str) -> Result<String, Wrong> {
    let rest = raw.strip_prefix('+').unwrap_or(raw);
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.*#".contains(c);
    if !rest.is_empty() && rest.len() <= NAME_CHARS_MAX && rest.chars().all(fits) {
        return Ok(raw.into());
    }
    let digits: String = raw.chars().filter(|c| fits(*c) || *c == '+').collect();
    wrong("cannot be dialled", format!("write the number without spaces, such as \"{digits}\""))
}

/// `min..=max` digits and nothing else.
pub fn digits(raw: &str, min: usize, max: usize) -> Result<String, Wrong> {
    if (min..=max).contains(&raw.len()) && raw.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(raw.into());
    }
    wrong("is not right", format!("write {min} to {max} digits"))
}

/// `udp:0.0.0.0:5060`.
pub fn listener(raw: &str) -> Result<(Transport, SocketAddr), Wrong> {
    let Some((scheme, rest)) = raw.split_once(':') else {
        return wrong("is no address to listen on", "write it as \"udp:0.0.0.0:5060\"");
    };
    let transport = match scheme {
        "udp" => Transport::Udp,
        "tcp" => Transport::Tcp,
        "tls" => Transport::Tls,
        "ws" | "wss" => {
            return wrong("is not supported yet", "listen on udp:, tcp: or tls: for now");
        }
        _ if scheme.parse::<IpAddr>().is_ok() => {
            return wrong("has no transport", format!("write \"udp:{raw}\" or \"tcp:{raw}\""));
        }
        _ => {
            let meant = choose(scheme, &["udp", "tcp", "tls"], "transports");
            return wrong("has an unknown transport", meant);
        }
    };
    Ok((transport, socket(rest).map_err(|w| prefixed(w, scheme))?))
}

fn prefixed(mut wrong: Wrong, scheme: &str) -> Wrong {
    wrong.instead = wrong.instead.replacen('"', &format!("\"{scheme}:"), 1);
    wrong
}

/// `127.0.0.1:8080`.
pub fn socket(raw: &str) -> Result<SocketAddr, Wrong> {
    match raw.parse::<SocketAddr>() {
        Ok(at) if at.port() == 0 => {
            wrong("has port 0", format!("write \"{}:5060\", or another fixed port", at.ip()))
        }
        Ok(at) => Ok(at),
        Err(_) if raw.parse::<IpAddr>().is_ok() => {
            wrong("has no port", format!("write \"{raw}:5060\", or another port"))
        }
        Err(_) => match raw.rsplit_once(':') {
            Some((host, port)) if host.parse::<IpAddr>().is_ok() => {
                let instead = format!("write \"{host}:5060\", or a port from 1 to 65535");
                wrong(format!("has a bad port {port}"), instead)
            }
            _ => wrong("is no address and port", "write \"127.0.0.1:5060\", numbers only"),
        },
    }
}

pub fn address(raw: &str) -> Result<IpAddr, Wrong> {
    match raw.parse() {
        Ok(address) => Ok(address),
        Err(_) => wrong("is no IP address", "write one such as \"10.0.0.5\", without a port"),
    }
}

/// `auto`, or an address that other machines can reach.
pub fn advertised(raw: &str) -> Result<Option<IpAddr>, Wrong> {
    if raw == "auto" {
        return Ok(None);
    }
    match raw.parse::<IpAddr>() {
        Ok(address) if !address.is_unspecified() && !address.is_multicast() => Ok(Some(address)),
        Ok(_) => wrong("reaches nobody", "write \"auto\", or the address that phones reach us at"),
        Err(_) => wrong("is no IP address", "write \"auto\", or an address such as \"10.0.0.5\""),
    }
}

/// A domain, a host name or an address, without a port.
pub fn domain(raw: &str) -> Result<String, Wrong> {
    if is_host(raw) {
        return Ok(raw.to_ascii_lowercase());
    }
    wrong("is no domain", "write one such as \"helpline.example\"")
}

pub fn is_host(raw: &str) -> bool {
    let label = |l: &str| {
        !l.is_empty()
            && l.len() <= 63
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    let bare = raw.strip_prefix('[').and_then(|r| r.strip_suffix(']')).unwrap_or(raw);
    let numeric = raw.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    bare.parse::<IpAddr>().is_ok() || !numeric && raw.len() <= 253 && raw.split('.').all(label)
}

/// `host`, `host:port`.
fn host_port(raw: &str) -> bool {
    raw.parse::<SocketAddr>().is_ok_and(|at| at.port() > 0)
        || is_host(raw)
        || raw.rsplit_once(':').is_some_and(|(host, port)| {
            is_host(host) && port.parse::<u16>().is_ok_and(|port| port > 0)
        })
}

/// A peer of a trunk: `host`, `host:port`, `udp:host:port`, `tcp:host:port`, `tls:host`.
pub fn peer(raw: &str) -> Result<String, Wrong> {
    let named = ["udp:", "tcp:", "tls:"].iter().find_map(|scheme| raw.strip_prefix(scheme));
    let bare = named.unwrap_or(raw);
    if host_port(bare) {
        return Ok(raw.into());
    }
    if ["ws:", "wss:"].iter().any(|scheme| raw.starts_with(scheme)) {
        return wrong("is not supported yet", "use udp:, tcp: or tls: for now");
    }
    let example = "write a host, \"host:port\" or \"tcp:host:port\", such as \"10.0.0.9:5060\"";
    wrong("is no address", example)
}

/// `sip:user@host:port`.
pub fn uri(raw: &str) -> Result<String, Wrong> {
    if raw.starts_with("sips:") || raw.starts_with("tel:") {
        return wrong("is not supported yet", "write \"sip:user@host:port\"");
    }
    let Some(rest) = raw.strip_prefix("sip:") else {
        return wrong("is no SIP URI", format!("write \"sip:{raw}\""));
    };
    let (rest, params) = rest.split_once(';').unwrap_or((rest, ""));
    let (user, host) = rest.split_once('@').unwrap_or(("x", rest));
    let user_fits = |c: char| c.is_ascii_alphanumeric() || "-_.!~*'()&=+$,;?/%:#".contains(c);
    let clean = !params.chars().any(|c| c.is_whitespace() || c.is_control() || c == '>');
    if !user.is_empty() && user.chars().all(user_fits) && host_port(host) && clean {
        return Ok(raw.into());
    }
    wrong("is no SIP URI", "write \"sip:user@host:port\", such as \"sip:op1@10.0.0.5:5060\"")
}

/// `20000-29999`: the first even, the last odd.
pub fn ports(raw: &str) -> Result<(u16, u16), Wrong> {
    let ends = raw.split_once('-').map(|(from, to)| (from.trim().parse(), to.trim().parse()));
    let Some((Ok(from), Ok(to))) = ends else {
        return wrong("is no port range", "write two ports up to 65535, such as \"20000-29999\"");
    };
    let (from, to): (u16, u16) = (from, to);
    if from < 1_024 {
        return wrong("begins below port 1024", "write a range such as \"20000-29999\"");
    }
    if from >= to {
        return wrong("ends before it begins", format!("write \"{to}-{from}\""));
    }
    if from % 2 == 1 || to % 2 == 0 {
        let (even, odd) = (from & !1, to | 1);
        let what = "does not begin even and end odd, as pairs of RTP and RTCP ports need";
        return wrong(what, format!("write \"{even}-{odd}\""));
    }
    Ok((from, to))
}

/// A language, as folders of prompts are called: `hi`, `en-IN`, `surgujia`.
pub fn language(raw: &str) -> bool {
    !raw.is_empty() && raw.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

/// The name of a prompt: a path below the prompts folder, without `.wav`.
pub fn prompt(raw: &str) -> Result<String, Wrong> {
    if let Some(bare) = raw.strip_suffix(".wav") {
        return wrong("ends in .wav", format!("write the name alone: \"{bare}\""));
    }
    let plain = |part: &str| !part.is_empty() && !part.starts_with('.');
    if raw.split('/').all(plain) && !raw.chars().any(|c| c.is_control() || c == '\\') {
        return Ok(text::name(raw));
    }
    wrong("is no prompt", "write its name below the prompts folder, such as \"hi/welcome\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        for (text, millis) in
            [("20s", 20_000), ("30m", 1_800_000), ("1h30m", 5_400_000), ("250ms", 250), ("0s", 0)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
            assert_eq!(show(millis), text);
        }
        for (text, instead) in [
            ("20", "\"20s\""),
            ("20 sec", "\"20s\""),
            ("1 hour 30 minutes", "\"1h30m\""),
            ("250 msec", "\"250ms\""),
            ("soon", "\"1h30m\""),
            ("-5s", "\"1h30m\""),
            ("99999999999999999999h", "\"1h30m\""),
        ] {
            let wrong = duration(text).unwrap_err();
            assert!(wrong.instead.contains(instead), "{text}: {}", wrong.instead);
        }
    }

    #[test]
    fn addresses_are_read_and_near_misses_are_set_right() {
        assert!(listener("udp:0.0.0.0:5060").is_ok() && listener("tcp:[::1]:5060").is_ok());
        for (text, instead) in [
            ("127.0.0.1:5060", "udp:127.0.0.1:5060"),
            ("upd:127.0.0.1:5060", "\"udp\""),
            ("udp:127.0.0.1", "\"udp:127.0.0.1:5060\""),
            ("udp:127.0.0.1:70000", "65535"),
            ("udp:localhost:5060", "numbers only"),
            ("udp:127.0.0.1:0", "fixed port"),
            ("wss:0.0.0.0:5061", "udp:, tcp: or tls:"),
        ] {
            let wrong = listener(text).unwrap_err();
            assert!(wrong.instead.contains(instead), "{text}: {}", wrong.instead);
        }
        for text in ["10.0.0.9", "10.0.0.9:5060", "tcp:sip.bsnl.example:5060", "udp:[::1]:5060"] {
            assert_eq!(peer(text).as_deref(), Ok(text));
        }
        for text in ["10.0.0", "10.0.0.9:0", "a b", "http://x", "-x", "10.0.0.300"] {
            assert!(peer(text).is_err(), "{text}");
        }
    }

    #[test]
    fn uris_ports_and_prompts_are_checked() {
        for text in ["sip:op1@127.0.0.1:6001", "sip:+91755@gw.example;transport=tcp", "sip:pbx"] {
            assert_eq!(uri(text).as_deref(), Ok(text));
        }
        for text in ["op1@127.0.0.1", "sip:", "sip:@x", "sip:a b@x", "sip:a@x:99999", "tel:181"] {
            assert!(uri(text).is_err(), "{text}");
        }
        assert_eq!(ports("20000-29999"), Ok((20_000, 29_999)));
        assert_eq!(ports("20001-29999").unwrap_err().instead, "write \"20000-29999\"");
        assert_eq!(ports("20000-30000").unwrap_err().instead, "write \"20000-30001\"");
        for text in ["20000", "29999-20000", "20000-70000", "500-600", "a-b"] {
            assert!(ports(text).is_err(), "{text}");
        }
        assert!(prompt("hi/welcome").is_ok() && prompt("../secret").is_err());
    }
}
