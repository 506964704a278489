//! Text to settings; every mistake at once; opens no file.
//!
//! In: the text of one or more TOML files, and a way to look up environment variables. Out:
//! [`Settings`], or every [`Mistake`] with its file, its line and what to write instead. Knows
//! nothing of the file system, the network or what runs. May import: sip, acd, call and base.

mod settings;

pub use settings::*;
