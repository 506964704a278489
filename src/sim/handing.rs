//! What agents and supervisors do with a call in hand: they transfer, ask, join, hold, park and
//! pick it up, by word, by key and by REFER.

use super::phone::Do;
use super::plan::{DOMAIN, agent_name};
use super::session::Stage;
use super::world::World;
use crate::base::PortId;
use crate::call::{Ears, Way};
use crate::core::{Event, Verb};
use crate::media::control;
use std::net::SocketAddr;

impl World {
    /// Somebody does something with some call, sensible or not.
    pub(super) fn hand_on(&mut self) -> Result<(), String> {
        let calls: Vec<&String> = self.laws.live.values().collect();
        if calls.is_empty() {
            return Ok(());
        }
        let call = calls[self.rng.below(calls.len() as u64) as usize].clone();
        let agent = self.rng.below(self.plan.agents.len() as u64) as u16;
        let (to, phone) = (self.somebody(), self.plan.agents[usize::from(agent)].address(agent));
        let verb = match self.rng.below(13) {
            12 => {
                let all = [Ears::Listen, Ears::Whisper, Ears::Barge, Ears::Take];
                let ears = all[self.rng.below(4) as usize];
                Verb::Watch { call, phone: agent_name(agent), ears }
            }
            0 => Verb::Transfer { call, to, way: Way::Blind },
            1 | 2 => Verb::Transfer { call, to, way: Way::Consult },
            3 => Verb::Transfer { call, to, way: Way::Join },
            4 => Verb::Pick { call, agent: agent_name(agent) },
            5 => Verb::Park { call },
            6 => Verb::Return { call },
            7 => Verb::Hold { call, hold: self.rng.chance(60) },
            8 => return self.refer(phone, &to),
            9 => return self.key_in(phone, &format!("*2{to}#")),
            10 => {
                let codes = ["*0", "*2", "*3", "*4", "*5", "*6", "*168"];
                let code = codes[self.rng.below(codes.len() as u64) as usize];
                return self.key_in(phone, code);
            }
            _ => return self.key_in(phone, &format!("*4{to}")),
        };
        self.feed(Event::Admin { request: self.steps, by: "supervisor".into(), verb })
    }

    fn somebody(&mut self) -> String {
        let agent = self.rng.below(self.plan.agents.len() as u64) as u16;
        match self.rng.below(13) {
            10 => "district:alirajpur".into(),
            11 => "district:shivpuri".into(),
            12 => "9826012345".into(),
            0 => "queue:general".into(),
            1 => "181".into(),
            2 => "nobody".into(),
            3 => format!("agent:{}", agent_name(agent)),
            _ => agent_name(agent),
        }
    }

    /// Keys are pressed on the phone at this address, for as long as it is listened to.
    pub(super) fn key_in(&mut self, phone: SocketAddr, keys: &str) -> Result<(), String> {
        for key in keys.chars() {
            let ports: Vec<PortId> = self.ports.at(phone.ip());
            for port in ports {
                self.feed(Event::Media(control::Event::Key { port, key }))?;
            }
        }
        Ok(())
    }

    /// The phone sends whoever it talks with to somebody else (RFC 3515).
    pub(super) fn refer(&mut self, phone: SocketAddr, to: &str) -> Result<(), String> {
        let to = format!("<sip:{to}@{DOMAIN}>");
        self.with_phone(phone, |phone, rng, out| {
            let line = phone.line();
            let up = phone.sessions.values_mut().find(|session| session.stage == Stage::Up);
            if let Some(session) = up.filter(|session| session.repeating.is_none()) {
                let bytes = session.request("REFER", line, rng.bits(), None);
                let text = String::from_utf8_lossy(&bytes);
                let more = format!("Refer-To: {to}\r\nMax-Forwards:");
                out.push(Do::Send(text.replace("Max-Forwards:", &more).into_bytes()));
            }
        })
    }
}
