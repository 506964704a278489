//! Text to settings; every mistake at once; opens no file.
//!
//! May import: sip, acd, call and base.

use serde::{Deserialize, Serialize};

/// Placeholder until the configuration lands; the shape is that of the whole switch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    pub sip: crate::sip::Settings,
    pub acd: crate::acd::Settings,
    pub call: crate::call::Settings,
}
