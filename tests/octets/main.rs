//! The wire against itself, against other readers, and against messages made to break one.

mod differential;
mod differential_g722;
mod fixtures;
mod sip_agent_torture;
mod torture;
