//! What a REGISTER asks for, and whether it may ask that.
//!
//! In: the request's fields as text. Out: one [`Wish`] each contact, or the refusal.

use crate::base::limits;
use crate::base::limits::BINDINGS_PER_AOR_MAX;
use crate::sip::Hop;
use crate::wire::sip::quoted;
use std::fmt::Write;
use std::time::Duration;

/// RFC 3261 section 20.19: "Malformed values SHOULD be treated as equivalent to 3600."
const HOUR: Duration = Duration::from_secs(3_600);

/// A REGISTER request of a user who may register this address of record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register<'a> {
    /// Decoded user part of To, which must be in our domain.
    pub user: &'a str,
    pub contacts: Contacts<'a>,
    /// The Expires header field, as text.
    pub expires: Option<&'a str>,
    pub call_id: &'a str,
    pub cseq: u32,
    pub hop: Hop,
    /// Supported has `outbound` (RFC 5626): only then does `reg-id` mean something.
    pub outbound: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contacts<'a> {
    /// `Contact: *`, and nothing else.
    All,
    /// As sent, in order. Empty: the request only asks.
    These(Vec<Asked<'a>>),
}

/// One value of Contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    /// What stands between the angle brackets, url-parameters and headers included, verbatim.
    pub uri: &'a str,
    /// Parameters of the header field, without their quotes.
    pub params: Vec<(&'a str, Option<&'a str>)>,
}

/// One contact that is to be bound for a while; zero: that is to go.
pub struct Wish<'a> {
    pub uri: &'a str,
    /// What returns with it in every list.
    pub params: String,
    pub instance: Option<(String, u32)>,
    pub expires: Duration,
}

impl Wish<'_> {
    pub fn lasts(&self) -> bool {
        !self.expires.is_zero()
    }
}

pub struct Refusal {
    pub status: u16,
    pub reason: &'static str,
    pub min_expires: Option<u32>,
}

impl Refusal {
    pub fn new(status: u16, reason: &'static str) -> Self {
        Self { status, reason, min_expires: None }
    }
}

/// `None`: all bindings are to go.
pub fn wishes<'a>(
    register: &Register<'a>,
    bounds: (Duration, Duration),
) -> Result<Option<Vec<Wish<'a>>>, Refusal> {
    let asked = match &register.contacts {
        // "The registrar checks whether the Expires header field has a value of zero."
        Contacts::All if register.expires.is_some_and(|e| e.trim() == "0") => return Ok(None),
        Contacts::All => return Err(Refusal::new(400, "Wildcard Needs Expires: 0")),
        Contacts::These(asked) => asked,
    };
    let wishes =
        asked.iter().map(|asked| wish(register, bounds, asked)).collect::<Result<Vec<_>, _>>()?;
    let lasting = wishes.iter().filter(|wish| wish.lasts()).count();
    let instances = wishes.iter().filter(|wish| wish.lasts() && wish.instance.is_some()).count();
    if lasting > BINDINGS_PER_AOR_MAX {
        return Err(Refusal::new(403, "Too Many Contacts"));
    }
    // RFC 5626 section 6: a reg-id stands alone.
    if instances > 0 && lasting > 1 {
        return Err(Refusal::new(400, "More Than One Contact With reg-id"));
    }
    Ok(Some(wishes))
}

fn wish<'a>(
    register: &Register,
    bounds: (Duration, Duration),
    asked: &Asked<'a>,
) -> Result<Wish<'a>, Refusal> {
    let params = kept(&asked.params);
    if asked.uri.len() + params.len() > limits::CONTACT_OCTETS_MAX {
        return Err(Refusal::new(400, "Contact Too Long"));
    }
    // What could leave the angle brackets would be another header in our answer.
    if asked.uri.is_empty() || asked.uri.contains(['<', '>', '\r', '\n']) {
        return Err(Refusal::new(400, "Bad Contact"));
    }
    Ok(Wish {
        uri: asked.uri,
        params,
        instance: instance(register, asked),
        expires: granted(asked.param("expires").or(register.expires), bounds)?,
    })
}

/// RFC 3261 section 10.3, step 6: the interval that is asked for, cut to what we grant.
fn granted(asked: Option<&str>, (least, most): (Duration, Duration)) -> Result<Duration, Refusal> {
    let span = asked.map_or(HOUR, seconds);
    if span.is_zero() {
        return Ok(span);
    }
    // "greater than zero AND smaller than one hour AND less than a registrar-configured minimum"
    if span < least && span < HOUR {
        let min_expires = u32::try_from(least.as_secs()).ok();
        return Err(Refusal { status: 423, reason: "Interval Too Brief", min_expires });
    }
    Ok(span.clamp(least, most.max(least)))
}

fn seconds(text: &str) -> Duration {
    let text = text.trim();
    if text.is_empty() || text.bytes().any(|c| !c.is_ascii_digit()) {
        return HOUR;
    }
    // More digits than a number has are a long time, not an error.
    Duration::from_secs(text.parse::<u32>().unwrap_or(u32::MAX).into())
}

/// RFC 5626 section 6: `reg-id` counts only beside `+sip.instance` and with `outbound` supported.
fn instance(register: &Register, asked: &Asked) -> Option<(String, u32)> {
    if !register.outbound {
        return None;
    }
    let instance = asked.param("+sip.instance")?.to_string();
    let reg_id = asked.param("reg-id")?.trim().parse().ok().filter(|&id| id > 0)?;
    Some((instance, reg_id))
}

/// The parameters that a later list repeats: all but `expires`, which it gives anew. They stay
/// parameters of the header field and never become the URI's (RFC 4475 section 3.3.12).
fn kept(params: &[(&str, Option<&str>)]) -> String {
    let mut text = String::new();
    for (name, value) in params.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("expires")) {
        text.push(';');
        text.push_str(name);
        if let Some(value) = value {
            text.push('=');
            push_value(&mut text, value);
        }
    }
    text
}

/// Bare where it is a token, quoted where it is not.
fn push_value(text: &mut String, value: &str) {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(c);
    if !value.is_empty() && value.chars().all(is_token) {
        text.push_str(value);
        return;
    }
    let _ = write!(text, "{}", quoted(value));
}

impl<'a> Asked<'a> {
    fn param(&self, name: &str) -> Option<&'a str> {
        self.params.iter().find(|(n, _)| n.eq_ignore_ascii_case(name))?.1
    }
}
