//! Callers: they dial, wait, lose patience, talk, and hang up.
//!
//! In: alarms and answers to their INVITE. Out: INVITE, ACK, CANCEL, BYE. May import: wire.

use super::links::Hop;
use super::log::{End, GaveUp, LegLog};
use super::message::{self, Dialog};
use super::phones::{Alarm, Leg, Phones, Script, State};
use super::plan::Plan;
use super::sdp;
use super::transactions::About;
use crate::base::Rng;
use rsip::headers::UntypedHeader;
use rsip::message::{HasHeaders, HeadersExt};
use rsip::{Header, Method, Response, Uri};
use std::net::SocketAddr;

/// What each caller will do, drawn before the first call so that a seed fixes it.
pub(super) fn scripts(plan: &Plan, rng: &mut Rng) -> Vec<Script> {
    let script = |_| {
        let (impatient, patience) =
            (rng.chance(u64::from(plan.impatient_percent)), plan.patience.draw(rng));
        let (ends, talk) =
            (rng.chance(u64::from(plan.caller_ends_percent)), plan.manner.talk.draw(rng));
        Script { patience: impatient.then_some(patience), ends_after: ends.then_some(talk * 4 / 5) }
    };
    (0..plan.callers).map(script).collect()
}

impl Phones<'_> {
    /// A caller dials.
    pub fn place(&mut self, who: u32) {
        self.placed += 1;
        match self.try_place(who) {
            Ok(leg) => {
                self.send_invite(leg, None);
                if let Some(patience) = self.scripts[who as usize].patience {
                    self.alarm_in(patience, Alarm::Patience(leg));
                }
            }
            Err(why) => self.faults.add(format!("caller {}: {why}", who + 1)),
        }
    }

    fn try_place(&mut self, who: u32) -> Result<u32, String> {
        let say = |e: std::io::Error| e.to_string();
        let to = if self.plan.direct { self.links.local(true) } else { self.plan.target };
        let hop = self.links.dial(false, to).map_err(say)?;
        let number = if self.plan.direct {
            self.plan.agent_name(who % self.plan.agents)
        } else {
            self.plan.numbers[who as usize % self.plan.numbers.len()].clone()
        };
        let domain = match self.plan.domain.as_str() {
            "" => to.to_string(),
            given => given.to_string(),
        };
        let target = Uri::try_from(format!("sip:{number}@{domain}"))
            .map_err(|e| format!("`{number}` cannot be dialled: {e}"))?;
        let (slot, at) = self.plug_in(false).map_err(say)?;
        let leg = self.legs.len() as u32;
        let user = self.plan.caller_number(who);
        let dialog = Dialog {
            call_id: format!("{:x}-{leg}@load", self.nonce),
            local: format!("<sip:{user}@{}>", self.links.local(false).ip()),
            local_tag: format!("c{:x}", self.rng.bits()),
            remote: format!("<sip:{number}@{domain}>"),
            remote_tag: None,
            target,
            routes: Vec::new(),
            cseq: 0,
            contact: self.contact(false, &user),
        };
        let log = LegLog { who, leg, invited_at: self.now, ..LegLog::default() };
        let law = self.plan.callers_law;
        self.add_leg(log, dialog, hop, (slot, at), law);
        self.caller_legs.insert(who, leg);
        Ok(leg)
    }

    pub fn add_leg(
        &mut self,
        mut log: LegLog,
        dialog: Dialog,
        hop: Hop,
        (slot, at): (usize, SocketAddr),
        law: crate::wire::g711::Law,
    ) {
        let leg = log.leg;
        log.socket = slot;
        self.calls.insert((log.agent, dialog.call_id.clone()), leg);
        self.legs.push(Leg {
            log,
            dialog,
            hop,
            slot,
            at,
            law,
            far: None,
            state: State::Early,
            via: String::new(),
            invite_seq: 0,
            provisional: false,
            authorized: false,
            invite: None,
            ok: None,
            ack: None,
            versions: 1,
        });
        self.open += 1;
        self.speak(leg);
    }

    fn send_invite(&mut self, leg: u32, authorization: Option<Header>) {
        let (via, branch) = self.via(false);
        let l = &mut self.legs[leg as usize];
        l.dialog.cseq += 1;
        (l.via, l.invite_seq) = (via.clone(), l.dialog.cseq);
        let more = authorization.into_iter().collect();
        let request = l.dialog.request(Method::Invite, l.invite_seq, &via, more);
        let body = sdp::write(l.at, l.law, true, l.versions, "sendrecv");
        let (hop, bytes) = (l.hop, message::request_bytes(request, &body));
        self.send(&hop, &bytes);
        self.transactions.asked(self.now, &branch, hop, bytes, About::Leg(leg, Method::Invite));
    }

    pub fn invite_answered(
        &mut self,
        leg: u32,
        hop: Hop,
        code: u16,
        response: &Response,
        branch: &str,
    ) {
        let l = &mut self.legs[leg as usize];
        if code < 200 {
            let first = !std::mem::replace(&mut l.provisional, true);
            if first && l.state == State::Leaving {
                self.cancel(leg);
            }
            return;
        }
        l.log.status = code;
        if let Ok(to) = response.to_header() {
            l.dialog.remote_tag = message::tag_of(to.value());
        }
        if code >= 300 {
            return self.invite_refused(leg, hop, code, response, branch);
        }
        l.hop = hop;
        l.dialog.routes = message::record_routes(response.headers());
        l.dialog.routes.reverse();
        match message::contact(response) {
            Some(target) => l.dialog.target = target,
            None => self.faults.add(format!("{code} to INVITE without a Contact")),
        }
        self.send_ack(leg);
        self.connected(leg, response.body());
    }

    fn send_ack(&mut self, leg: u32) {
        let (via, _) = self.via(false);
        let hop = self.next_hop(leg);
        let l = &mut self.legs[leg as usize];
        let request = l.dialog.request(Method::Ack, l.invite_seq, &via, Vec::new());
        let bytes = message::request_bytes(request, "");
        l.ack = Some((hop, bytes.clone()));
        self.send(&hop, &bytes);
    }

    fn connected(&mut self, leg: u32, body: &[u8]) {
        let now = self.now;
        let l = &mut self.legs[leg as usize];
        let leaving = l.state == State::Leaving;
        l.state = State::Up;
        l.log.answered_at = Some(now);
        match sdp::read(body, None) {
            Ok(far) => l.far = Some(far),
            Err(why) => self.faults.add(format!("200 to INVITE: {why}")),
        }
        if leaving {
            // RFC 3261 section 9.1: the CANCEL came too late; the call is there, so BYE.
            self.hang_up(leg);
        } else {
            self.speak(leg);
            if self.plan.direct {
                self.meets_agent(leg);
            }
        }
    }

    fn invite_refused(&mut self, leg: u32, hop: Hop, code: u16, response: &Response, branch: &str) {
        let l = &self.legs[leg as usize];
        let ack = l.dialog.request(Method::Ack, l.invite_seq, &l.via, Vec::new());
        let ack = message::request_bytes(ack, "");
        self.send(&hop, &ack);
        self.transactions.keep_ack(branch, ack);
        let l = &mut self.legs[leg as usize];
        l.dialog.remote_tag = None;
        if matches!(code, 401 | 407) && !std::mem::replace(&mut l.authorized, true) {
            let (user, uri) = (self.plan.caller_number(l.log.who), l.dialog.target.to_string());
            if let Some(header) = self.authorization(response, &user, None, "INVITE", &uri) {
                return self.send_invite(leg, Some(header));
            }
        }
        self.over(
            leg,
            if self.legs[leg as usize].state == State::Leaving { End::Us } else { End::Refused },
        );
    }

    /// An agent is on the line: the caller will talk for as long as they meant to.
    pub fn meets_agent(&mut self, leg: u32) {
        let now = self.now;
        let l = &mut self.legs[leg as usize];
        l.log.served_at.get_or_insert(now);
        let script = &self.scripts[l.log.who as usize];
        if let Some(talk) = script.ends_after {
            self.alarm_in(talk, Alarm::TalkedOut(leg));
        }
    }

    /// Hangs up on a queue; at the end of the test also on an agent.
    pub fn give_up(&mut self, leg: u32, why: GaveUp) {
        let l = &mut self.legs[leg as usize];
        let served = l.log.served_at.or(l.log.voice_at).is_some();
        if served && why == GaveUp::Patience || l.log.ended_at.is_some() {
            return;
        }
        if !served {
            l.log.gave_up.get_or_insert(why);
        }
        match l.state {
            State::Up => self.hang_up(leg),
            State::Early => {
                l.state = State::Leaving;
                if l.provisional {
                    self.cancel(leg);
                }
            }
            State::Leaving | State::Over => {}
        }
    }

    /// RFC 3261 section 9.1: the CANCEL repeats the INVITE's Via and number.
    fn cancel(&mut self, leg: u32) {
        let l = &self.legs[leg as usize];
        let request = l.dialog.request(Method::Cancel, l.invite_seq, &l.via, Vec::new());
        let (hop, bytes) = (l.hop, message::request_bytes(request, ""));
        let branch = l.via.split("branch=").nth(1).and_then(|b| b.split(';').next());
        let name = format!("cancel|{}", branch.unwrap_or_default());
        self.send(&hop, &bytes);
        self.transactions.asked(self.now, &name, hop, bytes, About::Leg(leg, Method::Cancel));
    }
}
