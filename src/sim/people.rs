//! Who is there and what they do with their day: agents who register, leave and come back, callers
//! who call and give up.

use super::agenda::Work;
use super::habits::{Habits, seconds};
use super::phone::{Phone, Wake};
use super::plan::{DOMAIN, Reach, agent_address, agent_name, caller_address, home_address};
use super::plan::{password, pin, switch_address};
use super::region::CODES;
use super::session::{Session, Stage};
use super::signup::Signup;
use super::world::World;
use crate::base::Instant;
use crate::sip::Transport;
use std::net::SocketAddr;
use std::time::Duration;

impl World {
    /// An agent's phone, plugged in.
    pub(super) fn hire(&mut self, address: SocketAddr, n: u16) {
        let habits = Habits::agent(&self.plan, &mut self.rng);
        let reach = self.plan.agents[usize::from(n)];
        let mut phone = Phone::new(address, habits);
        if reach == Reach::Streaming {
            phone.transport = Transport::Tcp;
        }
        if reach.registers() {
            let (user, secret, line) = (agent_name(n), password(n), phone.line());
            let signup = Signup::new(&user, &secret, DOMAIN, line, &mut self.rng);
            phone.signup = Some(signup);
            self.at(self.now, Work::Return { address });
        }
        self.phones.insert(address, phone);
    }

    /// A day's callers, and what befalls them and the agents.
    pub(super) fn people(&mut self) {
        let within = self.plan.arrive_within.as_micros() as u64;
        let faults = self.plan.faults.clone();
        for n in 0..self.plan.callers {
            let address = caller_address(n);
            let dial = Instant(self.rng.below(within));
            let numbers = self.plan.region.numbers();
            // Strangers call the line of codes, where there is one.
            let number = match self.rng.chance(4) && self.plan.agents.contains(&Reach::Home) {
                true => CODES,
                false => numbers[self.rng.below(numbers.len() as u64) as usize],
            };
            self.at(dial, Work::Dial { address, number });
            let patience = match self.rng.chance(faults.rude_callers) {
                true => seconds(&mut self.rng, 0, 4),
                false => seconds(&mut self.rng, 5, 300),
            };
            self.at(dial + patience, Work::GiveUp { address });
            if self.rng.chance(self.plan.pressing) {
                let key = ['1', '1', '0', '7'][self.rng.below(4) as usize];
                let when = dial + seconds(&mut self.rng, 1, 40);
                self.at(when, Work::Press { address, key });
            }
            if self.rng.chance(faults.vanish) {
                let when = dial + seconds(&mut self.rng, 1, 60);
                self.at(when, Work::Vanish { address });
            }
        }
        for n in 0..self.plan.agents.len() as u16 {
            if self.plan.agents[usize::from(n)] == Reach::Home {
                self.at_home(n);
            }
            for _ in 0..self.plan.own_calls {
                if matches!(self.plan.agents[usize::from(n)], Reach::Fixed | Reach::Home) {
                    let when = Instant(0) + seconds(&mut self.rng, 1, 180);
                    self.at(when, Work::Own { n });
                }
            }
            if self.rng.chance(faults.restless) && self.plan.agents[usize::from(n)].registers() {
                let when = Instant(0) + seconds(&mut self.rng, 5, 120);
                let forgets = self.rng.chance(50);
                self.at(when, Work::Restless { address: agent_address(n), forgets });
            }
        }
        let everyone: Vec<SocketAddr> = self.phones.keys().copied().collect();
        for address in everyone {
            if self.rng.chance(faults.partition) {
                let when = Instant(0) + seconds(&mut self.rng, 1, 180);
                let span = seconds(&mut self.rng, 1, 60);
                self.at(when, Work::Cut { address, span });
            }
        }
    }

    /// Whoever answers at home presses 1 again and again to have a caller; or another key, or none.
    fn at_home(&mut self, n: u16) {
        let mut mood = None;
        for second in (0..400).step_by(2) {
            if second % 20 == 0 {
                mood = [Some('1'), Some('1'), Some('1'), Some('1'), Some('2'), None]
                    [self.rng.below(6) as usize];
            }
            if let Some(key) = mood {
                let at = Instant(0) + Duration::from_secs(second);
                self.at(at, Work::Accept { n, key });
            }
        }
    }

    /// Somebody is on the line whom they have not called.
    pub(super) fn accept(&mut self, n: u16, key: char) -> Result<(), String> {
        let address = home_address(n);
        let phone = self.phones.get(&address);
        let is_codes = |session: &Session| session.stage == Stage::Up && session.asked.is_empty();
        match phone.is_some_and(|phone| phone.sessions.values().any(is_codes)) {
            true => Ok(()),
            false => self.key_in(address, &key.to_string()),
        }
    }

    /// An agent at home calls the line of codes, keys in who they are and some codes, right or
    /// wrong, and hangs up after them or in between.
    fn key_in_from_home(&mut self, n: u16) -> Result<(), String> {
        let address = home_address(n);
        let codes = ["*11", "*12", "*13", "*13", "*141", "*15", "*162", "*99", "*149", "*16"];
        let mut keys = match pin(n) {
            Some(pin) if self.rng.chance(75) => pin + "#",
            Some(_) => "9999#".into(),
            None => String::new(),
        };
        for _ in 0..1 + self.rng.below(3) {
            keys += codes[self.rng.below(codes.len() as u64) as usize];
        }
        let mut dialled = None;
        self.with_phone(address, |phone, rng, out| {
            let own = phone.number.clone();
            if !phone.dead {
                dialled = Some(phone.call_as(&own, CODES, switch_address(), rng, out));
            }
        })?;
        let Some(call_id) = dialled else { return Ok(()) };
        let mut at = self.now + seconds(&mut self.rng, 1, 3);
        for key in keys.chars() {
            self.at(at, Work::Press { address, key });
            at = at + Duration::from_millis(300);
        }
        let leaves = self.now + seconds(&mut self.rng, 1, 30);
        self.at(leaves, Work::Phone { address, call_id, what: Wake::HangUp });
        Ok(())
    }

    /// An agent dials something, and hangs up a while later, whatever has become of it.
    pub(super) fn own_call(&mut self, n: u16) -> Result<(), String> {
        if self.plan.agents[usize::from(n)] == Reach::Home {
            return self.key_in_from_home(n);
        }
        let (address, name) = (agent_address(n), agent_name(n));
        let colleague = agent_name(self.rng.below(self.plan.agents.len() as u64) as u16);
        let number = match self.rng.below(8) {
            0 => "9826012345",
            1 => "0755 2551234",
            2 => "181",
            3 => "*141",
            4 | 5 => "*13",
            6 => "nobody",
            _ => colleague.as_str(),
        };
        let number = number.replace(' ', "");
        let mut dialled = None;
        self.with_phone(address, |phone, rng, out| {
            if !phone.dead {
                dialled = Some(phone.call_as(&name, &number, switch_address(), rng, out));
            }
        })?;
        if let Some(call_id) = dialled {
            let at = self.now + seconds(&mut self.rng, 0, 40);
            self.at(at, Work::Phone { address, call_id, what: Wake::HangUp });
        }
        Ok(())
    }

    /// A phone registers, unless another attempt has overtaken this one.
    pub(super) fn sign(&mut self, address: SocketAddr, round: Option<u32>) -> Result<(), String> {
        self.with_phone(address, |phone, rng, out| {
            let signup = phone.signup.as_mut().filter(|_| !phone.dead);
            if let Some(signup) = signup.filter(|s| round.is_none_or(|round| round == s.round)) {
                signup.wanted |= round.is_none();
                signup.send(rng, out);
            }
        })
    }

    /// A phone unregisters, or is not refreshed in time; and comes back a while later.
    pub(super) fn restless(&mut self, address: SocketAddr, forgets: bool) -> Result<(), String> {
        let away = match forgets {
            true => Duration::from_secs(90),
            false => seconds(&mut self.rng, 3, 40),
        };
        self.at(self.now + away, Work::Return { address });
        self.with_phone(address, |phone, rng, out| {
            let Some(signup) = phone.signup.as_mut().filter(|_| !phone.dead) else { return };
            if forgets {
                return signup.forget();
            }
            signup.wanted = false;
            signup.send(rng, out);
        })
    }
}
