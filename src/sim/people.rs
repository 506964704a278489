//! Who is there and what they do with their day: agents who register, leave and come back, callers
//! who call and give up.

use super::agenda::Work;
use super::habits::{Habits, seconds};
use super::phone::{Phone, Wake};
use super::plan::{DOMAIN, Reach, agent_address, agent_name, caller_address, password};
use super::plan::{exchange_address, switch_address};
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
        if reach == Reach::Home {
            // The exchange rings there.
            return;
        }
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
            let number = numbers[self.rng.below(numbers.len() as u64) as usize];
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
        if self.plan.agents.contains(&Reach::Home) {
            // Whoever answers at a number outside presses 1 again and again.
            for second in (0..400).step_by(2) {
                let at = Instant(0) + Duration::from_secs(second);
                self.at(at, Work::Press { address: exchange_address(), key: '1' });
            }
        }
        for n in 0..self.plan.agents.len() as u16 {
            for _ in 0..self.plan.own_calls {
                if self.plan.agents[usize::from(n)] == Reach::Fixed {
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

    /// An agent dials something, and hangs up a while later, whatever has become of it.
    pub(super) fn own_call(&mut self, n: u16) -> Result<(), String> {
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
