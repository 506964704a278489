//! Text that people read: UTF-8, in normal form C, free of control characters, cut on whole
//! characters.

use unicode_normalization::UnicodeNormalization;

/// `raw` as clean text: NFC, control characters dropped, at most `limit` characters, and never cut
/// between a letter and the marks that belong to it.
pub fn clean(raw: &str, limit: usize) -> String {
    let text: String = raw.nfc().filter(|c| !c.is_control()).collect();
    if text.chars().count() <= limit {
        return text;
    }
    let mut end = text.char_indices().nth(limit).map_or(text.len(), |(at, _)| at);
    while text[end..].chars().next().is_some_and(attaches) && end > 0 {
        end = text[..end].char_indices().next_back().map_or(0, |(at, _)| at);
    }
    text[..end].to_string()
}

/// A name as it is compared: NFC.
pub fn name(raw: &str) -> String {
    raw.nfc().collect()
}

/// Whether `c` belongs to the letter before it: combining marks, Devanagari signs, joiners.
fn attaches(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
        || matches!(c, '\u{093a}'..='\u{094f}' | '\u{200c}' | '\u{200d}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_composed_and_free_of_control_characters() {
        assert_eq!(clean("सीमा\r\nVia: x", 64), "सीमाVia: x");
        assert_eq!(clean("e\u{301}", 8), "é");
    }

    #[test]
    fn a_cut_never_parts_a_letter_from_its_signs() {
        assert_eq!(clean("सीमा", 1), "");
        assert_eq!(clean("सीमा", 2), "सी");
        assert_eq!(clean("सीमा", 3), "सी");
        assert_eq!(clean("सीमा", 4), "सीमा");
    }
}
