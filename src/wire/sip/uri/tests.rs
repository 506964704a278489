//! The examples of RFC 3261 section 19.1.4 and the traps of RFC 4475.

use super::*;

fn uri(raw: &str) -> Uri<'_> {
    Uri::parse(raw).unwrap_or_else(|| panic!("{raw}"))
}

#[test]
fn the_parts_of_a_uri() {
    let u = uri("sips:alice:pw@[2001:db8::1]:5061;transport=tcp;lr?Subject=a%20b&X=1");
    assert_eq!((u.scheme, u.user, u.password), (Scheme::Sips, Some("alice"), Some("pw")));
    assert_eq!((u.host.to_string().as_str(), u.port), ("[2001:db8::1]", Some(5061)));
    assert_eq!((u.transport(), u.is_loose()), (Some("tcp"), true));
    assert_eq!(u.header_pairs().collect::<Vec<_>>(), [("Subject", "a%20b"), ("X", "1")]);
    assert_eq!(u.to_string(), u.raw);
}

#[test]
fn separators_may_stand_in_the_user_part() {
    let u = uri("sip:user;par=u%40example.net@example.com");
    assert_eq!(u.user_text(), "user;par=u@example.net");
    assert!(u.params.is_empty());
    let odd = "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.\
               (doesn't-it)@example.com";
    assert_eq!(uri(odd).user, Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"));
}

#[test]
fn telephone_numbers_and_unknown_schemes() {
    let u = uri("tel:+91-755-2551234;phone-context=example.com");
    assert_eq!((u.scheme, u.user), (Scheme::Tel, Some("+91-755-2551234")));
    assert_eq!(u.params.get("phone-context"), Some("example.com"));
    let u = uri("nobodyKnowsThisScheme:totallyopaquecontent");
    assert_eq!(u.scheme, Scheme::Other("nobodyKnowsThisScheme"));
    assert!(uri("tel:+1(2)3").same(&uri("TEL:+1-23")));
    assert!(!uri("tel:+123").same(&uri("sip:+123@h")));
}

#[test]
fn an_escaped_null_cuts_nothing_off() {
    assert_eq!(uri("sip:null-%00-null@h").user_text(), "null-\0-null");
    assert!(!uri("sip:%00@h").same(&uri("sip:%00%00@h")));
}

#[test]
fn what_is_no_uri_is_refused() {
    for bad in [
        "",
        "sip:",
        "sip:@h",
        "sip:a@",
        "sip:2001:db8::10",
        "<sip:a@b>",
        "sip:a b@c",
        "sip:a@b;",
        "sip:a@b;;lr",
        "sip:a@b c",
        "a@b",
        ":x",
        "1x:y",
        "sip:a@b:99999",
        "sip:a@b@c",
        "tel:",
        "sip:a@h\r\n",
        "sip:a\0@h",
    ] {
        assert!(Uri::parse(bad).is_none(), "{bad}");
    }
}

#[test]
fn the_same_resource() {
    for (a, b) in [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
        ("sip:a@[2001:DB8::0:1]:5060", "sip:a@[2001:db8::1]:5060"),
        ("sip:a%3bb@h", "sip:a%3Bb@h"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=a&priority=b",
            "sip:alice@atlanta.com?priority=b&subject=a",
        ),
    ] {
        assert!(uri(a).same(&uri(b)) && uri(b).same(&uri(a)), "{a} {b}");
    }
}

#[test]
fn not_the_same_resource() {
    for (a, b) in [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:a%3Bb@h", "sip:a;b@h"),
        ("sip:a%2541@h", "sip:aA@h"),
        ("sip:null-%00-null@example.com", "sip:null-@example.com"),
        ("sip:user;par=u@example.net", "sip:user@example.net;par=u"),
        ("sip:a@h", "sips:a@h"),
        ("sip:h", "sip:a@h"),
    ] {
        assert!(!uri(a).same(&uri(b)) && !uri(b).same(&uri(a)), "{a} {b}");
    }
}

#[test]
fn a_transport_named_once_may_be_overlooked() {
    let (a, b) = (uri("sip:pukar"), uri("sip:pukar;transport=tcp"));
    assert!(!a.same(&b) && a.same_but_transport(&b) && b.same_but_transport(&a));
    assert!(!uri("sip:pukar;transport=udp").same_but_transport(&b));
    assert!(!a.same_but_transport(&uri("sip:other")));
}

#[test]
fn more_parameters_than_anyone_needs_are_compared_as_they_stand() {
    let long = format!("sip:a@h{}", ";p=1".repeat(20_000));
    assert!(uri(&long).same(&uri(&long)));
    assert!(!uri(&long).same(&uri(&long.replace(";p", ";q"))));
    assert!(!uri("sip:a@h").same(&uri(&long)));
}
