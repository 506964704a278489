//! Agents, as the configuration has them: a table each, of the skill that the helpline asks for.

/// An agent, and further lines of the table.
pub fn agent(id: &str, lines: &[&str]) -> String {
    let lines = lines.join("\n");
    format!("[[agent]]\nid = \"{id}\"\nskills = [\"operator\"]\n{lines}\n")
}

pub const SECRET: &str = "correct-horse-1";
/// The agent's phone registers, with [`SECRET`].
pub const REGISTERS: &str = "secret = \"correct-horse-1\"";
/// … and knows no SHA-256, as baresip 1.x.
pub const OLD_PHONE: &str = "digest = \"md5\"";
pub const READY: &str = "ready = true";

/// The agent's phone stands in this house.
pub fn lives_in(id: &str, house: u8) -> String {
    format!("contact = \"sip:{id}@NET.{house}:5060\"")
}
