//! The questions of RFC 3263 to the DNS. One task a question; silence is the core's timer, which
//! knows how long a call may wait, so a question that fails or hangs is simply not answered.
//!
//! In: [`Question`]. Out: [`Event::Dns`]. Chooses nothing among the answers.

use super::lane::{Inbox, Outlet};
use crate::base::QueryId;
use crate::core::Event;
use crate::sip::resolve::Answer;
use crate::sip::{Record, RecordKind};
use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::{RData, RecordType};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};

/// Questions that wait to be asked.
const QUEUED: usize = 1_024;
/// Questions under way at a time.
const UNDER_WAY: usize = 256;
/// RFC 3263 leaves the time to us: longer than timer B would help nobody.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long it is remembered that a name does not exist, where the answer does not say.
const NOTHING_TTL: u32 = 30;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub query: QueryId,
    pub name: String,
    pub kind: RecordKind,
}

/// Where questions are put.
pub struct Desk(mpsc::Sender<Question>);

impl Outlet<Question> for Desk {
    fn put(&self, question: Question) -> Result<(), Question> {
        self.0.try_send(question).map_err(|e| match e {
            mpsc::error::TrySendError::Full(question)
            | mpsc::error::TrySendError::Closed(question) => question,
        })
    }
}

/// Starts answering, inside the runtime. The servers are those of `/etc/resolv.conf`.
pub fn start(inbox: Inbox) -> Desk {
    let (sender, mut receiver) = mpsc::channel::<Question>(QUEUED);
    tokio::spawn(async move {
        let resolver = resolver().map(Arc::new);
        let room = Arc::new(Semaphore::new(UNDER_WAY));
        while let Some(question) = receiver.recv().await {
            let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
            let (resolver, inbox) = (resolver.clone(), inbox.clone());
            tokio::spawn(async move {
                let asked = answer(resolver.as_deref(), &question);
                if let Ok(Some((records, ttl))) = tokio::time::timeout(PATIENCE, asked).await {
                    let query = question.query;
                    let ttl = Duration::from_secs(u64::from(ttl));
                    let answer = match records.is_empty() {
                        true => Answer::Missing,
                        false => Answer::Found { records, ttl },
                    };
                    let _ = inbox.control(Event::Dns { query, answer }).await;
                }
                drop(place);
            });
        }
    });
    Desk(sender)
}

fn resolver() -> Option<TokioResolver> {
    let built = TokioResolver::builder_tokio().and_then(|builder| builder.build());
    match built {
        Ok(resolver) => Some(resolver),
        Err(error) => {
            tracing::warn!(
                "no DNS: {error}. Names in the configuration cannot be resolved; write addresses, \
                 or repair /etc/resolv.conf and start again"
            );
            None
        }
    }
}

/// `None`: no answer, as opposed to the answer that there is nothing.
async fn answer(
    resolver: Option<&TokioResolver>,
    question: &Question,
) -> Option<(Vec<Record>, u32)> {
    if let Ok(address) = question.name.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Some((vec![Record::Address(address)], u32::MAX));
    }
    let resolver = resolver?;
    // A final dot: the name is whole, no search domain is tried.
    let name = format!("{}.", question.name.trim_end_matches('.'));
    match question.kind {
        RecordKind::Naptr => look_up(resolver, &name, RecordType::NAPTR).await,
        RecordKind::Srv => look_up(resolver, &name, RecordType::SRV).await,
        RecordKind::Address => {
            let (v4, v6) = tokio::join!(
                look_up(resolver, &name, RecordType::A),
                look_up(resolver, &name, RecordType::AAAA)
            );
            match (v4, v6) {
                (Some((mut records, ttl)), Some((more, other))) => {
                    let ttl = match (records.is_empty(), more.is_empty()) {
                        (false, true) => ttl,
                        (true, false) => other,
                        _ => ttl.min(other),
                    };
                    records.extend(more);
                    Some((records, ttl))
                }
                (Some(found), None) | (None, Some(found)) if !found.0.is_empty() => Some(found),
                _ => None,
            }
        }
    }
}

async fn look_up(
    resolver: &TokioResolver,
    name: &str,
    kind: RecordType,
) -> Option<(Vec<Record>, u32)> {
    match resolver.lookup(name, kind).await {
        Ok(lookup) => {
            let answers = lookup.answers();
            let ttl = answers.iter().map(|record| record.ttl).min().unwrap_or(NOTHING_TTL);
            Some((answers.iter().filter_map(|record| translate(&record.data)).collect(), ttl))
        }
        Err(error) if error.is_no_records_found() || error.is_nx_domain() => {
            Some((Vec::new(), NOTHING_TTL))
        }
        Err(error) => {
            tracing::info!(name, "the DNS gave no answer: {error}");
            None
        }
    }
}

fn translate(data: &RData) -> Option<Record> {
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    let host = |name: String| name.trim_end_matches('.').to_string();
    match data {
        RData::A(a) => Some(Record::Address(IpAddr::V4(a.0))),
        RData::AAAA(aaaa) => Some(Record::Address(IpAddr::V6(aaaa.0))),
        RData::SRV(srv) => Some(Record::Srv {
            priority: srv.priority,
            weight: srv.weight,
            port: srv.port,
            target: host(srv.target.to_utf8()),
        }),
        RData::NAPTR(naptr) => Some(Record::Naptr {
            order: naptr.order,
            preference: naptr.preference,
            service: text(&naptr.services),
            replacement: host(naptr.replacement.to_utf8()),
        }),
        _ => None,
    }
}
