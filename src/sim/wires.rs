//! Everything between the switch and the phones: datagrams, streams, the DNS, and audio as far as
//! it is heard or not.

use super::agenda::Work;
use super::plan::{host_address, switch_address};
use super::streams::Way;
use super::world::World;
use crate::base::{PortId, QueryId};
use crate::core::Event;
use crate::media::control;
use crate::sip::resolve::Answer;
use crate::sip::{Hop, Record, RecordKind, Transport};
use std::net::SocketAddr;
use std::time::Duration;

impl World {
    /// A phone says something to the switch.
    pub(super) fn send(&mut self, phone: SocketAddr, bytes: Vec<u8>) {
        let transport = self.phones.get(&phone).map_or(Transport::Udp, |known| known.transport);
        let local = switch_address();
        let bytes = match self.plan.seals() {
            true => self.keys.say(phone, self.plan.sealing.of(phone), bytes),
            false => bytes,
        };
        match transport {
            Transport::Udp => {
                let ends = (phone, local);
                for at in self.network.arrivals(self.now, ends, &bytes, &mut self.rng) {
                    let hop = Hop { transport, local, peer: phone, flow: None };
                    self.at(at, Work::Arrive { hop, bytes: bytes.clone() });
                }
            }
            Transport::Tcp | Transport::Tls => {
                let flow = self.streams.of(phone);
                let Some(hop) = self.streams.hop(flow) else { return };
                let at = self.stream_pause(phone);
                let at = self.streams.in_order(flow, Way::Up, at);
                self.at(at, Work::Arrive { hop, bytes });
            }
        }
    }

    /// The switch says something to a phone.
    pub(super) fn carry(&mut self, hop: Hop, bytes: Vec<u8>) -> Result<(), String> {
        let meant = self.streams.meant(&hop);
        if self.plan.seals() {
            self.keys.heard(meant.map_or(hop.peer, |(_, phone)| phone), &bytes)?;
        }
        match (hop.transport, meant) {
            (Transport::Udp, _) => {
                let ends = (hop.local, hop.peer);
                for at in self.network.arrivals(self.now, ends, &bytes, &mut self.rng) {
                    let phone = hop.peer;
                    self.at(at, Work::Deliver { hop, phone, bytes: bytes.clone() });
                }
            }
            (Transport::Tcp | Transport::Tls, Some((flow, phone))) => {
                let hop = Hop { flow: Some(flow), ..hop };
                let at = self.stream_pause(phone);
                let at = self.streams.in_order(flow, Way::Down, at);
                self.at(at, Work::Deliver { hop, phone, bytes });
            }
            // Phones listen on no port: a connection to one is refused.
            (Transport::Tcp | Transport::Tls, None) => {
                let after = self.network.pause(&mut self.rng);
                self.at(self.now + after, Work::Tell(Event::Unreachable { hop }));
            }
        }
        Ok(())
    }

    /// A stream waits while its phone is cut off, and loses nothing.
    fn stream_pause(&mut self, phone: SocketAddr) -> crate::base::Instant {
        let from = self.network.mended(phone, self.now).unwrap_or(self.now);
        from + self.network.pause(&mut self.rng)
    }

    /// A stream breaks: what was on its way is lost, and the phone comes back on another.
    pub(super) fn cut_stream(&mut self) -> Result<(), String> {
        let Some((flow, phone)) = self.streams.cut_any(&mut self.rng) else { return Ok(()) };
        let after = Duration::from_millis(200 + self.rng.below(3_000));
        self.at(self.now + after, Work::Return { address: phone });
        self.feed(Event::FlowClosed { flow })
    }

    pub(super) fn resolve(
        &mut self,
        query: QueryId,
        name: &str,
        kind: RecordKind,
    ) -> Result<(), String> {
        let address = host_address(name).filter(|_| kind == RecordKind::Address);
        let answer = match address {
            Some(address) => Answer::Found {
                records: vec![Record::Address(address.ip())],
                ttl: Duration::from_secs(20),
            },
            None => Answer::Missing,
        };
        self.feed(Event::Dns { query, answer })
    }

    pub(super) fn media(&mut self, event: control::Event) -> Result<(), String> {
        self.feed(Event::Media(event))
    }

    /// The ports that listen for this phone will notice that nothing comes.
    pub(super) fn fall_silent(&mut self, phone: SocketAddr) {
        for (port, after) in self.ports.watching(phone.ip()) {
            self.at(self.now + after, Work::Silent { port });
        }
    }

    /// Audio comes again from where none came.
    pub(super) fn be_heard(&mut self, phone: SocketAddr) -> Result<(), String> {
        if self.is_heard(phone) {
            for port in self.ports.hear(phone.ip()) {
                self.media(control::Event::Heard { port })?;
            }
        }
        Ok(())
    }

    pub(super) fn silent(&mut self, port: PortId) -> Result<(), String> {
        let Some(ip) = self.ports.far_of(port) else { return Ok(()) };
        let mut here = self.phones.keys().copied().filter(|address| address.ip() == ip);
        let heard = here.any(|phone| self.is_heard(phone));
        match !heard && self.ports.fall_silent(port) {
            true => self.media(control::Event::Silent { port }),
            false => Ok(()),
        }
    }
}
