//! What the queues of a simulated day are like: whom they ring, whom they let in, and what becomes
//! of the others.

use super::Plan;
use crate::acd::{Instead, QueueSettings, Relax, Strategy};
use crate::base::{Id, QueueId, Rng, TrunkId};
use crate::call::{Centre, Goal, Numbering};
use crate::config::Settings;
use crate::sip::Trunk;
use std::time::Duration;

#[derive(Clone, Debug, Default)]
pub struct Queues {
    /// Missed offers after which an agent is paused.
    pub pause_after: u32,
    /// How long a caller waits for the agent of last time.
    pub sticky: Duration,
    /// Every second agent is better, and callers want the better ones for ten seconds.
    pub levels: bool,
    pub max_callers: u32,
    pub when_full: Instead,
    pub when_unstaffed: Option<Instead>,
    pub when_expired: Instead,
}

impl Queues {
    /// As the dice say: on most days nothing of it.
    pub fn rude(rng: &mut Rng) -> Self {
        let instead = |rng: &mut Rng| {
            [Instead::Refuse, Instead::Overflow, Instead::Callback][rng.below(3) as usize]
        };
        let sometimes = |rng: &mut Rng, most: u64| {
            let number = 1 + rng.below(most);
            if rng.chance(30) { number } else { 0 }
        };
        Self {
            pause_after: sometimes(rng, 4) as u32,
            sticky: Duration::from_secs(sometimes(rng, 30)),
            levels: rng.chance(30),
            max_callers: sometimes(rng, 12) as u32,
            when_full: instead(rng),
            when_unstaffed: Some(instead(rng)).filter(|_| rng.chance(30)),
            when_expired: instead(rng),
        }
    }

    pub(super) fn apply(&self, queue: &mut QueueSettings) {
        queue.pause_after = self.pause_after;
        queue.sticky = self.sticky;
        (queue.max_callers, queue.when_full) = (self.max_callers, self.when_full);
        (queue.when_unstaffed, queue.when_expired) = (self.when_unstaffed, self.when_expired);
        if self.levels {
            queue.level = 2;
            queue.relax = vec![Relax { after: Duration::from_secs(10), level: 1 }];
        }
    }

    /// The level of an agent in all that they can.
    pub(super) fn level(&self, agent: u16) -> u8 {
        if self.levels { 1 + (agent % 2) as u8 } else { 1 }
    }
}

pub(super) fn any_strategy(rng: &mut Rng) -> Strategy {
    Strategy::ALL[rng.below(Strategy::ALL.len() as u64) as usize].1
}

impl Plan {
    /// The same switch after somebody has edited its configuration: one of many ways.
    pub fn other_settings(&self, rng: &mut Rng) -> Settings {
        let mut settings = self.settings();
        let queues = settings.acd.queues.len() as u64;
        let queue = rng.below(queues) as usize;
        match rng.below(12) {
            // A queue before the others: their places are not their ids any more.
            0 => {
                settings.acd.queues.insert(0, self.queue("night", &["night"]));
                move_queues(&mut settings, |place| place + 1);
            }
            1 => {
                let gone = rng.below(self.agents.len() as u64) as usize;
                settings.acd.agents.remove(gone);
                settings.pins.remove(gone);
            }
            2 => {
                settings.acd.agents.reverse();
                settings.pins.reverse();
            }
            3 => settings.acd.queues[queue].ring_for = Duration::from_secs(5),
            4 => settings.acd.queues[queue].strategy = any_strategy(rng),
            5 => Queues::rude(rng).apply(&mut settings.acd.queues[queue]),
            6 => settings.acd.queues[queue].weight = rng.below(10) as u32,
            // A queue that no line leads to is taken out, with whoever waits in it.
            7 => {
                let led = |call: &crate::call::Settings, id: u64| {
                    call.lines.iter().any(|line| line.goal == Goal::Queue(QueueId(id)))
                        || call.districts.iter().any(|d| d.centre == Centre::Queue(QueueId(id)))
                };
                if !led(&settings.call, queue as u64) {
                    let gone = settings.acd.queues.remove(queue).name;
                    let after = queue as u64;
                    move_queues(&mut settings, |place| place - u64::from(place > after));
                    settings.overflows.retain(|out| out.queue != gone);
                }
            }
            // A trunk before the others.
            8 => {
                let new = Trunk { name: "new".into(), ..Trunk::default() };
                settings.sip.trunks.insert(0, new);
                if !settings.call.trunks.is_empty() {
                    settings.call.trunks.insert(0, Numbering::default());
                }
                move_trunks(&mut settings);
            }
            9 => settings.call.districts.clear(),
            10 => settings.overflows.clear(),
            _ => {}
        }
        settings
    }
}

fn move_queues(settings: &mut Settings, to: impl Fn(u64) -> u64) {
    let lines = settings.call.lines.iter_mut().filter_map(|line| match &mut line.goal {
        Goal::Queue(queue) => Some(queue),
        _ => None,
    });
    let districts = settings.call.districts.iter_mut();
    let districts = districts.filter_map(|district| match &mut district.centre {
        Centre::Queue(queue) => Some(queue),
        Centre::Trunk(_) => None,
    });
    for queue in lines.chain(districts) {
        queue.0 = to(queue.0);
    }
}

fn move_trunks(settings: &mut Settings) {
    let next = |trunk: &mut TrunkId| *trunk = TrunkId::new(trunk.slot() + 1, 0);
    settings.call.out.routes.iter_mut().for_each(|route| next(&mut route.trunk));
    for district in &mut settings.call.districts {
        if let Centre::Trunk(trunk) = &mut district.centre {
            next(trunk);
        }
    }
}
