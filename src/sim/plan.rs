//! What a simulated day holds.

use crate::acd;
use crate::base::{QueueId, Rng, TuneId};
use crate::call::{Goal, Line, MediaSettings, Phone};
use crate::config::Settings;
use crate::sip::{Listener, Transport, Trunk};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// How many come and go, and how badly everything behaves.
#[derive(Clone, Debug)]
pub struct Plan {
    pub callers: u16,
    pub agents: u16,
    /// Callers arrive within this time.
    pub arrive_within: Duration,
    pub strategy: acd::Strategy,
    pub faults: Faults,
}

/// Of a hundred, so many go wrong in this way.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    pub loss: u64,
    pub repeats: u64,
    /// An agent's phone does something rude with an offer.
    pub rude_agents: u64,
    /// A caller does something rude.
    pub rude_callers: u64,
    /// The system refuses a media port.
    pub port_taken: u64,
    /// A talking or waiting phone loses its power.
    pub vanish: u64,
    /// After an event the switch is killed and restored from its snapshot, in a thousand.
    pub kill: u64,
    /// A supervisor flips an agent's state, or hangs up a call, in a thousand events.
    pub hands: u64,
}

impl Plan {
    /// A calm day: nothing is lost and everyone behaves.
    pub fn calm() -> Self {
        Self {
            callers: 30,
            agents: 4,
            arrive_within: Duration::from_secs(60),
            strategy: acd::Strategy::LongestIdle,
            faults: Faults::default(),
        }
    }

    /// A day as rude as the seed says.
    pub fn rude(rng: &mut Rng) -> Self {
        let strategy = match rng.chance(30) {
            true => acd::Strategy::RingAll,
            false => acd::Strategy::LongestIdle,
        };
        Self {
            callers: 20 + rng.below(40) as u16,
            agents: 2 + rng.below(6) as u16,
            arrive_within: Duration::from_secs(30 + rng.below(120)),
            strategy,
            faults: Faults {
                loss: rng.below(30),
                repeats: rng.below(10),
                rude_agents: rng.below(60),
                rude_callers: rng.below(40),
                port_taken: rng.below(6),
                vanish: rng.below(12),
                kill: rng.below(20),
                hands: rng.below(8),
            },
        }
    }

    pub fn settings(&self) -> Settings {
        let queue = acd::QueueSettings {
            name: "general".into(),
            skills: vec!["operator".into()],
            strategy: self.strategy,
            weight: 0,
            ring_for: Duration::from_secs(12),
            max_wait: Duration::from_secs(900),
            wrap_up: Duration::from_secs(3),
            pause_after: 0,
            rest: Duration::from_secs(2),
        };
        let mut settings = Settings::default();
        settings.acd.queues = vec![queue];
        for agent in 0..self.agents {
            settings.acd.agents.push(acd::AgentSettings {
                id: format!("op{agent}"),
                skills: vec!["operator".into()],
                ready: true,
                fixed: true,
            });
            settings.call.phones.push(Phone {
                user: format!("op{agent}"),
                name: "सीमा".into(),
                contact: Some(format!("sip:op{agent}@{}", agent_address(agent))),
            });
        }
        settings.call.lines = vec![Line {
            name: "181".into(),
            numbers: vec!["181".into()],
            goal: Goal::Queue(QueueId(0)),
            welcome: Some(TuneId(0)),
            music: Some(TuneId(1)),
        }];
        settings.call.media = MediaSettings {
            ports: (20_000, 20_999),
            workers: 2,
            silence_hangup: Duration::from_secs(30),
            ..MediaSettings::default()
        };
        settings.sip.domains = vec!["helpline.example".into()];
        settings.sip.listen =
            vec![Listener { transport: Transport::Udp, bind: switch_address(), advertise: None }];
        settings.sip.trunks = vec![Trunk {
            name: "bsnl".into(),
            hosts: (0..self.callers).map(|n| caller_address(n).to_string()).collect(),
            ..Trunk::default()
        }];
        settings
    }
}

pub fn switch_address() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 5060)
}

pub fn caller_address(n: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 1, (n >> 8) as u8, n as u8)), 5060)
}

pub fn agent_address(n: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 2, (n >> 8) as u8, n as u8)), 5060)
}
