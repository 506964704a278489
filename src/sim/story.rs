//! Stories: a world in which nothing happens but what a test says, phone by phone and fault by
//! fault, under the same laws.

use super::agenda::Work;
use super::habits::Habits;
use super::laws::Story;
use super::phone::Phone;
use super::plan::{agent_address, agent_name, caller_address, exchange_address, is_callee};
use super::world::{Verdict, World};
use super::{Network, Plan};
use crate::acd::AgentState;
use crate::base::Instant;
use crate::config::Settings;
use crate::core::{CallRecord, Event, Fact, Switch, Verb};
use crate::media::Side;
use crate::sip::Hop;
use bytes::Bytes;
use std::net::SocketAddr;
use std::time::Duration;

/// How long agents' phones have to register before a story begins.
const MORNING: Duration = Duration::from_secs(2);

impl World {
    /// A world of `plan` in which nobody calls by themselves. Agents' phones are polite: they
    /// answer after a second and talk for ten.
    pub fn story(seed: u64, plan: Plan) -> Self {
        let mut world = Self::new(seed, plan);
        world.laws.story = Some(Story::default());
        for phone in world.phones.values_mut() {
            phone.scripted = true;
        }
        let phones: Vec<SocketAddr> =
            world.phones.keys().copied().filter(|&a| is_callee(a)).collect();
        for address in phones {
            let (ring, talk) = (Duration::from_secs(1), Duration::from_secs(10));
            world.phone_does(address, Habits::polite(ring, talk));
        }
        world.called_back_does(Habits::polite(Duration::from_secs(2), Duration::from_secs(600)));
        world.wait(MORNING);
        world
    }

    /// This caller claims to call from `number`, from now on.
    pub fn claims(&mut self, caller: u16, number: &str) {
        if let Some(phone) = self.phones.get_mut(&caller_address(caller)) {
            phone.number = number.into();
        }
    }

    pub fn agent_does(&mut self, agent: u16, habits: Habits) {
        self.phone_does(agent_address(agent), habits);
    }

    pub fn caller_does(&mut self, caller: u16, habits: Habits) {
        self.phone_does(caller_address(caller), habits);
    }

    /// This caller calls now.
    pub fn dial(&mut self, caller: u16) {
        self.do_now(Work::Dial { address: caller_address(caller), number: "181" });
    }

    /// This caller calls another number than 181 now.
    pub fn dial_number(&mut self, caller: u16, number: &str) {
        let call = self.dials(caller_address(caller), number);
        call.unwrap_or_else(|why| panic!("{}", self.complaint(&why)));
        self.wait(Duration::ZERO);
    }

    /// The phone signals on, but no audio comes from it any more; or it does again.
    pub fn mute(&mut self, address: SocketAddr, muted: bool) {
        self.excuse(address);
        self.change(address, |phone| phone.muted = muted);
    }

    fn change(&mut self, address: SocketAddr, change: impl FnOnce(&mut Phone)) {
        if let Err(why) = self.with_phone(address, |phone, _, _| change(phone)) {
            panic!("{}", self.complaint(&why));
        }
    }

    /// The phone puts whomever it talks with on hold, and comes back after two seconds.
    pub fn hold(&mut self, address: SocketAddr) {
        if let Err(why) = self.with_phone(address, |phone, _, out| phone.hold(out)) {
            panic!("{}", self.complaint(&why));
        }
        self.wait(Duration::ZERO);
    }

    /// Another phone of an agent whose phone registers, beside the first: it registers too.
    pub fn plug_in(&mut self, agent: u16) -> SocketAddr {
        let address = SocketAddr::new(agent_address(agent).ip(), 5062);
        self.hire(address, agent);
        self.change(address, |phone| phone.scripted = true);
        self.wait(MORNING);
        address
    }

    /// The system refuses the next so many media ports.
    pub fn refuse_ports(&mut self, times: u32) {
        self.ports.refusing = times;
    }

    /// Media ports that the switch has asked for.
    pub fn ports_asked(&self) -> u64 {
        self.ports.asked
    }

    /// What the phone at any address does with calls.
    pub fn phone_does(&mut self, address: SocketAddr, habits: Habits) {
        if let Some(phone) = self.phones.get_mut(&address) {
            phone.habits = habits;
        }
    }

    /// This caller hangs up now, or as soon as the rules of SIP allow it.
    pub fn give_up(&mut self, caller: u16) {
        self.do_now(Work::GiveUp { address: caller_address(caller) });
    }

    /// This caller presses a key.
    pub fn press(&mut self, caller: u16, key: char) {
        self.do_now(Work::Press { address: caller_address(caller), key });
    }

    /// What whoever is called back does with the next calls.
    pub fn called_back_does(&mut self, habits: Habits) {
        self.phone_does(exchange_address(), habits);
    }

    /// The loaded settings, to change and load again.
    pub fn settings(&self) -> Settings {
        self.settings.clone()
    }

    /// The phone loses its power.
    pub fn vanish(&mut self, address: SocketAddr) {
        self.do_now(Work::Vanish { address });
    }

    /// A phone that registers leaves; `forgets`: it only does not refresh any more.
    pub fn sign_off(&mut self, agent: u16, forgets: bool) {
        self.do_now(Work::Restless { address: agent_address(agent), forgets });
    }

    pub fn cut_off(&mut self, address: SocketAddr, span: Duration) {
        self.do_now(Work::Cut { address, span });
    }

    /// The settings in force are loaded again, with a change.
    pub fn adjust(&mut self, change: impl FnOnce(&mut Settings)) {
        let mut settings = self.settings();
        change(&mut settings);
        self.reload(settings);
    }

    /// Other settings are loaded.
    pub fn reload(&mut self, settings: Settings) {
        self.settings = settings.clone();
        self.tell(Event::Reload(Box::new(settings)));
    }

    /// Somebody edits the configuration in one of a few ways, and loads it.
    pub fn reload_something(&mut self) {
        let settings = self.plan.other_settings(&mut self.rng);
        self.reload(settings);
    }

    /// Something comes to the switch.
    pub fn tell(&mut self, event: Event) {
        self.do_now(Work::Tell(event));
    }

    /// A supervisor acts; what is said to that.
    pub fn act(&mut self, verb: Verb) -> Result<String, String> {
        self.tell(Event::Admin { request: self.steps, by: "supervisor".into(), verb });
        let replies = self.laws.story.as_ref().map(|story| &story.replies);
        replies.and_then(|replies| replies.last().cloned()).expect("an answer")
    }

    /// Keys are pressed on an agent's phone.
    pub fn keys(&mut self, agent: u16, keys: &str) {
        if let Err(why) = self.key_in(agent_address(agent), keys) {
            panic!("{}", self.complaint(&why));
        }
        self.wait(Duration::ZERO);
    }

    /// An agent's phone sends its call to somebody else.
    pub fn refers(&mut self, agent: u16, to: &str) {
        if let Err(why) = self.refer(agent_address(agent), to) {
            panic!("{}", self.complaint(&why));
        }
    }

    /// Any phone tries to.
    pub fn refers_as(&mut self, phone: SocketAddr, to: &str) {
        if let Err(why) = self.refer(phone, to) {
            panic!("{}", self.complaint(&why));
        }
    }

    /// The ids of the calls that are alive, in the order of their arrival.
    pub fn calls(&self) -> Vec<String> {
        let mut calls: Vec<String> = self.laws.live.values().cloned().collect();
        calls.sort();
        calls
    }

    /// An agent hangs up now.
    pub fn hang_up(&mut self, agent: u16) {
        self.do_now(Work::GiveUp { address: agent_address(agent) });
    }

    /// Whether the two phones hear each other.
    pub fn hear_each_other(&self, phones: &[SocketAddr]) -> bool {
        self.ports.are_together(phones)
    }

    /// Whether whoever is at `phone` hears whoever is at `other`.
    pub fn hears(&self, phone: SocketAddr, other: SocketAddr) -> bool {
        self.ports.hears(phone.ip(), other.ip())
    }

    /// On which side of a recording each of these phones is just now.
    pub fn recorded(&self, phones: &[SocketAddr]) -> Vec<Option<Side>> {
        phones.iter().map(|phone| self.ports.recorded(phone.ip())).collect()
    }

    /// The id of the one call that is alive.
    pub fn call(&self) -> String {
        let mut live = self.laws.live.values();
        live.next().filter(|_| live.next().is_none()).expect("one live call").clone()
    }

    fn do_now(&mut self, work: Work) {
        self.at(self.now, work);
        self.wait(Duration::ZERO);
    }

    /// Time passes. A broken law ends the story.
    pub fn wait(&mut self, span: Duration) {
        if let Err(why) = self.pass(self.now + span) {
            panic!("{}", self.complaint(&why));
        }
    }

    /// Time passes until it is so; how long that took. It may take `most`.
    pub fn wait_until(&mut self, most: Duration, it_is_so: impl Fn(&Self) -> bool) -> Duration {
        let since = self.now;
        while !it_is_so(self) {
            let took = self.now.since(since);
            assert!(took < most, "{}", self.complaint(&format!("still not so after {took:?}")));
            self.wait(Duration::from_millis(5));
        }
        self.now.since(since)
    }

    /// To the end, when everything has come to rest, with the laws that hold there.
    pub fn end(&mut self) -> Verdict {
        self.through().unwrap_or_else(|why| panic!("{why}"))
    }

    pub fn now(&self) -> Instant {
        self.now
    }

    pub fn switch(&self) -> &Switch {
        &self.switch
    }

    /// Any change of the network: what it loses, how fast it is.
    pub fn network(&mut self) -> &mut Network {
        self.laws.loses();
        &mut self.network
    }

    pub fn agent(&self, agent: u16) -> &AgentState {
        let state = self.switch.state().agent_state(&agent_name(agent));
        state.unwrap_or_else(|| panic!("there is no agent {agent}"))
    }

    /// Sessions in which this phone believes to talk.
    pub fn talks(&self, address: SocketAddr) -> usize {
        self.phones.get(&address).map_or(0, |phone| phone.talks())
    }

    /// Facts since the story began.
    pub fn facts(&self) -> &[Fact] {
        self.laws.story.as_ref().map_or(&[], |story| &story.facts)
    }

    /// Messages that came to the switch.
    pub fn heard(&self) -> &[(Hop, Bytes)] {
        self.laws.story.as_ref().map_or(&[], |story| &story.heard)
    }

    /// Messages that the switch sent.
    pub fn said(&self) -> &[(Hop, Bytes)] {
        self.laws.story.as_ref().map_or(&[], |story| &story.said)
    }

    /// Sessions in which this phone rings.
    pub fn rings(&self, address: SocketAddr) -> usize {
        self.phones.get(&address).map_or(0, |phone| phone.rings())
    }

    pub fn records(&self) -> &[CallRecord] {
        &self.laws.records
    }

    /// Calls that have arrived and not ended.
    pub fn live_calls(&self) -> usize {
        self.laws.live.len()
    }
}
