//! REFER inside the dialog, RFC 3515: the peer asks that somebody else be called in its place, and
//! is told how that goes.

use super::{Leg, Phase};
use crate::base::TransactionId;
use crate::sip::desk::{Desk, Wanted};
use crate::sip::request::{party_of, replaced};
use crate::sip::transaction::table::Purpose;
use crate::sip::{Body, Notice, Refer, tag};
use crate::wire::sip::{Message, Method, Name, Writer, phrase, unpercent};
use serde::{Deserialize, Serialize};

/// What became of a REFER so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Referral {
    /// It is not answered yet.
    pub transaction: Option<TransactionId>,
    /// The sequence number of the REFER, where the dialog has seen one before: what tells their
    /// subscriptions apart.
    pub id: Option<u32>,
    /// The peer wants to know how it goes, and has not heard the end.
    pub subscribed: bool,
    /// RFC 4488: it said `Refer-Sub: false`.
    pub silent: bool,
}

/// For how long the peer may count on being told, in seconds; longer than anybody rings.
const SUBSCRIBED: u32 = 300;

impl Leg {
    pub(super) fn referred(&mut self, desk: &mut Desk, message: &Message, id: TransactionId) {
        match &self.phase {
            Phase::Talking if !self.silent => {}
            Phase::Talking | Phase::Leaving | Phase::Gone => return self.reply(desk, id, 481),
            Phase::Calling(_) | Phase::Ringing(_) => return self.reply(desk, id, 403),
        }
        if self.referral.is_some_and(|before| before.transaction.is_some() || before.subscribed) {
            return self.reply(desk, id, 491);
        }
        // RFC 3515 section 2.4.1: "A REFER request ... MUST contain exactly one Refer-To header
        // field value"; section 2.4.2: "An agent responding to a REFER method MUST return a 400".
        let Some(to) = message.refer_to() else { return self.reply(desk, id, 400) };
        let asks = to.uri.params.get("method").unwrap_or("INVITE");
        if !asks.eq_ignore_ascii_case("INVITE") {
            return self.reply(desk, id, 501);
        }
        let mut headers = to.uri.header_pairs();
        let raw = headers.find(|(name, _)| name.eq_ignore_ascii_case("Replaces"));
        let raw = raw.map(|(_, value)| unpercent(value).into_owned());
        let replaces = raw.as_ref().map(|raw| replaced(raw.as_bytes()));
        if replaces == Some(None) {
            return self.reply(desk, id, 400);
        }
        let mut wishes = message.fields.named("Refer-Sub");
        let silent = wishes.any(|field| field.value.trim_ascii().starts_with(b"false"));
        self.referral = Some(Referral {
            transaction: Some(id),
            // Section 2.4.6: "A NOTIFY sent to refresh [...] the first REFER a UA receives in a
            // given dialog MAY include an id parameter"; those after it must.
            id: self.referral.map(|_| message.cseq.number),
            subscribed: !silent,
            silent,
        });
        let refer = Refer { to: party_of(&to.uri), replaces: replaces.flatten() };
        self.tell(desk, Notice::Referred { leg: desk.id, refer: Box::new(refer) });
    }

    pub fn answer_refer(&mut self, desk: &mut Desk, status: u16) {
        let Some(referral) = &mut self.referral else { return };
        let Some(transaction) = referral.transaction.take() else { return };
        let silent = referral.silent;
        referral.subscribed &= (200..=299).contains(&status);
        let own_tag = tag::tag(desk.id, self.secret);
        let contact = self.dialog.contact(&desk.net.settings);
        let fill = |writer: &mut Writer| {
            writer.header(Name::Contact, &contact);
            if silent {
                writer.header_named("Refer-Sub", "false");
            }
        };
        desk.respond(transaction, status, &own_tag, fill, None);
    }

    /// RFC 3515 section 2.4.4: "Each NOTIFY MUST contain a body of type message/sipfrag".
    pub fn report(&mut self, desk: &mut Desk, status: u16) {
        let Some(referral) = self.referral.as_mut().filter(|r| r.subscribed) else { return };
        let last = status >= 200;
        referral.subscribed = !last;
        let event = match referral.id {
            Some(id) => format!("refer;id={id}"),
            None => "refer".into(),
        };
        let state = match last {
            true => "terminated;reason=noresource".into(),
            false => format!("active;expires={SUBSCRIBED}"),
        };
        let line = format!("SIP/2.0 {status} {}\r\n", phrase(status));
        let kind = "message/sipfrag;version=2.0".into();
        let body = Body { kind, bytes: line.into_bytes().into() };
        let contact = self.dialog.contact(&desk.net.settings);
        let seq = self.dialog.next_seq();
        let (method, purpose) = (Method::Notify, Purpose::Notify);
        let wanted = Wanted { method, seq, purpose, body: Some(&body) };
        desk.request(&self.dialog, wanted, |writer| {
            writer.header(Name::Contact, &contact);
            writer.header(Name::Event, &event);
            writer.header(Name::SubscriptionState, &state);
        });
    }
}
