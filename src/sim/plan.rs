//! What a simulated day holds.

use super::queues::{Queues, any_strategy};
use super::region::{CODES, CODES_LINE, Region};
use super::sealed::Sealing;
use crate::acd;
use crate::base::{QueueId, Rng, TrunkId, TuneId};
use crate::call::out::Route;
use crate::call::{Goal, Keys, Line, MediaSettings, Phone, Signals};
use crate::config::Settings;
use crate::sip::{Algorithms, FixedPhone, Listener, Secret, Transport, Trunk, User};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// How many come and go, and how badly everything behaves.
#[derive(Clone, Debug)]
pub struct Plan {
    pub callers: u16,
    /// How many of the agents, the last ones, are counsellors and no operators.
    pub counsellors: u16,
    /// How the phone of each agent is reached.
    pub agents: Vec<Reach>,
    /// Callers arrive within this time.
    pub arrive_within: Duration,
    pub strategy: acd::Strategy,
    pub ring_for: Duration,
    pub wrap_up: Duration,
    pub max_wait: Duration,
    /// Calls that the switch takes at a time.
    pub max_calls: usize,
    /// The media ports, first and last.
    pub ports: (u16, u16),
    /// Of a hundred callers, so many press a key while they wait.
    pub pressing: u64,
    /// Whoever hangs up unanswered is called back.
    pub call_back_abandoned: bool,
    pub region: Region,
    pub queues: Queues,
    /// How often each agent at a fixed address dials something: a colleague, a number, a code.
    pub own_calls: u64,
    /// A colleague's call rings beside the one in hand, at every second agent.
    pub call_waiting: bool,
    pub faults: Faults,
    pub sealing: Sealing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// At an address that the configuration names.
    Fixed,
    /// At a host name, so that the DNS is asked.
    Named,
    /// Wherever it registered from.
    Registered,
    /// The same, over a stream.
    Streaming,
    /// At home, at a number outside, where somebody presses 1 to have a caller, or does not.
    Home,
}

/// Of a hundred, so many go wrong in this way.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    pub loss: u64,
    pub repeats: u64,
    /// An agent's phone does something rude with an offer.
    pub rude_agents: u64,
    /// A rude agent's phone loses its power at some step of the call.
    pub deaths: u64,
    /// A caller does something rude.
    pub rude_callers: u64,
    /// The system refuses a media port.
    pub port_taken: u64,
    /// A media port breaks while it is open.
    pub port_broken: u64,
    /// The data plane tells something seconds late.
    pub slow_media: u64,
    /// A talking or waiting phone loses its power.
    pub vanish: u64,
    /// An address is cut off for up to a minute, once in the day.
    pub partition: u64,
    /// A registered phone goes and comes back in mid-shift, or lets its registration run out.
    pub restless: u64,
    /// The DNS does not answer a question.
    pub dns_silence: u64,
    /// The process dies in the midst of an event, and its journal is all that is left; in a
    /// thousand.
    pub kill: u64,
    /// A supervisor flips an agent's state, or hangs up a call, in a thousand events.
    pub hands: u64,
    /// Somebody transfers, parks, joins or picks up a call, in a thousand events.
    pub handovers: u64,
    /// Other settings are loaded, in a thousand events.
    pub reloads: u64,
    /// The calendar steps by up to a day, in a thousand events.
    pub clock_steps: u64,
    /// A stream breaks, in a thousand events.
    pub stream_cuts: u64,
    /// Behind the contact of an agent another phone answers as well.
    pub forks: u64,
    /// A phone rings with reliable responses, or requires them.
    pub reliable: u64,
    /// A caller sends no offer.
    pub delayed: u64,
}

impl Faults {
    /// Whatever is sent arrives: then nobody has an excuse.
    pub fn is_reliable(&self) -> bool {
        self.loss == 0 && self.partition == 0 && self.stream_cuts == 0 && self.kill == 0
    }
}

pub const DOMAIN: &str = "helpline.example";
/// What is shown to whoever is called back.
pub const CENTRE: &str = "+917552551181";

impl Plan {
    /// A calm day: nothing is lost and everyone behaves.
    pub fn calm() -> Self {
        Self {
            callers: 30,
            counsellors: 0,
            agents: vec![Reach::Fixed, Reach::Named, Reach::Registered, Reach::Streaming],
            arrive_within: Duration::from_secs(60),
            strategy: acd::Strategy::LongestIdle,
            ring_for: Duration::from_secs(12),
            wrap_up: Duration::from_secs(3),
            max_wait: Duration::from_secs(900),
            max_calls: 10_000,
            ports: (20_000, 20_999),
            pressing: 0,
            call_back_abandoned: false,
            region: Region::default(),
            queues: Queues::default(),
            own_calls: 0,
            call_waiting: false,
            faults: Faults::default(),
            sealing: Sealing::default(),
        }
    }

    /// A day as rude as the seed says.
    pub fn rude(rng: &mut Rng) -> Self {
        let strategy = match rng.below(10) {
            0..3 => acd::Strategy::RingAll,
            3..6 => acd::Strategy::LongestIdle,
            _ => any_strategy(rng),
        };
        let [fixed, streaming] = [Reach::Fixed, Reach::Streaming];
        let kinds = [fixed, fixed, Reach::Named, Reach::Registered, streaming, Reach::Home];
        let agents = 2 + rng.below(6);
        // On some days nothing is lost, and everybody is held to account.
        let bad = u64::from(!rng.chance(20));
        let districts = rng.chance(40);
        Self {
            callers: 10 + rng.below(30) as u16,
            counsellors: rng.below(2) as u16,
            agents: (0..agents).map(|_| kinds[rng.below(6) as usize]).collect(),
            arrive_within: Duration::from_secs(30 + rng.below(120)),
            strategy,
            pressing: rng.below(40),
            call_back_abandoned: rng.chance(30),
            region: Region {
                districts,
                deserted: districts && agents % 3 == 1,
                shifts: rng.chance(30),
                languages: rng.chance(40),
                peers: rng.chance(if districts { 60 } else { 20 }),
                menus: rng.chance(20),
            },
            faults: Faults {
                loss: bad * rng.below(30),
                repeats: rng.below(10),
                rude_agents: rng.below(60),
                deaths: rng.below(10),
                rude_callers: rng.below(40),
                port_taken: rng.below(6),
                port_broken: rng.below(6),
                slow_media: rng.below(20),
                vanish: rng.below(12),
                partition: bad * rng.below(20),
                restless: rng.below(30),
                dns_silence: rng.below(30),
                kill: bad * rng.below(20),
                hands: rng.below(8),
                handovers: rng.below(20),
                reloads: rng.below(6),
                clock_steps: rng.below(6),
                stream_cuts: bad * rng.below(6),
                forks: rng.below(15),
                reliable: rng.below(40),
                delayed: rng.below(30),
            },
            own_calls: rng.below(4),
            call_waiting: rng.chance(30),
            queues: Queues::rude(rng),
            sealing: Sealing::rude(rng),
            ..Self::calm()
        }
    }

    pub fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        settings.acd.queues =
            vec![self.queue("general", &["operator"]), self.queue("health", &["counsellor"])];
        for (agent, reach) in (0..).zip(&self.agents) {
            let name = agent_name(agent);
            let mut skills = self.region.skills(agent, self.skill(agent));
            skills.iter_mut().for_each(|skill| skill.level = self.queues.level(agent));
            settings.acd.agents.push(acd::AgentSettings {
                id: name.clone(),
                skills,
                ready: true,
                fixed: reach.contact(agent).is_some(),
            });
            let contact = reach.contact(agent);
            settings.call.phones.push(Phone {
                user: name.clone(),
                name: "सीमा".into(),
                contact,
                call_waiting: self.call_waiting && agent.is_multiple_of(2),
                ..Phone::default()
            });
            match (reach, reach.contact(agent)) {
                (Reach::Fixed | Reach::Home, Some(contact)) => {
                    settings.sip.fixed.push(FixedPhone { name, contact });
                }
                _ => {
                    let secret = Secret(password(agent));
                    settings.sip.users.push(User { name, secret, digest: Algorithms::Both });
                }
            }
        }
        settings.call.lines = self.lines(&Line {
            name: String::new(),
            numbers: Vec::new(),
            goal: Goal::Queue(QueueId(0)),
            welcome: Some(TuneId(0)),
            music: Some(TuneId(1)),
            keys: Keys { emergency: Some('0'), callback: Some('1') },
            record: true,
            ..Line::default()
        });
        settings.call.media = MediaSettings {
            ports: self.ports,
            workers: 2,
            silence_hangup: Duration::from_secs(30),
            ..self.sealing.media()
        };
        settings.call.signals = Signals {
            done: Some(TuneId(2)),
            refused: Some(TuneId(3)),
            go_on: Some(TuneId(4)),
            ring: Some(TuneId(5)),
            ..Signals::default()
        };
        settings.call.prompts = Arc::new([("hi/parked".into(), TuneId(6))].into());
        settings.call.max_calls = self.max_calls;
        settings.call.out.wrap_up = self.wrap_up;
        settings.sip.domains = vec![DOMAIN.into()];
        settings.sip.listen = [Transport::Udp, Transport::Tcp]
            .map(|transport| Listener { transport, bind: switch_address(), advertise: None })
            .to_vec();
        self.trunks(&mut settings);
        let seconds = Duration::from_secs;
        settings.callbacks =
            acd::CallbackPolicy { attempts: 3, apart: seconds(60), keep: seconds(900) };
        settings.acd.queues[0].call_back_abandoned = self.call_back_abandoned;
        self.region_settings(&mut settings);
        self.homes(&mut settings);
        settings
    }

    /// Agents at home, each on a trunk of their own, and the line on which they key in codes.
    fn homes(&self, settings: &mut Settings) {
        let pins = (0..).zip(&self.agents).map(|(agent, reach)| match reach {
            Reach::Home => pin(agent).map(Secret),
            Reach::Fixed | Reach::Named | Reach::Registered | Reach::Streaming => None,
        });
        settings.pins = pins.collect();
        let homes = (0..).zip(&self.agents).filter(|(_, reach)| **reach == Reach::Home);
        for (agent, _) in homes {
            let (name, hosts) = (format!("home{agent}"), vec![home_address(agent).to_string()]);
            let prefixes = vec![number_of(home_address(agent))];
            let trunk = TrunkId(settings.sip.trunks.len() as u64);
            settings.sip.trunks.push(Trunk { name, hosts, ..Trunk::default() });
            settings.call.out.routes.push(Route { prefixes, trunk, ..everybodys() });
        }
        if self.agents.contains(&Reach::Home) {
            let (name, numbers) = (CODES_LINE.into(), vec![CODES.into()]);
            settings.call.lines.push(Line { name, numbers, goal: Goal::Codes, ..Line::default() });
        }
    }

    /// Callers come by one trunk; the switch calls out by another.
    fn trunks(&self, settings: &mut Settings) {
        settings.sip.trunks = vec![Trunk {
            name: "bsnl".into(),
            hosts: (0..self.callers).map(|n| caller_address(n).to_string()).collect(),
            ..Trunk::default()
        }];
        let exchange = exchange_address().to_string();
        let exchange = Trunk { name: "exchange".into(), hosts: vec![exchange], ..Trunk::default() };
        settings.sip.trunks.push(exchange);
        settings.call.out.routes = vec![everybodys()];
    }

    fn skill(&self, agent: u16) -> &'static str {
        let operators = self.agents.len() as u16 - self.counsellors;
        if agent < operators { "operator" } else { "counsellor" }
    }

    /// The age at which a caller goes before all priorities.
    pub(super) fn aging(&self) -> Duration {
        let default = acd::QueueSettings::default().aging;
        if self.region.languages { Duration::from_secs(45) } else { default }
    }

    pub(super) fn queue(&self, name: &str, skills: &[&str]) -> acd::QueueSettings {
        let mut queue = acd::QueueSettings {
            name: name.into(),
            skills: skills.iter().map(|skill| skill.to_string()).collect(),
            strategy: self.strategy,
            ring_for: self.ring_for,
            max_wait: self.max_wait,
            wrap_up: self.wrap_up,
            rest: Duration::from_secs(2),
            aging: self.aging(),
            ..acd::QueueSettings::default()
        };
        self.queues.apply(&mut queue);
        queue
    }
}

/// The route that every number has.
fn everybodys() -> Route {
    Route {
        prefixes: vec!["+91".into()],
        trunk: TrunkId(1),
        identity: CENTRE.into(),
        strip: 3,
        add: "0".into(),
        agents: BTreeSet::new(),
    }
}

impl Reach {
    pub fn registers(self) -> bool {
        matches!(self, Reach::Registered | Reach::Streaming)
    }

    /// Where whoever rings for this agent is.
    pub fn address(self, agent: u16) -> SocketAddr {
        match self {
            Reach::Home => home_address(agent),
            Reach::Fixed | Reach::Named | Reach::Registered | Reach::Streaming => {
                agent_address(agent)
            }
        }
    }

    fn contact(self, agent: u16) -> Option<String> {
        let name = agent_name(agent);
        match self {
            Reach::Fixed => Some(format!("sip:{name}@{}", agent_address(agent))),
            Reach::Named => Some(format!("sip:{name}@{name}.{DOMAIN}")),
            Reach::Home => Some(format!("tel:{}", number_of(home_address(agent)))),
            Reach::Registered | Reach::Streaming => None,
        }
    }
}

pub fn agent_name(n: u16) -> String {
    format!("op{n}")
}

/// Which agent has this name.
pub fn agent_number(name: &str) -> Option<u16> {
    name.strip_prefix("op")?.parse().ok()
}

pub fn password(agent: u16) -> String {
    format!("secret-{agent}")
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

/// The exchange through which the switch calls out: it rings for every other number there is.
pub fn exchange_address() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 3, 0, 1)), 5060)
}

/// The telephone of an agent at home, on a trunk of its own.
pub fn home_address(n: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 6, (n >> 8) as u8, n as u8)), 5060)
}

/// What this agent proves who they are with, where they have a pin.
pub fn pin(agent: u16) -> Option<String> {
    agent.is_multiple_of(2).then(|| format!("74{agent:02}"))
}

/// The switch of the district behind a trunk.
pub fn centre_address() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 4, 0, 1)), 5060)
}

/// The phone of the direct line.
pub fn desk_address() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 5, 0, 1)), 5060)
}

/// The number that the phone of this caller has.
pub fn number_of(address: SocketAddr) -> String {
    let IpAddr::V4(ip) = address.ip() else { return String::new() };
    let [_, net, high, low] = ip.octets();
    format!("+9198{net:02}0{:05}", u16::from_be_bytes([high, low]))
}

/// Whether whoever is there takes calls with other habits each time.
pub fn is_callee(address: SocketAddr) -> bool {
    is_agent(address)
        || is_home(address)
        || [exchange_address(), centre_address(), desk_address()].contains(&address)
}

fn is_home(address: SocketAddr) -> bool {
    matches!(address.ip(), IpAddr::V4(ip) if ip.octets()[1] == 6)
}

/// Whether an agent's phone is there.
pub fn is_agent(address: SocketAddr) -> bool {
    matches!(address.ip(), IpAddr::V4(ip) if ip.octets()[1] == 2)
}

/// The address of a host of ours, as the DNS knows it.
pub fn host_address(name: &str) -> Option<SocketAddr> {
    let host = name.strip_suffix(DOMAIN)?.strip_suffix('.')?;
    host.strip_prefix("op")?.parse().ok().map(agent_address)
}
