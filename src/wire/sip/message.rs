//! One SIP message (RFC 3261 section 7), read in one pass and checked.
//!
//! In: the octets of a datagram, or of one frame of a stream. Out: a [`Message`] that borrows from
//! them, or [`Rejected`] with what a stateless refusal needs. What the switch acts on is checked
//! here, strictly where a guess would be dangerous.

use super::address::{Contact, NameAddr};
use super::auth::Auth;
use super::fields::Fields;
use super::lex::{number, trim, whole_token};
use super::list::{List, Tokens};
use super::method::Method;
use super::name::Name;
use super::uri::Uri;
use super::values::{CSeq, RAck, Reason, SessionExpires, leading_seconds};
use super::via::Via;
use crate::base::limits::{SIP_MESSAGE_MAX, SIP_VALUES_MAX};

mod check;
pub(super) use check::content_length;

/// The first line.
#[derive(Clone, Copy, Debug)]
pub enum Start<'a> {
    Request {
        method: Method<'a>,
        uri: Uri<'a>,
    },
    /// The reason phrase is for people, and may be empty, or not even UTF-8.
    Response {
        status: u16,
        reason: &'a [u8],
    },
}

/// A sound message. An accessor's `None` means that the field is absent, or that it is malformed
/// and nothing hangs on it.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    pub start: Start<'a>,
    pub fields: Fields<'a>,
    pub body: &'a [u8],
    /// The first Via: who sent this, or, in a response, that it is for us.
    pub via: Via<'a>,
    pub from: NameAddr<'a>,
    pub to: NameAddr<'a>,
    pub call_id: &'a str,
    pub cseq: CSeq<'a>,
    raw: &'a [u8],
}

/// A message that is not to be acted on. A bad response is dropped; a bad request, other than an
/// ACK, is answered with `status` where [`Rejected::is_answerable`].
#[derive(Clone, Debug)]
pub struct Rejected<'a> {
    pub status: u16,
    /// What is wrong, in words for the reason phrase.
    pub reason: &'static str,
    pub is_request: bool,
    /// What a request line or CSeq says the method is; an ACK is never answered.
    pub method: Option<Method<'a>>,
    /// The header lines that could be read, for [`super::Writer::reply`] to copy from.
    pub fields: Fields<'a>,
}

impl<'a> Rejected<'a> {
    /// Whether a refusal can be sent: it is a request, no ACK, and has a Via, sound or not. Of the
    /// other lines the answer copies what is there (RFC 4475 section 3.3.1).
    pub fn is_answerable(&self) -> bool {
        let ack = self.method == Some(Method::Ack);
        self.is_request && !ack && self.fields.first(Name::Via).is_some()
    }

    /// The first Via, where it can be read at all.
    pub fn via(&self) -> Option<Via<'a>> {
        Via::parse(List::new(self.fields.first(Name::Via)?).next()?)
    }
}

impl<'a> Message<'a> {
    /// Reads one message. Empty lines before it are skipped (RFC 3261 section 7.5); octets after
    /// the body that Content-Length announces are ignored (section 18.3).
    pub fn parse(raw: &'a [u8]) -> Result<Message<'a>, Rejected<'a>> {
        check::parse(raw)
    }

    /// The method of a request, or the one that a response answers.
    pub fn method(&self) -> Method<'a> {
        self.cseq.method
    }

    pub fn is_request(&self) -> bool {
        matches!(self.start, Start::Request { .. })
    }

    /// Request-URI; `None` in a response.
    pub fn request_uri(&self) -> Option<Uri<'a>> {
        match self.start {
            Start::Request { uri, .. } => Some(uri),
            Start::Response { .. } => None,
        }
    }

    /// Status code; `None` in a request.
    pub fn status(&self) -> Option<u16> {
        match self.start {
            Start::Request { .. } => None,
            Start::Response { status, .. } => Some(status),
        }
    }

    /// The octets of the message, from its start line to the end of its body.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The value of the first field called `name`.
    pub fn header(&self, name: Name) -> Option<&'a [u8]> {
        self.fields.first(name)
    }

    /// The values of all fields called `name`, comma lists not split.
    pub fn headers(&self, name: Name) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.fields.all(name).map(|field| field.value)
    }

    /// The values of all fields called `name`, comma lists split, in order.
    pub fn values(&self, name: Name) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.headers(name).flat_map(List::new).take(SIP_VALUES_MAX)
    }

    pub fn vias(&self) -> impl Iterator<Item = Via<'a>> + '_ {
        self.values(Name::Via).filter_map(Via::parse)
    }

    pub fn contacts(&self) -> impl Iterator<Item = Contact<'a>> + '_ {
        self.values(Name::Contact).filter_map(Contact::parse)
    }

    /// The first contact that is an address: the remote target of a dialog.
    pub fn contact(&self) -> Option<NameAddr<'a>> {
        self.contacts().find_map(Contact::address)
    }

    /// The addresses in all fields called `name`: Route, Record-Route, Path, Diversion,
    /// History-Info, P-Asserted-Identity. Malformed ones are left out.
    pub fn addresses(&self, name: Name) -> impl Iterator<Item = NameAddr<'a>> + '_ {
        self.values(name).filter_map(NameAddr::parse)
    }

    pub fn routes(&self) -> impl Iterator<Item = NameAddr<'a>> + '_ {
        self.addresses(Name::Route)
    }

    pub fn record_routes(&self) -> impl Iterator<Item = NameAddr<'a>> + '_ {
        self.addresses(Name::RecordRoute)
    }

    /// P-Asserted-Identity (RFC 3325 section 9.1): one SIP address, one `tel:`, or both.
    pub fn p_asserted_identity(&self) -> impl Iterator<Item = NameAddr<'a>> + '_ {
        self.addresses(Name::PAssertedIdentity)
    }

    /// What carriers sent before RFC 3325 was obeyed, or send by mistake: Remote-Party-ID, and
    /// P-Preferred-Identity, which is a phone's wish to its own network.
    pub fn claimed_identity(&self) -> Option<NameAddr<'a>> {
        let mut claimed = self.addresses(Name::RemotePartyId);
        claimed.next().or_else(|| self.addresses(Name::PPreferredIdentity).next())
    }

    /// P-Called-Party-ID (RFC 7315 section 4.2).
    pub fn p_called_party_id(&self) -> Option<NameAddr<'a>> {
        NameAddr::parse(self.header(Name::PCalledPartyId)?)
    }

    /// Diversion (RFC 5806), newest first.
    pub fn diversion(&self) -> impl Iterator<Item = NameAddr<'a>> + '_ {
        self.addresses(Name::Diversion)
    }

    /// History-Info (RFC 7044), oldest first; `index` is among the parameters.
    pub fn history_info(&self) -> impl Iterator<Item = NameAddr<'a>> + '_ {
        self.addresses(Name::HistoryInfo)
    }

    pub fn refer_to(&self) -> Option<NameAddr<'a>> {
        NameAddr::parse(self.header(Name::ReferTo)?)
    }

    /// The tokens in all fields called `name`.
    pub fn tokens(&self, name: Name) -> impl Iterator<Item = &'a str> + '_ {
        Tokens::new(self.headers(name))
    }

    pub fn require(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.tokens(Name::Require)
    }

    pub fn proxy_require(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.tokens(Name::ProxyRequire)
    }

    pub fn supported(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.tokens(Name::Supported)
    }

    /// Privacy (RFC 3323 section 4.2): `id`, `header`, `none`, ...
    pub fn privacy(&self) -> impl Iterator<Item = &'a str> + '_ {
        Tokens::semicolons(self.headers(Name::Privacy))
    }

    /// Whether the peer understands or demands `option`.
    pub fn supports(&self, option: &str) -> bool {
        self.supported().chain(self.require()).any(|tag| tag.eq_ignore_ascii_case(option))
    }

    pub fn max_forwards(&self) -> Option<u8> {
        number(self.header(Name::MaxForwards)?)
    }

    /// Expires; a number too large means "as long as can be".
    pub fn expires(&self) -> Option<u32> {
        leading_seconds(self.header(Name::Expires)?)
    }

    pub fn min_expires(&self) -> Option<u32> {
        leading_seconds(self.header(Name::MinExpires)?)
    }

    /// Retry-After, its comment and parameters left out.
    pub fn retry_after(&self) -> Option<u32> {
        leading_seconds(self.header(Name::RetryAfter)?)
    }

    pub fn session_expires(&self) -> Option<SessionExpires> {
        SessionExpires::parse(self.header(Name::SessionExpires)?)
    }

    pub fn min_se(&self) -> Option<u32> {
        leading_seconds(self.header(Name::MinSe)?)
    }

    pub fn rseq(&self) -> Option<u32> {
        number(self.header(Name::RSeq)?)
    }

    pub fn rack(&self) -> Option<RAck<'a>> {
        RAck::parse(self.header(Name::RAck)?)
    }

    /// Reason (RFC 3326), one for each protocol.
    pub fn reasons(&self) -> impl Iterator<Item = Reason<'a>> + '_ {
        self.values(Name::Reason).filter_map(Reason::parse)
    }

    /// What Content-Length says, if it says anything; `body` obeys it.
    pub fn content_length(&self) -> Option<usize> {
        number(self.header(Name::ContentLength)?)
    }

    /// `type/subtype` of the body, without parameters.
    pub fn content_type(&self) -> Option<&'a str> {
        let value = self.header(Name::ContentType)?;
        let end = memchr::memchr(b';', value).unwrap_or(value.len());
        std::str::from_utf8(trim(&value[..end])).ok()
    }

    /// Whether the body is of this type, whatever its case.
    pub fn has_body(&self, kind: &str) -> bool {
        !self.body.is_empty() && self.content_type().is_some_and(|k| k.eq_ignore_ascii_case(kind))
    }

    pub fn authorization(&self) -> impl Iterator<Item = Auth<'a>> + '_ {
        self.auth(Name::Authorization)
    }

    pub fn proxy_authorization(&self) -> impl Iterator<Item = Auth<'a>> + '_ {
        self.auth(Name::ProxyAuthorization)
    }

    pub fn www_authenticate(&self) -> impl Iterator<Item = Auth<'a>> + '_ {
        self.auth(Name::WwwAuthenticate)
    }

    pub fn proxy_authenticate(&self) -> impl Iterator<Item = Auth<'a>> + '_ {
        self.auth(Name::ProxyAuthenticate)
    }

    fn auth(&self, name: Name) -> impl Iterator<Item = Auth<'a>> + '_ {
        self.headers(name).filter_map(Auth::parse)
    }

    /// Event, without its parameters.
    pub fn event(&self) -> Option<&'a str> {
        let value = self.header(Name::Event)?;
        whole_token(trim(value.split(|&b| b == b';').next()?))
    }
}

#[cfg(test)]
mod tests;
