//! Numbers, spans of time and times of day.
//!
//! Every number from 0 to 99 is one recording: in Hindi nearly all of them are irregular, and none
//! may be put together from tens and units. Greater ones are grouped as in India, 12,34,567.

use super::sentence::{Grammar, Sentence};

const HUNDRED: u64 = 100;
const THOUSAND: u64 = 1_000;
const LAKH: u64 = 100_000;
const CRORE: u64 = 10_000_000;
/// Digits that are read in one breath, at most.
const GROUP: usize = 5;

impl Sentence {
    /// `n` as it is counted: एक सौ अठारह, one hundred and eighteen.
    pub fn number(&mut self, n: u64) -> &mut Self {
        let mut rest = n;
        for (unit, word) in [(CRORE, "n/crore"), (LAKH, "n/lakh"), (THOUSAND, "n/thousand")] {
            if rest >= unit {
                self.number(rest / unit).word(word);
                rest %= unit;
            }
        }
        if rest >= HUNDRED {
            self.small(rest / HUNDRED).word("n/hundred");
            rest %= HUNDRED;
        }
        match (rest, self.grammar) {
            (0, _) if n > 0 => return self,
            (_, Grammar::English) if n >= HUNDRED => self.word("and"),
            (_, Grammar::English | Grammar::Hindi) => self,
        };
        self.small(rest)
    }

    fn small(&mut self, n: u64) -> &mut Self {
        self.word(&format!("n/{n}"))
    }

    /// Telephone numbers and ticket numbers: digit by digit, in groups that are as equal as can be
    /// and of five at most, so that a mobile number is five and five. Of an Indian number in E.164
    /// the country is left out; whatever is no digit is left out too.
    pub fn digits(&mut self, text: &str) -> &mut Self {
        let national = text.strip_prefix("+91").filter(|rest| rest.len() == 10).unwrap_or(text);
        let digits: Vec<u32> = national.chars().filter_map(|c| c.to_digit(10)).collect();
        let groups = digits.len().div_ceil(GROUP).max(1);
        let mut rest = &digits[..];
        for left in (1..=groups).rev() {
            let (group, after) = rest.split_at(rest.len().div_ceil(left));
            rest = after;
            group.iter().for_each(|digit| {
                self.small(u64::from(*digit));
            });
            if left > 1 {
                self.word("pause");
            }
        }
        self
    }

    /// A key of a telephone.
    pub fn key(&mut self, key: char) -> &mut Self {
        match key {
            '*' => self.word("star"),
            '#' => self.word("hash"),
            digit => self.small(u64::from(digit.to_digit(10).unwrap_or(0))),
        }
    }

    /// A span in hours and minutes, or in seconds below one minute.
    pub fn span(&mut self, seconds: u64) -> &mut Self {
        let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
        if hours == 0 && minutes == 0 {
            return self.count(seconds, "second", "seconds");
        }
        if hours > 0 && minutes == 30 && self.grammar == Grammar::Hindi {
            self.and_a_half(hours);
            return self.word(if hours == 1 { "hour" } else { "hours" });
        }
        if hours > 0 {
            self.count(hours, "hour", "hours");
        }
        if minutes > 0 {
            self.count(minutes, "minute", "minutes");
        }
        self
    }

    /// मिनट and सेकंड are the same in the plural; घंटा is not.
    pub fn count(&mut self, n: u64, one: &str, many: &str) -> &mut Self {
        self.number(n).unit(n, one, many)
    }

    pub(super) fn unit(&mut self, n: u64, one: &str, many: &str) -> &mut Self {
        let changes = self.grammar == Grammar::English || one == "hour";
        self.word(if n != 1 && changes { many } else { one })
    }

    /// डेढ़, ढाई, साढ़े तीन.
    fn and_a_half(&mut self, n: u64) -> &mut Self {
        match n {
            1 => self.word("n/1_half"),
            2 => self.word("n/2_half"),
            _ => self.word("n/half").number(n),
        }
    }

    /// A time of day, from 0:00 to 23:59.
    pub fn time(&mut self, hour: u64, minute: u64) -> &mut Self {
        let twelve = match hour % 12 {
            0 => 12,
            hour => hour,
        };
        match self.grammar {
            Grammar::Hindi => {
                self.word(part_of_day(hour));
                match minute {
                    0 => self.number(twelve).word("oclock"),
                    30 => self.and_a_half(twelve).word("oclock"),
                    _ => self.number(twelve).word("past").count(minute, "minute", "minutes"),
                }
            }
            Grammar::English => {
                self.number(twelve);
                if (1..10).contains(&minute) {
                    self.word("n/0");
                }
                if minute > 0 {
                    self.number(minute);
                }
                self.word(if hour < 12 { "am" } else { "pm" })
            }
        }
    }
}

/// सुबह, दोपहर, शाम, रात.
fn part_of_day(hour: u64) -> &'static str {
    match hour {
        4..12 => "morning",
        12..16 => "afternoon",
        16..19 => "evening",
        _ => "night",
    }
}

/// Every name that the functions here may use.
pub(super) fn words() -> Vec<String> {
    let named = ["n/hundred", "n/thousand", "n/lakh", "n/crore", "pause", "star", "hash", "minute"];
    let small = (0..100).map(|n| format!("n/{n}"));
    small.chain(named.map(String::from)).collect()
}
