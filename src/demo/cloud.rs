// SPDX-License-Identifier: Apache-2.0
//! The demo's cloud as a process of its own, so that the agent can be killed and the cloud goes on.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use snapscan_cloud::local::Local;
use snapscan_cloud::remote::{self, Remote};
use snapscan_cloud::sim::{self, Latency, Sim};
use snapscan_cloud::{AccountId, Cloud, Purpose, Region, Scope};

use super::stage::Stage;
use crate::error::Failure;
use crate::exit::Exit;

/// How long the cloud may take to answer for the first time.
const START: Duration = Duration::from_secs(60);
/// What all chance in the simulation comes from.
const SEED: u64 = 8;
/// In whose name the viewer asks: nothing of it is on the bill.
const VIEWER: &str = "(viewer)";
/// The sockets that are open on this host. Source: proc_net(5), proc_net_unix: what was accepted at a path has that path.
const SOCKETS: &str = "/proc/net/unix";

/// Serves the cloud in `folder` at `socket` until standard input ends, as it does when whoever started this is gone.
///
/// # Errors
/// A folder or socket that cannot be used.
pub(crate) fn serve(folder: &Path, socket: &Path) -> Result<Exit, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(
            format!("cannot serve the demo's cloud: {error}"),
            "`snapscan demo` starts this by itself",
        )
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| failed(&error))?;
    let local = Local::open(folder).map_err(|error| failed(&error))?;
    let clock = local.clock();
    let settings = sim::Settings { seed: SEED, latency: Latency::Aws, ..sim::Settings::default() };
    let sim = Sim::new(Cloud { service: Arc::new(local), clock }, settings);
    let (end, ended) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _until_the_end = std::io::stdin().read_to_end(&mut Vec::new());
        let _nobody_waits = end.send(());
    });
    runtime.block_on(async {
        tokio::select! {
            served = remote::serve(socket, sim, clock) => {
                served.map_err(|error| failed(&error)).map(|()| Exit::Complete)
            }
            _ = ended => Ok(Exit::Complete),
        }
    })
}

/// The cloud's process; it ends when this is dropped.
pub(super) struct Served {
    child: Child,
    /// The cloud, through its socket.
    pub(super) cloud: Cloud,
}

impl Served {
    /// Starts the process and waits until it answers.
    ///
    /// # Errors
    /// What it says, if it does not.
    pub(super) async fn start(stage: &Stage) -> Result<Self, Failure> {
        let log = stage.log("cloud");
        let failed = |error: &dyn std::fmt::Display| {
            Failure::new(
                format!("the demo's cloud does not start: {error}"),
                "see the system's limits, `ulimit -a`",
            )
        };
        let said = File::create(&log).map_err(|error| failed(&error))?;
        let program = std::env::current_exe().map_err(|error| failed(&error))?;
        let mut command = Command::new(program);
        command.arg("demo-cloud").arg(stage.cloud()).arg(stage.socket());
        command.env_clear().stdin(Stdio::piped()).stdout(Stdio::null()).stderr(said);
        let child = command.spawn().map_err(|error| failed(&error))?;
        let mut child = Reaped(Some(child));
        let begun = Instant::now();
        loop {
            match Remote::connect(&stage.socket()).await {
                Ok(cloud) => match child.0.take() {
                    Some(child) => return Ok(Self { child, cloud }),
                    None => return Err(failed(&"it is gone")),
                },
                Err(error) if begun.elapsed() > START => return Err(failed(&error)),
                Err(_) => {}
            }
            if child.has_ended() {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                return Err(failed(&said.trim()));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Served {
    /// How many sockets are open where the cloud answers: where it listens, and one for each that talks to it.
    pub(super) fn open(&self, stage: &Stage) -> usize {
        let socket = stage.socket();
        let sockets = std::fs::read_to_string(SOCKETS).unwrap_or_default();
        sockets.lines().filter(|line| line.ends_with(&*socket.to_string_lossy())).count()
    }

    /// Waits until no more of them are open than there were: then whatever was under way when a process died has taken
    /// effect, since a connection is answered to its end.
    pub(super) async fn quiet(&self, stage: &Stage, before: usize) {
        let begun = Instant::now();
        while self.open(stage) > before && begun.elapsed() < START {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// A process that is ended if nobody takes it over.
struct Reaped(Option<Child>);

impl Reaped {
    fn has_ended(&mut self) -> bool {
        self.0.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)))
    }
}

impl Drop for Reaped {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(end);
    }
}

/// Kills a process and waits for its end.
pub(super) fn end(child: &mut Child) {
    // One that has ended already is only waited for.
    let _ended = child.kill();
    let _waited = child.wait();
}

/// Who the viewer is to the cloud: somebody of that account, outside of any job.
pub(super) fn scope(account: &AccountId, region: &Region, purpose: Purpose) -> Scope {
    Scope { account: account.clone(), region: region.clone(), purpose, job: VIEWER.to_owned() }
}
