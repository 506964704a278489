//! What happened on each leg, written down as it happens, for the judge to read afterwards.
//!
//! In: nothing. Out: plain values. Pure. May import: nothing of ours.

use super::media::LegMedia;

/// How a leg came to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// It has not ended.
    #[default]
    Open,
    /// We said goodbye: BYE or CANCEL.
    Us,
    /// They said goodbye.
    Them,
    /// A final answer other than 2xx.
    Refused,
    /// Nobody answered within 64*T1, or the connection broke.
    Silence,
}

/// Why a caller hung up before an agent came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GaveUp {
    Patience,
    /// The test was over.
    TimeUp,
}

/// One phone's side of one call. Times are nanoseconds of the tester's clock.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LegLog {
    pub agent: bool,
    pub who: u32,
    pub leg: u32,
    /// Which of the tester's RTP sockets it had; others had it before and after.
    pub socket: usize,
    /// Agents: the caller whose number their phone showed.
    pub shown: Option<u32>,
    /// The INVITE went out, or came in.
    pub invited_at: u64,
    /// 2xx received, or sent.
    pub answered_at: Option<u64>,
    /// Callers: an agent who was shown this caller answered.
    pub served_at: Option<u64>,
    /// The first voice of another phone of ours was heard.
    pub voice_at: Option<u64>,
    pub ended_at: Option<u64>,
    pub end: End,
    /// The final answer's status, 0 without one.
    pub status: u16,
    pub gave_up: Option<GaveUp>,
    pub media: LegMedia,
}

impl LegLog {
    /// When it ended, or never.
    pub fn over_at(&self) -> u64 {
        self.ended_at.unwrap_or(u64::MAX)
    }
}

/// What went wrong in the signalling, counted, with the first few in words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    pub count: u64,
    pub words: Vec<String>,
}

impl Faults {
    const WORDS_MAX: usize = 20;

    pub fn add(&mut self, what: String) {
        self.count += 1;
        if self.words.len() < Self::WORDS_MAX {
            self.words.push(what);
        }
    }
}
