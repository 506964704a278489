//! The commands and their options.

use super::acts;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Pukar, a telephony switch and call-distribution engine for government helplines.
#[derive(Debug, Parser)]
#[command(name = "pukar", version, infer_subcommands = false, arg_required_else_help = true)]
pub struct Cli<L: Args> {
    #[command(subcommand)]
    pub command: Command<L>,
    /// The admin socket of the running switch.
    #[arg(long, global = true, default_value = "data/pukar.sock", value_name = "PATH")]
    pub socket: PathBuf,
}

#[derive(Debug, Subcommand)]
pub enum Command<L: Args> {
    /// Run the switch in the foreground; SIGTERM drains it, SIGHUP reloads its configuration.
    Run(RunArgs),
    /// Report every mistake in the configuration, with its line and what to write instead.
    Check {
        /// A TOML file, or a folder of them read together.
        #[arg(long, default_value = CONFIG, value_name = "FILE")]
        config: PathBuf,
    },
    /// The prompts: which there are, where each comes from, and the renderer.
    #[command(subcommand)]
    Prompts(PromptsAct),
    /// Run a whole helpline on this machine, with callers and agents, and judge it.
    Demo(DemoArgs),
    /// Place calls against any SIP target, and judge it.
    Load(L),
    /// The switch on one screen.
    Status(View),
    /// The wallboard of a shift's supervisor, over the whole terminal.
    Top,
    /// Live calls.
    Calls(View),
    /// Queues: who waits, for how long, and how well they are served.
    Queues(View),
    /// Agents and what each is doing.
    Agents(View),
    /// Trunks, and whether they answer.
    Trunks(View),
    /// Stores of records: which are up, and how far each is behind.
    Stores(View),
    /// Shifts: which one is on, when the next ones begin, who is there.
    Shifts(View),
    /// What the next shift has to know: figures, who waits and was missed, what is set by hand.
    Handover(View),
    /// The reconciled summary: by default of the time between the last two cut-offs.
    Report(ReportArgs),
    /// Numbers that may not call for a while, and why.
    Blocks(View),
    /// Block a number: a nuisance, for a while, with a reason.
    Block {
        number: String,
        /// How long, such as 12h or 7d; without it, as [nuisance] block_for has it.
        #[arg(long = "for", value_name = "SPAN", value_parser = seconds)]
        span: Option<u64>,
        /// Why.
        #[arg(required = true)]
        reason: Vec<String>,
    },
    /// Let a blocked number call again.
    Unblock {
        number: String,
        /// Why.
        reason: Vec<String>,
    },
    /// The directory: who is listed, who would be called, whose number fails.
    Directory(DirectoryArgs),
    /// Callers with whom nobody talked: who they are, why, and who calls them.
    Missed(MissedArgs),
    /// Why a caller waited: who was considered, why each was not chosen, how long it all took. Of
    /// each decision 32 agents are named, and the others counted by what was found about each.
    Why(WhyArgs),
    /// Recordings of calls that are over.
    #[command(subcommand)]
    Recording(RecordingAct),
    /// Call records.
    Records(RecordsArgs),
    /// Set what an agent is doing, or a whole group of them.
    Agent {
        /// The agent's id, such as op1; or all, queue:NAME, district:NAME, shift:NAME.
        id: String,
        #[arg(value_parser = acts::possible("agents"))]
        act: String,
        /// Why the agent pauses, where they log in (at PHONE), or what else the act takes.
        #[arg(value_name = "ARGUMENT")]
        rest: Vec<String>,
    },
    /// Act on a live call.
    Call {
        /// The call's id, as `pukar calls` shows it.
        id: String,
        #[arg(value_parser = acts::possible("calls"))]
        act: String,
        #[arg(value_name = "ARGUMENT")]
        rest: Vec<String>,
    },
    /// Hear a live call on a supervisor's phone, and be heard by nobody.
    Listen(EarsArgs),
    /// Hear it, and be heard by the agent alone.
    Whisper(EarsArgs),
    /// Talk with both.
    Barge(EarsArgs),
    /// Act on a queue: its door, its ways out, its weight, who serves it.
    Queue {
        name: String,
        #[arg(value_parser = acts::possible("queues"))]
        act: String,
        #[arg(value_name = "ARGUMENT")]
        rest: Vec<String>,
    },
    /// The last acts: who did what to whom, and who looked at callers' numbers.
    Audit(View),
    /// Read the configuration again; live calls go on.
    Reload,
    /// Have the program that lies now where the switch was started from go on in its place, calls
    /// and all; says whether that happened.
    Upgrade,
    /// Print the form that calls are kept in; an upgrade asks for it.
    #[command(hide = true)]
    Shape,
    /// Print which build this program is; a switch that finds it beside a journal asks for it.
    #[command(hide = true)]
    Identity,
    /// Go through a journal with the same core, and say whether it does the same again.
    Replay {
        /// The journal's folder, such as data/journal, or one of its segments.
        #[arg(value_name = "DIR|FILE")]
        journal: PathBuf,
    },
    /// Compare what the stores have with the journal, row by row; exit 1 where they differ.
    Verify(VerifyArgs),
    /// Take out of stores, outbox and access log what is older than it has to be kept, with proof;
    /// exit 1 where one of them refuses.
    Purge(PurgeArgs),
    /// Everything that happens, as it happens.
    Events {
        /// Begin with this number, to go on where an earlier run ended.
        #[arg(long, value_name = "SEQ")]
        from: Option<u64>,
        /// Tell what a journal leads to, for facts that the switch no longer has in memory.
        #[arg(long, value_name = "DIR")]
        journal: Option<PathBuf>,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
}

const CONFIG: &str = "config/helpline.toml";
const STATE: &str = "config/state";

#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// A TOML file, or a folder of them read together.
    #[arg(long, default_value = CONFIG, value_name = "FILE")]
    pub config: PathBuf,
    /// Put everything that the run writes into this folder.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Start the switch again at once when it dies; live calls go on.
    #[arg(long)]
    pub supervise: bool,
}

#[derive(Clone, Debug, Subcommand)]
pub enum PromptsAct {
    /// Every name, in every language, and where its sound comes from.
    List {
        /// The configuration that names the folder of prompts.
        #[arg(long, default_value = CONFIG, value_name = "FILE")]
        config: PathBuf,
        /// Only what is missing in its own language.
        #[arg(long)]
        missing: bool,
        /// JSON for machines.
        #[arg(long)]
        json: bool,
    },
    /// Have espeak-ng speak what is not recorded.
    Build {
        /// The configuration that names the folder of prompts, and the districts.
        #[arg(long, default_value = CONFIG, value_name = "FILE")]
        config: PathBuf,
        /// One language, whose text is DIR/<language>.tsv or built in; without it, hi and en.
        #[arg(long)]
        language: Option<String>,
        /// The folder to write to; without it, the folder of prompts.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// The voice of espeak-ng, where it is not called as the language is.
        #[arg(long)]
        voice: Option<String>,
        /// Render anew what is there already, recordings of people too.
        #[arg(long)]
        force: bool,
    },
}

#[derive(Clone, Debug, Args)]
pub struct VerifyArgs {
    /// The configuration whose stores are compared: a TOML file, or a folder of them.
    #[arg(long, default_value = CONFIG, value_name = "FILE")]
    pub config: PathBuf,
    /// The folder that the run wrote into, where it is not the configuration's.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Only stores whose name holds this: sqlite, postgres, records.db.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "NAME")]
    pub store: String,
}

#[derive(Clone, Debug, Args)]
pub struct PurgeArgs {
    #[command(flatten)]
    pub of: VerifyArgs,
    /// Only what is older than this as well: 2024-01-01, or two years ago as "2y".
    #[arg(long, value_name = "WHEN")]
    pub before: Option<String>,
    /// Say what would go, and take nothing out.
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Clone, Debug, Args)]
pub struct DemoArgs {
    /// How many call in all: 500, or with --state as many as its people can serve.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub callers: Option<u32>,
    /// How many answer; with --state those of its roster do.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub agents: u32,
    /// How long it takes.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub seconds: u32,
    /// Every call is recorded in stereo, and every recording judged.
    #[arg(long, conflicts_with = "state")]
    pub recorded: bool,
    /// With --recorded: as Ogg Opus, and not as WAV.
    #[arg(long, requires = "recorded")]
    pub opus: bool,
    /// Nobody answers: everybody hears music and announcements, in Hindi or in English.
    #[arg(long, conflicts_with_all = ["state", "recorded", "agents"])]
    pub announced: bool,
    /// A state with its districts, as this folder configures it, a trunk failing in mid-run.
    #[arg(long, value_name = "CONFIG", num_args = 0..=1, default_missing_value = STATE)]
    pub state: Option<PathBuf>,
    /// The result as one JSON object, and nothing else, on stdout.
    #[arg(long)]
    pub json: bool,
}

/// How a screen is shown.
/// Which call, and on which phone.
#[derive(Clone, Debug, Args)]
pub struct EarsArgs {
    /// The call's id, as `pukar calls` shows it.
    pub call: String,
    /// The phone that rings: an agent's id, a phone at which one sits, or an extension.
    #[arg(long = "as", value_name = "PHONE")]
    pub phone: String,
}

#[derive(Clone, Copy, Debug, Args)]
pub struct View {
    /// JSON for machines, one object a line.
    #[arg(long)]
    pub json: bool,
    /// Show it again every second, until Ctrl-C.
    #[arg(long)]
    pub watch: bool,
}

#[derive(Clone, Debug, Args)]
pub struct MissedArgs {
    /// The number, as the list shows it; without it, the list.
    #[arg(requires = "act")]
    pub number: Option<String>,
    #[arg(value_parser = acts::possible("missed"))]
    pub act: Option<String>,
    /// Who does it: an agent, or a supervisor; without it, whoever asks.
    #[arg(long, default_value = "")]
    pub by: String,
    /// JSON for machines.
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
pub struct DirectoryArgs {
    /// Who would be called, in order: DISTRICT/KIND, or DISTRICT/KIND/2 from the second on.
    #[arg(default_value = "")]
    pub address: String,
    /// Numbers that failed three times in a row.
    #[arg(long, conflicts_with = "refused")]
    pub stale: bool,
    /// Rows that are not in force, and why.
    #[arg(long)]
    pub refused: bool,
    /// JSON for machines.
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Subcommand)]
pub enum RecordingAct {
    /// A finished recording as WAV on stdout; who opens it is in the audit.
    Open {
        /// The call's id, as records show it.
        call: String,
        /// The configuration that names the folder and the key.
        #[arg(long, default_value = CONFIG, value_name = "FILE")]
        config: PathBuf,
    },
}

#[derive(Clone, Debug, Args)]
pub struct ReportArgs {
    /// From then on: 2026-11-22, 2026-11-22T06:00, RFC 3339, or 2h ago as "2h".
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
    /// Before then; a date alone means until its end.
    #[arg(long, value_name = "WHEN")]
    pub until: Option<String>,
    /// What the rows of the table are.
    #[arg(long, default_value = "queue",
          value_parser = ["queue", "line", "district", "trunk", "hour", "shift", "category"])]
    pub by: String,
    /// Comma-separated values, every breakdown.
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// JSON for machines.
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
pub struct WhyArgs {
    /// The call's id, as `pukar calls` and records show it, or the end of it.
    pub call: String,
    /// Tell it from a journal, for calls that the switch no longer has in memory.
    #[arg(long, value_name = "DIR")]
    pub journal: Option<PathBuf>,
    /// JSON for machines.
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
pub struct RecordsArgs {
    /// Calls that arrived from then on: 2026-11-22, 2026-11-22T06:00, RFC 3339, or 2h ago as "2h".
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
    /// Calls that arrived before then; a date alone means until its end.
    #[arg(long, value_name = "WHEN")]
    pub until: Option<String>,
    /// Calls of this line only.
    #[arg(long)]
    pub line: Option<String>,
    /// At most this many calls, the oldest first; without it, all of them.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Comma-separated values with a header, every column.
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// One JSON object a line, every column.
    #[arg(long)]
    pub json: bool,
}

/// `90s`, `30m`, `12h`, `7d`.
fn seconds(raw: &str) -> Result<u64, String> {
    let wrong = || format!("\"{raw}\" is no span: write 90s, 30m, 12h or 7d");
    let unit = raw.chars().next_back().ok_or_else(wrong)?;
    let each = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let count: u64 = raw[..raw.len() - 1].parse().map_err(|_| wrong())?;
    count.checked_mul(each).filter(|seconds| *seconds > 0).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[derive(Debug, Args)]
    struct Nothing {}

    fn parse(line: &str) -> Result<Cli<Nothing>, clap::Error> {
        Cli::try_parse_from(std::iter::once("pukar").chain(line.split_whitespace()))
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::<Nothing>::command().debug_assert();
        for line in [
            "run --config config --data /tmp/x --supervise",
            "replay data/journal",
            "check",
            "demo --callers 10 --agents 2 --seconds 5 --json",
            "demo --state --callers 100",
            "status --watch",
            "calls --json --socket /tmp/x.sock",
            "records --since 2h --line 181 --csv",
            "agent op1 pause lunch",
            "agent op1 end-wrap-up",
            "agent op1 login at desk9",
            "agent shift:morning force-logout",
            "call c1 hangup",
            "call c1 private",
            "queue general overflow on",
            "queue general add op7",
            "audit --json",
            "top",
            "handover --json",
            "report --since 2h --by shift",
            "why 01HZ7 --journal data/journal --json",
            "agent op1 category food",
            "blocks --json",
            "block 9826012345 --for 7d shouts at operators",
            "unblock 9826012345",
            "events --from 7",
            "events --journal data/journal --from 7 --json",
            "shifts --json",
            "stores --watch",
            "purge --before 2y --dry-run --store sqlite",
            "verify --store postgres --data /tmp/x",
            "directory ALI/RRT/1",
            "directory --stale",
            "recording open c1 --config config/state",
            "prompts list --missing --json",
            "prompts build --language hi --out /tmp/x --voice hi --force",
            "missed --json",
            "missed +919826012345 claim --by op1",
            "missed +919826012345 call",
        ] {
            assert!(parse(line).is_ok(), "{line}");
        }
        for line in [
            "",
            "rum",
            "agent op1",
            "agent op1 sleep",
            "queue q burn",
            "call c1",
            "records --csv --json",
            "block 9826012345",
            "block 98260 --for x y",
        ] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }
}
