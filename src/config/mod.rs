//! Text to settings; every mistake at once; opens no file.
//!
//! In: the text of one or more TOML files, and a way to look up environment variables. Out:
//! [`Settings`], or every [`Mistake`] with its file, its line and what to write instead. Knows
//! nothing of the file system, the network or what runs. May import: sip, acd, call and base.

mod agents;
mod callback;
mod codes;
mod districts;
mod gaps;
mod homes;
mod in_call;
mod journal;
mod menus;
mod minutes;
mod mistake;
mod out;
mod overflow;
mod queues;
mod recording;
mod reports;
mod retention;
mod rota;
mod routes;
mod secret;
mod section;
mod settings;
mod shifts;
mod speech;
mod stores;
mod switch;
mod tree;
mod users;
mod value;

pub use codes::{ACCEPT, BUSY, CONGESTED, DONE, GO_ON, REFUSED, RING, UNOBTAINABLE};
pub use mistake::Mistake;
pub use settings::*;

use mistake::{Log, Place};
use section::{Section, kind};
use tree::{Table, Value};

/// Looks up an environment variable.
pub type Env<'e> = &'e dyn Fn(&str) -> Option<String>;

/// Reads the files, each a name and its text, as one configuration.
pub fn parse(files: &[(String, String)], env: Env) -> Result<Settings, Vec<Mistake>> {
    parse_and_warn(files, env).0
}

/// The same, and what is allowed but may be a slip.
pub fn parse_and_warn(
    files: &[(String, String)],
    env: Env,
) -> (Result<Settings, Vec<Mistake>>, Vec<Mistake>) {
    let mut log = Log::new(files.iter().map(|(name, _)| name.clone()).collect());
    let root = tree::read(files, &mut log);
    let settings = read(&root, env, &mut log);
    let (mistakes, warnings) = log.finish();
    (if mistakes.is_empty() { Ok(settings) } else { Err(mistakes) }, warnings)
}

/// Where a configuration has the switch write, as far as that can be read, whatever else is wrong.
pub fn data_folder(files: &[(String, String)]) -> std::path::PathBuf {
    let mut log = Log::new(files.iter().map(|(name, _)| name.clone()).collect());
    let root = tree::read(files, &mut log);
    read(&root, &|_| None, &mut log).data
}

fn read(root: &Table, env: Env, log: &mut Log) -> Settings {
    let empty = Table::default();
    let mut top = Section::new(root, "the configuration", log);
    let mut settings = Settings::default();
    let mut table = |name| single(&mut top, name).unwrap_or(&empty);
    let [switch, sip, media, records] = ["switch", "sip", "media", "records"].map(&mut table);
    let [admin, limits, numbers] = ["admin", "limits", "numbers"].map(&mut table);
    let [directory, out, codes, in_call] = ["directory", "out", "codes", "in_call"].map(&mut table);
    let [journal, callback, reports] = ["journal", "callback", "reports"].map(&mut table);
    let [recorded, nuisance] = ["recording", "nuisance"].map(&mut table);
    let trunks = list(&mut top, "trunk");
    let queues = list(&mut top, "queue");
    let agents = list(&mut top, "agent");
    let (holds, lines) = (list(&mut top, "hold"), list(&mut top, "line"));
    let districts = list(&mut top, "district");
    let routes = list(&mut top, "route");
    let choices = [list(&mut top, "reason"), list(&mut top, "category")];
    let phones = list(&mut top, "phone");
    let users = list(&mut top, "user");
    let (shifts, holidays) = (list(&mut top, "shift"), list(&mut top, "holiday"));
    top.done();

    switch::switch(switch, &mut settings, log);
    stores::records(records, env, &mut settings, log);
    retention::holds(&holds, &mut settings, log);
    journal::journal(journal, &mut settings, log);
    reports::reports(reports, &mut settings, log);
    let notice = recording::recording(recorded, env, &mut settings, log);
    switch::limits(limits, &mut settings, log);
    switch::numbers(numbers, &mut settings, log);
    switch::directory(directory, &mut settings, log);
    out::out(out, &mut settings, log);
    out::nuisance(nuisance, &mut settings, log);
    let coded = codes::codes(codes, choices, &mut settings, log);
    let advertise = switch::sip(sip, &mut settings, log);
    switch::admin(admin, &mut settings, log);
    routes::trunks(&trunks, env, &mut settings, log);
    callback::callback(callback, &mut settings, log);
    let (staffing, overflows) = queues::queues(&queues, &mut settings, log);
    let seen = agents::agents(&agents, env, &mut settings, log);
    agents::phones(&phones, env, seen, &mut settings, log);
    queues::check_skills(&staffing, &settings.acd, log.unsure(&agents), log);
    let [music, welcome] = switch::media(media, &advertise, &mut settings, log);
    let (no_queue, no_trunk) = (log.unsure(&queues), log.unsure(&trunks));
    let unsure = districts::Unsure { queues: no_queue, trunks: no_trunk };
    districts::districts(&districts, unsure, &mut settings, log);
    let unsure = out::Unsure { trunks: no_trunk, agents: log.unsure(&agents) };
    out::routes(&routes, unsure, &mut settings, log);
    out::check_homes(&agents, log.unsure(&routes) || no_trunk, &settings, log);
    let no_district = log.unsure(&districts);
    let unsure = overflow::Unsure { queues: no_queue, trunks: no_trunk, districts: no_district };
    overflow::overflows(overflows, unsure, &mut settings, log);
    let no_route = log.unsure(&routes);
    queues::check_instead(&queues, &settings, no_route, log);
    shifts::shifts(&shifts, log.unsure(&agents), &mut settings, log);
    shifts::holidays(&holidays, log.unsure(&shifts), &mut settings, log);
    let written = gaps::Written { queues: &queues, shifts: &shifts, holidays: &holidays };
    gaps::find(&written, &settings, log);
    let given = routes::Given { welcome, music, no_queue, no_district, no_route };
    routes::lines(&lines, given, &mut settings, log);
    codes::check(&coded, &settings, log);
    codes::check_pins(&agents, &settings, log);
    codes::signals(&mut settings);
    recording::notice(notice, &mut settings);
    speech::prompts(&mut settings);
    in_call::in_call(in_call, &mut settings, log);
    let unsure = users::Unsure { queues: no_queue, districts: no_district };
    users::users(&users, env, unsure, &mut settings, log);
    switch::check_http(admin, &settings, log);
    settings
}

/// `[name]`: a table that stands once.
fn single<'a>(top: &mut Section<'a, '_>, key: &'static str) -> Option<&'a Table> {
    let node = top.node(key)?;
    match &node.value {
        Value::Table(table) => return Some(table),
        Value::List(_) => {
            let place = top.place_of(key);
            top.log.add(place, format!("[[{key}]] stands only once"), format!("write [{key}]"));
        }
        value => {
            let what = format!("{key} must be a section, not {}", kind(value));
            top.log.add(node.place, what, format!("write [{key}] and its keys below it"));
        }
    }
    None
}

/// `[[name]]`: as many tables as there are.
fn list<'a>(top: &mut Section<'a, '_>, key: &'static str) -> Vec<&'a Table> {
    let Some(node) = top.node(key) else {
        return Vec::new();
    };
    let instead = format!("write [[{key}]], once for each");
    let (nodes, place): (&[tree::Node], Place) = match &node.value {
        Value::List(nodes) => (nodes, node.place),
        value => {
            let what = format!("{key} must be a list of sections, not {}", kind(value));
            top.log.add(node.place, what, instead);
            return Vec::new();
        }
    };
    let tables = nodes.iter().filter_map(|node| match &node.value {
        Value::Table(table) => Some(table),
        _ => None,
    });
    let tables: Vec<&Table> = tables.collect();
    if tables.len() < nodes.len() {
        top.log.add(place, format!("{key} must be a list of sections"), instead);
    }
    tables
}
