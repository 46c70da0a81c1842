// SPDX-License-Identifier: Apache-2.0
//! What happens in the demo, in its order.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use snapscan_cloud::local::{EventKind, counts, events};
use snapscan_cloud::queue::{CountMessages, Send};
use snapscan_cloud::{AccountId, Cloud, Purpose, Scope};
use snapscan_schema::{JOB_VERSION, Job, JobLimits, JobTarget, Method};
use tokio::signal::unix::{SignalKind, signal};

use super::account::Account;
use super::agent::{self, Agent, Reach};
use super::bill::{Bill, Log};
use super::cloud::{Served, scope};
use super::decoy::{self, Decoys, Watch};
use super::found::Found;
use super::ink::{Ink, Tone};
use super::own::Own;
use super::stage::Stage;
use super::verdict::Seen;
use super::view::View;
use super::world::{self, CUSTOMER, Machine, SPEED};
use super::{barriers, cost};
use crate::config::effective::Prices;
use crate::error::Failure;
use crate::exit::Exit;

/// How often the cloud's log is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// An agent that is not done by then will not be.
const PATIENCE: Duration = Duration::from_secs(300);

/// Plays it to the end, or until it is interrupted.
///
/// # Errors
/// Whatever went wrong: also if something leaked, was lost, or of others was harmed.
pub(crate) async fn play(image: Option<&Path>, keep: Option<&Path>) -> Result<Exit, Failure> {
    if let Some(path) = image {
        let shown = path.to_string_lossy();
        let file = std::fs::File::open(path).and_then(|file| file.metadata());
        if !file.map_err(|error| crate::error::opening(&shown, &error))?.is_file() {
            return Err(Failure::usage(
                format!("`{shown}` is no file"),
                "name a raw image of a disk with --image",
            ));
        }
    }
    let stage = Stage::new(keep)?;
    let stopped = stopped().map_err(|error| {
        Failure::new(format!("cannot listen for signals: {error}"), "see the system's limits, `ulimit -a`")
    })?;
    tokio::select! {
        played = acts(&stage, world::machines(image)) => played,
        () = stopped => Err(Failure::new("stopped by a signal", "run it again; nothing of it was left running")),
    }
}

/// Waits until somebody wants this to stop, or the terminal is closed.
fn stopped() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (mut terminate, mut hangup) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}

/// What all acts need.
struct Scene<'a> {
    stage: &'a Stage,
    machines: Vec<Machine>,
    served: Served,
    /// The account of the machines, to look.
    customer: Scope,
    /// The scanner's account, to look.
    scanner: Scope,
    view: View,
    ink: Ink,
}

async fn acts(stage: &Stage, machines: Vec<Machine>) -> Result<Exit, Failure> {
    let ink = Ink::of(&std::io::stdout());
    say(&opening(&machines, ink));
    world::write(stage, &machines)?;
    agent::configure(stage, Reach::Socket)?;
    let served = Served::start(stage).await?;
    let settings = snapscan_cloud::local::Settings::default();
    let customer = AccountId::parse(CUSTOMER).unwrap_or_else(|| settings.host.account.clone());
    let view = View::new(machines.iter().map(|machine| machine.name));
    let mut scene = Scene {
        stage,
        served,
        customer: scope(&customer, &settings.region, Purpose::Read),
        scanner: scope(&settings.host.account, &settings.region, Purpose::Read),
        view,
        machines,
        ink,
    };
    let mut decoys = Decoys::look(scene.cloud(), scene.watch()).await?;
    scene.submit().await?;
    let killed = scene.first_agent().await?;
    decoys.plant(scene.cloud(), scene.watch()).await?;
    say(&format!(
        "\nMeanwhile somebody copied the agent's tags: {} snapshots and volumes of others look like its own.\n\
         {} Its jobs come back when their leases end.\n\n",
        decoy::COUNT,
        ink.paint(Tone::Bold, "The agent starts again.")
    ));
    let failed = scene.second_agent().await.err();
    scene.verdict(&decoys, &killed, failed).await
}

impl Scene<'_> {
    fn cloud(&self) -> &Cloud {
        &self.served.cloud
    }

    fn watch(&self) -> Watch<'_> {
        Watch { customer: &self.customer, scanner: &self.scanner, stage: self.stage }
    }

    /// Puts a job for each machine on the queue.
    async fn submit(&self) -> Result<(), Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::new(
                format!("cannot put a job on the demo's queue: {error}"),
                "see `cloud.log` with --keep DIR",
            )
        };
        for machine in &self.machines {
            let body =
                serde_json::to_string(&job(machine, &self.customer)).map_err(|error| failed(&error))?;
            let scope = self.scanner.to(Purpose::Scanner);
            let sent = self.cloud().ask(&scope, Send { body, delay: Duration::ZERO }).await;
            sent.map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    /// Runs an agent until a snapshot of each volume that may be scanned is in the making, and kills it. Answers what the
    /// cloud had noted when all that it had asked for was done.
    async fn first_agent(&mut self) -> Result<Log, Failure> {
        let before = self.served.open(self.stage);
        let mut agent = Agent::start(self.stage, "agent-1")?;
        let wanted: usize = self
            .machines
            .iter()
            .filter(|machine| !machine.is_excluded)
            .map(|machine| machine.disks.len())
            .sum();
        let begun = Instant::now();
        loop {
            let log = self.log()?;
            self.view.update(&log.events, &log.counts);
            let made = log.events.iter().filter(|event| event.kind == EventKind::Made);
            let made = made.flat_map(|event| &event.ids).filter(|id| id.starts_with("snap-")).count();
            if made >= wanted {
                agent.kill();
                break;
            }
            if agent.has_ended(self.stage)? || begun.elapsed() > PATIENCE {
                return Err(agent.failure(self.stage, &format!("made {made} of {wanted} snapshots")));
            }
            tokio::time::sleep(LOOK).await;
        }
        self.served.quiet(self.stage, before).await;
        // The last look of a poll may outlive its connection; this one comes after it.
        let _settled = self.cloud().ask(&self.scanner.to(Purpose::Scanner), CountMessages {}).await;
        let log = self.log()?;
        self.view.leave(&log.events);
        let left = Account::of(&log.events).held.len();
        say(&format!(
            "\n{} {left} snapshots of its jobs are left behind.\n",
            self.ink.paint(Tone::Red, "The agent was killed with SIGKILL;")
        ));
        Ok(log)
    }

    /// Runs an agent until it has nothing left to do, and what it let go of is gone.
    async fn second_agent(&mut self) -> Result<(), Failure> {
        let before = self.served.open(self.stage);
        let mut agent = Agent::start(self.stage, "agent-2")?;
        let begun = Instant::now();
        loop {
            let ended = agent.has_ended(self.stage)?;
            let log = self.log()?;
            self.view.update(&log.events, &log.counts);
            if ended {
                break;
            }
            if begun.elapsed() > PATIENCE {
                return Err(agent.failure(self.stage, "does not come to an end"));
            }
            tokio::time::sleep(LOOK).await;
        }
        self.served.quiet(self.stage, before).await;
        self.settle().await
    }

    /// Waits a moment for deletions that AWS too carries out only when a snapshot is complete.
    async fn settle(&self) -> Result<(), Failure> {
        for _ in 0..100 {
            // The cloud carries out what is due when it is called.
            let _settled = self.cloud().ask(&self.scanner.to(Purpose::Scanner), CountMessages {}).await;
            if Account::of(&self.log()?.events).held.is_empty() {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// What was found, what it cost, what is left.
    async fn verdict(&self, decoys: &Decoys, killed: &Log, failed: Option<Failure>) -> Result<Exit, Failure> {
        let scanner = self.scanner.to(Purpose::Scanner);
        let found = Found::read(self.cloud(), &scanner).await?;
        let queue = self.cloud().ask(&scanner, CountMessages {}).await.map_err(|error| {
            Failure::new(
                format!("cannot look at the demo's queue: {error}"),
                "see `cloud.log` with --keep DIR",
            )
        })?;
        let log = self.log()?;
        let machines: String = self.machines.iter().map(|machine| found.show(machine)).collect();
        self.part("What was found, and what was not", &machines);
        let cost = self.cost(killed, &log, &found, failed.is_none());
        self.part("What it would have cost", &cost);
        self.part("What this run does not show", &limits());
        let seen = Seen {
            jobs: found.ended(&self.machines),
            queued: queue.visible + queue.leased + queue.delayed,
            dead: queue.dead,
            decoys: decoy::COUNT,
            harmed: decoys.harmed(self.cloud(), self.watch(), &log.events).await,
            account: Account::of(&log.events),
            agent: failed,
        };
        self.part("The account, from the cloud's log", &seen.account());
        if self.stage.is_kept() {
            agent::configure(self.stage, Reach::Folder)?;
            say(&self.kept());
        }
        let last = seen.account.line();
        let verdict = seen.verdict();
        say(&format!("{}\n", self.ink.paint(if verdict.is_some() { Tone::Red } else { Tone::Green }, &last)));
        verdict.map_or(Ok(Exit::Complete), Err)
    }

    /// What it would have cost, by the cloud's log and by the agent that finished, if one did.
    fn cost(&self, killed: &Log, log: &Log, found: &Found, is_finished: bool) -> String {
        let prices = Prices::default();
        let names: Vec<&str> = self.machines.iter().map(|machine| machine.name).collect();
        let bill = Bill::of(&names, killed, log, &prices, self.cloud().clock.milliseconds());
        let metrics = std::fs::read_to_string(self.stage.metrics()).unwrap_or_default();
        let own = is_finished.then(|| Own::of(&metrics));
        cost::show(&bill, own.as_ref(), found.reported(), &prices)
    }

    /// A part of the end, with its heading.
    fn part(&self, heading: &str, text: &str) {
        say(&format!("\n{}\n{text}", self.ink.paint(Tone::Bold, heading)));
    }

    fn kept(&self) -> String {
        let folder = self.stage.folder().display();
        format!(
            "  left in {folder}: cloud, state, findings, logs; look with\n  \
             snapscan ledger --all --config {folder}/config.d\n"
        )
    }

    fn log(&self) -> Result<Log, Failure> {
        let folder = self.stage.cloud();
        let read = counts(&folder).and_then(|counts| Ok(Log { counts, events: events(&folder)? }));
        read.map_err(|error| {
            Failure::new(format!("cannot read the log of the demo's cloud: {error}"), "run it again")
        })
    }
}

/// What this run does not show.
fn limits() -> String {
    let barriers = match barriers::look() {
        Ok((stand, open)) => {
            let open: String = open.iter().map(|open| format!("    {open}\n")).collect();
            let not = if open.is_empty() { "none is missing." } else { "not these:" };
            format!("  {stand} barriers hold the worker here; {not}\n{open}")
        }
        Err(error) => format!("  The worker's barriers could not be looked at: {error}\n"),
    };
    format!(
        "{barriers}  Volumes were read block by block; to attach them and to mount them with the kernel needs root \
         and devices.\n  No AWS was touched. Simulated: time ({SPEED} times as fast), latencies, ids, requests, \
         dollars.\n  Real: agent, worker, ledger, findings, and every snapshot made and deleted, as files.\n"
    )
}

fn opening(machines: &[Machine], ink: Ink) -> String {
    let rows: String =
        machines.iter().map(|it| format!("  {:<10} {}  {}\n", it.name, it.instance, it.about)).collect();
    let heading = format!("A cloud of files with {} machines; nothing leaves this computer", machines.len());
    format!(
        "{}\n{rows}\nAn agent starts. Each job: queue, snapshots, read, delete them, hand over the report.\n\n",
        ink.paint(Tone::Bold, &heading)
    )
}

fn job(machine: &Machine, customer: &Scope) -> Job {
    Job {
        schema_version: JOB_VERSION,
        id: machine.name.to_owned(),
        target: JobTarget::Instance { id: machine.instance.to_owned() },
        account: Some(customer.account.to_string()),
        region: Some(customer.region.to_string()),
        profile: "os".to_owned(),
        exclude_volume_tags: Vec::new(),
        limits: JobLimits::default(),
        method: Method::Auto,
        reader: None,
        attempt: 0,
        not_before: None,
    }
}

/// Writes to standard output. Nobody reading on is no error.
fn say(text: &str) {
    let _closed = std::io::stdout().write_all(text.as_bytes());
}
