//! What may stand in a configuration, and what it then means.

mod in_call;
mod out;
mod records;
mod users;
mod voices;
mod waiting;
mod whole;
