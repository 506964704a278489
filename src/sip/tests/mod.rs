//! The user agent from outside: raw text in and out, and pairs of agents over a virtual wire.

mod callee;
mod caller;
mod dialog;
mod pair;
mod refer;
mod registered;
mod trunks;
mod world;
