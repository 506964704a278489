//! The torture messages of RFC 4475 and RFC 5118, at the level of the parser. They are not part of
//! this project: `PUKAR_TORTURE` names the folder that holds `rfc4475/` and `rfc5118/`.

use pukar::wire::sip::{Contact, Message, Scheme};
use std::io::Write;
use std::{env, fs, path::PathBuf};

/// File, class and expectation of each message of one RFC.
fn table(folder: &str) -> Option<Vec<(String, String, Vec<u8>)>> {
    let Some(root) = env::var_os("PUKAR_TORTURE").map(PathBuf::from) else {
        let _ = writeln!(
            std::io::stderr(),
            "PUKAR_TORTURE is not set: no message of the RFCs was read"
        );
        return None;
    };
    let text = fs::read_to_string(root.join(folder).join("expectations.tsv")).unwrap();
    let mut lines = text.lines();
    let head: Vec<_> = lines.next()?.split('\t').collect();
    let expected_at = head.iter().position(|c| *c == "expected")?;
    let row = |line: &str| {
        let columns: Vec<_> = line.split('\t').collect();
        let file = match folder {
            "rfc5118" => root.join(folder).join("wire").join(format!("{}.dat", columns[0])),
            _ => root.join(folder).join(columns[0]),
        };
        (columns[0].to_string(), columns[expected_at].to_string(), fs::read(file).unwrap())
    };
    Some(lines.map(row).collect())
}

fn one(name: &str) -> Option<Vec<u8>> {
    table("rfc4475")?.into_iter().find(|(file, _, _)| file == name).map(|(_, _, octets)| octets)
}

/// What the parser owes to each expectation: refusals of syntax are its own, those of meaning (416,
/// 420, 483, 501 ...) need a message that was read.
fn check(file: &str, expected: &str, octets: &[u8]) {
    let got = match Message::parse(octets) {
        Ok(_) => "read".to_string(),
        Err(rejected) if rejected.is_request => rejected.status.to_string(),
        Err(_) => "discard".to_string(),
    };
    let allowed: &[&str] = match expected {
        "400" | "error(400)" => &["400"],
        "505" => &["505"],
        "400|liberal" => &["400", "read"],
        "501|400" | "accept|400" => &["400", "read"],
        // Broadcast Via: it is sound, and not for us.
        "discard" => &["discard", "read"],
        _ => &["read"],
    };
    let reason = Message::parse(octets).err().map(|r| r.reason);
    assert!(allowed.contains(&got.as_str()), "{file}: {got} {reason:?}, expected {expected}");
}

#[test]
fn rfc_4475_is_read_or_refused_as_it_says() {
    for (file, expected, octets) in table("rfc4475").unwrap_or_default() {
        check(&file, &expected, &octets);
    }
}

#[test]
fn rfc_5118_is_read_or_refused_as_it_says() {
    for (file, expected, octets) in table("rfc5118").unwrap_or_default() {
        check(&file, &expected, &octets);
    }
}

#[test]
fn overlarge_scalars_in_responses_are_discarded() {
    for file in ["scalarlg.dat", "bigcode.dat"] {
        let Some(octets) = one(file) else { return };
        assert!(Message::parse(&octets).is_err_and(|r| !r.is_request && !r.is_answerable()));
    }
}

#[test]
fn what_rfc_4475_says_about_values_holds() {
    let Some(octets) = one("wsinv.dat") else { return };
    let m = Message::parse(&octets).unwrap();
    assert_eq!((m.vias().count(), m.max_forwards(), m.cseq.number), (3, Some(68), 9));
    assert_eq!((m.from.display().as_ref(), m.from.tag()), ("J Rosenberg \\\"", Some("98asjd8")));
    assert_eq!((m.to.tag(), m.body.len()), (Some("1918181833n"), 150));
    let octets = one("esc02.dat").unwrap();
    let m = Message::parse(&octets).unwrap();
    assert_eq!((m.method().as_str(), m.contacts().count()), ("RE%47IST%45R", 2));
    let octets = one("semiuri.dat").unwrap();
    let uri = Message::parse(&octets).unwrap().request_uri().unwrap();
    assert_eq!(uri.user_text(), "user;par=u@example.net");
    let octets = one("dblreq.dat").unwrap();
    assert!(Message::parse(&octets).unwrap().body.is_empty());
    let octets = one("escnull.dat").unwrap();
    let m = Message::parse(&octets).unwrap();
    let contacts: Vec<_> = m.contacts().filter_map(Contact::address).collect();
    assert!(contacts.len() == 2 && !contacts[0].uri.same(&contacts[1].uri));
    let octets = one("cparam01.dat").unwrap();
    let contact = Message::parse(&octets).unwrap().contact().unwrap();
    assert!(contact.params.has("unknownparam") && !contact.uri.params.has("unknownparam"));
    let octets = one("unkscm.dat").unwrap();
    let uri = Message::parse(&octets).unwrap().request_uri().unwrap();
    assert_eq!(uri.scheme, Scheme::Other("nobodyKnowsThisScheme"));
    let octets = one("longreq.dat").unwrap();
    assert_eq!(Message::parse(&octets).unwrap().vias().count(), 34);
}
