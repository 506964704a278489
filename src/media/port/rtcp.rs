//! RTCP of a port: whose reports are believed, what of them goes on to the peer, and our own.
//! May import: base, wire.

use super::*;

impl Port {
    /// A packet of RTCP: what it tells, if it is to be believed and is to be handed on. What
    /// strangers send is not even read.
    pub(in crate::media) fn hear_rtcp(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &[u8],
        out: &mut Vec<Effect>,
    ) -> Option<Told> {
        let asked = self.is_rtcp_address(from) || self.latch.may_prove(from.ip());
        let told = (asked && looks_like_rtcp(bytes)).then(|| Told::read(bytes)).flatten();
        let told = match &self.seal {
            Some(seal) => told.map(|told| seal.named(told)),
            None => told,
        };
        if let Some(told) = told.as_ref().filter(|_| self.latch.may_prove(from.ip())) {
            self.weigh(from.ip(), told, out);
        }
        let Some(told) = told.filter(|told| self.is_rtcp_source(from, told)) else {
            self.refused += 1;
            return None;
        };
        let hears = [self.voice.source().map(|(ssrc, _)| ssrc), Some(self.voice.ours().ssrc)];
        self.reports.heard(now, &told, hears);
        // In a pause that was told of nothing else shows that somebody is there.
        if self.pauses {
            self.heard = now;
        }
        Some(told).filter(|_| self.reports.hands_on(now))
    }

    /// Whether what this host tells proves that it is the far end, or that it guesses.
    fn weigh(&mut self, host: IpAddr, told: &Told, out: &mut Vec<Effect>) {
        match self.reports.answer(told) {
            Answer::None => {}
            Answer::Wrong => self.latch.disprove(host),
            Answer::Right => {
                if self.latch.prove(host)
                    && let Some(at) = self.latch.settled()
                {
                    self.settled(at, out);
                }
            }
        }
    }

    /// The address that was said, or the host that RTP has settled on; the first to speak stays.
    fn is_rtcp_address(&self, from: SocketAddr) -> bool {
        let Some(far) = self.far else { return false };
        let settled = self.latch.settled().filter(|_| self.latch.is_firm());
        if self.is_muxed() {
            return settled.unwrap_or(far.rtp) == from;
        }
        match self.rtcp {
            Some(at) => at == from,
            None => settled.is_some_and(|at| at.ip() == from.ip()) || from == far.rtcp,
        }
    }

    /// And it speaks of the stream that is heard.
    fn is_rtcp_source(&mut self, from: SocketAddr, told: &Told) -> bool {
        let other = self.hearing.report().is_some_and(|heard| heard.ssrc != told.ssrc);
        if other || !self.is_rtcp_address(from) {
            return false;
        }
        if !self.is_muxed() {
            self.rtcp = Some(from);
        }
        true
    }

    /// What is told of the peer's stream, in the numbers of the peer.
    pub(in crate::media) fn told_of_peer(&self, mut told: Told) -> Told {
        let source = self.voice.source();
        told.about.retain(|report| source.is_some_and(|(ssrc, _)| ssrc == report.ssrc));
        for report in &mut told.about {
            let shift = source.map_or(0, |(_, shift)| shift);
            report.highest = report.highest.wrapping_sub(shift);
            if self.reports.is_ours(report) {
                (report.last_sr, report.delay) = (0, 0);
            }
        }
        told
    }

    /// The peer's report, for the far end that hears its stream.
    pub(in crate::media) fn say_rtcp(&mut self, now: Instant, mut told: Told) -> Option<Effect> {
        self.far.filter(|_| !self.closed)?;
        let to = self.rtcp_to()?;
        let ssrc = self.voice.source().map(|(ssrc, _)| ssrc);
        told.sent = told.sent.filter(|_| ssrc == Some(told.ssrc));
        if let Some(sent) = &told.sent {
            self.reports.went(now, told.ssrc, sent);
        }
        Some(Effect::Report {
            port: self.id,
            channel: self.rtcp_channel(),
            to,
            bytes: told.bytes(),
        })
    }

    /// Whether RTCP goes with RTP (RFC 5761), as it was agreed.
    #[inline]
    pub(in crate::media) fn is_muxed(&self) -> bool {
        self.muxed
    }

    fn rtcp_channel(&self) -> Channel {
        if self.is_muxed() { Channel::Rtp } else { Channel::Rtcp }
    }

    /// Where the far end listens for RTCP, if it hears at all.
    fn rtcp_to(&self) -> Option<SocketAddr> {
        let (far, rtp) = (self.far?, self.listens()?);
        if self.is_muxed() {
            return Some(rtp);
        }
        let behind_nat = rtp != far.rtp;
        let guess = SocketAddr::new(rtp.ip(), rtp.port().saturating_add(1));
        Some(self.rtcp.unwrap_or(if behind_nat { guess } else { far.rtcp }))
    }

    /// A report to a far end that is bridged, where the other one has sent none for a while: of
    /// what it hears, in the name of that one, and of what is heard of itself.
    pub(in crate::media) fn report_for_peer(&mut self, now: Instant) -> Option<Effect> {
        if self.peer.is_none() || self.reports.wait(now) {
            return None;
        }
        let (others, to) = (self.voice.others()?, self.rtcp_to()?);
        let bytes = self.reports.due(now, &others, &self.hearing)?;
        Some(Effect::Report { port: self.id, channel: self.rtcp_channel(), to, bytes })
    }

    /// A report to a far end that hears a tune or a room, where one is due.
    pub(in crate::media) fn report(&mut self, now: Instant) -> Option<Effect> {
        if self.reports.wait(now) {
            return None;
        }
        let to = self.rtcp_to().filter(|_| self.voice.speaks())?;
        let ours: Ours = self.voice.ours();
        let bytes = self.reports.due(now, &ours, &self.hearing)?;
        Some(Effect::Report { port: self.id, channel: self.rtcp_channel(), to, bytes })
    }
}
