//! The queue engine, with a clock, dice and timers around it: behaviours, complaints, and the
//! engine against a naive one.

mod acd_naive;
mod acd_world;
mod behaviour;
mod complaints;
mod complaints_order;
mod erlang;
mod fairness;
mod matching;
mod model;
mod waiting;
