// SPDX-License-Identifier: Apache-2.0
//! What happens in the demo, in its order.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use snapscan_cloud::local::{Count, Event, EventKind, counts, events};
use snapscan_cloud::queue::{CountMessages, Send};
use snapscan_cloud::{AccountId, Cloud, Purpose, Scope};
use snapscan_schema::{JOB_VERSION, Job, JobLimits, JobTarget, Method};
use tokio::signal::unix::{SignalKind, signal};

use super::account::Account;
use super::agent::{self, Agent, Reach};
use super::cloud::{Served, scope};
use super::found::Found;
use super::stage::Stage;
use super::view::View;
use super::world::{self, CUSTOMER, Machine, SPEED};
use super::{barriers, bill, decoy};
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
}

async fn acts(stage: &Stage, machines: Vec<Machine>) -> Result<Exit, Failure> {
    world::write(stage, &machines)?;
    agent::configure(stage, Reach::Socket)?;
    say(&opening(&machines));
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
    };
    scene.submit().await?;
    scene.first_agent().await?;
    decoy::copy_marks(scene.cloud(), &scene.customer, stage).await?;
    let before = decoy::digests(scene.cloud(), &scene.customer, &scene.scanner, stage).await?;
    say(&format!(
        "\nMeanwhile somebody copied the agent's tags: {} snapshots and volumes of others look like its own.\n\
         The agent starts again; its jobs come back when their leases end.\n",
        decoy::COUNT
    ));
    scene.second_agent().await?;
    let after = decoy::digests(scene.cloud(), &scene.customer, &scene.scanner, stage).await?;
    scene.verdict(&before, &after).await
}

impl Scene<'_> {
    fn cloud(&self) -> &Cloud {
        &self.served.cloud
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
            let job = job(machine, &self.customer);
            let body = serde_json::to_string(&job).map_err(|error| failed(&error))?;
            let scope = Scope { job: job.id, ..self.scanner.to(Purpose::Scanner) };
            let sent = self.cloud().ask(&scope, Send { body, delay: Duration::ZERO }).await;
            sent.map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    /// Runs an agent until a snapshot of each volume that may be scanned is in the making, and kills it.
    async fn first_agent(&mut self) -> Result<(), Failure> {
        let mut agent = Agent::start(self.stage, "agent-1")?;
        let wanted: usize = self
            .machines
            .iter()
            .filter(|machine| !machine.is_excluded)
            .map(|machine| machine.disks.len())
            .sum();
        let begun = Instant::now();
        loop {
            let (events, counts) = self.log()?;
            self.view.update(&events, &counts);
            let made = events.iter().filter(|event| event.kind == EventKind::Made);
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
        self.view.leave();
        let left = Account::of(&self.log()?.0).held.len();
        say(&format!("\nThe agent was killed with SIGKILL; {left} snapshots of its jobs are left behind.\n"));
        Ok(())
    }

    /// Runs an agent until it has nothing left to do, and what it let go of is gone.
    async fn second_agent(&mut self) -> Result<(), Failure> {
        let mut agent = Agent::start(self.stage, "agent-2")?;
        let begun = Instant::now();
        loop {
            let ended = agent.has_ended(self.stage)?;
            let (events, counts) = self.log()?;
            self.view.update(&events, &counts);
            if ended {
                break;
            }
            if begun.elapsed() > PATIENCE {
                return Err(agent.failure(self.stage, "does not come to an end"));
            }
            tokio::time::sleep(LOOK).await;
        }
        self.view.leave();
        self.settle().await
    }

    /// Waits a moment for deletions that AWS too carries out only when a snapshot is complete.
    async fn settle(&self) -> Result<(), Failure> {
        for _ in 0..100 {
            // The cloud carries out what is due when it is called.
            let _settled = self.cloud().ask(&self.scanner.to(Purpose::Scanner), CountMessages {}).await;
            if Account::of(&self.log()?.0).held.is_empty() {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// What was found, what it cost, what is left.
    async fn verdict(
        &self,
        before: &std::collections::BTreeMap<&'static str, String>,
        after: &std::collections::BTreeMap<&'static str, String>,
    ) -> Result<Exit, Failure> {
        let scanner = self.scanner.to(Purpose::Scanner);
        let found = Found::read(self.cloud(), &scanner).await?;
        let queue = self.cloud().ask(&scanner, CountMessages {}).await.map_err(|error| {
            Failure::new(
                format!("cannot look at the demo's queue: {error}"),
                "see `cloud.log` with --keep DIR",
            )
        })?;
        let (events, counts) = self.log()?;
        let machines: String = self.machines.iter().map(|machine| found.show(machine)).collect();
        say(&format!("\nWhat was found, and what was not\n{machines}"));
        let prices = Prices::default();
        let names = self.machines.iter().map(|machine| machine.name);
        let lines = bill::bill(names, &events, &counts, &prices, self.cloud().clock.milliseconds());
        say(&format!("\nWhat it would have cost\n{}", bill::show(&lines, &found.documents(), &prices)));
        say(&self.limits());
        let account = Account::of(&events);
        let (lost, harmed) = (found.lost(&self.machines), decoy::harmed(before, after, &events));
        let unsettled = queue.visible + queue.leased + queue.delayed + queue.dead;
        say(&format!(
            "\nThe account, from the cloud's log\n  jobs {}, lost {}, on the queue {unsettled}\n  \
             decoys {}, harmed {}\n",
            self.machines.len(),
            lost.len(),
            decoy::COUNT,
            harmed.len()
        ));
        if self.stage.is_kept() {
            agent::configure(self.stage, Reach::Folder)?;
            say(&self.kept());
        }
        say(&format!("{}\n", account.line()));
        let mut wrong: Vec<String> = account.held.iter().map(|id| format!("{id} is still there")).collect();
        wrong.extend(lost.iter().map(|job| format!("{job} has neither report nor record")));
        wrong.extend(harmed);
        if unsettled > 0 {
            wrong.push(format!("{unsettled} messages are not settled"));
        }
        if wrong.is_empty() {
            return Ok(Exit::Complete);
        }
        let failure =
            Failure::new("the demo's agent did not keep its promise", "please report this, with --keep DIR");
        Err(Failure { details: wrong, ..failure })
    }

    /// What this run does not show.
    fn limits(&self) -> String {
        let barriers = match barriers::look() {
            Ok((stand, open)) => {
                let open: String = open.iter().map(|open| format!("    {open}\n")).collect();
                let not = if open.is_empty() { "none is missing." } else { "not these:" };
                format!("  {stand} barriers hold the worker here; {not}\n{open}")
            }
            Err(error) => format!("  The worker's barriers could not be looked at: {error}\n"),
        };
        format!(
            "\nWhat this run does not show\n{barriers}  Volumes were read block by block; to attach them and to \
             mount them with the kernel needs root and devices.\n  No AWS was touched. Simulated: time ({SPEED} \
             times as fast), latencies, ids, requests, dollars.\n  Real: agent, worker, ledger, findings, and every \
             snapshot made and deleted, as files.\n"
        )
    }

    fn kept(&self) -> String {
        let folder = self.stage.folder().display();
        format!(
            "  left in {folder}: cloud, state, findings, logs; look with\n  \
             snapscan ledger --all --config {folder}/config.d\n"
        )
    }

    fn log(&self) -> Result<(Vec<Event>, Vec<Count>), Failure> {
        let folder = self.stage.cloud();
        let read = events(&folder).and_then(|events| Ok((events, counts(&folder)?)));
        read.map_err(|error| {
            Failure::new(format!("cannot read the log of the demo's cloud: {error}"), "run it again")
        })
    }
}

fn opening(machines: &[Machine]) -> String {
    let rows: String =
        machines.iter().map(|it| format!("  {:<10} {} {}\n", it.name, it.instance, it.about)).collect();
    format!("A cloud of files with {} machines; nothing leaves this computer.\n{rows}\n", machines.len())
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
