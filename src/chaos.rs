//! `pukar load --chaos`: a switch of its own, callers and agents over real sockets, and everything
//! that can befall a switch meanwhile: it is killed with kill -9, frozen, its stores are locked and
//! cut off until it misses them, its disk fills up, packets are lost and come twice. In the end: is
//! there one record a call, in every store, and does it say what the caller saw?
//!
//! In: how many, how long, a seed. Out: what was done, and a verdict. Knows the switch as a
//! process.

mod cut;
mod web;

use super::demo::helpline::{self, DESK, free_addresses};
use crossbeam_channel as channel;
use cut::Cut;
use pukar::base::Rng;
use pukar::console::{Client, Fault, read_settings};
use pukar::load::{self, LoadArgs, Plan, Report};
use pukar::shell::{self, process};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use web::Web;

/// How long a switch has to be at work again, and the last calls and rows to come to rest.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

/// What befalls the switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Blow {
    Kill,
    Freeze,
    /// The database is locked until the switch misses it.
    LockStore,
    /// The web server refuses everything, or hangs up, until the switch misses it.
    CutStore,
    FillDisk,
}

/// A switch as a process, and the folder that it lives in.
struct Victim {
    child: Child,
    dir: PathBuf,
    client: Client,
    /// The data lies on a small disk of its own, which can be filled. Otherwise files may not grow.
    small_disk: bool,
    web: Arc<Web>,
    cuts: Vec<(Blow, Cut)>,
    /// Everybody has hung up.
    over: Arc<AtomicBool>,
}

pub fn chaos(args: &LoadArgs) -> Result<(), Fault> {
    let mut plan = args.plan().map_err(Fault::usage)?;
    let [target, callers_at, agents_at] = free_addresses()?;
    (plan.target, plan.callers_at, plan.agents_at) = (target, callers_at, agents_at);
    (plan.drop_percent, plan.repeat_percent) = (2, 5);
    plan.arrivals = load::Arrivals::Over(Duration::from_secs(u64::from(plan.seconds) * 3 / 4));
    let mut victim = Victim::start(&plan)?;
    println!("switch on {target}, in {}; seed {}", victim.dir.display(), plan.seed);
    let (over, ended) = channel::bounded(1);
    let calls = plan.clone();
    let callers = std::thread::spawn(move || {
        let report = load::run(&calls, &mut |progress| println!("{progress}"));
        let _ = over.send(());
        report
    });
    let beaten = victim.beat(&mut Rng::new(plan.seed ^ 0xc4a0_5000), &ended);
    let report = callers.join().map_err(|_| Fault::work("the load tester broke down"))??;
    let blows = beaten?;
    let mut complaints = victim.judge(&report)?;
    let missing = blows.iter().filter(|(_, times)| **times == 0);
    complaints.extend(missing.map(|(blow, _)| format!("no {blow:?} fell: it was over too soon")));
    tell(&blows, &report, &complaints);
    if complaints.is_empty() {
        victim.bury();
        return Ok(());
    }
    println!("what is left lies in {}", victim.dir.display());
    Err(Fault { exit: 1, line: String::new() })
}

fn tell(blows: &BTreeMap<Blow, u32>, report: &Report, complaints: &[String]) {
    let done: Vec<String> = blows.iter().map(|(blow, times)| format!("{times} {blow:?}")).collect();
    let calls = &report.calls;
    println!(
        "blows: {}\ncalls: {} offered, {} answered, {} abandoned, {} refused, {} let go, {} failed",
        done.join(", "),
        calls.offered,
        calls.answered,
        calls.abandoned,
        calls.refused,
        calls.let_go,
        calls.failed
    );
    complaints.iter().for_each(|complaint| println!("WRONG: {complaint}"));
    if complaints.is_empty() {
        println!("one record a call in every store, and each says what its caller saw");
    }
}

impl Victim {
    fn start(plan: &Plan) -> Result<Self, Fault> {
        let dir = std::env::temp_dir().join(format!("pukar-chaos-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("data")).map_err(|e| cannot(&dir, &e))?;
        let small_disk =
            run("mount", &["-t", "tmpfs", "-o", "size=96m", "tmpfs"], &dir.join("data"));
        if !small_disk {
            println!("no disk of its own can be mounted here: files will not be let grow instead");
        }
        let web = Web::open(plan.seed).map_err(|e| Fault::work(format!("a web server: {e}")))?;
        std::fs::write(dir.join("helpline.toml"), configuration(plan, web.address))
            .map_err(|e| cannot(&dir, &e))?;
        let child = launch(&dir)?;
        let client = Client::new(dir.join("data/pukar.sock"));
        let (web, over) = (Arc::new(web), Arc::default());
        let victim = Self { child, dir, client, small_disk, web, cuts: Vec::new(), over };
        victim.until("the switch is at work", |status| status["calls"].is_object())?;
        Ok(victim)
    }

    /// One blow after the other until the callers are done: how often each fell.
    fn beat(
        &mut self,
        rng: &mut Rng,
        ended: &channel::Receiver<()>,
    ) -> Result<BTreeMap<Blow, u32>, Fault> {
        // Stores first, since it takes seconds until they are missed; then each once, in some
        // order; and from then on as it comes.
        let all = [Blow::LockStore, Blow::CutStore, Blow::Kill, Blow::Freeze, Blow::FillDisk];
        let mut first = all[2..].to_vec();
        let mut next = vec![Blow::CutStore, Blow::LockStore];
        let mut fallen: BTreeMap<Blow, u32> = all.map(|blow| (blow, 0)).into();
        loop {
            let pause = Duration::from_millis(300 + rng.below(1_500));
            if ended.recv_timeout(pause) != Err(channel::RecvTimeoutError::Timeout) {
                break;
            }
            let blow = next.pop().unwrap_or_else(|| match first.len() {
                0 => all[rng.below(all.len() as u64) as usize],
                left => first.swap_remove(rng.below(left as u64) as usize),
            });
            *fallen.entry(blow).or_default() += u32::from(self.strike(blow, rng)?);
        }
        self.over.store(true, Ordering::Relaxed);
        for (blow, cut) in std::mem::take(&mut self.cuts) {
            *fallen.entry(blow).or_default() += u32::from(cut.end()?);
        }
        Ok(fallen)
    }

    /// Whether it fell by now: a store is cut off meanwhile, once at a time.
    fn strike(&mut self, blow: Blow, rng: &mut Rng) -> Result<bool, Fault> {
        let span = Duration::from_millis(100 + rng.below(1_400));
        let hold = || {
            let _ = channel::after(span).recv();
        };
        match blow {
            Blow::Kill => {
                self.child.kill().map_err(|e| cannot(&self.dir, &e))?;
                self.child.wait().map_err(|e| cannot(&self.dir, &e))?;
                self.child = launch(&self.dir)?;
                self.until("the switch is back", |status| status["calls"].is_object())?;
            }
            Blow::Freeze => {
                self.signal(libc::SIGSTOP)?;
                hold();
                let state = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
                let frozen = state.is_ok_and(|text| text.contains(") T "));
                self.signal(libc::SIGCONT)?;
                return Ok(frozen);
            }
            Blow::LockStore => {
                if !self.is_cut(blow) {
                    let database = self.dir.join("data/records.db");
                    self.cuts.push((blow, Cut::lock(database, &self.client, &self.over)));
                }
                return Ok(false);
            }
            Blow::CutStore => {
                if !self.is_cut(blow) {
                    let without_a_word = rng.below(2) == 0;
                    let cut = Cut::web(&self.web, without_a_word, &self.client, &self.over);
                    self.cuts.push((blow, cut));
                }
                return Ok(false);
            }
            Blow::FillDisk => {
                let filler = self.dir.join("data/filler");
                if self.small_disk {
                    // Writes until there is no room: its failure is its success.
                    let words = ["if=/dev/zero", "bs=64k", "status=none"];
                    run("dd", &words, Path::new(&format!("of={}", filler.display())));
                    hold();
                    std::fs::remove_file(&filler).map_err(|e| cannot(&filler, &e))?;
                } else {
                    process::limit_files(&self.child, Some(0)).map_err(|e| cannot(&filler, &e))?;
                    hold();
                    process::limit_files(&self.child, None).map_err(|e| cannot(&filler, &e))?;
                }
                // A kill before the journal is whole again would cost calls, and rightly.
                self.until_answer("metrics", "the journal is whole again", |text| {
                    text.as_str().is_some_and(|text| text.contains("\npukar_journal_gap 0"))
                })?;
            }
        }
        Ok(true)
    }

    /// A store is out of reach in this way just now.
    fn is_cut(&self, blow: Blow) -> bool {
        self.cuts.iter().any(|(other, cut)| *other == blow && !cut.is_over())
    }

    fn signal(&self, signal: i32) -> Result<(), Fault> {
        process::signal(&self.child, signal).map_err(|e| cannot(&self.dir, &e))
    }

    /// Ends it in order, and holds what it wrote against what the callers saw.
    fn judge(&mut self, report: &Report) -> Result<Vec<String>, Fault> {
        self.until("everybody has hung up", |status| status["calls"]["live"] == 0)?;
        self.until("every store has everything", |status| {
            let stores = status["stores"].as_array().map_or(&[][..], Vec::as_slice);
            stores.iter().all(|store| store["behind"] == 0)
        })?;
        self.signal(libc::SIGTERM)?;
        self.child.wait().map_err(|e| cannot(&self.dir, &e))?;
        let settings =
            read_settings(&self.dir.join("helpline.toml"), Some(&self.dir.join("data")))?;
        let mut complaints = Vec::new();
        for verdict in shell::verify(&settings, "")? {
            complaints
                .extend(verdict.named.iter().map(|what| format!("{}: {what}", verdict.store)));
        }
        // What the switch did must follow from what came in, whatever befell it. A full disk leaves
        // gaps, which are stated; a difference is none.
        if let Err(difference) = shell::replay(&self.dir.join("data/journal")) {
            complaints.push(format!("replay: {difference}"));
        }
        let rows = super::demo::rows(self.dir.join("data/records.db"))?;
        complaints.extend(self.web.compare(&rows));
        let records: Vec<_> = rows.iter().map(super::demo::record).collect();
        let mut seen = Report { passed: true, each: report.each.clone(), ..Report::default() };
        seen.reconcile(&records);
        complaints.append(&mut seen.complaints);
        let lost = report.calls.failed;
        if lost > 0 {
            complaints.push(format!("{lost} calls failed or broke off"));
        }
        Ok(complaints)
    }

    fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Result<(), Fault> {
        self.until_answer("status", what, is_so)
    }

    fn until_answer(
        &self,
        method: &str,
        what: &str,
        is_so: impl Fn(&Value) -> bool,
    ) -> Result<(), Fault> {
        let mut looks = PATIENCE.as_millis() / LOOK.as_millis();
        loop {
            let answer = self.client.call(method, json!({}));
            if answer.as_ref().is_ok_and(&is_so) {
                return Ok(());
            }
            looks -= 1;
            if looks == 0 {
                let said = answer.map_or_else(|fault| fault.line, |value| value.to_string());
                return Err(Fault::work(format!("it never came to that: {what}: {said}")));
            }
            let _ = channel::after(LOOK).recv();
        }
    }

    fn bury(&self) {
        if self.small_disk {
            run("umount", &[], &self.dir.join("data"));
        }
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn launch(dir: &Path) -> Result<Child, Fault> {
    let own = std::env::current_exe().map_err(|e| cannot(dir, &e))?;
    let log = std::fs::OpenOptions::new().create(true).append(true).open(dir.join("log"));
    let log = log.map_err(|e| cannot(dir, &e))?;
    let mut command = Command::new(own);
    command.arg("run").arg("--config").arg(dir.join("helpline.toml"));
    command.arg("--data").arg(dir.join("data"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    command.spawn().map_err(|e| cannot(dir, &e))
}

/// Whether a program did what it was told.
fn run(program: &str, words: &[&str], last: &Path) -> bool {
    let mut command = Command::new(program);
    command.args(words).arg(last).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn cannot(path: &Path, error: &std::io::Error) -> Fault {
    Fault::work(format!("{}: {error}", path.display()))
}

/// The helpline of the demonstrations, with four stores.
fn configuration(plan: &Plan, web: SocketAddr) -> String {
    let stores = format!(
        "[records]\nstores = [\"sqlite:data/records.db\", \"jsonl:data/records.jsonl\", \
         \"csv:data/csv\", \"http://{web}/records\"]\n"
    );
    let text = [
        helpline::switch("chaos", "info", plan.target),
        stores,
        helpline::trunk("callers", plan.callers_at),
        DESK.into(),
        helpline::operators(1, plan.agents, plan.agents_at),
    ];
    text.concat()
}
