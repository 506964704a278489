//! Bytes to values and back: SIP, SDP, RTP, RTCP, telephone-event, G.711, WAV.
//!
//! In: bytes from a stranger. Out: values, or why not. No state, no time. May import: base.

pub mod dtmf;
pub mod g711;
pub mod rtcp;
pub mod rtp;
pub mod sdp;
pub mod sip;
pub mod wav;
