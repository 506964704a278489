//! What the prompts of a language say: a name, a tab and the text, a line each. A third column is
//! other spellings, for whoever reads what people write. May import: base.

use super::{read, shipped};
use crate::base::text::name;
use std::collections::BTreeMap;
use std::path::Path;

/// Octets in one file.
const FILE_MAX: u64 = 1 << 20;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text(BTreeMap<String, String>);

impl Text {
    /// The name and the text of every prompt, by name.
    pub fn rows(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Empty: nothing is said under this name.
    pub fn said(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Adds one that is not there.
    pub fn add(&mut self, name: &str, text: &str) {
        self.0.entry(name.into()).or_insert_with(|| text.into());
    }

    fn read(raw: &str) -> Result<Self, String> {
        let mut rows = BTreeMap::new();
        let lines = raw.lines().enumerate().map(|(at, line)| (at + 1, line.trim_end()));
        for (at, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let mut columns = line.split('\t');
            let (key, text) = (columns.next().unwrap_or_default().trim(), columns.next());
            let plain = |part: &str| !part.is_empty() && !part.starts_with('.');
            if !key.split('/').all(plain) || key.contains('\\') {
                return Err(format!("line {at}: \"{key}\" is no name; write it as \"n/5\""));
            }
            if rows.insert(name(key), name(text.unwrap_or_default().trim())).is_some() {
                return Err(format!("line {at}: {key} stands twice; keep one of them"));
            }
        }
        Ok(Self(rows))
    }
}

/// What a language says: `<folder>/<language>.tsv`, or else what is built in.
pub fn text(folder: &Path, language: &str) -> Result<Option<Text>, String> {
    let path = folder.join(format!("{language}.tsv"));
    let why = |what: String| format!("{}: {what}", path.display());
    match std::fs::metadata(&path) {
        Ok(_) => {
            let raw = read(&path, FILE_MAX).map_err(why)?;
            let raw = String::from_utf8(raw).map_err(|e| why(e.to_string()))?;
            Text::read(&raw).map(Some).map_err(why)
        }
        Err(_) => {
            let built_in = shipped::TEXTS.iter().find(|(name, _)| *name == language);
            built_in.map(|(_, raw)| Text::read(raw)).transpose()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_and_what_is_wrong_has_its_line() {
        let text =
            Text::read("# remark\nn/5\tपाँच\tपांच\ntransfer_end\t\n\nnext\tYou are next.").unwrap();
        assert_eq!(text.said("n/5"), Some("पाँच"));
        assert_eq!((text.said("transfer_end"), text.said("x")), (Some(""), None));
        assert_eq!(text.names().collect::<Vec<_>>(), ["n/5", "next", "transfer_end"]);
        let twice = Text::read("a\tb\na\tc").unwrap_err();
        assert_eq!(twice, "line 2: a stands twice; keep one of them");
        assert!(Text::read("../a\tb").unwrap_err().starts_with("line 1: \"../a\" is no name"));
    }

    #[test]
    fn every_number_to_99_has_a_word_of_its_own_in_both_languages() {
        for (language, _) in shipped::TEXTS {
            let text = text(Path::new("/nowhere"), language).unwrap().unwrap();
            let words: Vec<&str> =
                (0..100).map(|n| text.said(&format!("n/{n}")).unwrap()).collect();
            let different: std::collections::BTreeSet<_> = words.iter().collect();
            assert_eq!(different.len(), 100, "{language}");
        }
    }
}
