//! What callers hear, as the names of prompts, against the list of Hindi numbers and by hand.

use pukar::say::{Phrase, Sentence, Thing, Wait, say, vocabulary};
use std::collections::BTreeSet;
use std::path::Path;

/// Hindi numbers in their standard form, by value: 0 to 100.
fn hindi() -> Vec<&'static str> {
    let rows = include_str!("hindi_numbers.tsv").lines();
    let rows: Vec<Vec<&str>> = rows.map(|row| row.split('\t').collect()).collect();
    for (n, row) in rows.iter().enumerate() {
        assert_eq!(row[0], n.to_string());
    }
    rows.iter().map(|row| row[1]).collect()
}

fn names(language: &str, fill: impl FnOnce(&mut Sentence)) -> Vec<String> {
    let mut sentence = Sentence::new(language);
    fill(&mut sentence);
    sentence.into_names()
}

fn number(language: &str, n: u64) -> Vec<String> {
    names(language, |sentence| {
        sentence.number(n);
    })
}

/// Names of Hindi prompts as the words that are recorded in them.
fn words(names: &[String]) -> String {
    let hindi = hindi();
    let word = |name: &String| {
        let bare = name.strip_prefix("hi/").unwrap_or_else(|| panic!("{name} is not Hindi"));
        match bare.strip_prefix("n/").unwrap_or(bare) {
            "hundred" => "सौ".into(),
            "thousand" => "हज़ार".into(),
            "lakh" => "लाख".into(),
            "crore" => "करोड़".into(),
            "1_half" => "डेढ़".into(),
            "2_half" => "ढाई".into(),
            "half" => "साढ़े".into(),
            "minute" => "मिनट".into(),
            "second" => "सेकंड".into(),
            "hour" => "घंटा".into(),
            "hours" => "घंटे".into(),
            "oclock" => "बजे".into(),
            "past" => "बजकर".into(),
            "morning" => "सुबह".into(),
            "afternoon" => "दोपहर".into(),
            "evening" => "शाम".into(),
            "night" => "रात".into(),
            "pos" => "कतार में आपका क्रमांक".into(),
            "wait" => "अनुमानित प्रतीक्षा समय".into(),
            "is" => "है।".into(),
            "to" => "से".into(),
            "over" => "से अधिक".into(),
            "under" => "से कम".into(),
            "for" => "के लिए".into(),
            "press" => "दबाएँ।".into(),
            "emerg" => "आपात स्थिति में".into(),
            "cb_offer" => "यदि आप चाहते हैं कि हम आपको कॉल करें, तो".into(),
            "pause" => "…".into(),
            "language/hi" => "हिंदी".into(),
            "district/alirajpur" => "अलीराजपुर".into(),
            digits => hindi[digits.parse::<usize>().unwrap()].to_string(),
        }
    };
    names.iter().map(word).collect::<Vec<String>>().join(" ")
}

/// What a spoken number means.
fn value(names: &[String]) -> u64 {
    let (mut total, mut pending) = (0, 0);
    for name in names {
        let word = name.split('/').next_back().unwrap();
        match word {
            "and" => {}
            "hundred" => pending *= 100,
            "thousand" | "lakh" => {
                total += pending * if word == "lakh" { 100_000 } else { 1_000 };
                pending = 0;
            }
            "crore" => {
                total = (total + pending) * 10_000_000;
                pending = 0;
            }
            small => pending += small.parse::<u64>().unwrap(),
        }
    }
    total + pending
}

#[test]
fn every_number_below_a_hundred_is_one_recording_of_its_own() {
    let hindi = hindi();
    assert_eq!(hindi[..100].iter().collect::<BTreeSet<_>>().len(), 100);
    for n in 0..100 {
        assert_eq!(number("hi", n), [format!("hi/n/{n}")]);
        assert_eq!(words(&number("hi", n)), hindi[n as usize]);
        assert_eq!(number("en", n), [format!("en/n/{n}")]);
    }
}

/// What the voices were made of, and what people are taught to say.
#[test]
fn the_texts_of_the_shipped_hindi_numbers_are_those_of_the_list() {
    let texts = pukar::shell::prompts::text(Path::new("/nowhere"), "hi").unwrap().unwrap();
    for (n, word) in hindi()[..100].iter().enumerate() {
        assert_eq!(texts.said(&format!("n/{n}")), Some(*word), "{n}");
    }
    for (name, n) in
        [("hundred", 100), ("thousand", 1_000), ("lakh", 100_000), ("crore", 10_000_000)]
    {
        let said = number("hi", n);
        let of_the_list = words(&said);
        let shipped: Vec<&str> = said.iter().filter_map(|name| texts.said(&name[3..])).collect();
        assert_eq!((shipped.join(" "), said.len()), (of_the_list, 2), "{name}");
    }
}

#[test]
fn greater_numbers_are_grouped_as_in_india() {
    for (n, hindi) in [
        (100, "एक सौ"),
        (118, "एक सौ अठारह"),
        (989, "नौ सौ नवासी"),
        (1_000, "एक हज़ार"),
        (2_200, "दो हज़ार दो सौ"),
        (17_580, "सत्रह हज़ार पाँच सौ अस्सी"),
        (99_999, "निन्यानवे हज़ार नौ सौ निन्यानवे"),
        (100_000, "एक लाख"),
        (469_000, "चार लाख उनहत्तर हज़ार"),
        (1_234_567, "बारह लाख चौंतीस हज़ार पाँच सौ सड़सठ"),
        (10_290_000, "एक करोड़ दो लाख नब्बे हज़ार"),
        (13_600_000, "एक करोड़ छत्तीस लाख"),
        (1_000_000_000, "एक सौ करोड़"),
    ] {
        assert_eq!(words(&number("hi", n)), hindi, "{n}");
    }
    let english = ["en/n/1", "en/n/hundred", "en/and", "en/n/18"];
    assert_eq!(number("en", 118), english);
    let english = ["en/n/12", "en/n/lakh", "en/n/34", "en/n/thousand", "en/and", "en/n/7"];
    assert_eq!(number("en", 1_234_007), english);
}

#[test]
fn what_is_said_is_what_is_meant() {
    let far = (0..60).map(|n: u64| n * 777_777_777 + n * n * 31);
    for n in (0..12_000).chain((99_000..101_000).map(|n| n * 97)).chain(far) {
        for language in ["hi", "en", "surgujia"] {
            assert_eq!(value(&number(language, n)), n, "{language}");
        }
    }
}

#[test]
fn telephone_and_ticket_numbers_are_read_digit_by_digit() {
    let read = |text: &str| {
        words(&names("hi", |sentence| {
            sentence.digits(text);
        }))
    };
    assert_eq!(read("181"), "एक आठ एक");
    let mobile = "नौ आठ दो छह शून्य … एक दो तीन चार पाँच";
    assert_eq!(read("9826012345"), mobile);
    assert_eq!(read("+919826012345"), mobile);
    assert_eq!(read("98260-12345"), mobile);
    assert_eq!(read("255118"), "दो पाँच पाँच … एक एक आठ");
    assert_eq!(read("07552551181"), "शून्य सात पाँच पाँच … दो पाँच पाँच एक … एक आठ एक");
    assert_eq!(read(""), "");
}

#[test]
fn spans_and_times_are_said_as_people_say_them() {
    let span = |seconds| {
        words(&names("hi", |sentence| {
            sentence.span(seconds);
        }))
    };
    assert_eq!(span(45), "पैंतालीस सेकंड");
    assert_eq!(span(60), "एक मिनट");
    assert_eq!(span(3_600), "एक घंटा");
    assert_eq!(span(5_400), "डेढ़ घंटा");
    assert_eq!(span(9_000), "ढाई घंटे");
    assert_eq!(span(12_600), "साढ़े तीन घंटे");
    assert_eq!(span(7_500), "दो घंटे पाँच मिनट");
    let time = |language: &str, hour, minute| {
        names(language, |sentence| {
            sentence.time(hour, minute);
        })
    };
    assert_eq!(words(&time("hi", 9, 0)), "सुबह नौ बजे");
    assert_eq!(words(&time("hi", 13, 30)), "दोपहर डेढ़ बजे");
    assert_eq!(words(&time("hi", 17, 30)), "शाम साढ़े पाँच बजे");
    assert_eq!(words(&time("hi", 0, 5)), "रात बारह बजकर पाँच मिनट");
    assert_eq!(time("en", 21, 5), ["en/n/9", "en/n/0", "en/n/5", "en/pm"]);
    assert_eq!(time("en", 0, 45), ["en/n/12", "en/n/45", "en/am"]);
    let english = names("en", |sentence| {
        sentence.span(7_260);
    });
    assert_eq!(english, ["en/n/2", "en/hours", "en/n/1", "en/minute"]);
}

#[test]
fn a_place_in_the_line_and_a_wait_in_hindi_and_english() {
    let hi = |phrase: Phrase| words(&say("hi", &[phrase]));
    assert_eq!(hi(Phrase::Position(7)), "कतार में आपका क्रमांक सात है।");
    assert_eq!(hi(Phrase::PositionOver(20)), "कतार में आपका क्रमांक बीस से अधिक है।");
    let wait = |wait| hi(Phrase::Wait(wait));
    assert_eq!(wait(Wait::Under(1)), "अनुमानित प्रतीक्षा समय एक मिनट से कम है।");
    assert_eq!(wait(Wait::Between(3, 5)), "अनुमानित प्रतीक्षा समय तीन से पाँच मिनट है।");
    assert_eq!(wait(Wait::Over(10)), "अनुमानित प्रतीक्षा समय दस मिनट से अधिक है।");
    assert_eq!(hi(Phrase::EmergencyKey('0')), "आपात स्थिति में शून्य दबाएँ।");
    let offer = "यदि आप चाहते हैं कि हम आपको कॉल करें, तो एक दबाएँ।";
    assert_eq!(hi(Phrase::CallbackKey('1')), offer);
    let en = |phrase: Phrase| say("en", &[phrase]);
    assert_eq!(en(Phrase::Position(7)), ["en/pos", "en/n/7"]);
    assert_eq!(en(Phrase::PositionOver(20)), ["en/pos", "en/over", "en/n/20"]);
    let minutes = ["en/wait", "en/n/1", "en/to", "en/n/2", "en/minutes"];
    assert_eq!(en(Phrase::Wait(Wait::Between(1, 2))), minutes);
    let minute = ["en/wait", "en/under", "en/n/1", "en/minute"];
    assert_eq!(en(Phrase::Wait(Wait::Under(1))), minute);
    let minutes = ["en/wait", "en/over", "en/n/10", "en/minutes"];
    assert_eq!(en(Phrase::Wait(Wait::Over(10))), minutes);
    assert_eq!(en(Phrase::EmergencyKey('0')), ["en/emerg", "en/press", "en/n/0"]);
}

#[test]
fn a_language_is_offered_in_itself() {
    let menu = [("hi", '1'), ("en", '2')]
        .map(|(name, key)| Phrase::Choice(Thing::Language(name.into()), key));
    let expected = ["hi/language/hi", "hi/for", "hi/n/1", "hi/press"];
    let expected = expected.into_iter().chain(["en/for", "en/language/en", "en/press", "en/n/2"]);
    assert_eq!(say("hi", &menu), expected.collect::<Vec<_>>());
    let district = Phrase::Choice(Thing::District("alirajpur".into()), '3');
    assert_eq!(words(&say("hi", &[district])), "अलीराजपुर के लिए तीन दबाएँ।");
}

#[test]
fn the_vocabulary_of_a_language_holds_every_prompt_that_may_be_said() {
    let things = [Thing::Language("en".into()), Thing::District("alirajpur".into())];
    for language in ["hi", "en", "surgujia"] {
        let known = vocabulary(language, &things);
        let known: BTreeSet<&str> = known.iter().map(String::as_str).collect();
        let waits = [(1, 2), (2, 3), (3, 5), (5, 10)].map(|(from, to)| Wait::Between(from, to));
        let waits = waits.into_iter().chain([Wait::Under(1), Wait::Over(10)]).map(Phrase::Wait);
        let mut phrases: Vec<Phrase> = waits.collect();
        phrases.extend((1..=20).map(Phrase::Position));
        phrases.extend("0123456789*#".chars().map(Phrase::EmergencyKey));
        phrases.extend("0123456789*#".chars().map(Phrase::CallbackKey));
        phrases.extend([Phrase::Busy, Phrase::Next, Phrase::PositionOver(20)]);
        phrases.extend([Phrase::CallbackPromised, Phrase::CallingBack("+917552551181".into())]);
        phrases.push(Phrase::Choice(things[1].clone(), '9'));
        let times = (0..24 * 60).map(|n| format!("{}:{:02}", n / 60, n % 60));
        let spans = (1..2_000).map(|n| format!("{}s", n * 37));
        let others = ["tomorrow sunday", "ticket #9876543210 118 1234567"].map(String::from);
        phrases.extend(times.chain(spans).chain(others).map(Phrase::Message));
        for name in say(language, &phrases) {
            assert!(known.contains(name.as_str()), "{name}");
        }
    }
}
