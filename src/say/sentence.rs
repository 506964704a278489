//! A sentence in the making, in one language.

use serde::{Deserialize, Serialize};

/// The order of words. Languages of the Hindi belt share one; what differs are the recordings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Grammar {
    Hindi,
    English,
}

impl Grammar {
    pub fn of(language: &str) -> Self {
        match language {
            "en" => Grammar::English,
            _ => Grammar::Hindi,
        }
    }
}

/// Names of prompts, each `<language>/<word>`.
#[derive(Clone, Debug)]
pub struct Sentence {
    language: String,
    pub(super) grammar: Grammar,
    names: Vec<String>,
}

impl Sentence {
    pub fn new(language: &str) -> Self {
        Self { language: language.into(), grammar: Grammar::of(language), names: Vec::new() }
    }

    pub fn word(&mut self, word: &str) -> &mut Self {
        self.names.push(format!("{}/{word}", self.language));
        self
    }

    pub fn words(&mut self, words: &[&str]) -> &mut Self {
        words.iter().for_each(|word| {
            self.word(word);
        });
        self
    }

    pub fn into_names(self) -> Vec<String> {
        self.names
    }
}
