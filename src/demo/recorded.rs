//! `pukar demo --recorded [--opus]`: every call of the demo is recorded in stereo, and every file
//! is looked at: it is there, finished, of two sides, and as long as its call was.
//!
//! In: the records and the folder. Out: complaints of the report.

use jiff::Timestamp;
use pukar::load::Report;
use pukar::shell::record;
use serde_json::Value;
use std::path::Path;

/// What the configuration has besides. Nobody is told, so that all talk as long as without.
pub fn configuration(opus: bool) -> String {
    let format = if opus { "opus" } else { "wav" };
    format!("[recording]\nall = true\nnotice = \"\"\nformat = \"{format}\"\n")
}

/// How far the length of a file may be off.
const EXACT_MS: i64 = 20;
/// What a conversation may be delayed by, 99 times of 100.
const DELAY_MS: f64 = 5.0;

/// Of recordings: how many there are, how long they are in all, and the worst difference.
#[derive(Default)]
struct Found {
    files: usize,
    seconds: i64,
    worst_ms: i64,
}

/// Says what was found, and complains in the report.
pub fn judge(report: &mut Report, rows: &[Value], data: &Path) -> String {
    let mut found = Found::default();
    for row in rows.iter().filter(|row| row["connected_at"].is_string()) {
        if let Err(why) = look(row, data, &mut found) {
            report.complain(format!("recording of call {}: {why}", row["id"]));
        }
    }
    let p99 = report.voice.delay_ms.p99;
    if p99 >= DELAY_MS {
        report.complain(format!("1 of 100 packets was delayed by {p99:.1} ms and more"));
    }
    let Found { files, seconds, worst_ms } = found;
    format!("{files} recordings of {seconds} s in all, off by {worst_ms} ms at most")
}

fn look(row: &Value, data: &Path, found: &mut Found) -> Result<(), String> {
    let named = row["recording"].as_str().filter(|name| !name.is_empty()).ok_or("there is none")?;
    if let Some((_, trouble)) = named.split_once(';') {
        return Err(trouble.trim().into());
    }
    let (sound, finished) = record::open(&data.join("recordings").join(named), None)
        .map_err(|error| format!("{named}: {error}"))?;
    if !finished {
        return Err(format!("{named} was never finished"));
    }
    let millis = match record::is_opus(Path::new(named)) {
        true => opus_millis(&sound).ok_or_else(|| format!("{named} is no stereo Ogg Opus"))?,
        false => stereo_millis(&sound).ok_or_else(|| format!("{named} is no stereo A-law"))?,
    };
    let at = |key: &str| {
        let text = row[key].as_str().unwrap_or_default();
        text.parse::<Timestamp>().map(Timestamp::as_millisecond).map_err(|e| format!("{key}: {e}"))
    };
    let length = at("ended_at")? - at("connected_at")?;
    let off = (millis - length).abs();
    found.files += 1;
    found.seconds += millis / 1_000;
    found.worst_ms = found.worst_ms.max(off);
    match off <= EXACT_MS {
        true => Ok(()),
        false => Err(format!("{millis} ms, and the call took {length} ms")),
    }
}

/// How long an Ogg file of two sides of Opus is: its last page says where it ends, in ticks of
/// 48,000 Hz, and its head how much of that is before the sound (RFC 7845 sections 4 and 5.1).
fn opus_millis(ogg: &[u8]) -> Option<i64> {
    let head = ogg.windows(8).take(100).position(|eight| eight == b"OpusHead")?;
    let stereo = ogg.get(head + 9) == Some(&2);
    let skip = u16::from_le_bytes(ogg.get(head + 10..head + 12)?.try_into().ok()?);
    let last = ogg.windows(4).rposition(|four| four == b"OggS")?;
    let end = i64::from_le_bytes(ogg.get(last + 6..last + 14)?.try_into().ok()?);
    stereo.then_some((end - i64::from(skip)) / 48)
}

/// How long a WAV file of two sides of A-law is, at 8,000 samples a second.
fn stereo_millis(wav: &[u8]) -> Option<i64> {
    const A_LAW: u16 = 6;
    let find = |chunk: &[u8; 4]| wav.windows(4).take(200).position(|four| four == chunk);
    let half = |at: usize| Some(u16::from_le_bytes(wav.get(at..at + 2)?.try_into().ok()?));
    let word = |at: usize| Some(u32::from_le_bytes(wav.get(at..at + 4)?.try_into().ok()?));
    let (format, sound) = (find(b"fmt ")? + 8, find(b"data")? + 8);
    let right = half(format)? == A_LAW && half(format + 2)? == 2 && word(format + 4)? == 8_000;
    let said = word(sound - 4)?;
    let there = wav.len() - sound;
    (right && there == said as usize).then_some(i64::from(said) / 16)
}
