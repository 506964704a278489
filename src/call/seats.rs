//! Who sits at which phone. An agent has a phone of their own, which bears their id, and may log in
//! at any other: their calls ring where they logged in last. One phone, one agent.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Only what differs from everybody at their own phone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seats {
    /// The phone of an agent who sits elsewhere.
    phones: BTreeMap<String, String>,
    /// The agent at a phone that is not theirs.
    guests: BTreeMap<String, String>,
}

impl Seats {
    /// Whoever is at this phone: the guest, or the owner unless they sit elsewhere.
    pub fn agent_at<'s>(&'s self, phone: &'s str) -> Option<&'s str> {
        match self.guests.get(phone) {
            Some(guest) => Some(guest),
            None if self.phones.contains_key(phone) => None,
            None => Some(phone),
        }
    }

    /// The phone at which an agent is reached; `None` while a guest sits at it.
    pub fn phone_of<'s>(&'s self, agent: &'s str) -> Option<&'s str> {
        match self.phones.get(agent) {
            Some(phone) => Some(phone),
            None if self.guests.contains_key(agent) => None,
            None => Some(agent),
        }
    }

    /// The agent sits down at this phone. Everybody whose phone is another one now: the agent, a
    /// guest who sat there, the owner.
    pub fn sit(&mut self, agent: &str, phone: &str) -> Vec<String> {
        if self.agent_at(phone) == Some(agent) {
            return Vec::new();
        }
        let mut moved = self.leave(agent);
        if let Some(guest) = self.guests.remove(phone) {
            self.phones.remove(&guest);
            moved.push(guest);
        }
        if agent != phone {
            self.phones.insert(agent.into(), phone.into());
            self.guests.insert(phone.into(), agent.into());
            moved.push(phone.into());
        }
        moved.push(agent.into());
        moved.sort();
        moved.dedup();
        moved
    }

    /// The agent is no guest any more. Everybody whose phone is another one now.
    pub fn leave(&mut self, agent: &str) -> Vec<String> {
        let Some(phone) = self.phones.remove(agent) else { return Vec::new() };
        self.guests.remove(&phone);
        vec![agent.into(), phone]
    }

    /// Agents who sit at phones that are not theirs.
    pub fn guests(&self) -> impl Iterator<Item = (&str, &str)> {
        self.phones.iter().map(|(agent, phone)| (agent.as_str(), phone.as_str()))
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let mutual = self.phones.iter().all(|(agent, phone)| self.guests.get(phone) == Some(agent));
        match mutual && self.phones.len() == self.guests.len() {
            true => Ok(()),
            false => Err(format!("seats are in disorder: {self:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_takes_the_phone_and_leaves_it_again() {
        let mut seats = Seats::default();
        assert_eq!(seats.sit("op1", "op1"), [""; 0], "where one sits anyhow");
        assert_eq!(seats.sit("op1", "op2"), ["op1", "op2"]);
        assert_eq!((seats.agent_at("op2"), seats.phone_of("op2")), (Some("op1"), None));
        assert_eq!((seats.agent_at("op1"), seats.phone_of("op1")), (None, Some("op2")));
        assert_eq!(seats.sit("op3", "op2"), ["op1", "op2", "op3"]);
        assert_eq!(seats.phone_of("op1"), Some("op1"), "who was sent away goes home");
        assert_eq!(seats.sit("op2", "op2"), ["op2", "op3"], "the owner is back");
        assert_eq!(seats, Seats::default());
        seats.check().unwrap();
    }

    #[test]
    fn who_moves_on_leaves_the_last_phone_to_its_owner() {
        let mut seats = Seats::default();
        seats.sit("op1", "op2");
        assert_eq!(seats.sit("op1", "op3"), ["op1", "op2", "op3"]);
        assert_eq!(seats.agent_at("op2"), Some("op2"));
        assert_eq!(seats.leave("op1"), ["op1", "op3"]);
        assert_eq!(seats, Seats::default());
        seats.check().unwrap();
    }
}
