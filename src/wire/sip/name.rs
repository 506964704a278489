//! Header field names (RFC 3261 section 20 and its extensions), full and compact.

macro_rules! names {
    ($($(#[$doc:meta])* $variant:ident $text:literal;)*) => {
        /// A header field that the switch knows by name. Any other is [`Name::Other`]; its name is
        /// kept in the message.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Name {
            $($(#[$doc])* $variant,)*
            Other,
        }

        const ALL: &[(&str, Name)] = &[$(($text, Name::$variant),)*];
    };
}

names! {
    Accept "Accept";
    AcceptEncoding "Accept-Encoding";
    AcceptLanguage "Accept-Language";
    AlertInfo "Alert-Info";
    Allow "Allow";
    AllowEvents "Allow-Events";
    AuthenticationInfo "Authentication-Info";
    Authorization "Authorization";
    CallId "Call-ID";
    CallInfo "Call-Info";
    Contact "Contact";
    ContentDisposition "Content-Disposition";
    ContentEncoding "Content-Encoding";
    ContentLanguage "Content-Language";
    ContentLength "Content-Length";
    ContentType "Content-Type";
    CSeq "CSeq";
    Date "Date";
    Diversion "Diversion";
    ErrorInfo "Error-Info";
    Event "Event";
    Expires "Expires";
    From "From";
    HistoryInfo "History-Info";
    InReplyTo "In-Reply-To";
    MaxForwards "Max-Forwards";
    MimeVersion "MIME-Version";
    MinExpires "Min-Expires";
    MinSe "Min-SE";
    Organization "Organization";
    PAccessNetworkInfo "P-Access-Network-Info";
    PAssertedIdentity "P-Asserted-Identity";
    PCalledPartyId "P-Called-Party-ID";
    PChargingVector "P-Charging-Vector";
    PPreferredIdentity "P-Preferred-Identity";
    Path "Path";
    Priority "Priority";
    Privacy "Privacy";
    ProxyAuthenticate "Proxy-Authenticate";
    ProxyAuthorization "Proxy-Authorization";
    ProxyRequire "Proxy-Require";
    RAck "RAck";
    Reason "Reason";
    RecordRoute "Record-Route";
    ReferTo "Refer-To";
    ReferredBy "Referred-By";
    RemotePartyId "Remote-Party-ID";
    Replaces "Replaces";
    ReplyTo "Reply-To";
    Require "Require";
    RetryAfter "Retry-After";
    Route "Route";
    RSeq "RSeq";
    Server "Server";
    ServiceRoute "Service-Route";
    SessionExpires "Session-Expires";
    Subject "Subject";
    SubscriptionState "Subscription-State";
    Supported "Supported";
    Timestamp "Timestamp";
    To "To";
    Unsupported "Unsupported";
    UserAgent "User-Agent";
    Via "Via";
    Warning "Warning";
    WwwAuthenticate "WWW-Authenticate";
}

impl Name {
    /// The name that `raw` spells, whatever its case; compact forms too.
    pub fn find(raw: &[u8]) -> Name {
        if raw.len() < 2 {
            return raw.first().map_or(Name::Other, |&letter| compact(letter));
        }
        let Some(at) = SLOTS[slot(raw)].checked_sub(1) else {
            return Name::Other;
        };
        // Nearly everybody writes the name as the RFC does, and octets compare fast.
        let (text, name) = ALL[usize::from(at)];
        let same = text.as_bytes() == raw || text.as_bytes().eq_ignore_ascii_case(raw);
        if same { name } else { Name::Other }
    }

    /// The name as it is written; empty for [`Name::Other`].
    pub fn text(self) -> &'static str {
        ALL.get(self as usize).map_or("", |(text, _)| text)
    }

    /// Whether a message may hold this field only once (RFC 3261 section 7.3.1: the field's grammar
    /// is not a comma list). Two of them are two truths, and a guess which one holds. Fields that
    /// only inform, User-Agent and the like, may be doubled: no call should fail of it.
    pub(super) fn is_single(self) -> bool {
        use Name::*;
        matches!(
            self,
            CallId
                | ContentDisposition
                | ContentLength
                | ContentType
                | CSeq
                | Event
                | Expires
                | From
                | MaxForwards
                | MinExpires
                | MinSe
                | PCalledPartyId
                | RAck
                | ReferTo
                | ReferredBy
                | Replaces
                | ReplyTo
                | RetryAfter
                | RSeq
                | SessionExpires
                | SubscriptionState
                | To
        )
    }
}

/// Compact forms (RFC 3261 section 7.3.3 and the IANA registry).
fn compact(letter: u8) -> Name {
    match letter.to_ascii_lowercase() {
        b'b' => Name::ReferredBy,
        b'c' => Name::ContentType,
        b'e' => Name::ContentEncoding,
        b'f' => Name::From,
        b'i' => Name::CallId,
        b'k' => Name::Supported,
        b'l' => Name::ContentLength,
        b'm' => Name::Contact,
        b'o' => Name::Event,
        b'r' => Name::ReferTo,
        b's' => Name::Subject,
        b't' => Name::To,
        b'u' => Name::AllowEvents,
        b'v' => Name::Via,
        b'x' => Name::SessionExpires,
        _ => Name::Other,
    }
}

/// One slot for each name, found by length and three letters; built when compiled.
static SLOTS: [u8; SLOT_COUNT] = {
    let mut slots = [0; SLOT_COUNT];
    let mut at = 0;
    while at < ALL.len() {
        let raw = ALL[at].0.as_bytes();
        let place = slot(raw);
        assert!(slots[place] == 0, "two names share a slot: choose other multipliers");
        at += 1;
        slots[place] = at as u8;
    }
    slots
};
const SLOT_COUNT: usize = 256;

const fn slot(raw: &[u8]) -> usize {
    let (first, last) = ((raw[0] | 0x20) as usize, (raw[raw.len() - 1] | 0x20) as usize);
    let middle = (raw[raw.len() / 2] | 0x20) as usize;
    (raw.len() * 3 + first * 11 + last * 13 + middle * 3) % SLOT_COUNT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_any_case() {
        for (text, name) in ALL {
            assert_eq!(Name::find(text.as_bytes()), *name);
            assert_eq!(Name::find(text.to_uppercase().as_bytes()), *name);
            assert_eq!(name.text(), *text);
        }
        assert_eq!(Name::find(b"V"), Name::Via);
        for other in [&b"X-Anything"[..], b"", b"Vix", b"z", b"Content-Lengtj"] {
            assert_eq!(Name::find(other), Name::Other);
        }
        assert_eq!(Name::Other.text(), "");
    }
}
