//! What a start finds: a switch that was at work before, with its calls; and the sockets that can
//! be had. For calls that are alive it goes on with less than the configuration wants; without any
//! it says what is wrong, and is none.
//!
//! In: the configuration. Out: what was, settings that fit to it, sockets.

use super::clock::Clock;
use super::handover::Handover;
use super::journal::{self, Begin, Found};
use super::tcp::Keys;
use super::udp::Udp;
use super::{checks, http, reload, store, tcp};
use crate::config::{Settings, Tls};
use crate::core::Row;
use crate::sip::{Listener, Transport};
use std::net::TcpListener;
use std::sync::Arc;

/// What the last process left behind.
pub struct Before {
    pub begin: Begin,
    /// Rows that are in no outbox yet.
    pub rows: Vec<Row>,
    pub settings: Settings,
    /// It has gone on since.
    pub clock: Clock,
    /// Somebody is on the phone, for whom this process goes on whatever it cannot have.
    pub live: bool,
}

pub fn look_back(fresh: Settings, mistakes: Option<&str>) -> Result<Before, String> {
    let (dir, outbox) = (fresh.data.join("journal"), fresh.data.join("outbox"));
    let Found { begin, rows } = journal::recover(&dir, &mut store::open(&outbox)?)?;
    let Begin::Again(again) = &begin else {
        let clock = Clock::start();
        clock.note(&fresh.data);
        let begun = Before { begin, rows, settings: fresh, clock, live: false };
        return mistakes.map_or(Ok(begun), |mistakes| Err(mistakes.into()));
    };
    let live = again.is_live();
    let settings = match mistakes {
        Some(mistakes) if again.has_ended() && !live => return Err(mistakes.into()),
        Some(mistakes) => {
            tracing::error!(
                "{mistakes}. The switch died in the midst of its work, so it goes on with the \
                 configuration that was in force; mend the files, and then `pukar reload`"
            );
            again.settings().clone().with_data(&fresh.data)
        }
        None => reload::go_on(again.settings(), fresh, live),
    };
    let clock = Clock::resume(again.last, &settings.data);
    clock.note(&settings.data);
    Ok(Before { begin, rows, settings, clock, live })
}

/// Binds every listener, and writes the ports that the system chose into the settings. `live`: one
/// that cannot be had is left out, for the sake of whoever is heard through the others.
pub fn bind(
    sip: &mut crate::sip::Settings,
    open: &mut Handover,
    live: bool,
) -> Result<(Udp, Vec<(Transport, TcpListener)>), String> {
    let (mut udp, mut tcp, mut refused) = (Udp::default(), Vec::new(), None);
    let mut bound = Vec::new();
    for listener in std::mem::take(&mut sip.listen) {
        let had = match listener.transport {
            Transport::Udp => udp.bind(listener.bind, sip.dscp, open),
            transport => tcp::bind(transport, listener.bind, sip.dscp, open).and_then(|bound| {
                let at = bound.local_addr().map_err(|e| format!("tcp: {e}"))?;
                tcp.push((transport, bound));
                Ok(at)
            }),
        };
        match had {
            Ok(at) => bound.push(Listener { bind: at, ..listener }),
            Err(why) if live => {
                tracing::error!("{why}. The calls that there are go on without it");
                refused = Some(why);
            }
            Err(why) => return Err(why),
        }
    }
    sip.listen = bound;
    match refused {
        Some(why) if sip.listen.is_empty() => Err(why),
        _ => Ok((udp, tcp)),
    }
}

/// What connections are secured with. No certificate is worth a call; files that are right count
/// all the same.
pub fn keys(settings: &Settings, live: bool) -> Result<Arc<Keys>, String> {
    let Tls { certificate, ca, .. } = settings.tls.clone();
    // Without our authorities nobody proves anything: whom the machine trusts is not asked.
    let asked = Vec::new();
    let keys = Keys::load(&settings.tls).or_else(|why| match live {
        true => {
            tracing::error!("{why}. Calls go on; it is tried again by a reload");
            let authorities = Keys::load(&Tls { certificate: None, ca, asked: asked.clone() });
            let own = || Keys::load(&Tls { certificate, ca: None, asked });
            authorities.or_else(|_| own()).or_else(|_| Keys::load(&Tls::default()))
        }
        false => Err(why),
    });
    keys.map(Arc::new)
}

/// No wallboard is worth a call.
pub fn bind_http(
    settings: &Settings,
    open: &mut Handover,
    live: bool,
) -> Result<Option<TcpListener>, String> {
    let bind = |at| match open.listener(Transport::Tcp, at) {
        Some(left) => Ok(TcpListener::from(left)),
        None => http::bind(at),
    };
    let bound = settings.admin.http.map(bind).transpose();
    bound.or_else(|why| match live {
        true => {
            tracing::error!("{why}. There is no wallboard until the next start; calls go on");
            Ok(None)
        }
        false => Err(why),
    })
}

/// Whoever does not say where it is known by this machine's own address.
pub fn with_own_address(settings: Settings) -> Settings {
    for family in settings.wants_addresses() {
        match checks::own_address(family) {
            Some(address) => {
                tracing::info!("known to the network as {address}; `advertise` says otherwise");
            }
            None => tracing::warn!(
                "this machine has no {} route to a network, so phones elsewhere cannot be told \
                 where it is; write its address under [sip] advertise, or listen on none",
                family.name()
            ),
        }
    }
    settings.with_addresses(checks::own_address)
}
