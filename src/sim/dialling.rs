//! The caller's half of a simulated phone: what it makes of the responses to its requests.

use super::phone::{Do, Phone, cancel, repeat};
use super::session::{Line, Session, Stage};
use crate::base::Rng;
use crate::wire::sip::{Message, Method, Name};

impl Phone {
    pub fn line(&self) -> Line {
        Line { address: self.address, transport: self.transport }
    }

    pub(super) fn told(
        &mut self,
        call_id: &str,
        message: &Message,
        code: u16,
        rng: &mut Rng,
        out: &mut Vec<Do>,
    ) {
        let line = self.line();
        let Some(session) = self.sessions.get_mut(call_id) else { return };
        let tag = message.to.tag().unwrap_or_default();
        match (message.cseq.method, code) {
            (Method::Invite, 100..200) => {
                session.provisional = true;
                session.stop_repeating("INVITE");
                acknowledge_early(session, message, line, rng, out);
                if session.leaving && session.stage == Stage::Calling {
                    cancel(session, out);
                }
            }
            (Method::Invite, 200..300) => self.accepted(call_id, message, rng, out),
            (Method::Invite, _) => {
                session.stop_repeating("INVITE");
                let ack = session.ack_of_refusal(message);
                out.extend(ack.map(Do::Send));
                match session.stage {
                    Stage::Calling => session.stage = Stage::Over,
                    // RFC 3261 section 12.2.1.2: the other end knows nothing of this dialog.
                    Stage::Up if matches!(code, 408 | 481) => self.leave(call_id, rng, out),
                    Stage::Asked | Stage::Up | Stage::Leaving | Stage::Over => {}
                }
            }
            (Method::Prack, 200..) => session.stop_repeating("PRACK"),
            (Method::Bye, 200..) if !session.is_stranger(tag) => {
                session.stage = Stage::Over;
                session.repeating = None;
            }
            _ => {}
        }
    }

    fn accepted(&mut self, call_id: &str, message: &Message, rng: &mut Rng, out: &mut Vec<Do>) {
        let (line, never_acks) = (self.line(), self.habits.never_acks);
        let Some(session) = self.sessions.get_mut(call_id) else { return };
        let tag = message.to.tag().unwrap_or_default();
        let is_forgotten = session.stage == Stage::Over && !session.was_up;
        if session.is_stranger(tag) || is_forgotten {
            // A late repeat of the INVITE made a second call of it: settled as a fork would be,
            // RFC 3261 section 13.2.2.4. So is an answer to a call that was long given up.
            return settle(session, message, line, rng, out);
        }
        session.stop_repeating("INVITE");
        session.stop_repeating("PRACK");
        session.accepted = message.cseq.number;
        session.remote_tag = tag.into();
        let to = message.header(Name::To).unwrap_or_default();
        if session.stage == Stage::Calling {
            session.remote = String::from_utf8_lossy(to).into_owned();
        }
        if let Some(contact) = message.contact() {
            session.target = contact.uri.raw.to_string();
        }
        if !never_acks {
            // RFC 3261 section 13.2.2.4: the ACK of an INVITE without an offer has the answer.
            let answers = session.delayed && message.cseq.number == 1;
            let sdp = answers.then_some("sendrecv");
            let bytes = session.request("ACK", line, rng.bits(), sdp);
            out.push(Do::Send(bytes));
        }
        if session.stage == Stage::Calling {
            session.stage = Stage::Up;
            session.was_up = true;
        }
        if session.leaving && session.stage == Stage::Up {
            self.leave(call_id, rng, out);
        }
    }
}

/// PRACK for a reliable provisional response, in the early dialog that it opened (RFC 3262 section
/// 4).
fn acknowledge_early(
    session: &mut Session,
    message: &Message,
    line: Line,
    rng: &mut Rng,
    out: &mut Vec<Do>,
) {
    let Some(rseq) = message.rseq().filter(|&rseq| rseq > session.rseq) else { return };
    if session.stage != Stage::Calling {
        return;
    }
    session.rseq = rseq;
    let to = message.header(Name::To).unwrap_or_default();
    session.remote = String::from_utf8_lossy(to).into_owned();
    if let Some(contact) = message.contact() {
        session.target = contact.uri.raw.to_string();
    }
    let rack = format!("RAck: {rseq} {} INVITE\r\n", message.cseq.number);
    let bytes = session.request_with("PRACK", line, rng.bits(), (None, &rack));
    repeat(session, bytes, out);
}

/// ACK and BYE for a 2xx that opened a dialog nobody wants.
fn settle(session: &Session, message: &Message, line: Line, rng: &mut Rng, out: &mut Vec<Do>) {
    let to = message.header(Name::To).unwrap_or_default();
    let contact = message.contact().map(|contact| contact.uri.raw.to_string());
    let mut other = Session {
        remote: String::from_utf8_lossy(to).into_owned(),
        target: contact.unwrap_or_default(),
        accepted: message.cseq.number,
        cseq: message.cseq.number,
        ..session.clone()
    };
    for method in ["ACK", "BYE"] {
        let bytes = other.request(method, line, rng.bits(), None);
        out.push(Do::Send(bytes));
    }
}
