//! Old proofs as one: a file of proofs that has grown long has the older half of them once for
//! each table, with everything that the numbers of a table are asked for, and a digest of the lines
//! that were there before, by which whoever has a copy of them can show that it was these.
//!
//! In: a file of proofs. Out: a shorter one.

use super::proof::hex;
use super::purge;
use super::verify::Ranges;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// Numbers by the name of a store.
type Named = BTreeMap<String, Ranges>;

/// What is known of the proofs of one table.
#[derive(Default)]
struct Known {
    /// Proofs, and when the first and the last of them were.
    proofs: u64,
    from: Value,
    until: Value,
    by: Option<Value>,
    count: u64,
    /// What had not come to a store, proof by proof, and all of that proof: to whom it does not
    /// name nothing of it had.
    never_came: Vec<(Named, Ranges)>,
    digest: Sha256,
}

/// The file as it is to be; what is no proof, or names no numbers that can be read, stays as it is.
pub fn joined(text: &[u8]) -> Vec<u8> {
    let lines: Vec<&[u8]> = text.split(|o| *o == b'\n').filter(|line| !line.is_empty()).collect();
    let (old, new) = lines.split_at(lines.len().div_ceil(2));
    let (mut known, mut left) = (BTreeMap::<(String, String), Known>::new(), Vec::new());
    for line in old {
        match read(line) {
            Some((proof, seqs)) => {
                let own = |name: &str| proof[name].as_str().unwrap_or_default().to_string();
                let known = known.entry((own("of"), own("table_name"))).or_default();
                known.add(line, &proof, seqs);
            }
            None => left.push(*line),
        }
    }
    let known = known.into_iter().map(|(of, known)| known.told(of).to_string().into_bytes());
    let all = known.chain(left.into_iter().chain(new.iter().copied()).map(<[u8]>::to_vec));
    all.flat_map(|line| line.into_iter().chain([b'\n'])).collect()
}

fn read(line: &[u8]) -> Option<(Value, Ranges)> {
    let proof: Value = serde_json::from_slice(line).ok()?;
    let (_, seqs) = purge::table_and_numbers(&proof)?;
    let seqs = Ranges::read(&seqs)?;
    Some((proof, seqs))
}

impl Known {
    fn add(&mut self, line: &[u8], proof: &Value, seqs: Ranges) {
        self.digest.update(line);
        self.digest.update(b"\n");
        self.proofs += proof["joined"].as_u64().unwrap_or(1);
        let first = if proof["from"].is_null() { &proof["purged_at"] } else { &proof["from"] };
        if self.from.is_null() {
            self.from = first.clone();
        }
        self.until = proof["purged_at"].clone();
        let by = self.by.get_or_insert_with(|| proof["purged_by"].clone());
        if *by != proof["purged_by"] {
            *by = json!("several");
        }
        self.count += proof["count"].as_u64().unwrap_or(0);
        self.never_came.push((purge::never_came(proof), seqs));
    }

    fn told(self, (of, table): (String, String)) -> Value {
        let Self { proofs, from, until, by, count, never_came, digest } = self;
        let seqs = Ranges::all_of(never_came.iter().map(|(_, all)| all));
        let mut told = json!({
            "purged_at": until,
            "purged_by": by,
            "table_name": table,
            "what": format!("{proofs} proofs since {}, as one: the digest is that of their lines",
                from.as_str().unwrap_or_default()),
            "count": count,
            "seqs": seqs.to_string(),
            "digest": hex(digest.finalize()),
            "joined": proofs,
            "from": from,
        });
        if !of.is_empty() {
            told["of"] = json!(of);
        }
        // Each store once, however many of the proofs name it.
        let names: BTreeSet<_> = never_came.iter().flat_map(|(named, _)| named.keys()).collect();
        for name in names {
            let never = never_came.iter().map(|(named, all)| named.get(name).unwrap_or(all));
            purge::name_never_came(&mut told, name, &Ranges::all_of(never));
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::clock::Patience;
    use std::time::Duration;

    fn lines(text: &[u8]) -> Vec<Value> {
        let text = std::str::from_utf8(text).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap_or(json!(line))).collect()
    }

    fn proof(of: &str, at: u32, seqs: &str, never: Option<Value>) -> String {
        let mut proof = json!({"of": of, "table_name": "calls", "purged_at": format!("2026-{at}"),
            "purged_by": "hema", "what": "x", "count": 2, "seqs": seqs, "digest": "d"});
        if let Some(never) = never {
            proof["never_came_to"] = never;
        }
        format!("{proof}\n")
    }

    /// Whoever has something to prove meanwhile waits for seconds at most.
    #[test]
    fn thousands_of_proofs_that_name_several_stores_are_one_within_seconds() {
        let one = |n: u32| {
            let never = json!({"a": format!("{}", n * 4), "b": "", "c": format!("{}", n * 4 + 1)});
            proof("outbox", n, &format!("{}-{}", n * 4, n * 4 + 1), Some(never))
        };
        let file: String = (1..=5_000).map(one).collect();
        let patience = Patience::of(Duration::from_secs(10));
        let left = joined(file.as_bytes());
        assert!(!patience.is_over(), "joining each with each takes minutes");
        let left = lines(&left);
        let never = Ranges::read(left[0]["never_came_to"]["c"].as_str().unwrap()).unwrap();
        assert_eq!((left.len(), never.count(), never.last()), (2_501, 2_500, Some(10_001)));
    }

    /// What verify and a store that comes later ask of proofs is the same of what is left of them.
    #[test]
    fn the_older_half_is_one_a_table_and_says_the_same_of_every_number() {
        let file = [
            proof("outbox", 1, "1-2", Some(json!({"a": "2", "b": ""}))),
            "half a proof\n".into(),
            proof("journal", 2, "7", None),
            proof("outbox", 3, "3-4", Some(json!({"b": "4"}))),
            proof("journal", 4, "8", None),
            proof("outbox", 5, "9", None),
            proof("outbox", 6, "10-11", Some(json!({"c": ""}))),
            proof("journal", 7, "9", None),
        ];
        // "a" was there at the first purge, and not at the second: nothing of that came to it.
        let half = joined(file[..].concat().as_bytes());
        let left = lines(&half);
        assert_eq!(left.len(), 7, "{left:#?}");
        let (journal, outbox) = (&left[0], &left[1]);
        assert_eq!((&journal["of"], &journal["seqs"]), (&json!("journal"), &json!("7")));
        assert_eq!((&outbox["seqs"], &outbox["count"]), (&json!("1-4"), &json!(4)));
        assert_eq!(outbox["never_came_to"], json!({"a": "2-4", "b": "4"}));
        assert_eq!((&outbox["from"], &outbox["purged_at"]), (&json!("2026-1"), &json!("2026-3")));
        let were = Sha256::digest([file[0].as_bytes(), file[3].as_bytes()].concat());
        assert_eq!(outbox["digest"], hex(were), "whoever has those lines can show it");
        assert_eq!(left[2], json!("half a proof"), "and is told to whoever verifies");
        assert_eq!(left[3..], lines(file[4..].concat().as_bytes()), "what is newer stays");
        // And once more, when others have come, of what was joined before.
        let later: String = (10..17).map(|n| proof("journal", n, &n.to_string(), None)).collect();
        let left = lines(&joined(&[&half, later.as_bytes()].concat()));
        assert_eq!(left.len(), 10, "{left:#?}");
        let (journal, outbox) = (&left[0], &left[1]);
        assert_eq!((&journal["seqs"], &journal["joined"]), (&json!("7-9"), &json!(3)));
        assert_eq!((&outbox["seqs"], &outbox["joined"]), (&json!("1-4,9-11"), &json!(4)));
        assert_eq!(outbox["from"], "2026-1");
        let never = json!({"a": "2-4,9-11", "b": "4,9-11", "c": "1-4,9"});
        assert_eq!(outbox["never_came_to"], never);
    }
}
