//! What arrives: requests to their transaction, dialog or method; responses to their transaction.
//! RFC 3261 sections 8.2, 12.2.2, 17.1.3, 17.2.3 and 18.
//!
//! In: the octets of one message and the hop it came by. Out: effects. May import: wire and base.

use super::agent::UserAgent;
use super::leg::{Leg, Phase};
use super::transaction::table::{Machine, Purpose, Told, Transaction, User};
use super::transaction::{ClientInput, ServerInput, server, server_invite};
use super::{Cause, Effect, Hop, Replaced};
use super::{compose, derive, net, stray, tag};
use crate::base::{Cx, LegId, TransactionId, limits};
use crate::wire::sip::{Message, Method, Name, Rejected, Writer};
use bytes::Bytes;

impl UserAgent {
    /// One datagram, or one message that a framer cut from a stream.
    pub fn receive(&mut self, cx: &mut Cx, hop: Hop, bytes: &[u8], out: &mut Vec<Effect>) {
        if let Some(flow) = hop.flow
            && self.net.table.flow_opened(flow, hop.peer)
            && self.trunk_at(&hop).is_some()
        {
            out.push(Effect::Keep { flow });
        }
        match Message::parse(bytes) {
            Ok(message) if message.is_request() => self.request(cx, hop, &message, out),
            Ok(message) => self.response(cx, hop, &message, out),
            Err(rejected) => self.rejected(hop, &rejected, out),
        }
    }

    /// A message that cannot be acted on is refused without leaving a trace here.
    fn rejected(&mut self, hop: Hop, rejected: &Rejected, out: &mut Vec<Effect>) {
        if rejected.is_answerable() {
            let via = rejected.via();
            let head = rejected.fields.first(Name::Via).unwrap_or_default();
            let call_id = rejected.fields.first(Name::CallId).unwrap_or_default();
            let tag = format!("{:x}", self.net.key.hash([call_id, head]) as u64);
            let status = (rejected.status, Some(rejected.reason));
            let (settings, fields) = (&self.net.settings, &rejected.fields);
            let writer = compose::response(settings, fields, via.as_ref(), &hop, status, &tag);
            // A Via that cannot be read does not say where to; the message came from somewhere.
            let hop = via.map_or(hop, |via| net::back(&via, &hop).0);
            out.push(Effect::Send { hop, bytes: compose::finish(writer, None) });
        }
        // RFC 3261 section 18.3: where a stream's length is in doubt, so is all that follows.
        let lost = !rejected.is_answerable() || rejected.reason.contains("Content-Length");
        if let Some(flow) = hop.flow.filter(|_| lost && rejected.is_request) {
            out.push(Effect::Close { flow });
        }
    }

    fn request(&mut self, cx: &mut Cx, hop: Hop, message: &Message, out: &mut Vec<Effect>) {
        let method = message.method();
        if method == Method::Ack {
            return self.ack(cx, message, out);
        }
        let key = self.key(message, method);
        if let Some(id) = self.net.table.server(key) {
            self.net.table.serve(cx, &self.net.settings, id, ServerInput::Request, out);
            return;
        }
        if method == Method::Cancel {
            return self.cancel(cx, hop, message, out);
        }
        // What belongs to a call may still be served when nothing new is: it is what ends calls.
        let most = match message.to.tag() {
            None => limits::TRANSACTIONS_MAX,
            Some(_) => limits::TRANSACTIONS_MAX + limits::TRANSACTIONS_MAX / 4,
        };
        if self.net.table.len() >= most {
            return self.busy(cx, hop, message, out);
        }
        if message.to.tag().is_none() {
            return self.outside(cx, hop, message, key, out);
        }
        let Some(leg) = self.leg_of(message) else {
            // "If the request ... does not match an existing dialog ... it MUST respond to the
            // request with a 481"
            return self.answer(hop, message, 481, |_| {}, out);
        };
        let user = User::Leg(leg, Purpose::Change);
        let id = self.open_server(message, hop, key, user);
        self.with_leg(cx, leg, out, |leg, desk| leg.within(desk, message, id, hop));
    }

    /// Never silence when there is too much: 503, and a random pause, so that not all come back at
    /// the same moment.
    pub(super) fn busy(&mut self, cx: &mut Cx, hop: Hop, message: &Message, out: &mut Vec<Effect>) {
        let seconds = 1 + cx.rng.below(10);
        let fill = |writer: &mut Writer| {
            writer.header(Name::RetryAfter, seconds);
        };
        self.answer(hop, message, 503, fill, out);
    }

    /// Answers, and leaves no trace: the same request gets the same answer again.
    pub(super) fn answer(
        &self,
        hop: Hop,
        message: &Message,
        status: u16,
        fill: impl FnOnce(&mut Writer),
        out: &mut Vec<Effect>,
    ) {
        let tag = self.stateless_tag(message);
        let status = (status, None);
        out.push(net::stateless(&self.net.settings, message, &hop, status, &tag, fill));
    }

    /// RFC 3261 section 8.2.7: "A stateless UAS MUST ... generate the same tag for each" repeat.
    pub(super) fn stateless_tag(&self, message: &Message) -> String {
        let parts = [message.call_id.as_bytes(), message.via.raw];
        format!("{:x}", self.net.key.hash(parts) as u64)
    }

    /// What RFC 3261 section 17.2.3 compares: branch, sent-by and method; without the magic cookie
    /// in the branch, what RFC 2543 compared. ACK and CANCEL ask for the key of their INVITE.
    pub(super) fn key(&self, message: &Message, method: Method) -> u128 {
        let via = &message.via;
        let sent_by = &via.raw[..via.raw.len() - via.params.raw().len()];
        if let Some(branch) = via.transaction() {
            let parts = [branch.as_bytes(), sent_by, method.as_str().as_bytes()];
            return self.net.key.hash(parts);
        }
        let uri = message.request_uri().map_or("", |uri| uri.raw);
        self.net.key.hash([
            via.raw,
            uri.as_bytes(),
            message.from.tag().unwrap_or_default().as_bytes(),
            message.call_id.as_bytes(),
            &message.cseq.number.to_be_bytes(),
            method.as_str().as_bytes(),
        ])
    }

    pub(super) fn open_server(
        &mut self,
        message: &Message,
        hop: Hop,
        key: u128,
        user: User,
    ) -> TransactionId {
        let machine = match message.method() {
            Method::Invite => Machine::ServerInvite(server_invite::State::Proceeding),
            _ => Machine::Server(server::State::Trying),
        };
        let (to, sent_by) = net::back(&message.via, &hop);
        let mut transaction = Transaction::client(machine, to, Bytes::new(), user, 0);
        transaction.source = hop;
        transaction.fallback = hop.transport.is_stream().then_some(sent_by);
        transaction.request = Bytes::copy_from_slice(message.raw());
        transaction.keys.own = key;
        if message.to.tag().is_none() {
            transaction.keys.merged = Some(self.merged_key(message));
        }
        self.net.table.open_server(transaction)
    }

    /// RFC 3261 section 8.2.2.2: "the From tag, Call-ID, and CSeq exactly match those associated
    /// with an ongoing transaction".
    pub(super) fn merged_key(&self, message: &Message) -> u128 {
        self.net.key.hash([
            &b"merged"[..],
            message.from.tag().unwrap_or_default().as_bytes(),
            message.call_id.as_bytes(),
            &message.cseq.number.to_be_bytes(),
            message.method().as_str().as_bytes(),
        ])
    }

    /// The leg whose dialog a request belongs to: To tag, Call-ID and From tag all match.
    fn leg_of(&self, message: &Message) -> Option<LegId> {
        let (id, secret) = tag::parse_tag(message.to.tag()?)?;
        let leg = self.legs.get(id)?;
        let from = message.from.tag().unwrap_or_default();
        let is_far = match message.method() {
            // From a phone whose answer we have never had.
            Method::Bye => is_far_tag(leg, from),
            _ => *leg.dialog.remote_tag == *from,
        };
        let same = leg.secret == secret && *leg.dialog.call_id == *message.call_id && is_far;
        same.then_some(id)
    }

    /// The leg whose place an INVITE with Replaces wants, or why it cannot be taken (RFC 3891
    /// section 3).
    pub fn replaced(&self, dialog: &Replaced) -> Result<LegId, u16> {
        let id = self.meant(dialog)?;
        // "If the Replaces header field matches an early dialog that was not initiated by this
        // UA, it returns a 481".
        let early = self.legs.get(id).is_some_and(|leg| matches!(leg.phase, Phase::Ringing(_)));
        if early { Err(481) } else { Ok(id) }
    }

    /// The leg that Replaces names; in a REFER it may be one that the sender still waits in.
    pub fn meant(&self, dialog: &Replaced) -> Result<LegId, u16> {
        let (id, secret) = tag::parse_tag(&dialog.local_tag).ok_or(481_u16)?;
        let same = |leg: &&Leg| {
            leg.secret == secret
                && *leg.dialog.call_id == *dialog.call_id
                && is_far_tag(leg, &dialog.remote_tag)
        };
        let leg = self.legs.get(id).filter(same).ok_or(481_u16)?;
        match &leg.phase {
            Phase::Ringing(_) => Ok(id),
            Phase::Calling(_) if !leg.silent => Ok(id),
            // "If the Replaces header field matches a confirmed dialog, it checks for the presence
            // of the "early-only" flag ... If the flag is present, the UA rejects the request with
            // a 486 Busy response."
            Phase::Talking if !leg.silent && dialog.early_only => Err(486),
            Phase::Talking if !leg.silent => Ok(id),
            // "If the Replaces header field matches a dialog which has already terminated, the UA
            // SHOULD decline the request with a 603 Declined response."
            Phase::Calling(_) | Phase::Talking | Phase::Leaving | Phase::Gone => Err(603),
        }
    }

    fn ack(&mut self, cx: &mut Cx, message: &Message, out: &mut Vec<Effect>) {
        let key = self.key(message, Method::Invite);
        if let Some(id) = self.net.table.server(key) {
            let input = ServerInput::Ack;
            let told = self.net.table.serve(cx, &self.net.settings, id, input, out);
            if told != Told::Response {
                return;
            }
        }
        if let Some(leg) = self.leg_of(message) {
            self.with_leg(cx, leg, out, |leg, desk| leg.acked(desk, message));
        }
    }

    /// RFC 3261 section 9.2.
    fn cancel(&mut self, cx: &mut Cx, hop: Hop, message: &Message, out: &mut Vec<Effect>) {
        let key = self.key(message, Method::Invite);
        let Some(id) = self.net.table.server(key) else {
            return self.answer(hop, message, 481, |_| {}, out);
        };
        let user = self.net.table.get(id).map(|kept| kept.user);
        let tag = match user {
            Some(User::Leg(leg, _)) => {
                self.legs.get(leg).map(|found: &Leg| tag::tag(leg, found.secret))
            }
            _ => None,
        };
        let tag = tag.unwrap_or_else(|| self.stateless_tag(message));
        let settings = &self.net.settings;
        out.push(net::stateless(settings, message, &hop, (200, None), &tag, |_| {}));
        let cause: Cause = compose::cause_of(message);
        if let Some(User::Leg(leg, purpose)) = user {
            self.with_leg(cx, leg, out, |leg, desk| match purpose {
                Purpose::Open => leg.cancelled(desk, cause),
                Purpose::Change
                | Purpose::Prack
                | Purpose::Bye
                | Purpose::Cancel
                | Purpose::Notify
                | Purpose::Probe => {
                    leg.asked_cancelled(desk, id);
                }
            });
        }
    }

    fn response(&mut self, cx: &mut Cx, _hop: Hop, message: &Message, out: &mut Vec<Effect>) {
        let Some(status) = message.status() else { return };
        // RFC 3261 section 8.1.3.3: "If more than one Via header field value is present in a
        // response, the UAC SHOULD discard the message."
        if message.vias().nth(1).is_some() {
            return;
        }
        let Some(id) = self.awaited(message) else { return };
        let input = match status {
            100..=199 => ClientInput::Provisional,
            200..=299 => ClientInput::Success,
            _ => ClientInput::Failure,
        };
        let Some(kept) = self.net.table.get_mut(id) else { return };
        let (user, hop, request) = (kept.user, kept.hop, kept.bytes.clone());
        if input == ClientInput::Failure
            && matches!(kept.machine, Machine::ClientInvite(_))
            && kept.is_waiting()
            && let Some(ack) = derive::ack(&request, message)
        {
            kept.bytes = ack;
        }
        let told = self.net.table.client(cx, &self.net.settings, id, input, out);
        if input == ClientInput::Provisional && matches!(user, User::Leg(_, Purpose::Change)) {
            // No person is asked about a re-INVITE: its final answer must not be long in coming.
            let input = ClientInput::Cancelled;
            self.net.table.client(cx, &self.net.settings, id, input, out);
        }
        if told == Told::Response {
            let sent = Sent { id, hop, request };
            match user {
                User::Nobody => {}
                User::Leg(leg, purpose) => {
                    self.leg_response(cx, (leg, purpose), sent, message, out);
                }
                User::Ping(trunk) => {
                    if status >= 200 {
                        let alive = status != 503 && status != 408;
                        self.ping_answered(cx, (trunk, hop), alive, out);
                    }
                }
                User::Phone(phone) if status >= 200 => self.phone_answered(cx, phone, true, out),
                User::Phone(_) => {}
                User::Register(trunk) => self.registered(cx, trunk, sent, message, out),
                User::Owed => self.owed_answered(id, Some((status, hop))),
            }
        }
    }

    /// The client transaction that a response is for (RFC 3261 section 17.1.3). Section 8.2.6.2:
    /// "The CSeq header field of the response MUST equal the CSeq field of the request."
    fn awaited(&self, message: &Message) -> Option<TransactionId> {
        let (id, secret) = tag::parse_branch(message.via.branch()?)?;
        let kept = self.net.table.get(id).filter(|t| t.is_client() && t.secret == secret)?;
        if derive::sequence(&kept.bytes) != Some(message.cseq.number) {
            return None;
        }
        let method = message.cseq.method;
        let invite = matches!(kept.machine, Machine::ClientInvite(_));
        match method {
            Method::Invite if invite => Some(id),
            Method::Cancel if invite => kept.cancel,
            _ if !invite && kept.bytes.starts_with(method.as_str().as_bytes()) => Some(id),
            _ => None,
        }
    }

    fn leg_response(
        &mut self,
        cx: &mut Cx,
        (leg, purpose): (LegId, Purpose),
        sent: Sent,
        message: &Message,
        out: &mut Vec<Effect>,
    ) {
        let id = sent.id;
        let success = message.status().is_some_and(|s| (200..=299).contains(&s));
        if success && message.method() == Method::Invite && !self.is_first(id, leg, message) {
            return self.further_answer(cx, id, message, out);
        }
        let user = User::Leg(leg, purpose);
        self.with_leg(cx, leg, out, |leg, desk| {
            let status = message.status().unwrap_or_default();
            // RFC 3261 section 22.1: a CANCEL "cannot be resubmitted".
            let own = !matches!(purpose, Purpose::Open | Purpose::Cancel);
            let again = matches!(status, 401 | 407) && own;
            if again && let Some(new) = leg.repeat_with_credentials(desk, &sent, user, message) {
                return leg.moved(id, new);
            }
            match (purpose, status) {
                (Purpose::Open, 100..=199) => leg.progressed(desk, message, id),
                (Purpose::Open, 200..=299) => leg.answered(desk, message, id),
                (Purpose::Open, _) => leg.failed(desk, id, status, Some(message)),
                (_, 100..=199) => {}
                (Purpose::Change, 200..=299) => leg.changed(desk, message, id),
                (Purpose::Change, _) => leg.change_failed(desk, id, status, Some(message)),
                (Purpose::Bye, _) => leg.left(),
                (Purpose::Probe, _) => leg.probed(desk, status),
                (Purpose::Prack | Purpose::Cancel | Purpose::Notify, _) => {}
            }
        });
    }

    /// Whether this 2xx is the first of its INVITE, and there is someone to have it.
    fn is_first(&mut self, id: TransactionId, leg: LegId, message: &Message) -> bool {
        let fork = stray::fork(&self.net, message);
        let alive = self.legs.contains(leg);
        let Some(kept) = self.net.table.get_mut(id).filter(|kept| kept.forks.is_empty()) else {
            return false;
        };
        // Nobody is there to take it: no fork is the one that was taken.
        kept.forks.push(if alive { fork } else { 0 });
        alive
    }

    /// A repeat of the 2xx that was taken gets its ACK again; any other is settled.
    fn further_answer(
        &mut self,
        cx: &mut Cx,
        id: TransactionId,
        message: &Message,
        out: &mut Vec<Effect>,
    ) {
        let fork = stray::fork(&self.net, message);
        let taken = self.net.table.get(id).and_then(|kept| kept.forks.first());
        match taken == Some(&fork) {
            true => self.net.table.send(id, out),
            false => stray::settle(&mut self.net, cx, message, id, out),
        }
    }
}

/// A request that was answered.
pub struct Sent {
    pub id: TransactionId,
    pub hop: Hop,
    pub request: Bytes,
}

/// Whether a dialog of this leg may have this remote tag. Those of early dialogs are kept only
/// where a reliable response opened one: our own tag has named the leg, and nobody can guess it.
fn is_far_tag(leg: &Leg, tag: &str) -> bool {
    let early = matches!(leg.phase, Phase::Calling(_)) && leg.dialog.remote_tag.is_empty();
    early || *leg.dialog.remote_tag == *tag
}
