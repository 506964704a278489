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
    if let Some(rest) = international(raw, &digits) {
        return match rest.strip_prefix(plan.country.as_str()) {
            Some(own) => national(own, plan),
            None if rest.starts_with('0') => None,
            None => (8..=15).contains(&rest.len()).then(|| format!("+{rest}")),
        };
    }
    let own = |d: &str| d.strip_prefix(plan.country.as_str()).and_then(|own| subscriber(own, plan));
    if let Some(rest) = digits.strip_prefix('0') {
        // Some gateways put the trunk prefix before the country code too.
        return subscriber(rest, plan).or_else(|| own(rest));
    }
    match digits.len() {
        10 => subscriber(&digits, plan),
        6..=8 if !plan.area.is_empty() => subscriber(&format!("{}{digits}", plan.area), plan),
        12 => own(&digits),
        _ => None,
    }
}

/// A dialled number in the one form that it is compared and recorded in: E.164; a short code as it
/// is (`181`); a short code of an area as `0<STD>181`, however it came; a name as it is.
pub fn dialled(raw: &str, plan: &Plan) -> String {
    if let Some(number) = e164(raw, plan) {
        return number;
    }
    let Some(digits) = digits(raw) else { return raw.trim().into() };
    let rest = match international(raw, &digits) {
        Some(rest) => rest.strip_prefix(plan.country.as_str()),
        // `91` alone before an area and a code; it is no area itself.
        None => digits.strip_prefix(plan.country.as_str()).filter(|rest| rest.len() >= 5),
    };
    match rest.map(|rest| rest.trim_start_matches('0')) {
        Some(code) if is_short(code) => code.into(),
        Some(rest) if (5..=9).contains(&rest.len()) => format!("0{rest}"),
        Some(_) | None => digits,
    }
}

/// Whether it is a special service code of the level 1: `181`, `104`, `1070`.
pub fn is_short(digits: &str) -> bool {
    (3..=5).contains(&digits.len())
        && digits.starts_with('1')
        && digits.bytes().all(|b| b.is_ascii_digit())
}

/// Whether a fixed line of the area with this STD code may have this E.164 number.
///
/// Codes such as 7394 begin mobile numbers as well. A subscriber's number begins with 2 to 6, so
/// the rest of the number often tells them apart; where it does not, the district is a guess.
pub fn is_of_area(number: &str, area: &str, plan: &Plan) -> bool {
    let own = number.strip_prefix('+').and_then(|n| n.strip_prefix(plan.country.as_str()));
    let subscriber = own.and_then(|own| own.strip_prefix(area));
    !area.is_empty()
        && subscriber.is_some_and(|s| matches!(s.as_bytes().first(), Some(b'2'..=b'6')))
}

/// What follows `+` or `00`.
fn international<'d>(raw: &str, digits: &'d str) -> Option<&'d str> {
    if raw.trim_start().starts_with('+') { Some(digits) } else { digits.strip_prefix("00") }
}

/// After the country code: ten digits, or the eleven to thirteen of toll-free numbers and machines.
fn national(own: &str, plan: &Plan) -> Option<String> {
    let own = own.strip_prefix('0').unwrap_or(own);
    let fits = (10..=13).contains(&own.len()) && !own.starts_with('0');
    fits.then(|| format!("+{}{own}", plan.country))
}

fn subscriber(own: &str, plan: &Plan) -> Option<String> {
    if own.len() == 10 { national(own, plan) } else { None }
}

/// The digits of a number, visual separators dropped; `None` where anything else is in it.
fn digits(raw: &str) -> Option<String> {
    // A telephone number in a SIP URI may carry parameters of `tel:` (RFC 3966).
    let text = raw.split(';').next().unwrap_or_default().trim();
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

    fn bhopal() -> Plan {
        Plan { area: "755".into(), ..Plan::default() }
    }

    #[test]
    fn every_form_of_a_number_becomes_the_same_e164() {
        let mobile = [
            "+919826012345",
            "919826012345",
            "00919826012345",
            "09826012345",
            "9826012345",
            "0919826012345",
            "+9109826012345",
            "+91 (0) 98260 12345",
            "+91-98260-12345",
            "+91.98260.12345",
            "(982) 601-2345",
            " 9826012345 ",
            "9826012345;phone-context=+91",
            "+919826012345;npdi",
            "९८२६०१२३४५",
            "+९१९८२६०१२३४५",
        ];
        let landline = [
            "2551234",
            "255-1234",
            "07552551234",
            "0755-2551234",
            "7552551234",
            "917552551234",
            "+917552551234",
            "00917552551234",
            "0755 255 1234",
        ];
        let others = [
            ("+14155550100", "+14155550100"),
            ("0014155550100", "+14155550100"),
            ("+18001801551", "+18001801551"),
            ("+9118001801551", "+9118001801551"),
            ("1600123456", "+911600123456"),
        ];
        let forms = (mobile.map(|raw| (raw, "+919826012345")).into_iter())
            .chain(landline.map(|raw| (raw, "+917552551234")))
            .chain(others);
        for (raw, number) in forms {
            assert_eq!(e164(raw, &bhopal()).as_deref(), Some(number), "{raw}");
        }
    }

    #[test]
    fn what_is_no_number_stays_unnormalised() {
        for raw in [
            "",
            " ",
            "anonymous",
            "Unavailable",
            "c12",
            "सीमा",
            "181",
            "104",
            "1070",
            "+",
            "+91",
            "+0123456789",
            "0000000000",
            "+91181",
            "12345678901234567890",
            "0181",
            "*21#",
            "98260x2345",
        ] {
            assert_eq!(e164(raw, &bhopal()), None, "{raw}");
        }
    }

    #[test]
    fn a_dialled_number_has_one_form() {
        for (raw, one) in [
            ("181", "181"),
            ("104", "104"),
            ("1070", "1070"),
            ("+91181", "181"),
            ("0755181", "0755181"),
            ("07162-181", "07162181"),
            ("+917162181", "07162181"),
            ("00917162181", "07162181"),
            ("917162181", "07162181"),
            ("+9107162181", "07162181"),
            ("+91755181", "0755181"),
            ("2551234", "+917552551234"),
            ("०७१६२१८१", "07162181"),
            ("helpline", "helpline"),
            ("91", "91"),
        ] {
            assert_eq!(dialled(raw, &bhopal()), one, "{raw}");
        }
    }

    #[test]
    fn the_area_of_a_fixed_line_is_seen_and_that_of_a_mobile_is_not() {
        let plan = Plan::default();
        assert!(is_of_area("+917394233445", "7394", &plan));
        assert!(!is_of_area("+917394933445", "7394", &plan), "a mobile");
        assert!(!is_of_area("+919826012345", "7394", &plan));
        assert!(!is_of_area("+14155550100", "", &plan));
    }
}
