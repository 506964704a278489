//! Where the layers meet. It carries, it never decides.
//!
//! May import: call, acd, sip, media, config, wire and base.
