//! What must hold of a leg between two events.

use super::{Leg, Phase};
use crate::sip::net::Net;
use crate::sip::transaction::table::Transaction;

impl Leg {
    pub fn check(&self, net: &Net) -> Result<(), String> {
        let waits = |id| net.table.get(id).is_some_and(Transaction::is_waiting);
        match &self.phase {
            Phase::Calling(calling) => match calling.transaction {
                Some(id) if !waits(id) => return Err("calls without an INVITE".into()),
                None if calling.cancelled => return Err("cancelled and still here".into()),
                Some(_) | None => {}
            },
            Phase::Ringing(ringing) if !waits(ringing.transaction) => {
                return Err("rings for an INVITE that is answered".into());
            }
            Phase::Talking if self.silent && self.unacked.is_none() => {
                return Err("was hung up and goes on".into());
            }
            Phase::Leaving if !self.silent => return Err("leaves and still tells".into()),
            Phase::Gone => return Err("is over and still here".into()),
            Phase::Ringing(_) | Phase::Talking | Phase::Leaving => {}
        }
        if self.asked.is_some_and(|asked| !waits(asked.transaction)) {
            return Err("owes an answer to a request that has one".into());
        }
        let refer = self.referral.and_then(|refer| refer.transaction);
        if refer.is_some_and(|id| !waits(id)) {
            return Err("owes an answer to a REFER that has one".into());
        }
        let change = self.change.as_ref().and_then(|c| c.transaction);
        if change.is_some_and(|id| !waits(id)) {
            return Err("waits for an answer that has come".into());
        }
        Ok(())
    }
}
