//! Telephone numbers: whatever form a carrier sends becomes E.164, and the raw form is kept.

/// The parts of the Indian numbering plan that a bare number needs to become E.164.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Plan {
    /// Country code, `91`.
    pub country: String,
    /// STD code of the gateway, put before a local number: `0755` is written `755`.
    pub area: String,
}

impl Default for Plan {
    fn default() -> Self {
        Self { country: "91".into(), area: String::new() }
    }
}

/// `raw` in E.164 (`+` and 8 to 15 digits), or `None` where it is no telephone number: withheld,
/// a name, a short code.
pub fn e164(raw: &str, plan: &Plan) -> Option<String> {
    let digits = digits(raw)?;
    let international = |d: &str| (8..=15).contains(&d.len()).then(|| format!("+{d}"));
    if raw.trim_start().starts_with('+') {
        return international(&digits);
    }
    if let Some(rest) = digits.strip_prefix("00") {
        return international(rest);
    }
    let country = &plan.country;
    let national = |d: &str| (d.len() == 10).then(|| format!("+{country}{d}"));
    if let Some(rest) = digits.strip_prefix('0') {
        return national(rest);
    }
    match digits.len() {
        10 => national(&digits),
        6..=8 if !plan.area.is_empty() => national(&format!("{}{digits}", plan.area)),
        12 if digits.starts_with(country.as_str()) => Some(format!("+{digits}")),
        _ => None,
    }
}

/// The digits of a number, visual separators dropped; `None` where anything else is in it.
fn digits(raw: &str) -> Option<String> {
    let text = raw.trim();
    let text = text.strip_prefix('+').unwrap_or(text);
    let mut digits = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '0'..='9' => digits.push(c),
            '\u{966}'..='\u{96f}' => digits.push(devanagari(c)),
            '-' | '.' | '(' | ')' | ' ' => {}
            _ => return None,
        }
    }
    (!digits.is_empty()).then_some(digits)
}

fn devanagari(c: char) -> char {
    char::from(b'0' + (c as u32 - 0x966) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_number_becomes_the_same_e164() {
        let bhopal = Plan { area: "755".into(), ..Plan::default() };
        for raw in [
            "+919826012345",
            "919826012345",
            "00919826012345",
            "09826012345",
            "9826012345",
            "+91-98260-12345",
            "(982) 601-2345",
            "९८२६०१२३४५",
        ] {
            assert_eq!(e164(raw, &bhopal).as_deref(), Some("+919826012345"), "{raw}");
        }
        assert_eq!(e164("2551234", &bhopal).as_deref(), Some("+917552551234"));
        assert_eq!(e164("07552551234", &bhopal).as_deref(), Some("+917552551234"));
        assert_eq!(e164("+14155550100", &bhopal).as_deref(), Some("+14155550100"));
    }

    #[test]
    fn what_is_no_number_stays_unnormalised() {
        for raw in ["", "anonymous", "c12", "181", "+", "12345678901234567890", "0181"] {
            assert_eq!(e164(raw, &Plan::default()), None, "{raw}");
        }
    }
}
