//! The configuration of voices: who speaks for whom, whose calls are recorded, and where sound is
//! sent from.

use pukar::base::{AgentId, QueueId};
use pukar::call::{MediaIo, Srtp};
use pukar::config::{Country, Mistake, Settings, parse, parse_and_warn};
use std::path::Path;
use std::time::Duration;

fn read(text: &str) -> Result<Settings, Vec<Mistake>> {
    let key = |name: &str| match name {
        "REC_KEY" => Some("0f1e2d3c4b5a69788796a5b4c3d2e1f0".into()),
        "SHORT" => Some("correct horse battery staple".into()),
        _ => None,
    };
    parse(&[("f.toml".into(), text.into())], &key)
}

/// `text` has exactly one mistake, and it reads `f.toml:` and `expected`.
#[track_caller]
fn one(text: &str, expected: &str) {
    let found = read(text).expect_err("the text has a mistake");
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(lines, [format!("f.toml:{expected}")]);
}

#[test]
fn languages_that_speak_for_others_are_pairs() {
    let settings = read("[media]\nfallback = { surgujia = \"hi\" }").unwrap();
    assert_eq!(settings.prompt_fallback["surgujia"], "hi");
    one(
        "[media]\nfallback = { surgujia = 5 }",
        "2: \"surgujia\" in fallback is no pair of languages; write it as surgujia = \"hi\"",
    );
}

#[test]
fn packets_are_moved_by_epoll_unless_something_else_is_said() {
    assert_eq!(read("").unwrap().call.media.io, MediaIo::Epoll);
    for (word, io) in
        [("auto", MediaIo::Auto), ("epoll", MediaIo::Epoll), ("uring", MediaIo::Uring)]
    {
        let settings = read(&format!("[media]\nio = \"{word}\"")).unwrap();
        assert_eq!(settings.call.media.io, io);
    }
    one(
        "[media]\nio = \"epol\"",
        "2: io \"epol\" is no way to move packets; did you mean \"epoll\"?",
    );
}

#[test]
fn phones_behind_a_nat_are_heard_unless_the_configuration_is_strict() {
    assert!(!read("").unwrap().call.media.strict);
    assert!(read("[media]\nstrict = true").unwrap().call.media.strict);
    one(
        "[media]\nstrict = \"yes\"",
        "2: strict must be true or false, not text; write true or false",
    );
}

#[test]
fn tones_are_those_of_a_country() {
    assert_eq!(read("").unwrap().country, Country::India);
    for country in Country::ALL {
        let settings = read(&format!("[media]\ncountry = \"{}\"", country.name())).unwrap();
        assert_eq!(settings.country, country);
    }
    one(
        "[media]\ncountry = \"uk\"",
        "2: country \"uk\" is no country whose tones we know; did you mean \"us\"?",
    );
}

#[test]
fn recordings_are_asked_for_by_line_queue_and_agent() {
    let text = "[recording]\nkeep = \"90d\"\nkey = \"env:REC_KEY\"\n\
        [[line]]\nnumbers = [\"181\"]\nqueue = \"b\"\nrecord = true\n\
        [[queue]]\nname = \"a\"\nskills = [\"x\"]\n\
        [[queue]]\nname = \"b\"\nskills = [\"x\"]\nrecord = true\n\
        [[agent]]\nid = \"op1\"\ncontact = \"sip:op1@10.0.0.5\"\nskills = [\"x\"]\nrecord = true\n";
    let settings = read(text).unwrap();
    let rules = &settings.call.recording;
    assert_eq!((&rules.queues[..], &rules.agents[..]), (&[QueueId(1)][..], &[AgentId(0)][..]));
    assert!(rules.form.sealed && !rules.form.opus && settings.call.lines[0].record && !rules.all);
    let notice = settings.tune(rules.notice.unwrap()).unwrap();
    assert_eq!(notice.name, "hi/rec");
    assert_eq!(settings.recording.keep, Some(Duration::from_secs(90 * 86_400)));
    let moved = settings.with_data(Path::new("/tmp/x"));
    assert_eq!(moved.recording.folder, Path::new("/tmp/x/recordings"));
}

#[test]
fn a_key_that_can_be_guessed_seals_nothing_and_still_opens_what_it_has_sealed() {
    one(
        "[recording]\nkey = \"env:SHORT\"",
        "2: key is short, and can be guessed by whoever has a file; write 32 random bytes, as \
         `openssl rand -hex 32` or `-base64 32` prints them, best as \"env:NAME\"; what this one \
         has sealed is opened by it as old_keys = [\"env:OLD\"]",
    );
    let text = "[recording]\nkey = \"env:REC_KEY\"\nold_keys = [\"env:SHORT\", \"1234\"]";
    let recording = read(text).unwrap().recording;
    let old: Vec<&str> = recording.old_keys.iter().map(|key| key.0.as_str()).collect();
    assert_eq!(old, ["correct horse battery staple", "1234"]);
    assert_eq!(recording.key.unwrap().0.len(), 32);
    one(
        "[recording]\nold_keys = [\"env:GONE\"]",
        "2: old_keys \"…\" is in the environment variable GONE, which is not set; set GONE before \
         starting pukar",
    );
}

#[test]
fn recordings_lie_where_the_data_of_the_switch_is_unless_it_is_said() {
    let own = read("[switch]\ndata = \"/srv/helpline\"").unwrap();
    assert_eq!(own.recording.folder, Path::new("/srv/helpline/recordings"));
    let said = read("[switch]\ndata = \"/srv\"\n[recording]\nfolder = \"/mnt/big\"").unwrap();
    assert_eq!(said.recording.folder, Path::new("/mnt/big"));
}

#[test]
fn nothing_is_recorded_unless_it_is_asked_for() {
    let settings = read("").unwrap();
    assert!(!settings.call.records());
    assert_eq!(settings.call.recording.notice, None);
    let quiet = read("[recording]\nall = true\nnotice = \"\"").unwrap();
    assert!(quiet.call.records() && quiet.call.recording.notice.is_none());
}

#[test]
fn an_age_of_hours_is_a_slip() {
    one(
        "[recording]\nkeep = \"3h\"",
        "2: keep \"3h\" is less than a day; write \"90d\", or \"0s\" for ever",
    );
}

#[test]
fn recordings_are_wav_unless_opus_is_asked_for() {
    assert!(!read("").unwrap().call.recording.form.opus);
    assert!(read("[recording]\nformat = \"opus\"").unwrap().call.recording.form.opus);
    one(
        "[recording]\nformat = \"mp3\"",
        "2: format \"mp3\" is no format of recordings; the formats are wav, opus",
    );
}

#[test]
fn media_have_an_address_or_one_of_each_family() {
    let homes = |text: &str| -> Vec<[String; 2]> {
        let settings = read(text).unwrap_or_else(|found| {
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            panic!("{text}: {found:?}")
        });
        let homes = settings.call.media.homes;
        homes.iter().map(|home| [home.bind, home.advertise].map(|ip| ip.to_string())).collect()
    };
    let both = "[sip]\nlisten = [\"udp:10.0.0.5:5060\", \"tcp:10.0.0.5:5060\", \
                \"udp:[2001:db8::5]:5060\"]\n";
    let advertise = "advertise = [\"2001:db8::99\", \"203.0.113.7\"]\n";
    for (text, expected) in [
        (both.to_string(), vec![["10.0.0.5"; 2], ["2001:db8::5"; 2]]),
        (
            format!("{both}{advertise}"),
            vec![["10.0.0.5", "203.0.113.7"], ["2001:db8::5", "2001:db8::99"]],
        ),
        (
            format!("{both}{advertise}[media]\naddress = \"10.0.0.6\"\n"),
            vec![["10.0.0.6", "203.0.113.7"]],
        ),
        (
            format!(
                "{both}[media]\naddress = [\"2001:db8::6\", \"10.0.0.6\"]\n\
                 advertise = \"1.2.3.4\"\n"
            ),
            vec![["2001:db8::6"; 2], ["10.0.0.6", "1.2.3.4"]],
        ),
    ] {
        assert_eq!(homes(&text), expected, "{text}");
    }
    one(
        "[media]\naddress = [\"10.0.0.5\", \"10.0.0.6\"]\n",
        "2: address \"10.0.0.6\" is a second IPv4 address; leave one out: there may be one of IPv4 \
         and one of IPv6",
    );
    one(
        "[media]\naddress = \"10.0.0.5\"\nadvertise = \"2001:db8::9\"\n",
        "3: advertise \"2001:db8::9\" is an IPv6 address; address has none: put one there, or \
         leave it out",
    );
    one(
        "[sip]\nadvertise = \"2001:db8::9\"\n",
        "2: advertise \"2001:db8::9\" is an IPv6 address; listen has none: put one there, or leave \
         it out",
    );
}

#[test]
fn a_trunk_names_networks_that_its_sound_may_come_from() {
    let trunk = |more: &str| {
        format!("[[trunk]]\nname = \"bsnl\"\nhosts = [\"10.0.0.9:5060\"]\nmedia_from = {more}\n")
    };
    let settings = read(&trunk("[\"203.0.113.0/24\", \"2001:db8::/32\"]")).unwrap();
    let networks = settings.call.trunks[0].media_from;
    for (address, inside) in
        [("203.0.113.7", true), ("203.0.114.7", false), ("2001:db8:1::7", true), ("::1", false)]
    {
        assert_eq!(networks.contain(address.parse().unwrap()), inside, "{address}");
    }
    for (wrong, instead) in [
        ("\"10.0.0.1/24\"", "is no network; write one such as \"203.0.113.0/24\" or \"10.0.0.9\""),
        ("\"0.0.0.0/0\"", "lets in half the world; name the carrier's own networks"),
        ("\"2000::/3\"", "lets in half the world; name the carrier's own networks"),
    ] {
        one(&trunk(wrong), &format!("4: media_from {wrong} {instead}"));
    }
    one(
        &trunk("[\"10.0.0.1\", \"10.0.0.2\", \"10.0.0.3\", \"10.0.0.4\", \"10.0.0.5\"]"),
        "4: media_from has 5 networks; keep to 4",
    );
}

#[test]
fn a_trunk_whose_keys_are_tones_needs_a_codec_that_lets_them_through() {
    let trunk = "[[trunk]]\nname = \"pri\"\nhosts = [\"10.0.0.9:5060\"]\ndtmf = \"inband\"\n";
    one(
        &format!("[media]\ncodecs = [\"opus\", \"G722\"]\n{trunk}"),
        "2: codecs has neither PCMA nor PCMU, and a trunk has dtmf = \"inband\"; put one of them \
         in: other codecs let no tones through",
    );
    assert!(read(&format!("[media]\ncodecs = [\"opus\", \"PCMU\"]\n{trunk}")).is_ok());
}

/// What is warned of, line by line.
fn warnings(text: &str) -> Vec<String> {
    let (read, warned) = parse_and_warn(&[("f.toml".into(), text.into())], &|_| None);
    assert!(read.is_ok(), "{read:?}");
    warned.iter().map(ToString::to_string).collect()
}

#[test]
fn sound_is_sealed_as_media_and_each_trunk_say() {
    let trunk =
        |srtp: &str| format!("[[trunk]]\nname = \"bsnl\"\nhosts = [\"10.0.0.9:5060\"]\n{srtp}");
    let default = read(&trunk("")).unwrap().call;
    assert_eq!((default.media.srtp, default.trunks[0].srtp), (Srtp::Accept, None));
    for srtp in Srtp::ALL {
        let line = format!("srtp = \"{}\"\n", srtp.name());
        assert_eq!(read(&format!("[media]\n{line}")).unwrap().call.media.srtp, srtp);
        assert_eq!(read(&trunk(&line)).unwrap().call.trunks[0].srtp, Some(srtp));
    }
    one(
        &trunk("srtp = \"requires\""),
        "4: srtp \"requires\" does not say whether sound is sealed; did you mean \"require\"?",
    );
    one(
        "[media]\nsrtp = \"on\"",
        "2: srtp \"on\" does not say whether sound is sealed; the ways are off, accept, require",
    );
}

#[test]
fn keys_that_would_go_in_the_clear_are_warned_of_where_sound_has_to_be_sealed() {
    let tls = "tls = { certificate = \"c.pem\", key = \"k.pem\" }";
    let phones = |listen: &str, srtp: &str| {
        format!("[sip]\nlisten = [{listen}]\n{tls}\n[media]\nsrtp = \"{srtp}\"\n")
    };
    let open = "\"udp:10.0.0.5:5060\", \"tls:10.0.0.5:5061\"";
    assert_eq!(
        warnings(&phones(open, "require")),
        ["f.toml:5: srtp is required, and keys come in the clear where listen has udp: or tcp:; \
          have phones come by tls: alone"]
    );
    assert!(warnings(&phones("\"tls:10.0.0.5:5061\"", "require")).is_empty());
    assert!(warnings(&phones(open, "accept")).is_empty(), "that promises nothing");
    let trunk = |hosts: &str, srtp: &str| {
        format!("[[trunk]]\nname = \"bsnl\"\nhosts = [{hosts}]\nsrtp = \"{srtp}\"\n")
    };
    assert_eq!(
        warnings(&trunk("\"tls:sip.example\", \"10.0.0.9\"", "require")),
        ["f.toml:4: srtp is required, and the keys go to hosts in the clear; \
          write hosts = [\"tls:NAME\"]"]
    );
    assert!(warnings(&trunk("\"tls:sip.example\"", "require")).is_empty());
    // One that says nothing has to seal as phones have to.
    let heir = |hosts: &str| {
        let phones = phones("\"tls:10.0.0.5:5061\"", "require");
        format!("{phones}[[trunk]]\nname = \"bsnl\"\nhosts = [{hosts}]\n")
    };
    assert_eq!(
        warnings(&heir("\"10.0.0.9\"")),
        ["f.toml:5: srtp is required, of trunk \"bsnl\" too, and the keys go to its hosts in the \
          clear; write hosts = [\"tls:NAME\"] there, or srtp = \"accept\""]
    );
    assert!(warnings(&heir("\"tls:sip.example\"")).is_empty());
    assert!(warnings(&format!("{}srtp = \"off\"\n", heir("\"10.0.0.9\""))).is_empty());
    assert!(warnings(&trunk("\"10.0.0.9\"", "accept")).is_empty());
}
