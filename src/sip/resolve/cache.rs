//! What the DNS said, for as long as it said that it holds, and a little longer when it is silent.
//!
//! In: answers. Out: records. Bounded: the answer nearest to its end gives way.

use super::{Answer, Question};
use crate::base::{Instant, limits};
use crate::sip::{Record, RecordKind};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A name that does not exist is asked for again after this, a silent DNS after that.
const MISSING_FOR: Duration = Duration::from_secs(30);
const FAILED_FOR: Duration = Duration::from_secs(10);
/// No answer is believed for longer.
const TTL_MAX: Duration = Duration::from_secs(86_400);
/// How long after it was given an answer still helps where the DNS says nothing (RFC 8767).
const STALE_MAX: Duration = Duration::from_secs(2 * 86_400);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub records: Vec<Record>,
    pub until: Instant,
    /// When the DNS last said it.
    told: Instant,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cache {
    /// By [`Question::key`].
    entries: BTreeMap<String, Entry>,
    order: BTreeSet<(Instant, String)>,
}

impl Cache {
    pub fn fresh(&self, now: Instant, question: &Question) -> Option<&Entry> {
        self.entries.get(&question.key()).filter(|entry| now < entry.until)
    }

    /// Learns an answer; `None` is silence. Returns what is known now, be it nothing or stale.
    pub fn learn(&mut self, now: Instant, question: &Question, answer: Option<Answer>) -> Entry {
        let key = question.key();
        let old = self.entries.remove(&key);
        if let Some(old) = &old {
            self.order.remove(&(old.until, key.clone()));
        }
        let entry = match answer {
            Some(Answer::Found { mut records, ttl }) => {
                records.retain(|record| kind(record) == question.kind);
                records.truncate(limits::DNS_RECORDS_MAX);
                let span = if records.is_empty() { MISSING_FOR } else { ttl.min(TTL_MAX) };
                Entry { records, until: now + span, told: now }
            }
            Some(Answer::Missing) => {
                Entry { records: Vec::new(), until: now + MISSING_FOR, told: now }
            }
            Some(Answer::Failed) | None => match old {
                Some(old) if now.since(old.told) < STALE_MAX => {
                    Entry { until: now + FAILED_FOR, ..old }
                }
                _ => Entry { records: Vec::new(), until: now + FAILED_FOR, told: now },
            },
        };
        self.put(key, entry.clone());
        entry
    }

    fn put(&mut self, key: String, entry: Entry) {
        if self.entries.len() >= limits::DNS_ENTRIES_MAX
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.entries.remove(&oldest);
        }
        self.order.insert((entry.until, key.clone()));
        self.entries.insert(key, entry);
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        debug_assert_eq!(self.entries.len(), self.order.len());
        self.entries.len()
    }
}

fn kind(record: &Record) -> RecordKind {
    match record {
        Record::Naptr { .. } => RecordKind::Naptr,
        Record::Srv { .. } => RecordKind::Srv,
        Record::Address(_) => RecordKind::Address,
    }
}
