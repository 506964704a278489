//! What is said to callers, as names of prompts in the order in which a language puts them.
//!
//! In: a language and what is to be said. Out: names such as `hi/pos`, `hi/n/29`, `hi/is`. Knows no
//! sound file and no caller; nothing here can fail. May import: base.

mod message;
mod number;
mod phrase;
mod sentence;

pub use message::words;
pub use phrase::{Phrase, Thing, Wait, say, vocabulary};
pub use sentence::{Grammar, Sentence};
