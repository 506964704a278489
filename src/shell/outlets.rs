//! Everything that the core's commands and facts leave through, except UDP.

use super::board::{Board, Names, News};
use super::dns::Question;
use super::lane::{Lane, Outlet};
use super::media;
use super::tcp::Streams;
use crate::base::QueryId;
use crate::call::Tape;
use crate::core::{Done, Fact, Row};
use crate::media::control::Command as MediaCommand;
use crate::sip::RecordKind;
use crossbeam_channel::{self as channel, Receiver};
use dashmap::DashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::oneshot;

pub struct Outlets {
    pub media: Lane<MediaCommand>,
    pub tapes: Lane<Tape>,
    pub rows: Lane<Row>,
    pub board: Lane<News>,
    /// Facts that the board is told together.
    pub facts: Vec<Fact>,
    pub questions: Lane<Question>,
    pub streams: Streams,
    pub replies: Replies,
}

/// Media commands, orders to the recorder, rows, and news for the board.
pub type Lanes = (Lane<MediaCommand>, Lane<Tape>, Lane<Row>, Lane<News>);

impl Outlets {
    pub fn new(
        lanes: Lanes,
        questions: Lane<Question>,
        streams: Streams,
        replies: Replies,
    ) -> Self {
        let (media, tapes, rows, board) = lanes;
        Self { media, tapes, rows, board, facts: Vec::new(), questions, streams, replies }
    }

    pub fn media(&mut self, command: MediaCommand) {
        self.media.put(command);
    }

    pub fn row(&mut self, row: Row) {
        self.rows.put(row);
    }

    pub fn facts(&mut self, facts: &mut Vec<Fact>) {
        self.facts.append(facts);
    }

    fn tell_facts(&mut self) {
        if !self.facts.is_empty() {
            self.board.put(News::Facts(std::mem::take(&mut self.facts)));
        }
    }

    /// The settings were replaced; what follows is told in these names.
    pub fn names(&mut self, names: Names) {
        self.tell_facts();
        self.board.put(News::Names(Box::new(names)));
    }

    /// The board as it is after all that was told so far will come from here.
    pub fn copy_board(&mut self) -> Receiver<Board> {
        self.tell_facts();
        let (sender, receiver) = channel::bounded(1);
        self.board.put(News::Copy(sender));
        receiver
    }

    pub fn ask(&mut self, query: QueryId, name: String, kind: RecordKind) {
        self.questions.put(Question { query, name, kind });
    }

    pub fn reply(&mut self, request: u64, result: Result<Done, String>) {
        // Whoever is answered may look next, and must see what was done.
        self.tell_facts();
        self.replies.answer(request, result);
    }

    pub fn flush(&mut self) {
        self.tell_facts();
        self.tapes.flush();
        self.media.flush();
        self.rows.flush();
        self.board.flush();
        self.questions.flush();
    }

    pub fn has_waiting(&self) -> bool {
        self.tapes.has_waiting()
            || self.media.has_waiting()
            || self.rows.has_waiting()
            || self.board.has_waiting()
            || self.questions.has_waiting()
    }
}

type Answer = Result<Done, String>;

/// Admin requests that the core has yet to answer.
#[derive(Clone, Default)]
pub struct Replies {
    open: Arc<DashMap<u64, oneshot::Sender<Answer>>>,
    last: Arc<AtomicU64>,
}

impl Replies {
    /// A new request number, and where its answer will come.
    pub fn open(&self) -> (u64, oneshot::Receiver<Answer>) {
        let request = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let (sender, receiver) = oneshot::channel();
        self.open.insert(request, sender);
        (request, receiver)
    }

    /// Whoever asked has stopped waiting.
    pub fn forget(&self, request: u64) {
        self.open.remove(&request);
    }

    pub fn answer(&self, request: u64, result: Answer) {
        if let Some((_, sender)) = self.open.remove(&request) {
            let _ = sender.send(result);
        }
    }
}

impl Outlet<MediaCommand> for media::Handle {
    fn flush(&self) {
        self.wake();
    }

    fn put(&self, command: MediaCommand) -> Result<(), MediaCommand> {
        media::Handle::put(self, command)
    }
}
