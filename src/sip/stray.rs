//! A 2xx that nobody waits for: another fork's answer to an INVITE that was answered already, or
//! one that came after its leg had ended. RFC 3261 section 13.2.2.4: "After acknowledging any 2xx
//! response to an INVITE, the UAC [which] does not want to continue with that dialog ... MUST
//! terminate the dialog by sending a BYE request".
//!
//! In: the response and the transaction that it came for. Out: ACK, and BYE once. Everything that
//! the two need is in the response itself.

use super::compose::{self, Head};
use super::dialog::Dialog;
use super::net::Net;
use super::route;
use super::tag;
use super::transaction::client;
use super::transaction::table::{Machine, Transaction, User};
use super::{Cause, Effect};
use crate::base::{Cx, TransactionId, limits};
use crate::wire::sip::{Message, Method, Name, text};

pub fn settle(
    net: &mut Net,
    cx: &mut Cx,
    message: &Message,
    transaction: TransactionId,
    out: &mut Vec<Effect>,
) {
    let fork = fork(net, message);
    let Some(kept) = net.table.get_mut(transaction) else { return };
    let known = kept.forks.contains(&fork);
    if !known {
        if kept.forks.len() >= limits::FORKS_MAX {
            return;
        }
        kept.forks.push(fork);
    }
    let mut dialog = dialog(message, kept.hop);
    dialog.hop = route::way(net, &dialog);
    let branch = format!("{}{:x}", tag::COOKIE, cx.rng.bits());
    let bytes = write(net, &dialog, Method::Ack, message.cseq.number, &branch);
    out.push(Effect::Send { hop: dialog.hop, bytes });
    if known {
        return;
    }
    let secret = cx.rng.bits();
    let branch = tag::branch(net.table.next_id(), secret);
    let bytes = write(net, &dialog, Method::Bye, message.cseq.number + 1, &branch);
    let machine = Machine::Client(client::State::new());
    let bye = Transaction::client(machine, dialog.hop, bytes, User::Nobody, secret);
    net.open_client(cx, bye, out);
}

/// A name for the fork that a response comes from.
pub fn fork(net: &Net, message: &Message) -> u64 {
    net.key.hash([message.to.tag().unwrap_or_default().as_bytes()]) as u64
}

fn dialog(message: &Message, hop: super::Hop) -> Dialog {
    let field = |name| Box::from(&*text(message.header(name).unwrap_or_default()));
    let mut dialog = Dialog {
        call_id: message.call_id.into(),
        local: field(Name::From),
        remote: "".into(),
        remote_tag: "".into(),
        local_seq: message.cseq.number,
        remote_seq: None,
        target: message.to.uri.raw.into(),
        routes: Box::default(),
        hop,
        search: None,
        free: false,
        forwards: compose::FORWARDS,
        caller: true,
    };
    dialog.answered_by(message);
    dialog
}

fn write(net: &Net, dialog: &Dialog, method: Method, seq: u32, branch: &str) -> bytes::Bytes {
    let aim = dialog.aim();
    let mut writer = compose::request(&Head {
        method,
        uri: aim.uri,
        branch,
        hop: &dialog.hop,
        settings: &net.settings,
        from: &dialog.local,
        to: &dialog.remote,
        call_id: &dialog.call_id,
        seq,
        forwards: compose::FORWARDS,
    });
    for route in &aim.routes {
        compose::route(&mut writer, *route);
    }
    if method == Method::Bye {
        let text = "Call completed elsewhere".into();
        compose::reason(&mut writer, &Cause { q850: None, sip: Some(200), text });
    }
    compose::finish(writer, None)
}
