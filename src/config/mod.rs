//! Text to settings; every mistake at once; opens no file.
//!
//! May import: sip, acd, call and base.
