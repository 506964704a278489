//! The questions of RFC 3263 to the DNS. One task a question; how long a call may wait for an
//! answer is the core's timer.
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
/// An address written as a name is its own answer.
const LITERAL_TTL: Duration = Duration::from_secs(86_400);

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
                let asked = ask(resolver.as_deref(), &question);
                let answer = tokio::time::timeout(PATIENCE, asked).await.unwrap_or(Answer::Failed);
                let _ = inbox.control(Event::Dns { query: question.query, answer }).await;
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

async fn ask(resolver: Option<&TokioResolver>, question: &Question) -> Answer {
    let bare = question.name.trim_matches(['[', ']']);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Answer::Found { records: vec![Record::Address(address)], ttl: LITERAL_TTL };
    }
    let Some(resolver) = resolver else { return Answer::Failed };
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
            both(v4, v6)
        }
    }
}

/// One family is enough; only two refusals make "no such name".
fn both(v4: Answer, v6: Answer) -> Answer {
    match (v4, v6) {
        (Answer::Found { mut records, ttl }, Answer::Found { records: more, ttl: other }) => {
            records.extend(more);
            Answer::Found { records, ttl: ttl.min(other) }
        }
        (found @ Answer::Found { .. }, _) | (_, found @ Answer::Found { .. }) => found,
        (Answer::Missing, Answer::Missing) => Answer::Missing,
        (Answer::Failed, _) | (_, Answer::Failed) => Answer::Failed,
    }
}

async fn look_up(resolver: &TokioResolver, name: &str, kind: RecordType) -> Answer {
    match resolver.lookup(name, kind).await {
        Ok(lookup) => {
            let answers = lookup.answers();
            let records: Vec<_> = answers.iter().filter_map(|r| translate(&r.data)).collect();
            let ttl = answers.iter().map(|record| record.ttl).min().unwrap_or_default();
            match records.is_empty() {
                true => Answer::Missing,
                false => Answer::Found { records, ttl: Duration::from_secs(ttl.into()) },
            }
        }
        Err(error) if error.is_no_records_found() || error.is_nx_domain() => Answer::Missing,
        Err(error) => {
            tracing::info!(name, "the DNS gave no answer: {error}");
            Answer::Failed
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

#[cfg(test)]
mod tests {
    use super::*;

    fn found(address: [u8; 4], seconds: u64) -> Answer {
        let records = vec![Record::Address(IpAddr::from(address))];
        Answer::Found { records, ttl: Duration::from_secs(seconds) }
    }

    #[test]
    fn one_family_of_addresses_is_enough() {
        let here = || found([192, 0, 2, 1], 60);
        assert_eq!(both(here(), Answer::Failed), here());
        assert_eq!(both(Answer::Missing, here()), here());
        assert_eq!(both(Answer::Missing, Answer::Missing), Answer::Missing);
        assert_eq!(both(Answer::Missing, Answer::Failed), Answer::Failed);
        let Answer::Found { records, ttl } = both(here(), found([192, 0, 2, 2], 30)) else {
            panic!("two addresses are an answer");
        };
        assert_eq!((records.len(), ttl), (2, Duration::from_secs(30)));
    }
}
