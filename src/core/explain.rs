//! Why a caller still waits, in words, as of this moment. The desk says why; here it is told with
//! the names of the configuration.

use super::Switch;
use crate::acd::{Claim, Pick, Verdict};
use crate::base::Now;

impl Switch {
    /// One reason a line. The error says that nobody waits by this name.
    pub(super) fn explain(&self, now: Now, call: &str) -> Result<String, String> {
        let (desk, id) = (&self.state.desk, self.call(call)?);
        let (Some(pick), Some(position)) =
            (desk.explain(now.instant, id), desk.position(now.instant, id))
        else {
            return Err(format!("{call} waits in no queue"));
        };
        let queue = desk.queue_settings(pick.queue).map_or("", |queue| queue.name.as_str());
        let mut lines = vec![format!("waits in {queue}, {} are served before", position - 1)];
        lines.push(needs(&pick));
        lines.extend(self.agents_by_reason(&pick));
        if pick.agents.is_empty() {
            lines.push("nobody serves this queue".into());
        }
        lines.extend(
            pick.others
                .iter()
                .map(|(verdict, count)| format!("{}: {count} more", verdict.words(pick.strategy))),
        );
        Ok(lines.join("\n"))
    }

    fn agents_by_reason(&self, pick: &Pick) -> Vec<String> {
        let mut groups: Vec<(Verdict, Vec<&str>)> = Vec::new();
        for (agent, verdict) in &pick.agents {
            let name = self.state.desk.agent_name(*agent).unwrap_or_default();
            match groups.iter_mut().find(|(known, _)| known == verdict) {
                Some((_, all)) => all.push(name),
                None => groups.push((*verdict, vec![name])),
            }
        }
        let line = |(verdict, names): (Verdict, Vec<&str>)| {
            format!("{}: {}", verdict.words(pick.strategy), names.join(", "))
        };
        groups.into_iter().map(line).collect()
    }
}

fn needs(pick: &Pick) -> String {
    let claim = match pick.claim {
        Claim::Emergency => "an emergency".to_string(),
        Claim::Aged => "has waited too long for weight or priority to count".into(),
        Claim::Weighed(weight, priority) => format!("weight {}, priority {}", weight.0, priority.0),
        Claim::Asked => "asked for by whoever has the caller".into(),
    };
    match pick.languages.is_empty() {
        true => format!("needs level {}; {claim}", pick.level),
        false => format!("needs level {}, {}; {claim}", pick.level, pick.languages.join(" or ")),
    }
}
