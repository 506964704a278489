//! G.711, the codec of the telephone network: 8,000 samples a second, one octet each.

use serde::{Deserialize, Serialize};

/// Which of the two companding laws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Law {
    /// A-law, PCMA, static payload type 8.
    A,
    /// Mu-law, PCMU, static payload type 0.
    Mu,
}
