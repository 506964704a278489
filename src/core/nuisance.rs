//! Carries nuisance numbers: an agent's word to the blocks, a supervisor's word, and their end.

use super::{Out, Switch, What};
use crate::base::{AgentId, CallId, Now, Timer, number, text};
use crate::call::Block;
use std::time::Duration;

/// Characters of a reason.
const REASON_MAX: usize = 200;

impl Switch {
    /// An agent has said what a call was about.
    pub(super) fn judged(
        &mut self,
        now: Now,
        call: CallId,
        agent: AgentId,
        category: &str,
        out: &mut Out,
    ) {
        let by = self.state.desk.agent_name(agent).unwrap_or_default().to_string();
        let settings = &self.settings.call;
        let strikes = settings.codes.category(category).is_some_and(|own| own.strike);
        let strike = strikes.then_some((by.as_str(), category));
        let at = (now.instant, now.wall);
        if let Some(block) = self.state.calls.blocks.judged(&settings.blocks, call, strike, at) {
            self.blocked(now, block, out);
        }
    }

    /// A supervisor blocks a number.
    pub(super) fn block(
        &mut self,
        now: Now,
        (raw, reason, by): (&str, &str, &str),
        span: Option<Duration>,
        out: &mut Out,
    ) -> Result<String, String> {
        let number = self.number(raw)?;
        let span = span.unwrap_or(self.settings.call.blocks.block_for);
        let reason = text::clean(reason.trim(), REASON_MAX);
        if reason.is_empty() {
            return Err("say why: the reason is shown to whoever asks".into());
        }
        let at = (now.instant, now.wall);
        let block = self.state.calls.blocks.block(&number, reason, by, at, span);
        let block = block.ok_or("as many numbers are blocked as can be: see `pukar blocks`")?;
        self.blocked(now, block, out);
        Ok(format!("{number}: blocked"))
    }

    pub(super) fn unblock(
        &mut self,
        now: Now,
        (raw, reason, by): (&str, &str, &str),
        out: &mut Out,
    ) -> Result<String, String> {
        let number = self.number(raw)?;
        let gone = self.state.calls.blocks.unblock(&number);
        gone.ok_or_else(|| format!("{number} is not blocked: see `pukar blocks`"))?;
        let reason = text::clean(reason.trim(), REASON_MAX);
        self.unblocked(now, (number.clone(), reason, by), out);
        Ok(format!("{number}: may call again"))
    }

    /// `Timer::Unblock`.
    pub(super) fn blocks_expire(&mut self, now: Now, out: &mut Out) {
        for block in self.state.calls.blocks.expire(now.instant) {
            self.unblocked(now, (block.number, "its time is over".into(), "timer"), out);
        }
        self.arm_unblock();
    }

    fn number(&self, raw: &str) -> Result<String, String> {
        let number = number::e164(raw, &self.settings.call.plan);
        number.ok_or_else(|| format!("\"{raw}\" is no telephone number"))
    }

    pub(super) fn blocked(&mut self, now: Now, block: Block, out: &mut Out) {
        let Block { number, reason, by, ends, .. } = block;
        self.fact(now, What::Blocked { number, reason, by, until: ends }, out);
        self.arm_unblock();
    }

    fn unblocked(&mut self, now: Now, (number, reason, by): (String, String, &str), out: &mut Out) {
        self.fact(now, What::Unblocked { number, reason, by: by.into() }, out);
        self.arm_unblock();
    }

    fn arm_unblock(&mut self) {
        match self.state.calls.blocks.next() {
            Some(at) => self.state.timers.set(Timer::Unblock, at),
            None => self.state.timers.cancel(Timer::Unblock),
        }
    }
}
