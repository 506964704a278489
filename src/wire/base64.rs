//! Base64 (RFC 4648 section 4), with its padding. May import: nothing.

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub fn encode(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len().div_ceil(3) * 4);
    for three in octets.chunks(3) {
        let bits = three.iter().fold(0u32, |bits, octet| bits << 8 | u32::from(*octet));
        let bits = bits << (8 * (3 - three.len()));
        for at in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= three.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

/// `None` where it is no Base64. Padding may be missing, as in what some telephones write.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let bare = text.trim_end_matches('=');
    let padding = text.len() - bare.len();
    if padding > 2 || padding > 0 && !text.len().is_multiple_of(4) || bare.len() % 4 == 1 {
        return None;
    }
    let mut octets = Vec::with_capacity(bare.len() * 3 / 4);
    for four in bare.as_bytes().chunks(4) {
        let mut bits = 0u32;
        for letter in four {
            let value = LETTERS.iter().position(|known| known == letter)?;
            bits = bits << 6 | value as u32;
        }
        let bits = bits << (6 * (4 - four.len()));
        octets.extend_from_slice(&bits.to_be_bytes()[1..four.len()]);
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_the_same_and_rubbish_does_not_read() {
        for (octets, text) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"foob", "Zm9vYg=="),
            (b"\xff\xfe\xfd", "//79"),
        ] {
            assert_eq!(encode(octets), text);
            assert_eq!(decode(text).as_deref(), Some(octets));
            assert_eq!(decode(text.trim_end_matches('=')).as_deref(), Some(octets));
        }
        for rubbish in ["Z", "Zg=", "Zg===", "Z=g=", "Zm9v\n", "Zm9-", "====", "नमस"] {
            assert_eq!(decode(rubbish), None, "{rubbish}");
        }
    }
}
