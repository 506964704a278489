//! The `pukar` binary.
fn main() {}
