//! Requests outside a dialog: RFC 3261 section 8.2, and who may make them.
//!
//! In: a request that no transaction and no dialog claims. Out: a refusal that leaves no trace, a
//! registration, or a new leg. May import: wire and base.

use super::access::{Knock, Verdict};
use super::agent::{UserAgent, bound};
use super::body::{self, Found};
use super::dialog::{Dialog, record_route};
use super::leg::{Abilities, Leg, Phase, Ringing};
use super::net::Give;
use super::registrar::{Asked, Contacts, Outcome, Register};
use super::session::{self, TooSmall};
use super::transaction::table::{Purpose, User};
use super::{Body, Effect, Hop, Invited, Notice, PEER, Party, Replaced, Source, Transport};
use super::{compose, route, tag};
use crate::base::{Cx, LegId, TransactionId, limits};
use crate::wire::sip::text;
use crate::wire::sip::{Contact, Message, Method, Name, NameAddr, Replaces, Scheme, Uri, Writer};

impl UserAgent {
    /// RFC 3261 section 8.2, in its order, except that a request is only worth a challenge when it
    /// could be served at all.
    pub(super) fn outside(
        &mut self,
        cx: &mut Cx,
        hop: Hop,
        message: &Message,
        key: u128,
        out: &mut Vec<Effect>,
    ) {
        let Some(uri) = message.request_uri() else { return };
        let method = message.method();
        let allow = |writer: &mut Writer| {
            writer.header(Name::Allow, compose::ALLOW);
        };
        match method {
            // Section 8.2.1: "If the UAS recognizes but does not support the method of a request,
            // it MUST generate a 405 ... MUST also add an Allow header field"; section 21.5.2 for
            // one that it does not recognize.
            Method::Other(_) => return self.answer(hop, message, 501, allow, out),
            // A call is referred by whoever is in it.
            Method::Refer => return self.answer(hop, message, 403, |_| {}, out),
            Method::Subscribe | Method::Message | Method::Publish => {
                return self.answer(hop, message, 405, allow, out);
            }
            // They belong to a dialog or transaction, and there is none.
            Method::Bye | Method::Prack | Method::Update | Method::Info | Method::Notify => {
                return self.answer(hop, message, 481, |_| {}, out);
            }
            Method::Ack | Method::Cancel => return,
            Method::Invite | Method::Options | Method::Register => {}
        }
        // Section 8.2.2.1: "If the Request-URI uses a scheme not supported by the UAS, it SHOULD
        // reject the request with a 416". A promise of secrecy is given over TLS alone, both to
        // whoever calls us so and to whoever wants to be answered so.
        let secret =
            |contact: Contact| contact.address().is_some_and(|a| a.uri.scheme == Scheme::Sips);
        let open = hop.transport != Transport::Tls;
        let unserved = matches!(uri.scheme, Scheme::Other(_));
        let promised = uri.scheme == Scheme::Sips || message.contacts().any(secret);
        if unserved || open && promised {
            return self.answer(hop, message, 416, |_| {}, out);
        }
        // Section 8.2.2.2: the same request came by another path.
        if self.net.table.server(self.merged_key(message)).is_some() {
            return self.answer(hop, message, 482, |_| {}, out);
        }
        let unknown = compose::unknown_options(message);
        if !unknown.is_empty() {
            let fill = |writer: &mut Writer| {
                writer.header(Name::Unsupported, unknown);
            };
            return self.answer(hop, message, 420, fill, out);
        }
        match method {
            Method::Options => self.options(hop, message, out),
            Method::Register => self.register(cx, hop, message, key, out),
            _ => self.invited(cx, hop, message, key, out),
        }
    }

    /// Section 11.2. It costs nothing: the answer is made anew for every repeat.
    fn options(&mut self, hop: Hop, message: &Message, out: &mut Vec<Effect>) {
        let fill = |writer: &mut Writer| {
            writer
                .header(Name::Allow, compose::ALLOW)
                .header(Name::Accept, compose::ACCEPT)
                .header(Name::Supported, compose::SUPPORTED_LINE);
        };
        self.answer(hop, message, 200, fill, out);
    }

    fn invited(
        &mut self,
        cx: &mut Cx,
        hop: Hop,
        message: &Message,
        key: u128,
        out: &mut Vec<Effect>,
    ) {
        if self.comes_back(message) {
            return self.answer(hop, message, 482, |_| {}, out);
        }
        // RFC 7332 section 3: a call that is handed on has a hop less to go, and none is left; it
        // has come in and gone out by ways that do not show, again and again.
        if message.max_forwards() == Some(0) {
            return self.answer(hop, message, 483, |_| {}, out);
        }
        let offer = match body::find(message) {
            Found::None => None,
            Found::Description(offer) => Some(offer),
            Found::TooLarge => return self.answer(hop, message, 513, |_| {}, out),
            // Section 8.2.3: "the UAS MUST reject the request with a 415 ... The response MUST
            // contain an Accept header field".
            Found::Unknown => {
                let fill = |writer: &mut Writer| {
                    writer.header(Name::Accept, compose::ACCEPT);
                };
                return self.answer(hop, message, 415, fill, out);
            }
        };
        if !accepts_sdp(message) {
            return self.answer(hop, message, 406, |_| {}, out);
        }
        let asked = super::leg::uas::asked_session(message);
        if let Err(TooSmall(least)) = session::agree(asked, self.net.wish(), None) {
            let fill = |writer: &mut Writer| {
                writer.header(Name::MinSe, least);
            };
            return self.answer(hop, message, 422, fill, out);
        }
        let Some(source) = self.source(cx, hop, message, out) else { return };
        let replaces = match self.replaces(message) {
            Ok(replaces) => replaces,
            Err(status) => return self.answer(hop, message, status, |_| {}, out),
        };
        if self.legs.len() >= limits::LEGS_MAX {
            return self.busy(cx, hop, message, out);
        }
        self.open_leg(cx, hop, message, key, (source, offer, replaces), out);
    }

    /// The leg whose place the call is to take (RFC 3891).
    fn replaces(&self, message: &Message) -> Result<Option<LegId>, u16> {
        let Some(raw) = message.header(Name::Replaces) else { return Ok(None) };
        let dialog = replaced(raw).ok_or(400_u16)?;
        self.replaced(&dialog).map(Some)
    }

    /// Whether an INVITE of ours that is still under way is this very one, come back to us.
    fn comes_back(&self, message: &Message) -> bool {
        message.vias().any(|via| {
            let named = via.branch().and_then(tag::parse_branch);
            named.is_some_and(|(id, secret)| self.net.table.is_ours(id, secret))
        })
    }

    /// On whose authority an INVITE comes. `None`: it was answered.
    fn source(
        &mut self,
        cx: &mut Cx,
        hop: Hop,
        message: &Message,
        out: &mut Vec<Effect>,
    ) -> Option<Source> {
        // A phone without a password that shares its host with a trunk is known by its very port.
        let from = message.from.uri.user_text();
        if self.rules.is_at_home(&from, hop.transport, hop.peer)
            && (hop.transport == Transport::Udp
                || self.trunks.whose(hop.transport, hop.peer).is_none())
        {
            return Some(Source::User(from.into_owned()));
        }
        if !self.claims_user(message)
            && let Some(trunk) = self.trunk_at(&hop)
        {
            return Some(Source::Trunk(trunk));
        }
        let user = self.authenticate(cx, hop, message, out);
        // A phone of ours at that address is asked for its password, and keeps its stream.
        if user.is_none()
            && !self.claims_user(message)
            && let Some(flow) = self.unasked(&hop)
        {
            // Over the next it is.
            out.push(Effect::Close { flow });
        }
        user.map(Source::User)
    }

    /// Whether From names one of our users in one of our domains: then even an address of a trunk
    /// has to prove it, for an agent's phone may sit behind the same address.
    fn claims_user(&self, message: &Message) -> bool {
        let uri = &message.from.uri;
        self.rules.has_user(&uri.user_text()) && uri.host.ip().is_none() && self.is_ours(uri)
    }

    /// The user whose password the request proves. `None`: it was answered, statelessly.
    fn authenticate(
        &mut self,
        cx: &mut Cx,
        hop: Hop,
        message: &Message,
        out: &mut Vec<Effect>,
    ) -> Option<String> {
        let values: Vec<_> = message.headers(Name::Authorization).map(text).collect();
        let answers: Vec<&str> = values.iter().map(|value| &**value).collect();
        // A phone registers what To names, and calls as what From names.
        let from = match message.method() {
            Method::Register => message.to.uri.user_text(),
            _ => message.from.uri.user_text(),
        };
        let knock = Knock {
            from: &from,
            method: message.method().as_str(),
            uri: message.request_uri().map_or("", |uri| uri.raw),
            answers: &answers,
            peer: hop.peer,
        };
        let retry = |seconds: Option<u32>| {
            move |writer: &mut Writer| {
                if let Some(seconds) = seconds {
                    writer.header(Name::RetryAfter, seconds);
                }
            }
        };
        match self.access.judge(cx, &self.rules, knock) {
            Verdict::Accept(user) => return Some(user),
            Verdict::Challenge { values, .. } => {
                let fill = |writer: &mut Writer| {
                    for value in &values {
                        writer.header(Name::WwwAuthenticate, value);
                    }
                };
                self.answer(hop, message, 401, fill, out);
            }
            Verdict::Forbid { retry_after, locked } => {
                self.answer(hop, message, 403, retry(retry_after), out);
                if let Some(user) = locked {
                    out.push(Effect::Notice(Notice::Locked { user, peer: hop.peer }));
                }
            }
            Verdict::Unfit => self.answer(hop, message, 400, |_| {}, out),
            Verdict::Busy { retry_after } => {
                self.answer(hop, message, 503, retry(Some(retry_after)), out);
            }
        }
        None
    }

    fn open_leg(
        &mut self,
        cx: &mut Cx,
        hop: Hop,
        message: &Message,
        key: u128,
        (source, offer, replaces): (Source, Option<Body>, Option<LegId>),
        out: &mut Vec<Effect>,
    ) {
        let id = self.legs.next_key();
        let secret = cx.rng.bits();
        out.extend(hop.flow.map(|flow| Effect::Keep { flow }));
        let user = User::Leg(id, Purpose::Open);
        let transaction = self.open_server(message, hop, key, user);
        let leg = self.new_leg(message, hop, (id, secret, transaction), &source, offer.is_some());
        let own_tag = tag::tag(id, secret);
        self.legs.insert(leg);
        self.with_leg(cx, id, out, |leg, desk| route::aim(desk, &mut leg.dialog, leg.fixed));
        let give = Give { status: 100, tag: &own_tag, body: None };
        self.net.give(cx, transaction, message, &give, |_| {}, out);
        if let Source::User(user) = &source {
            self.phone_heard(cx, user, out);
        }
        let invited = Invited { replaces, ..invited(message, hop, source, offer) };
        let invited = Box::new(invited);
        out.push(Effect::Notice(Notice::Invited { leg: id, invited }));
    }

    fn new_leg(
        &self,
        message: &Message,
        hop: Hop,
        (id, secret, transaction): (LegId, u64, TransactionId),
        source: &Source,
        offered: bool,
    ) -> Leg {
        let field = |name| text(message.header(name).unwrap_or_default());
        let contact = message.contact().filter(|c| hop.leads_to(&c.uri));
        let (fixed, trunk, user) = match source {
            Source::Trunk(trunk) => (false, Some(*trunk), None),
            Source::User(user) => (true, None, hop.flow.map(|_| user.as_str().into())),
        };
        // RFC 3261 section 12.1.1: "The remote target MUST be set to the URI from the Contact
        // header field of the request." Peers of RFC 2543 may send none; From is their next best.
        let target = contact.map_or(message.from.uri.raw, |contact| contact.uri.raw);
        let mut dialog = Dialog {
            call_id: message.call_id.into(),
            local: format!("{};tag={}", field(Name::To), tag::tag(id, secret)).into(),
            remote: field(Name::From).into(),
            remote_tag: message.from.tag().unwrap_or_default().into(),
            local_seq: 0,
            remote_seq: Some(message.cseq.number),
            target: target.into(),
            routes: record_route(message),
            hop,
            search: None,
            free: false,
            forwards: compose::FORWARDS,
            caller: false,
        };
        dialog.free = !fixed && route::is_free(&dialog);
        let reliable = message.require().any(|option| option.eq_ignore_ascii_case("100rel"));
        let asked = super::leg::uas::asked_session(message);
        let invite = (transaction, message.cseq.number);
        let ringing = Ringing::new(invite, asked, (offered, reliable));
        let mut leg = Leg {
            phase: Phase::Ringing(Box::new(ringing)),
            trunk,
            user,
            fixed,
            ..Leg::new(secret, dialog)
        };
        leg.peer = Abilities::default();
        leg.note_abilities(message);
        leg
    }

    /// RFC 3261 section 10.3.
    fn register(
        &mut self,
        cx: &mut Cx,
        hop: Hop,
        message: &Message,
        key: u128,
        out: &mut Vec<Effect>,
    ) {
        let aor = message.to.uri;
        if !aor.is_sip() || aor.user.is_none() {
            return self.answer(hop, message, 400, |_| {}, out);
        }
        if !self.is_ours(&aor) {
            return self.answer(hop, message, 404, |_| {}, out);
        }
        let Some(user) = self.authenticate(cx, hop, message, out) else { return };
        if user != aor.user_text() {
            return self.answer(hop, message, 403, |_| {}, out);
        }
        let Some(contacts) = contacts(message) else {
            return self.answer(hop, message, 400, |_| {}, out);
        };
        let expires = message.header(Name::Expires).map(text);
        let register = Register {
            user: &user,
            contacts,
            expires: expires.as_deref(),
            call_id: message.call_id,
            cseq: message.cseq.number,
            hop,
            outbound: message.supports("outbound"),
        };
        let outcome = self.registrar.register(cx, self.net.settings.register, &register);
        // The repeat of a REGISTER gets the answer that the first one got.
        let id = self.open_server(message, hop, key, User::Nobody);
        let tag = self.stateless_tag(message);
        match outcome {
            Outcome::Registered { contacts, outbound, change } => {
                out.extend(hop.flow.map(|flow| Effect::Keep { flow }));
                let fill = |writer: &mut Writer| {
                    for contact in &contacts {
                        writer.header(Name::Contact, contact);
                    }
                    if outbound {
                        writer.header(Name::Require, "outbound");
                    }
                };
                let give = Give { status: 200, tag: &tag, body: None };
                self.net.give(cx, id, message, &give, fill, out);
                bound(change, out);
                self.phone_heard(cx, register.user, out);
                self.pay(cx, register.user, out);
            }
            Outcome::Refused { status, min_expires, .. } => {
                let fill = |writer: &mut Writer| {
                    if let Some(seconds) = min_expires {
                        writer.header(Name::MinExpires, seconds);
                    }
                };
                let give = Give { status, tag: &tag, body: None };
                self.net.give(cx, id, message, &give, fill, out);
            }
        }
    }

    /// One of our domains, or an address: nobody but we would be asked at it.
    fn is_ours(&self, uri: &Uri) -> bool {
        let host = uri.host.to_string();
        let domains = &self.net.settings.domains;
        uri.host.ip().is_some()
            || domains.is_empty()
            || domains.iter().any(|domain| domain.eq_ignore_ascii_case(&host))
    }
}

/// The Contact values of a REGISTER. `None`: `*` beside others.
fn contacts<'a>(message: &'a Message<'a>) -> Option<Contacts<'a>> {
    let mut asked = Vec::new();
    let mut all = false;
    for contact in message.contacts() {
        match contact {
            Contact::All => all = true,
            Contact::At(address) => {
                let params = address.params.iter();
                let params = params.map(|p| (p.name, p.value.map(|_| p.bare()))).collect();
                asked.push(Asked { uri: address.uri.raw, params });
            }
        }
    }
    match (all, asked.is_empty()) {
        (true, true) => Some(Contacts::All),
        (true, false) => None,
        (false, _) => Some(Contacts::These(asked)),
    }
}

/// RFC 3261 section 20.1: without an Accept header field, application/sdp is assumed.
fn accepts_sdp(message: &Message) -> bool {
    let mut named = false;
    let accepted = message.values(Name::Accept).any(|value| {
        named = true;
        let kind = value.split(|&b| b == b';').next().unwrap_or_default().trim_ascii();
        let ranges = [&b"application/sdp"[..], b"application/*", b"*/*"];
        ranges.iter().any(|range| kind.eq_ignore_ascii_case(range))
    });
    accepted || !named
}

fn invited(message: &Message, hop: Hop, source: Source, offer: Option<Body>) -> Invited {
    let trusted = matches!(source, Source::Trunk(_));
    let asserted = message.p_asserted_identity().next();
    let asserted = asserted.or_else(|| message.claimed_identity()).filter(|_| trusted);
    // Diversion has the newest first, History-Info the oldest; a single entry of the latter only
    // says who is called now.
    let history: Vec<NameAddr> = message.history_info().collect();
    let oldest = history.first().filter(|_| history.len() > 1).copied();
    let diverted = message.diversion().last().or(oldest);
    let of_peer = |name: &[u8]| {
        let own = name.get(..PEER.len());
        trusted && own.is_some_and(|own| own.eq_ignore_ascii_case(PEER.as_bytes()))
    };
    let told = message.fields.iter().filter(|field| of_peer(field.raw_name));
    let told =
        told.map(|field| (text(field.raw_name).into_owned(), text(field.value).into_owned()));
    Invited {
        from: party(&message.from),
        to: party(&message.to),
        target: message.request_uri().map(|uri| party_of(&uri)).unwrap_or_default(),
        asserted: asserted.as_ref().map(party),
        called: message.p_called_party_id().as_ref().map(party),
        diverted: diverted.as_ref().map(party),
        told: told.take(limits::PEER_FIELDS_MAX).collect(),
        private: message.privacy().any(|p| ["id", "user", "header"].contains(&p)),
        source,
        hop,
        call_id: message.call_id.into(),
        forwards: message.max_forwards().unwrap_or(compose::FORWARDS).saturating_sub(1),
        replaces: None,
        offer,
    }
}

/// A dialog as Replaces names it.
pub(super) fn replaced(raw: &[u8]) -> Option<Replaced> {
    let replaces = Replaces::parse(raw)?;
    Some(Replaced {
        call_id: replaces.call_id.into(),
        local_tag: replaces.to_tag.into(),
        remote_tag: replaces.from_tag.into(),
        early_only: replaces.early_only,
    })
}

fn party(address: &NameAddr) -> Party {
    Party { display: address.display().into_owned(), ..party_of(&address.uri) }
}

pub(super) fn party_of(uri: &Uri) -> Party {
    Party { user: uri.user_text().into_owned(), host: uri.host.to_string(), display: String::new() }
}
