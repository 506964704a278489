//! Every limit of the switch, in one place. What is over a limit is refused with a clear answer.

use std::time::Duration;

/// Agents, queues, lines and trunks in one configuration.
pub const AGENTS_MAX: usize = 10_000;
pub const QUEUES_MAX: usize = 1_000;
pub const LINES_MAX: usize = 10_000;
pub const TRUNKS_MAX: usize = 1_000;
/// Octets in one SIP message, headers and body (RFC 3261 section 18.1.1 asks for 65,535 on UDP).
pub const SIP_MESSAGE_MAX: usize = 65_535;
/// Header fields in one SIP message, after comma lists are counted as one.
pub const SIP_HEADERS_MAX: usize = 128;
/// Values in one comma list or of one repeated header (Via, Route, Contact).
pub const SIP_VALUES_MAX: usize = 70;
/// A request over this many octets leaves by TCP (RFC 3261 section 18.1.1).
pub const SIP_UDP_REQUEST_MAX: usize = 1_300;
/// Octets in one session description.
pub const SDP_MAX: usize = 8_192;
/// Media lines in one session description.
pub const SDP_MEDIA_MAX: usize = 16;
/// Contacts bound to one address of record at a time.
pub const BINDINGS_PER_AOR_MAX: usize = 10;
/// Transactions alive at a time; beyond it new requests get 503.
pub const TRANSACTIONS_MAX: usize = 400_000;
/// Legs alive at a time; beyond it new calls get 503.
pub const LEGS_MAX: usize = 40_000;
/// Redirections followed for one leg (3xx).
pub const REDIRECTS_MAX: u8 = 3;
/// Dialogs that one forked INVITE may open before the rest are refused.
pub const FORKS_MAX: usize = 8;
/// Shortest and longest registration that is granted (RFC 3261 section 10.3).
pub const REGISTER_EXPIRES: (Duration, Duration) =
    (Duration::from_secs(30), Duration::from_secs(7_200));
/// The least rest of an agent between a missed offer and the next one.
pub const REST_MIN: Duration = Duration::from_millis(100);
/// Callers whose chosen district is remembered.
pub const CHOICES_MAX: usize = 100_000;
/// Districts, shifts and holidays in one configuration.
pub const DISTRICTS_MAX: usize = 1_000;
pub const SHIFTS_MAX: usize = 1_000;
pub const HOLIDAYS_MAX: usize = 1_000;
/// Ways out of one queue.
pub const OVERFLOWS_MAX: usize = 16;
/// Rows of the directory, and those of them that were refused and are shown.
pub const DIRECTORY_MAX: usize = 200_000;
pub const DIRECTORY_REFUSED_MAX: usize = 10_000;
