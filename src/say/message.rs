//! Messages that people put together: recorded words, and numbers, times and spans among them, as
//! they are written. `closed tomorrow 9:30`, `flood 45m`, `ticket #40231`.
//!
//! In: the text of a message. Out: its words, or the prompts that say it. May import: nothing.

use super::sentence::Sentence;

/// What stands between two spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part<'a> {
    /// A prompt, by its name.
    Word(&'a str),
    /// `42`
    Number(u64),
    /// `#1077`: digit by digit.
    Digits(&'a str),
    /// `9:30`
    Time(u64, u64),
    /// `2h30m`, `45m`, `90s`, in seconds.
    Span(u64),
}

/// Digits that are said one by one: those of any telephone number, and a few more.
const DIGITS_MAX: usize = 20;
/// Digits of a number that is said as one: below a hundred crores.
const NUMBER_DIGITS: usize = 9;
/// Spans are below this: a thousand hours.
const SPAN_MAX: u64 = 3_600_000;

/// The prompts that are named in a message.
pub fn words(message: &str) -> impl Iterator<Item = &str> {
    parts(message).filter_map(|part| match part {
        Part::Word(word) => Some(word),
        Part::Number(_) | Part::Digits(_) | Part::Time(..) | Part::Span(_) => None,
    })
}

pub(super) fn compose<'s>(say: &'s mut Sentence, message: &str) -> &'s mut Sentence {
    for part in parts(message) {
        match part {
            Part::Word(word) => say.word(word),
            Part::Number(n) => say.number(n),
            Part::Digits(digits) => say.digits(digits),
            Part::Time(hour, minute) => say.time(hour, minute),
            Part::Span(seconds) => say.span(seconds),
        };
    }
    say
}

fn parts(message: &str) -> impl Iterator<Item = Part<'_>> {
    message.split_whitespace().map(|text| {
        let composed = digits(text).or_else(|| number(text)).or_else(|| time(text));
        composed.or_else(|| span(text)).unwrap_or(Part::Word(text))
    })
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit())
}

fn digits(text: &str) -> Option<Part<'_>> {
    let digits = text.strip_prefix('#').filter(|digits| is_number(digits))?;
    (digits.len() <= DIGITS_MAX).then_some(Part::Digits(digits))
}

fn number(text: &str) -> Option<Part<'_>> {
    let short = is_number(text) && text.len() <= NUMBER_DIGITS;
    text.parse().ok().filter(|_| short).map(Part::Number)
}

fn time(text: &str) -> Option<Part<'_>> {
    let (hour, minute) = text.split_once(':').filter(|(hour, minute)| {
        is_number(hour) && hour.len() <= 2 && is_number(minute) && minute.len() == 2
    })?;
    let (hour, minute) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour < 24 && minute < 60).then_some(Part::Time(hour, minute))
}

fn span(text: &str) -> Option<Part<'_>> {
    let (mut seconds, mut rest) = (0u64, text);
    for (unit, long) in [('h', 3_600), ('m', 60), ('s', 1)] {
        if let Some((count, behind)) = rest.split_once(unit) {
            let short = is_number(count) && count.len() <= NUMBER_DIGITS;
            seconds += count.parse::<u64>().ok().filter(|_| short)? * long;
            rest = behind;
        }
    }
    (rest.is_empty() && (1..SPAN_MAX).contains(&seconds)).then_some(Part::Span(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(language: &str, message: &str) -> String {
        let mut sentence = Sentence::new(language);
        compose(&mut sentence, message);
        let bare = |name: String| name.split_once('/').map(|(_, word)| word.to_string());
        sentence.into_names().into_iter().filter_map(bare).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn words_numbers_times_and_spans_stand_side_by_side() {
        let message = "flood district/bhopal tomorrow 17:30  45m 118";
        let hindi = "flood district/bhopal tomorrow evening n/half n/5 oclock n/45 minute n/1 \
                     n/hundred n/18";
        assert_eq!(said("hi", message), hindi);
        let english = "flood district/bhopal tomorrow n/5 n/30 pm n/45 minutes n/1 n/hundred and \
                       n/18";
        assert_eq!(said("en", message), english);
        assert_eq!(words(message).collect::<Vec<_>>(), ["flood", "district/bhopal", "tomorrow"]);
        assert_eq!(said("hi", "ticket #40231"), "ticket n/4 n/0 n/2 n/3 n/1");
        assert_eq!(said("hi", "2h30m"), "n/2_half hours");
        assert_eq!(said("hi", "1h 90s"), "n/1 hour n/1 minute");
    }

    #[test]
    fn what_only_looks_like_a_time_or_a_number_is_a_word() {
        for word in ["25:00", "9:3", ":", "#", "#12a", "h", "5x", "1h2", "0s", "1234567890", "m5"] {
            assert_eq!(words(word).collect::<Vec<_>>(), [word]);
        }
        let many = format!("#{}", "1".repeat(21));
        assert_eq!(words(&many).collect::<Vec<_>>(), [many.as_str()]);
        assert_eq!(words(&many[..21]).count(), 0, "twenty digits are no word");
        for composed in ["0:00", "23:59", "0", "999999999", "999h", "#0"] {
            assert_eq!(words(composed).count(), 0, "{composed}");
        }
    }
}
