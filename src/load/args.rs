//! The command line of `pukar load`: every option with a sentence, and the plan they make.
//!
//! In: words. Out: a `Plan`. May import: wire.

use super::plan::{Arrivals, Plan, Span, Transport};
use crate::wire::g711::Law;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

/// Places real calls with real voice against a SIP switch, and judges what comes back.
#[derive(Clone, Debug, clap::Args)]
pub struct LoadArgs {
    /// The switch: host:port.
    #[arg(long, required_unless_present_any = ["direct", "chaos"])]
    pub target: Option<String>,
    /// Calls to place.
    #[arg(long, default_value_t = 500)]
    pub callers: u32,
    /// Agents' phones.
    #[arg(long, default_value_t = 100)]
    pub agents: u32,
    /// How long callers may stay.
    #[arg(long, default_value_t = 60)]
    pub seconds: u32,
    /// A number to call; repeat it for several, which are called in turn.
    #[arg(long = "number", default_value = "181")]
    pub numbers: Vec<String>,
    /// Host of request URIs, where it is not the target's address.
    #[arg(long, default_value = "")]
    pub domain: String,
    /// Calls a second. Without it all callers ring within --arrive.
    #[arg(long)]
    pub rate: Option<f64>,
    /// Seconds within which all callers ring; 0 is all at once.
    #[arg(long, default_value_t = 5.0)]
    pub arrive: f64,
    /// SIP over `udp` or `tcp`.
    #[arg(long, default_value = "udp", value_parser = ["udp", "tcp"])]
    pub transport: String,
    /// Decides every choice that phones make.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Percentage of callers who give up early.
    #[arg(long, default_value_t = 4)]
    pub impatient: u8,
    /// Seconds after which the impatient give up.
    #[arg(long, default_value = "3-15")]
    pub patience: Span,
    /// Seconds of a conversation; without it the time is fitted to the test's length.
    #[arg(long)]
    pub talk: Option<Span>,
    /// Seconds until an agent picks up.
    #[arg(long, default_value = "0.2-1")]
    pub ring: Span,
    /// Percentage of offered calls that agents decline.
    #[arg(long, default_value_t = 2)]
    pub decline: u8,
    /// Percentage of offered calls that agents let ring.
    #[arg(long, default_value_t = 1)]
    pub ignore: u8,
    /// Percentage of callers who hang up before the agent does.
    #[arg(long, default_value_t = 30)]
    pub caller_ends: u8,
    /// Agents are called this and a number from 1.
    #[arg(long, default_value = "op")]
    pub agent_prefix: String,
    /// Callers' numbers are this and five digits.
    #[arg(long, default_value = "98260")]
    pub caller_prefix: String,
    /// Agents register with this secret; `{}` becomes the agent's number.
    #[arg(long)]
    pub secret: Option<String>,
    /// SIP address of the callers' phones.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub callers_at: SocketAddr,
    /// SIP address of the agents' phones.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub agents_at: SocketAddr,
    /// First RTP port to try.
    #[arg(long, default_value_t = 40_000)]
    pub rtp_from: u16,
    /// Law that callers speak: `pcma` or `pcmu`.
    #[arg(long, default_value = "pcma", value_parser = ["pcma", "pcmu"])]
    pub callers_law: String,
    /// Law that agents speak.
    #[arg(long, default_value = "pcma", value_parser = ["pcma", "pcmu"])]
    pub agents_law: String,
    /// Signalling only.
    #[arg(long)]
    pub no_media: bool,
    /// Callers send no voice while they wait.
    #[arg(long)]
    pub mute_waiting: bool,
    /// Callers call the agents' phones straight, without any switch: a test of the tester.
    #[arg(long)]
    pub direct: bool,
    /// Start a switch, and kill it, freeze it, lock its database, fill its disk, drop and repeat
    /// its packets while people call; then judge its records.
    #[arg(long, conflicts_with_all = ["target", "direct"])]
    pub chaos: bool,
    /// Seconds within which an answer counts for the service level.
    #[arg(long, default_value_t = 20)]
    pub answer_within: u64,
    /// Threads for RTP.
    #[arg(long, default_value_t = 1)]
    pub media_threads: u16,
    /// The report as JSON on stdout; progress goes to stderr.
    #[arg(long)]
    pub json: bool,
}

fn law(name: &str) -> Law {
    if name == "pcmu" { Law::Mu } else { Law::A }
}

impl LoadArgs {
    pub fn plan(&self) -> Result<Plan, String> {
        let target = self.target.as_deref().unwrap_or("127.0.0.1:5060");
        let found = target.to_socket_addrs().map_err(|e| format!("--target {target}: {e}"))?;
        let target = found.into_iter().find(SocketAddr::is_ipv4);
        let target = target.ok_or_else(|| "--target has no IPv4 address".to_string())?;
        let arrive = Duration::try_from_secs_f64(self.arrive)
            .map_err(|_| format!("--arrive {} is no number of seconds", self.arrive))?;
        let mut plan = Plan::new(target);
        plan.callers = self.callers;
        plan.agents = self.agents;
        plan.seconds = self.seconds;
        plan.numbers = self.numbers.clone();
        plan.domain = self.domain.clone();
        plan.arrivals = self.rate.map_or(Arrivals::Over(arrive), Arrivals::Rate);
        plan.transport = if self.transport == "tcp" { Transport::Tcp } else { Transport::Udp };
        plan.seed = self.seed;
        plan.impatient_percent = self.impatient;
        plan.patience = self.patience;
        plan.caller_ends_percent = self.caller_ends;
        plan.manner.ring = self.ring;
        plan.manner.decline_percent = self.decline;
        plan.manner.ignore_percent = self.ignore;
        match self.talk {
            Some(talk) => plan.manner.talk = talk,
            None => plan.fit_talk(),
        }
        plan.agent_prefix = self.agent_prefix.clone();
        plan.caller_prefix = self.caller_prefix.clone();
        plan.secret = self.secret.clone();
        (plan.callers_at, plan.agents_at) = (self.callers_at, self.agents_at);
        plan.rtp_from = self.rtp_from;
        (plan.callers_law, plan.agents_law) = (law(&self.callers_law), law(&self.agents_law));
        (plan.media, plan.speak_waiting) = (!self.no_media, !self.mute_waiting);
        plan.direct = self.direct;
        plan.answer_within = Duration::from_secs(self.answer_within);
        plan.media_threads = self.media_threads;
        Ok(plan)
    }
}
