//! Agents: they register, ring, pick up, decline, let it ring, talk, and hang up.
//!
//! In: INVITE from the switch, alarms. Out: 180, 200, 486, BYE, REGISTER. May import: wire.

use super::clock::SECOND;
use super::digest::{self, Question};
use super::links::Hop;
use super::log::{End, LegLog};
use super::message::{self, Dialog};
use super::phones::{Alarm, Phones, State};
use super::sdp;
use super::transactions::About;
use rsip::headers::UntypedHeader;
use rsip::message::{HasHeaders, HeadersExt};
use rsip::{Header, Method, Request, Response, Uri};
use std::time::Duration;

const REGISTER_FOR: u32 = 3_600;

impl Phones<'_> {
    /// The switch offers a call to an agent.
    pub fn offered(&mut self, hop: Hop, request: Request, key: String) {
        let user = request.uri.user().unwrap_or_default().to_string();
        let Some(who) = self.plan.agent_of(&user) else {
            self.reply(&request, &key, 404, None, "");
            return self.faults.add(format!("INVITE for `{user}`, who is no agent here"));
        };
        if self.agents[who as usize].busy.is_some() {
            self.reply(&request, &key, 486, None, "");
            if !self.plan.direct {
                self.faults.add(format!("agent {} was offered a second call", who + 1));
            }
            return;
        }
        match self.new_offer(who, hop, &request, key.clone()) {
            Ok(leg) => {
                self.reply(&request, &key, 180, Some(leg), "");
                self.decide(leg);
            }
            Err(why) => {
                self.reply(&request, &key, 488, None, "");
                self.faults.add(format!("INVITE for agent {}: {why}", who + 1));
            }
        }
    }

    fn new_offer(
        &mut self,
        who: u32,
        hop: Hop,
        request: &Request,
        key: String,
    ) -> Result<u32, String> {
        let mut law = self.plan.agents_law;
        let far = match request.body.is_empty() {
            true => None,
            false => Some(sdp::read(&request.body, Some(law))?),
        };
        law = far.map_or(law, |f| f.law);
        let from = request.from_header().map_err(|e| e.to_string())?.value().to_string();
        let to = request.to_header().map_err(|e| e.to_string())?.value().to_string();
        let leg = self.legs.len() as u32;
        let dialog = Dialog {
            call_id: message::call_id(request),
            local: to,
            local_tag: format!("a{:x}", self.rng.bits()),
            remote_tag: message::tag_of(&from),
            remote: without_tag(&from),
            target: message::contact(request).ok_or("no Contact")?,
            routes: message::record_routes(&request.headers),
            cseq: 0,
            contact: self.contact(true, &self.plan.agent_name(who)),
        };
        let shown = message::user_of(&from).and_then(|user| self.plan.caller_of(&user));
        let jack = self.plug_in(true).map_err(|e| e.to_string())?;
        let invited_at = self.now;
        let log = LegLog { agent: true, who, leg, shown, invited_at, ..LegLog::default() };
        self.add_leg(log, dialog, hop, jack, law);
        let l = &mut self.legs[leg as usize];
        (l.far, l.invite) = (far, Some((request.clone(), key)));
        self.agents[who as usize].busy = Some(leg);
        Ok(leg)
    }

    fn decide(&mut self, leg: u32) {
        let manner = self.plan.manner;
        let ring = manner.ring.draw(&mut self.rng);
        let luck = self.rng.below(100);
        let decline = u64::from(manner.decline_percent);
        if luck < decline {
            self.alarm_in(ring, Alarm::Decline(leg));
        } else if luck >= decline + u64::from(manner.ignore_percent) {
            self.alarm_in(ring, Alarm::PickUp(leg));
        }
    }

    pub fn refuse(&mut self, leg: u32, code: u16) {
        if let Some((request, key)) = self.legs[leg as usize].invite.take() {
            self.reply(&request, &key, code, Some(leg), "");
            self.legs[leg as usize].log.status = code;
            self.over(leg, End::Refused);
        }
    }

    /// 200, and voice at once, as telephones do.
    pub fn pick_up(&mut self, leg: u32) {
        let now = self.now;
        let l = &mut self.legs[leg as usize];
        let Some((request, key)) = l.invite.take() else { return };
        let body = sdp::write(l.at, l.law, l.far.is_none(), l.versions, "sendrecv");
        let bytes = self.reply(&request, &key, 200, Some(leg), &body);
        let l = &mut self.legs[leg as usize];
        l.state = State::Up;
        (l.log.answered_at, l.log.status) = (Some(now), 200);
        let shown = l.log.shown;
        self.await_ack(leg, bytes);
        let talk = self.plan.manner.talk.draw(&mut self.rng);
        self.alarm_in(talk, Alarm::TalkedOut(leg));
        self.speak(leg);
        let caller = shown.and_then(|who| self.caller_legs.get(&who).copied());
        if let Some(caller) = caller
            && self.legs[caller as usize].log.ended_at.is_none()
        {
            let log = &mut self.legs[caller as usize].log;
            if !self.plan.media {
                self.meets_agent(caller);
            } else {
                log.served_at.get_or_insert(now);
            }
        }
    }

    /// Registers an agent's phone, with an answer to the last challenge if there was one.
    pub fn register(&mut self, who: u32) {
        let name = self.plan.agent_name(who);
        let target = self.plan.target;
        let domain = match self.plan.domain.as_str() {
            "" => target.to_string(),
            given => given.to_string(),
        };
        let Ok(hop) = self.links.dial(true, target) else {
            self.faults.add(format!("agent {}: cannot reach {target}", who + 1));
            return self.registration_done();
        };
        let (via, branch) = self.via(true);
        let contact = self.contact(true, &name);
        let tag = format!("r{:x}", self.rng.bits());
        let nonce = self.nonce;
        let agent = &mut self.agents[who as usize];
        let dialog = &mut agent.dialog;
        if dialog.call_id.is_empty() {
            dialog.call_id = format!("{nonce:x}-r{who}@load");
            dialog.local = format!("<sip:{name}@{domain}>");
            dialog.remote = dialog.local.clone();
            dialog.target = Uri::try_from(format!("sip:{domain}")).unwrap_or_default();
        }
        (dialog.local_tag, dialog.contact) = (tag, contact);
        dialog.cseq += 1;
        let mut more = vec![rsip::headers::Expires::new(REGISTER_FOR.to_string()).into()];
        if let Some(value) = agent.authorization.take() {
            more.push(rsip::headers::Authorization::new(value).into());
        }
        let request = agent.dialog.request(Method::Register, agent.dialog.cseq, &via, more);
        let bytes = message::request_bytes(request, "");
        self.send(&hop, &bytes);
        self.transactions.asked(self.now, &branch, hop, bytes, About::Register(who));
    }

    pub fn register_answered(&mut self, who: u32, code: u16, response: &Response) {
        if code < 200 {
            return;
        }
        if matches!(code, 401 | 407) && self.agents[who as usize].refused < 2 {
            self.agents[who as usize].refused += 1;
            let (name, uri) =
                (self.plan.agent_name(who), self.agents[who as usize].dialog.target.to_string());
            let header = self.authorization(response, &name, Some(who), "REGISTER", &uri);
            if let Some(Header::Authorization(value)) = header {
                self.agents[who as usize].authorization = Some(value.value().to_string());
                return self.register(who);
            }
        }
        let first = !self.agents[who as usize].registered;
        if code < 300 {
            self.agents[who as usize].registered = true;
            self.agents[who as usize].refused = 0;
            let refresh = Duration::from_secs(u64::from(REGISTER_FOR) / 2);
            self.alarm_in(refresh, Alarm::Register(who));
        } else {
            self.faults.add(format!("agent {}: REGISTER got {code}", who + 1));
        }
        if first {
            self.registration_done();
        }
    }

    /// The answer to a challenge, as a header.
    pub fn authorization(
        &mut self,
        response: &Response,
        user: &str,
        agent: Option<u32>,
        method: &str,
        uri: &str,
    ) -> Option<Header> {
        let secret = self.plan.secret.as_ref()?;
        let number = agent.map_or_else(|| user.to_string(), |who| (who + 1).to_string());
        let secret = secret.replace("{}", &number);
        let proxy = response.status_code.code() == 407;
        let challenges: Vec<String> = response
            .headers()
            .iter()
            .filter_map(|h| match h {
                Header::WwwAuthenticate(c) => Some(c.value().to_string()),
                Header::ProxyAuthenticate(c) => Some(c.value().to_string()),
                _ => None,
            })
            .collect();
        let cnonce = format!("{:016x}", self.rng.bits());
        let question = Question { user, secret: &secret, method, uri, cnonce: &cnonce };
        let value = digest::answer(&challenges, &question)?;
        Some(match proxy {
            true => rsip::headers::ProxyAuthorization::new(value).into(),
            false => rsip::headers::Authorization::new(value).into(),
        })
    }

    /// Registers everybody, a hundred a second at first, and then opens the doors.
    pub fn begin(&mut self) {
        if self.plan.secret.is_none() || self.plan.direct {
            return self.open_doors();
        }
        self.registering = self.plan.agents;
        for who in 0..self.plan.agents {
            let at = self.now + u64::from(who) * SECOND / 200;
            self.alarm(at, Alarm::Register(who));
        }
        if self.plan.agents == 0 {
            self.open_doors();
        }
    }
}

fn without_tag(header: &str) -> String {
    match header.rsplit_once('>') {
        Some((address, _)) => format!("{address}>"),
        None => header.split(';').next().unwrap_or_default().to_string(),
    }
}
