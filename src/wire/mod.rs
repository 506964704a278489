//! Bytes to values and back: SIP, SDP, RTP, RTCP, codecs, telephone-event, G.711, WAV, Ogg, Base64.
//!
//! In: octets. Out: values that borrow from them, and octets again. No state, no time.
//! May import: base.

pub mod base64;
pub mod codec;
pub mod dtmf;
pub mod g711;
pub mod ogg;
pub mod opus;
pub mod rtcp;
pub mod rtp;
pub mod sdp;
pub mod sip;
pub mod wav;
