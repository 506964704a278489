//! Timers in which the core breaks: what each was for comes about all the same.

use super::*;
use crate::base::Timer;
use crate::core::BREAKS_IN;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

const PHONE: &str = "10.0.0.3:5060";

thread_local! {
    /// Which, and whether the core breaks in what is done in its place as well.
    static PLANTED: Cell<Option<(Timer, bool)>> = const { Cell::new(None) };
}

fn is_planted(timer: &Timer, left_out: usize) -> bool {
    let planted = PLANTED.get().filter(|(planted, _)| planted == timer);
    planted.is_some_and(|(_, deep)| left_out == 0 || deep && left_out == 1)
}

fn plant(timer: Timer, deep: bool) {
    PLANTED.set(Some((timer, deep)));
    BREAKS_IN.set(is_planted);
}

impl Process {
    /// Time goes by, and in this timer the process dies.
    fn dies_in(mut self, event: &Event, is_it: impl Fn(&Timer) -> bool, deep: bool) -> Timer {
        let mut passed = Vec::new();
        loop {
            let (at, timer) = self.switch.next_deadline().expect("a timer");
            passed.push(timer);
            assert!(passed.len() < 500, "it never comes: {passed:?}");
            self.now.wall = Wall(self.now.wall.0 + at.since(self.now.instant).as_micros() as i64);
            self.now.instant = at;
            if !is_it(&timer) {
                self.tell_now(Event::Tick);
                continue;
            }
            plant(timer, deep);
            self.writer.append(self.now, std::slice::from_ref(event));
            let Process { switch, now, .. } = &mut self;
            let handle = || switch.handle(*now, event.clone(), &mut Out::default());
            assert!(catch_unwind(AssertUnwindSafe(handle)).is_err(), "{timer:?} is due");
            self.writer.break_off(self.now);
            return timer;
        }
    }

    /// What was sent to the agent's phone just now.
    fn to_phone(&self, method: &str) -> Option<String> {
        self.sent(PHONE, method)
    }

    fn sent(&self, to: &str, begins: &str) -> Option<String> {
        self.out.commands.iter().find_map(|command| match command {
            Command::Send { hop, bytes } if hop.peer == to.parse().unwrap() => {
                let text = String::from_utf8(bytes.to_vec()).unwrap();
                text.starts_with(begins).then_some(text)
            }
            _ => None,
        })
    }

    /// The port whose far end has just said that it is there.
    fn port_towards(&self, at: &str) -> crate::base::PortId {
        let found = self.out.commands.iter().find_map(|command| match command {
            Command::Media(control::Command::Agree { port, far, .. }) => {
                (far.rtp == at.parse().unwrap()).then_some(*port)
            }
            _ => None,
        });
        found.expect("it was agreed with")
    }

    fn caller_acknowledges(&mut self, answer: &str) {
        let of = |name: &str| answer.lines().find(|line| line.starts_with(name)).unwrap();
        let text = format!(
            "ACK sip:181@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {CALLER};branch=z9hG4bKack\r\n\
             {}\r\n{}\r\n{}\r\nCSeq: 1 ACK\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
            of("From:"),
            of("To:"),
            of("Call-ID:"),
        );
        let (transport, local) = (Transport::Udp, "10.0.0.1:5060".parse().unwrap());
        let hop = Hop { transport, local, peer: CALLER.parse().unwrap(), flow: None };
        self.tell(Event::Sip { hop, bytes: Bytes::from(text) });
    }

    /// A caller who waits, acknowledged; and what the agent's phone was asked.
    fn rings(&mut self) -> String {
        self.arrives("c0");
        let invite = self.to_phone("INVITE").expect("the agent is rung");
        let answer = self.sent(CALLER, "SIP/2.0 200");
        self.phone_says(&invite, "180 Ringing");
        if let Some(answer) = answer.or_else(|| self.sent(CALLER, "SIP/2.0 200")) {
            self.caller_acknowledges(&answer);
        }
        invite
    }

    fn phone_says(&mut self, invite: &str, status: &str) {
        let of = |name: &str| {
            let line = invite.lines().find(|line| line.starts_with(name));
            line.unwrap_or_else(|| panic!("no {name} in {invite}")).to_string()
        };
        let sdp = "v=0\r\no=b 1 1 IN IP4 10.0.0.3\r\ns=-\r\nc=IN IP4 10.0.0.3\r\nt=0 0\r\n\
            m=audio 30002 RTP/AVP 8\r\n";
        let text = format!(
            "SIP/2.0 {status}\r\n{}\r\n{}\r\n{};tag=phone\r\n{}\r\n{}\r\n\
             Contact: <sip:op1@{PHONE}>\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{sdp}",
            of("Via:"),
            of("From:"),
            of("To:"),
            of("Call-ID:"),
            of("CSeq:"),
            sdp.len()
        );
        let hop = Hop {
            transport: Transport::Udp,
            local: "10.0.0.1:5060".parse().unwrap(),
            peer: PHONE.parse().unwrap(),
            flow: None,
        };
        self.tell(Event::Sip { hop, bytes: Bytes::from(text) });
    }
}

fn with_an_agent(name: &str) -> Place {
    let text = "[sip]\nlisten = [\"udp:10.0.0.1:5060\"]\n[[trunk]]\nname = \"bsnl\"\n\
        hosts = [\"10.0.0.2:5060\"]\nping = \"0s\"\n[[line]]\nnumbers = [\"181\"]\n\
        queue = \"general\"\n[[queue]]\nname = \"general\"\nwrap_up = \"30s\"\nmax_wait = \"45s\"\n\
        [[agent]]\nid = \"op1\"\ncontact = \"sip:op1@10.0.0.3:5060\"\n\
        ready = true\n";
    let settings = crate::config::parse(&[("test".into(), text.into())], &|_| None).unwrap();
    Place { settings, ..Place::new(name) }
}

/// The commonest event is that of the clock.
#[test]
fn a_timer_that_breaks_the_core_is_left_out_and_everybody_s_call_goes_on() {
    for event in
        [Event::Tick, Event::Restarted { flows: BTreeSet::new(), secret: Default::default() }]
    {
        let place = Place::new("journal-timer");
        let mut process = place.start();
        (0..2).for_each(|n| process.arrives(&format!("c{n}")));
        let timer = process.dies_in(&event, |_| true, true);
        let mut again = place.start();
        assert_eq!(again.board.live(), 2, "nobody's call has ended");
        again.arrives("c2");
        assert_eq!(again.board.live(), 3, "and others come");
        let audit = super::super::audit(&place.dir()).unwrap();
        let about = format!("({timer:?} was due): the core breaks its own rules, left out");
        assert!(audit.notes[0].ends_with(&about), "{audit}");
        // What follows begins behind it, so that it is not met at every start.
        while files::list(&place.dir()).unwrap().1.last() == Some(&1) {
            again.tell(Event::Tick);
            std::thread::park_timeout(Duration::from_millis(5));
        }
        BREAKS_IN.set(|_, _| false);
        again.is_same(&place.start());
    }
}

#[test]
fn an_agent_whose_notes_break_the_core_has_the_next_call() {
    let place = with_an_agent("journal-notes");
    let mut process = place.start();
    process.arrives("c0");
    let invite = process.to_phone("INVITE").expect("the agent is rung");
    process.phone_says(&invite, "200 OK");
    process.ends_one();
    process.dies_in(&Event::Tick, |timer| matches!(timer, Timer::WrapUp(_)), false);
    let mut again = place.start();
    assert_eq!(place.records().len(), 1, "the notes are over, and with them the record");
    again.arrives("c1");
    assert!(again.to_phone("INVITE").is_some(), "the agent is rung");
}

#[test]
fn a_ring_that_breaks_the_core_is_over_and_the_caller_is_served() {
    let place = with_an_agent("journal-ring");
    let mut process = place.start();
    let invite = process.rings();
    process.dies_in(&Event::Tick, |timer| matches!(timer, Timer::RingTimeout(..)), false);
    let mut again = place.start();
    assert_eq!(again.board.live(), 1, "the caller waits");
    again.phone_says(&invite, "487 Request Terminated");
    let mut rung = false;
    for _ in 0..15 {
        rung |= again.to_phone("INVITE").is_some_and(|next| !same_call(&next, &invite));
        again.tell(Event::Tick);
    }
    assert!(rung, "the agent is rung for the caller again");
}

/// The agent's phone is silent for long, and what ends that breaks the core.
#[test]
fn a_fault_in_a_timer_of_an_agent_s_leg_ends_that_leg_and_the_caller_waits_again() {
    let mut place = with_an_agent("journal-leg");
    place.settings.call.media.silence_hangup = Duration::from_secs(60);
    let mut process = place.start();
    let invite = process.rings();
    process.phone_says(&invite, "200 OK");
    let port = process.port_towards("10.0.0.3:30002");
    process.tell(Event::Media(control::Event::Silent { port }));
    process.dies_in(&Event::Tick, |timer| matches!(timer, Timer::Silence(_)), false);
    let mut again = place.start();
    assert_eq!(again.board.live(), 1, "nobody hung up on the caller");
    assert_eq!(place.records().len(), 0);
    let mut rung = false;
    for _ in 0..40 {
        rung |= again.to_phone("INVITE").is_some_and(|next| !same_call(&next, &invite));
        assert!(again.sent(CALLER, "BYE").is_none());
        if rung {
            break;
        }
        again.tell(Event::Tick);
    }
    assert!(rung, "the agent is rung for the caller again");
}

/// Asking whether somebody is there ends nothing, so nothing is ended in its place.
#[test]
fn a_fault_in_asking_after_a_restart_costs_nobody_the_call() {
    let place = with_an_agent("journal-recheck");
    let mut process = place.start();
    let invite = process.rings();
    process.phone_says(&invite, "200 OK");
    process.tell(Event::Restarted { flows: BTreeSet::new(), secret: Default::default() });
    process.dies_in(&Event::Tick, |timer| matches!(timer, Timer::Recheck(_)), false);
    let mut again = place.start();
    for _ in 0..4 {
        assert_eq!(again.board.live(), 1);
        assert!(again.to_phone("BYE").is_none() && again.sent(CALLER, "BYE").is_none());
        again.tell(Event::Tick);
    }
    assert_eq!(place.records().len(), 0, "they talk on");
}

fn same_call(one: &str, other: &str) -> bool {
    let id = |text: &str| text.lines().find(|line| line.starts_with("Call-ID:")).map(String::from);
    id(one) == id(other)
}

#[test]
fn a_call_whose_last_timer_breaks_the_core_is_closed_as_recovered() {
    let place = with_an_agent("journal-max-wait");
    let mut process = place.start();
    process.rings();
    process.dies_in(&Event::Tick, |timer| matches!(timer, Timer::MaxWait(_)), false);
    let mut again = place.start();
    for _ in 0..40 {
        again.tell(Event::Tick);
    }
    assert_eq!(again.board.live(), 0);
    let ends: Vec<_> = place.records().iter().map(|record| record.ended_by).collect();
    assert_eq!(ends, [EndedBy::Recovered]);
}
