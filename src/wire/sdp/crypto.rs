//! Keys of sealed sound in a session description (RFC 4568): `a=crypto`, a line for each suite.
//!
//! In: the value of the attribute. Out: a [`Crypto`] with its key, or the [`Flaw`] for which it
//! cannot be used; and the other way round. A key is printed here and nowhere else: what has one
//! says so in its `Debug`, and no more. May import: base64.

use crate::wire::base64;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Display, Formatter};

/// How sound is sealed and proved: RFC 4568 section 6.2, RFC 7714 section 14.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Suite {
    Gcm128,
    Gcm256,
    /// AES in counter mode, with a tag of 80 bits; what every telephone has.
    Cm80,
    /// The same with a tag of 32 bits, which is 80 in reports.
    Cm32,
}

impl Suite {
    pub const ALL: [Self; 4] = [Self::Gcm128, Self::Gcm256, Self::Cm80, Self::Cm32];

    pub fn name(self) -> &'static str {
        match self {
            Self::Gcm128 => "AEAD_AES_128_GCM",
            Self::Gcm256 => "AEAD_AES_256_GCM",
            Self::Cm80 => "AES_CM_128_HMAC_SHA1_80",
            Self::Cm32 => "AES_CM_128_HMAC_SHA1_32",
        }
    }

    /// Octets of a master key and of its salt.
    pub fn lengths(self) -> (usize, usize) {
        match self {
            Self::Gcm128 => (16, 12),
            Self::Gcm256 => (32, 12),
            Self::Cm80 | Self::Cm32 => (16, 14),
        }
    }
}

/// A master key with its salt, for one suite.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Master {
    pub suite: Suite,
    /// What the suite has no need of is zero, here and in the salt.
    key: [u8; 32],
    salt: [u8; 14],
}

impl Master {
    /// `octets`: the key, and behind it the salt; `None` where they are not as many as the suite's.
    pub fn new(suite: Suite, octets: &[u8]) -> Option<Self> {
        let (key_length, salt_length) = suite.lengths();
        if octets.len() != key_length + salt_length {
            return None;
        }
        let (mut key, mut salt) = ([0; 32], [0; 14]);
        key[..key_length].copy_from_slice(&octets[..key_length]);
        salt[..salt_length].copy_from_slice(&octets[key_length..]);
        Some(Self { suite, key, salt })
    }

    pub fn key(&self) -> &[u8] {
        &self.key[..self.suite.lengths().0]
    }

    /// As the derivation of keys wants it: RFC 7714 section 11 puts zeros behind a shorter one.
    pub fn salt(&self) -> [u8; 14] {
        self.salt
    }
}

impl fmt::Debug for Master {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "a key for {}", self.suite.name())
    }
}

/// What stands before a key in a description.
const METHOD: &str = "inline:";

/// One `a=crypto` that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crypto {
    /// By which the answer names the line of the offer that it takes.
    pub tag: u32,
    pub master: Master,
}

/// Why an `a=crypto` cannot be used. RFC 4568 section 5.1.2: such a line is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Flaw {
    /// It is not what RFC 4568 section 9.1 prescribes.
    Malformed,
    /// A suite that we do not have.
    Suite,
    /// The key and the salt are not as long as the suite's.
    Length,
    /// Packets would name one of several keys (MKI).
    Several,
    /// Something is to be otherwise than usual, and must be: no encryption, a rate of new keys.
    Parameter,
}

impl Flaw {
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Malformed => "its a=crypto cannot be read",
            Self::Suite => "its a=crypto has no suite that is known here",
            Self::Length => "the key of its a=crypto is not as long as its suite wants",
            Self::Several => "its a=crypto has an MKI or several keys, which are not served here",
            Self::Parameter => "its a=crypto has a parameter that is not served here",
        }
    }
}

impl Crypto {
    /// `1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^20 WSH=64`
    pub fn parse(value: &str) -> Result<Self, Flaw> {
        let mut words = value.split_ascii_whitespace();
        let (tag, suite, keys) = match (words.next(), words.next(), words.next()) {
            (Some(tag), Some(suite), Some(keys)) => (tag, suite, keys),
            _ => return Err(Flaw::Malformed),
        };
        let digits = tag.len() <= 9 && tag.bytes().all(|octet| octet.is_ascii_digit());
        let tag = tag.parse().ok().filter(|_| digits).ok_or(Flaw::Malformed)?;
        let suite = Suite::ALL.into_iter().find(|known| known.name().eq_ignore_ascii_case(suite));
        let suite = suite.ok_or(Flaw::Suite)?;
        if keys.contains(';') {
            return Err(Flaw::Several);
        }
        let method = keys.get(..7).filter(|method| method.eq_ignore_ascii_case("inline:"));
        let inline = method.and_then(|_| keys.get(7..)).ok_or(Flaw::Malformed)?;
        let mut parts = inline.split('|');
        let octets = base64::decode(parts.next().unwrap_or_default()).ok_or(Flaw::Malformed)?;
        for part in parts {
            match part {
                mki if mki.contains(':') => return Err(Flaw::Several),
                // Whoever seals with it has to keep to it, and to come with another key in time.
                lifetime if is_lifetime(lifetime) => {}
                _ => return Err(Flaw::Malformed),
            }
        }
        if !words.all(is_idle) {
            return Err(Flaw::Parameter);
        }
        let master = Master::new(suite, &octets).ok_or(Flaw::Length)?;
        Ok(Self { tag, master })
    }
}

impl Display for Crypto {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Master { suite, key, salt } = &self.master;
        let (key_length, salt_length) = suite.lengths();
        let octets = [&key[..key_length], &salt[..salt_length]].concat();
        write!(f, "{} {} inline:{}", self.tag, suite.name(), base64::encode(&octets))
    }
}

/// The same text, of which nobody learns a key: for whoever shows messages.
pub fn without_keys(text: &str) -> String {
    let (mut shown, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.to_ascii_lowercase().find(METHOD) {
        let (before, key) = rest.split_at(at + METHOD.len());
        let of_key = |octet: &u8| octet.is_ascii_alphanumeric() || b"+/=".contains(octet);
        let end = key.bytes().take_while(of_key).count();
        shown.push_str(before);
        shown.push('…');
        rest = &key[end..];
    }
    shown.push_str(rest);
    shown
}

/// `2^20`, or a number.
fn is_lifetime(text: &str) -> bool {
    let number = text.strip_prefix("2^").unwrap_or(text);
    !number.is_empty() && number.len() <= 20 && number.bytes().all(|octet| octet.is_ascii_digit())
}

/// A session parameter that changes nothing here. RFC 4568 section 6.3.7: WSH is a hint, and what
/// begins with a dash may be passed over by whoever does not know it.
fn is_idle(parameter: &str) -> bool {
    let hint = parameter.get(..4).is_some_and(|name| name.eq_ignore_ascii_case("WSH="));
    hint || parameter.starts_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4568 section 6.1 has this key in its examples.
    const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

    fn line(suite: &str, rest: &str) -> String {
        format!("1 {suite} inline:{rest}")
    }

    #[test]
    fn a_line_reads_as_it_is_written_and_no_debug_has_the_key() {
        let text = line("AES_CM_128_HMAC_SHA1_80", KEY);
        let crypto = Crypto::parse(&text).unwrap();
        assert_eq!(crypto.to_string(), text);
        assert_eq!((crypto.tag, crypto.master.suite), (1, Suite::Cm80));
        assert_eq!((crypto.master.key().len(), crypto.master.salt().len()), (16, 14));
        assert!(crypto.master.key().starts_with(b"YS___"));
        let shown = format!("{crypto:?}");
        assert!(!shown.contains("89") && !shown.contains("YS_"), "{shown}");
        for suite in Suite::ALL {
            let (key, salt) = suite.lengths();
            let octets: Vec<u8> = (1..=(key + salt) as u8).collect();
            let own = Crypto { tag: 7, master: Master::new(suite, &octets).unwrap() };
            assert_eq!(Crypto::parse(&own.to_string()), Ok(own));
        }
    }

    #[test]
    fn what_changes_nothing_is_passed_over_and_what_we_lack_is_named() {
        let suite = "AES_CM_128_HMAC_SHA1_32";
        for fine in ["", "|2^20", "|1048576", " WSH=128", " -FUTURE=1", "|2^31 WSH=64 -X"] {
            let text = line(suite, &format!("{KEY}{fine}"));
            assert!(Crypto::parse(&text).is_ok(), "{fine}");
        }
        let of = |rest: &str| Crypto::parse(&line(suite, &format!("{KEY}{rest}"))).unwrap_err();
        for rest in ["|1:4", "|2^20|1:32", ";inline:QUJD"] {
            assert_eq!(of(rest), Flaw::Several, "{rest}");
        }
        for rest in [" UNENCRYPTED_SRTP", " KDR=1", " UNAUTHENTICATED_SRTP", " FEC_ORDER=FEC_SRTP"]
        {
            assert_eq!(of(rest), Flaw::Parameter, "{rest}");
        }
        assert_eq!(of("|2^x"), Flaw::Malformed);
        assert_eq!(Crypto::parse(&line(suite, "QUJD")), Err(Flaw::Length));
        assert_eq!(Crypto::parse(&line("AEAD_AES_256_GCM", KEY)), Err(Flaw::Length));
        assert_eq!(Crypto::parse(&line("F8_128_HMAC_SHA1_80", KEY)), Err(Flaw::Suite));
        for rubbish in ["", "1", "1 AES_CM_128_HMAC_SHA1_80", "x AES_CM_128_HMAC_SHA1_80 inline:Q"]
        {
            assert_eq!(Crypto::parse(rubbish), Err(Flaw::Malformed), "{rubbish}");
        }
        assert_eq!(Crypto::parse(&line(suite, "***")), Err(Flaw::Malformed));
        let uri = format!("1 {suite} uri:{KEY}");
        assert_eq!(Crypto::parse(&uri), Err(Flaw::Malformed));
    }

    #[test]
    fn what_shows_messages_shows_no_key() {
        let bytes = bytes::Bytes::from(format!("v=0\r\na=crypto:1 X inline:{KEY}|2^20\r\ns=-"));
        let shown = without_keys(&format!("{bytes:?} INLINE:{KEY} inline:"));
        assert_eq!(shown, "b\"v=0\\r\\na=crypto:1 X inline:…|2^20\\r\\ns=-\" INLINE:… inline:…");
        assert_eq!(without_keys("İnothing"), "İnothing");
    }

    proptest::proptest! {
        #[test]
        fn q45_no_text_brings_it_down(text in ".{0,120}") {
            let _ = Crypto::parse(&text);
            let _ = without_keys(&format!("{text}inline:{text}"));
        }
    }
}
