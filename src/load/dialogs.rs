//! What every test phone does with the messages of a call, caller or agent: answers, goodbyes,
//! changed offers, acknowledgements.
//!
//! In: requests and responses. Out: requests and responses. May import: wire.

use super::clock::{MILLISECOND, SECOND};
use super::links::{Hop, Link};
use super::log::End;
use super::message;
use super::phones::{Alarm, Phones, State, Unacknowledged};
use super::sdp;
use super::transactions::{About, Fit};
use rsip::headers::UntypedHeader;
use rsip::message::HeadersExt;
use rsip::{Method, Request, Response};

const T1: u64 = 500 * MILLISECOND;

impl Phones<'_> {
    /// A request has come.
    pub fn asked(&mut self, hop: Hop, request: Request) {
        let Some(branch) = message::branch(&request) else {
            return self.faults.add(format!("{} without a branch", request.method));
        };
        let agent = self.links.is_agents(&hop);
        let class = match request.method {
            Method::Ack => Method::Invite,
            other => other,
        };
        let key = format!("{}|{class}|{branch}", u8::from(agent));
        let leg = self.calls.get(&(agent, message::call_id(&request))).copied();
        if request.method == Method::Ack {
            self.transactions.acknowledged(&key);
            return leg.into_iter().for_each(|leg| self.acknowledged(leg, &request));
        }
        if !self.transactions.is_new(self.now, &key, hop) {
            if let Some((hop, answer)) = self.transactions.again(&key) {
                let answer = answer.to_vec();
                self.send(&hop, &answer);
            }
            return;
        }
        match (request.method, leg) {
            (Method::Invite, None) if agent => self.offered(hop, request, key),
            (Method::Invite | Method::Update, Some(leg)) => self.changed(leg, request, key),
            (Method::Bye, Some(leg)) => self.said_bye(leg, &request, &key),
            (Method::Cancel, Some(leg)) => self.cancelled(leg, &request, &key),
            (Method::Info | Method::Notify | Method::PRack, Some(_)) | (Method::Options, _) => {
                self.reply(&request, &key, 200, None, "");
            }
            (_, known) => {
                let code = if known.is_some() { 501 } else { 481 };
                self.reply(&request, &key, code, None, "");
            }
        }
    }

    /// Answers on the transaction `key`.
    pub fn reply(
        &mut self,
        request: &Request,
        key: &str,
        code: u16,
        leg: Option<u32>,
        body: &str,
    ) -> Vec<u8> {
        let l = leg.map(|leg| &self.legs[leg as usize]);
        let contact = l.map(|l| l.dialog.contact.clone());
        let tag = l.map_or_else(|| format!("{:x}", self.nonce), |l| l.dialog.local_tag.clone());
        let bytes = message::respond(request, code, &tag, contact.as_deref(), body);
        let invite = request.method == Method::Invite;
        self.transactions.replied(self.now, key, code, invite, bytes.clone());
        if let Some((hop, answer)) = self.transactions.again(key) {
            let answer = answer.to_vec();
            self.send(&hop, &answer);
        }
        bytes
    }

    fn said_bye(&mut self, leg: u32, request: &Request, key: &str) {
        let known = self.legs[leg as usize].dialog.remote_tag.clone();
        let theirs = request.from_header().ok().and_then(|h| message::tag_of(h.value()));
        // RFC 3261 section 12.2.2: a dialog is Call-ID and both tags.
        if theirs != known {
            self.reply(request, key, 481, Some(leg), "");
            return self.faults.add("BYE with a foreign tag".into());
        }
        self.reply(request, key, 200, Some(leg), "");
        self.over(leg, End::Them);
    }

    fn cancelled(&mut self, leg: u32, request: &Request, key: &str) {
        self.reply(request, key, 200, Some(leg), "");
        if let Some((invite, invite_key)) = self.legs[leg as usize].invite.take() {
            self.reply(&invite, &invite_key, 487, Some(leg), "");
            self.legs[leg as usize].log.status = 487;
            self.over(leg, End::Them);
        }
    }

    /// re-INVITE or UPDATE: hold, resume, a new address, a refreshed session.
    fn changed(&mut self, leg: u32, request: Request, key: String) {
        let l = &mut self.legs[leg as usize];
        if l.state != State::Up {
            self.reply(&request, &key, 481, Some(leg), "");
            return;
        }
        if let Some(target) = message::contact(&request) {
            l.dialog.target = target;
        }
        let invite = request.method == Method::Invite;
        let (at, law) = (l.at, l.law);
        l.versions += 1;
        let version = l.versions;
        let body = if request.body.is_empty() {
            if invite { sdp::write(at, law, true, version, "sendrecv") } else { String::new() }
        } else {
            match sdp::read(&request.body, Some(law)) {
                Ok(far) => {
                    l.far = Some(far);
                    let direction = sdp::answer_direction(&request.body);
                    sdp::write(at, far.law, false, version, direction)
                }
                Err(why) => {
                    self.reply(&request, &key, 488, Some(leg), "");
                    return self.faults.add(format!("re-INVITE: {why}"));
                }
            }
        };
        let bytes = self.reply(&request, &key, 200, Some(leg), &body);
        if invite {
            self.await_ack(leg, bytes);
        }
        self.speak(leg);
    }

    fn acknowledged(&mut self, leg: u32, request: &Request) {
        let l = &mut self.legs[leg as usize];
        l.ok = None;
        if !request.body.is_empty() && l.state == State::Up {
            match sdp::read(&request.body, None) {
                Ok(far) => l.far = Some(far),
                Err(why) => self.faults.add(format!("ACK: {why}")),
            }
            self.speak(leg);
        }
    }

    /// RFC 3261 section 13.3.1.4: the 2xx is repeated until its ACK comes.
    pub fn await_ack(&mut self, leg: u32, bytes: Vec<u8>) {
        let (since, pause) = (self.now, T1);
        self.legs[leg as usize].ok = Some(Unacknowledged { bytes, since, pause });
        self.alarm(since + pause, Alarm::Repeat2xx(leg));
    }

    pub fn repeat_2xx(&mut self, leg: u32) {
        let now = self.now;
        let l = &mut self.legs[leg as usize];
        let Some(ok) = l.ok.as_mut() else { return };
        ok.pause = (ok.pause * 2).min(4 * SECOND);
        let (since, at) = (ok.since, now + ok.pause);
        let (hop, bytes) = (l.hop, ok.bytes.clone());
        if now - since > 64 * T1 {
            let who = l.log.who + 1;
            self.faults.add(format!("phone {who}: no ACK within 32 s"));
            return self.hang_up(leg);
        }
        if !matches!(hop.link, Link::Tcp(_)) {
            self.transactions.resent += 1;
            self.send(&hop, &bytes);
        }
        self.alarm(at, Alarm::Repeat2xx(leg));
    }

    /// BYE, if the call is up.
    pub fn hang_up(&mut self, leg: u32) {
        if self.legs[leg as usize].state != State::Up {
            return;
        }
        self.legs[leg as usize].dialog.cseq += 1;
        let seq = self.legs[leg as usize].dialog.cseq;
        self.request(leg, Method::Bye, seq, Vec::new());
        self.over(leg, End::Us);
    }

    /// Sends an in-dialog request with a transaction of its own.
    pub fn request(&mut self, leg: u32, method: Method, seq: u32, more: Vec<rsip::Header>) {
        let agent = self.legs[leg as usize].log.agent;
        let (via, branch) = self.via(agent);
        let hop = self.next_hop(leg);
        let request = self.legs[leg as usize].dialog.request(method, seq, &via, more);
        let bytes = message::request_bytes(request, "");
        self.send(&hop, &bytes);
        let about = About::Leg(leg, method);
        self.transactions.asked(self.now, &branch, hop, bytes, about);
    }

    /// Where in-dialog requests go: first route, else remote target, where they are addresses.
    pub fn next_hop(&mut self, leg: u32) -> Hop {
        let l = &self.legs[leg as usize];
        let (agent, hop) = (l.log.agent, l.hop);
        let route = l.dialog.routes.first().and_then(|r| {
            let uri = r.trim_start_matches('<').split('>').next()?;
            message::address_of(&rsip::Uri::try_from(uri).ok()?)
        });
        let to = route.or_else(|| message::address_of(&l.dialog.target));
        match (hop.link, to) {
            (Link::Udp(_), Some(to)) => self.links.dial(agent, to).unwrap_or(hop),
            _ => hop,
        }
    }

    /// A response has come.
    pub fn answered(&mut self, hop: Hop, response: &Response) {
        let code = response.status_code.code();
        let Some(branch) = message::branch(response) else {
            return self.faults.add(format!("{code} without a branch"));
        };
        // RFC 3261 section 9.1: a CANCEL has the branch of what it cancels.
        let branch = match message::cseq(response) {
            Some((_, Method::Cancel)) => format!("cancel|{branch}"),
            Some(_) => branch,
            None => return self.faults.add(format!("{code} without a CSeq")),
        };
        match self.transactions.answered(self.now, &branch, code) {
            Fit::News(About::Leg(leg, Method::Invite)) => {
                self.invite_answered(leg, hop, code, response, &branch);
            }
            Fit::Again(About::Leg(leg, Method::Invite)) if code < 300 => {
                if let Some((hop, ack)) = self.legs[leg as usize].ack.clone() {
                    self.send(&hop, &ack);
                }
            }
            Fit::Again(_) => {
                if let Some((hop, ack)) = self.transactions.ack_again(&branch) {
                    let ack = ack.to_vec();
                    self.send(&hop, &ack);
                }
            }
            Fit::News(About::Leg(leg, method)) if code >= 300 => {
                // RFC 3261 section 15: a BYE that crosses theirs gets 481.
                let crossed = matches!(method, Method::Bye | Method::Cancel) && code == 481;
                let who = self.legs[leg as usize].log.who + 1;
                if !crossed {
                    self.faults.add(format!("phone {who}: {method} got {code}"));
                }
            }
            Fit::News(About::Register(who)) => self.register_answered(who, code, response),
            Fit::News(About::Leg(..)) => {}
            Fit::Stray => self.faults.add(format!("stray {code}")),
        }
    }
}
