//! The load tester: callers and agents as real phones, over real SIP and RTP sockets, against any
//! switch; and a judge of what they heard. `pukar load` is this, and the engine of `pukar demo`.
//!
//! SIP is built and read with `rsip` and RTP read with `rtp-rs`: the switch's own parsers are
//! never its only judges. Two threads: one for all signalling, one (or more) for all media.
//! In: a `Plan`. Out: `Progress` each second, a `Report` at the end. Knows nothing of the switch
//! beyond its address. May import: wire and base.

mod agents;
mod args;
mod callers;
mod clock;
mod dialogs;
mod digest;
mod ear;
mod jacks;
mod judge;
#[cfg(test)]
mod judge_tests;
mod links;
mod log;
mod media;
mod message;
mod payload;
mod phones;
mod plan;
mod report;
mod sdp;
mod table;
mod transactions;

pub use args::LoadArgs;
pub use payload::print;
pub use plan::{Arrivals, Manner, Plan, Span, Transport};
pub use report::{
    CallResult, Calls, Offers, Outcome, Record, Report, Spread, Tester, Voice, share,
};

use crate::base::Rng;
use ear::Delays;
use judge::Evidence;
use media::{Gauges, Heard, Media, Order};
use mio::{Poll, Waker};
use phones::Phones;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

/// How a test stands, once a second.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// Seconds since the first caller rang.
    pub second: f64,
    /// Agents whose registration is still awaited.
    pub registering: u32,
    pub offered: u32,
    pub waiting: u32,
    pub talking: u32,
    pub answered: u32,
    pub abandoned: u32,
    /// Of those who still wait, in seconds.
    pub longest_wait: f64,
    /// Percent, so far.
    pub service_level: f64,
    /// RTP packets received so far, and voice packets missing among them.
    pub packets: u64,
    pub lost: i64,
}

/// Runs `plan` on this thread (media on threads of its own) and says what was found. An error is
/// the tester's own: a port that is taken, a plan that cannot work.
pub fn run(plan: &Plan, progress: &mut dyn FnMut(&Progress)) -> Result<Report, String> {
    let mistakes = plan.mistakes();
    if !mistakes.is_empty() {
        return Err(mistakes.join("; "));
    }
    gather(plan, progress)
        .map(|evidence| judge::judge(&evidence))
        .map_err(|e| format!("the load tester itself cannot go on: {e}"))
}

type Threads = Vec<JoinHandle<io::Result<u64>>>;

fn gather(plan: &Plan, progress: &mut dyn FnMut(&Progress)) -> io::Result<Evidence> {
    let mut poll = Poll::new()?;
    let waker = Arc::new(Waker::new(poll.registry(), phones::WAKE)?);
    let links = links::Links::new(poll.registry().try_clone()?, plan)?;
    let (said, heard) = crossbeam_channel::bounded(1 << 17);
    let gauges = Arc::new(Gauges::default());
    let (mut orders, mut threads): (_, Threads) = (Vec::new(), Vec::new());
    for _ in 0..plan.media_threads.max(1) {
        let (sender, receiver) = crossbeam_channel::bounded(1 << 16);
        let (media, media_waker) =
            Media::new(receiver, said.clone(), waker.clone(), gauges.clone(), plan.keep)?;
        orders.push((sender, media_waker));
        threads.push(std::thread::Builder::new().name("load-media".into()).spawn(|| {
            media.run()?;
            Ok(jacks::thread_cpu())
        })?);
    }
    let mut rng = Rng::new(plan.seed);
    let scripts = callers::scripts(plan, &mut rng);
    let (began, cpu) = (clock::nanos(), jacks::thread_cpu());
    let mut phones = Phones::new(plan, links, rng, orders, heard, gauges);
    phones.scripts = scripts;
    phones.nonce = nonce();
    phones.begin();
    phones.run(&mut poll, progress)?;
    let own_cpu = jacks::thread_cpu() - cpu;
    finish(phones, threads, own_cpu, clock::nanos() - began)
}

fn finish(
    mut phones: Phones<'_>,
    threads: Threads,
    own_cpu: u64,
    took: u64,
) -> io::Result<Evidence> {
    let (drops, sip_drops) = phones.own_drops();
    for (sender, waker) in &phones.orders {
        let _ = sender.send(Order::Stop);
        waker.wake()?;
    }
    let (mut delays, mut cpu) = (Delays::default(), own_cpu);
    for _ in &threads {
        while let Ok(heard) = phones.heard.recv() {
            match heard {
                Heard::Finished { leg, media } => phones.legs[leg as usize].log.media = *media,
                Heard::Stopped { delays: more } => {
                    delays.merge(&more);
                    break;
                }
                Heard::Voice { .. } => {}
            }
        }
    }
    for thread in threads {
        cpu += thread.join().map_err(|_| io::Error::other("the media thread failed"))??;
    }
    let gauge = |value: &std::sync::atomic::AtomicU64| value.load(Ordering::Relaxed);
    let tester = Tester {
        seconds: clock::seconds(took),
        cpu_seconds: clock::seconds(cpu),
        cpu_percent: 100.0 * cpu as f64 / took.max(1) as f64,
        resent: phones.transactions.resent,
        repeats_seen: phones.transactions.repeats_seen,
        late_ticks: gauge(&phones.gauges.late_ticks),
        send_errors: gauge(&phones.gauges.send_errors),
        rtp_drops: drops.values().sum(),
        sip_drops,
    };
    Ok(Evidence {
        plan: phones.plan.clone(),
        legs: phones.legs.into_iter().map(|leg| leg.log).collect(),
        faults: phones.faults,
        delays,
        drops,
        packets_sent: gauge(&phones.gauges.sent),
        packets_received: gauge(&phones.gauges.received),
        tester,
    })
}

/// Differs from run to run, so that a switch that still remembers the last test does not take
/// this one's calls for repeats. Nothing that is decided depends on it.
fn nonce() -> u64 {
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}
