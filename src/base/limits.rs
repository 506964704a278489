//! Every limit of the switch, in one place. What is over a limit is refused with a clear answer.

use std::time::Duration;

/// Keys that an agent at home presses in one call: more is a machine.
pub const HOME_KEYS_MAX: u16 = 200;

/// Whoever claims a missed caller has them for so long.
pub const CLAIM_KEPT: Duration = Duration::from_secs(900);

/// Switches that a caller may have come through, one lending them to the other, as far as the last
/// is told.
pub const PLACES_MAX: usize = 8;

/// Agents, queues, lines and trunks in one configuration.
pub const AGENTS_MAX: usize = 20_000;
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
/// How often a phone that has fallen silent is asked whether it is there again.
pub const PHONE_ASK: Duration = Duration::from_secs(10);
/// Networks that the sound of one trunk may come from, besides those that its calls name.
pub const MEDIA_NETWORKS_MAX: usize = 4;
/// How long a media port that another program holds is left alone.
pub const PORT_ASIDE: Duration = Duration::from_secs(600);
/// Media ports tried for one leg when the system takes them away or does not grant them.
pub const PORTS_PER_LEG_MAX: u8 = 4;
/// Parties who hear one another in one call.
pub const ROOM_MAX: usize = 8;
/// Keys of one code.
pub const CODE_MAX: usize = 32;
/// Calls that are parked at a time.
pub const PARKED_MAX: usize = 99;
/// Redirections followed for one leg (3xx).
pub const REDIRECTS_MAX: u8 = 3;
/// Dialogs that one forked INVITE may open before the rest are refused.
pub const FORKS_MAX: usize = 8;
/// Shortest and longest registration that is granted (RFC 3261 section 10.3).
pub const REGISTER_EXPIRES: (Duration, Duration) =
    (Duration::from_secs(30), Duration::from_secs(7_200));
/// The least rest of an agent between a missed offer and the next one.
pub const REST_MIN: Duration = Duration::from_millis(100);
/// A phone of an agent that hangs up sooner than this after its answer has let nobody talk: the
/// caller goes on waiting at the old place.
pub const TALK_MIN: Duration = Duration::from_millis(200);
/// The highest priority of a caller, and the highest level of a skill.
pub const PRIORITY_MAX: u8 = 9;
pub const LEVEL_MAX: u8 = 9;
/// Languages of one caller; further ones are not looked at.
pub const CALLER_LANGUAGES_MAX: usize = 4;
/// Characters of the name by which a caller is known again; the rest is cut off.
pub const CALLER_KEY_MAX: usize = 64;
/// Callers who have left and are remembered; the longest gone is forgotten for a new one.
pub const CALLERS_REMEMBERED_MAX: usize = 10_000;
/// Agents who talked with a caller and are remembered, the last ones.
pub const TALKED_REMEMBERED_MAX: usize = 4;
/// How long a caller who has left is remembered at most.
pub const CALLER_REMEMBERED: Duration = Duration::from_secs(86_400);
/// Different needs of callers (level, languages) that one queue keeps an index for while nobody
/// has them.
pub const LANES_MAX: usize = 64;
/// Agents, and callers, named in the account of one decision; the rest are counted.
pub const CANDIDATES_MAX: usize = 32;
/// Conversations that an estimate of the wait is made from, at least and at most.
pub const ESTIMATE_FROM: (usize, usize) = (4, 16);
/// Callers whose chosen district is remembered.
pub const CHOICES_MAX: usize = 100_000;
/// The longest wait of a caller that another switch is believed.
pub const PEER_WAIT_MAX: Duration = Duration::from_secs(86_400);
/// Header fields of one INVITE in which another switch tells of its call.
pub const PEER_FIELDS_MAX: usize = 16;
/// Callers who may be promised a call at a time; whoever asks for one beyond it waits on.
pub const PROMISES_MAX: usize = 10_000;
/// Callers at the missed-call desk; beyond it one is let go of who was missed the longest ago.
pub const MISSED_MAX: usize = 10_000;
/// And after this long, when nobody has called them by then.
pub const MISSED_KEPT: Duration = Duration::from_secs(90 * 86_400);
/// How long a supervisor's message may be said in a queue.
pub const MESSAGE_MINUTES_MAX: u64 = 24 * 60;
/// Words, numbers and times of such a message.
pub const MESSAGE_PARTS_MAX: usize = 30;
/// Past calls whose story is kept, and steps of one story.
pub const STORIES_KEPT: usize = 1_000;
pub const STORY_STEPS_MAX: usize = 200;
/// Legs of one record: the first and the last of them stay, and as many again of those that
/// answered.
pub const LEGS_KEPT: usize = 100;
/// Acts of people that are shown; older ones are in the stream of facts.
pub const AUDITS_KEPT: usize = 1_000;
/// People who may use the admin socket or HTTP.
pub const USERS_MAX: usize = 1_000;
/// Districts, shifts and holidays in one configuration.
pub const DISTRICTS_MAX: usize = 1_000;
/// Phones and agents whose wrong pins are counted.
pub const TRIES_MAX: usize = 20_000;
/// Octets of proofs of what was purged in one file; beyond it older ones become one.
pub const PROOFS_MAX: u64 = 4 << 20;
/// Numbers that are blocked, and that are counted as nuisances.
pub const BLOCKS_MAX: usize = 100_000;
/// Prompts and pieces of music in memory, over all reloads of one process.
pub const TUNES_MAX: usize = 10_000;
/// Ways to numbers outside in one configuration.
pub const ROUTES_MAX: usize = 1_000;
pub const SHIFTS_MAX: usize = 1_000;
/// Days of a round of a shift's rota, and those in which the gaps of rotas are looked for.
pub const ROTA_DAYS_MAX: u32 = 366;
pub const HOLIDAYS_MAX: usize = 1_000;
/// Ways out of one queue.
pub const OVERFLOWS_MAX: usize = 16;
/// Rows of the directory, and those of them that were refused and are shown.
pub const DIRECTORY_MAX: usize = 200_000;
pub const DIRECTORY_REFUSED_MAX: usize = 10_000;
/// Last words that phones have yet to hear whose connection was lost.
pub const OWED_MAX: usize = 1_024;
/// Octets of one contact, URI and parameters: what is kept of each for hours.
pub const CONTACT_OCTETS_MAX: usize = 2_048;
/// Services taken from NAPTR, targets of each service, servers in the end: whoever runs a zone must
/// not make us ask or try for ever.
pub const DNS_SERVICES_MAX: usize = 4;
pub const DNS_TARGETS_MAX: usize = 8;
pub const DNS_SERVERS_MAX: usize = 16;
/// Questions whose answers are kept, and records of each.
pub const DNS_ENTRIES_MAX: usize = 1_024;
pub const DNS_RECORDS_MAX: usize = 64;
/// Places that are being found at a time; beyond it they cannot be found.
pub const DNS_JOBS_MAX: usize = 4_096;
/// Parts of a multipart body that are looked at.
pub const SIP_PARTS_MAX: usize = 16;
/// Users and sources whose wrong passwords are counted, the octets of a user's name by which that
/// is done (none of ours is longer), and sources whose noise is counted.
pub const OFFENDERS_MAX: usize = 16_384;
pub const OFFENDER_OCTETS_MAX: usize = 128;
pub const NOISY_SOURCES_MAX: usize = 65_536;
/// Parameters of one Digest value; RFC 7616 knows thirteen.
pub const DIGEST_PARAMS_MAX: usize = 32;
/// Nonces whose uses are counted at a time.
pub const NONCES_MAX: usize = 65_536;
/// Challenges answered for one call: one proxy's and the server's, and one of them again when a
/// nonce was stale.
pub const CHALLENGES_MAX: u8 = 3;
/// Collisions in a row before an offer inside a dialog is given up.
pub const OFFER_TRIES_MAX: u8 = 8;
/// Reports in one SR or RR; the count has five bits.
pub const RTCP_REPORTS_MAX: usize = 31;
