//! Bytes to values and back
//!
//! May import:  SIP, SDP, RTP, RTCP, telephone-event, G.711, WAV. No state, no time.:base.

pub mod g711;
pub mod sip;
