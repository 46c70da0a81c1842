// SPDX-License-Identifier: Apache-2.0
//! One scanner of a round: a state folder of its own, and the real program as a process of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::points::Point;
use super::standin::{CONNECTOR, PASSWORD, USER};
use super::world::{COPY_KEY, SCANNER, TARGET, World};

/// What a run of the program is told beside its configuration.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    /// Where it kills itself.
    pub(super) at: Option<Point>,
    /// The fault that is planted.
    pub(super) sabotage: Option<String>,
}

/// One scanner.
pub(super) struct Scanner {
    program: PathBuf,
    folder: PathBuf,
    state: PathBuf,
    findings: PathBuf,
    gateway: String,
    socket: PathBuf,
}

/// A process that is ended when it is dropped.
pub(super) struct Running {
    child: Child,
    /// The boundaries that it passed.
    pub(super) trace: PathBuf,
}

impl Scanner {
    /// A scanner of a world, which finds its cloud at the socket. What it writes is on the world's disk, if it has one.
    pub(super) fn new(program: &Path, world: &World, name: &str, socket: PathBuf) -> Result<Self> {
        let folder = world.path().join(name);
        fs::create_dir_all(folder.join("config"))?;
        let key = folder.join("key");
        if !key.exists() {
            // All scanners of a deployment share its key.
            fs::write(&key, "5a".repeat(32))?;
            fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        }
        let state = world.disk().unwrap_or_else(|| folder.clone()).join("state");
        let (findings, gateway) = (world.findings(), world.standin.url.clone());
        Ok(Self { program: program.to_owned(), folder, state, findings, gateway, socket })
    }

    /// Starts the program; `phase` names its log and its trace.
    pub(super) fn start(&self, phase: &str, words: &[&str], told: &Told) -> Result<Running> {
        let folder = &self.folder;
        let (log, trace) = (folder.join(format!("{phase}.log")), folder.join(format!("{phase}.trace")));
        let mut command = Command::new(&self.program);
        command.args(words).arg("--config").arg(folder.join("config"));
        let settings = [
            format!("state={}", self.state.display()),
            format!("key=file:{}", folder.join("key").display()),
            "cloud.kind=remote".to_owned(),
            format!("cloud.socket={}", self.socket.display()),
            format!("accounts.{TARGET}.role=scan"),
            format!("accounts.{TARGET}.external_id=env:EXTERNAL"),
            format!("accounts.{TARGET}.copy_key={COPY_KEY}"),
            format!("accounts.{SCANNER}.role=scan"),
            format!("accounts.{SCANNER}.external_id=env:EXTERNAL"),
            "sandbox.require=possible".to_owned(),
            "sandbox.threads=1".to_owned(),
            "agent.report_room=1MiB".to_owned(),
            "sinks.folder.kind=dir".to_owned(),
            format!("sinks.folder.folder={}", self.findings.display()),
            "sinks.qualys.kind=csam".to_owned(),
            format!("sinks.qualys.gateway={}", self.gateway),
            format!("sinks.qualys.connector={CONNECTOR}"),
            "sinks.qualys.user=env:QUALYS_USER".to_owned(),
            "sinks.qualys.password=env:QUALYS_PASSWORD".to_owned(),
        ];
        for setting in settings {
            command.args(["--set", &setting]);
        }
        command.env_clear();
        for name in ["PATH", "HOME"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command.env("EXTERNAL", "0123456789abcdef0123456789abcdef").env("SNAPSCAN_LOG", "info");
        command.env("QUALYS_USER", USER).env("QUALYS_PASSWORD", PASSWORD);
        command.env("SNAPSCAN_CRASH_TRACE", &trace);
        command.envs(told.at.as_ref().map(|at| ("SNAPSCAN_CRASH_AT", at.to_string())));
        command.envs(told.sabotage.as_ref().map(|fault| ("SNAPSCAN_SABOTAGE", fault)));
        let log = File::create(log)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("cannot run {}", self.program.display()))?;
        Ok(Running { child, trace })
    }
}

impl Running {
    /// Waits until it has ended, at most so long; then it is killed, and there is no status.
    pub(super) fn wait(&mut self, most: Duration) -> Result<Option<ExitStatus>> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            if begun.elapsed() >= most {
                self.kill()?;
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills it.
    pub(super) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// The names of the boundaries that it passed, in their order.
    pub(super) fn passed(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.trace).unwrap_or_default();
        text.lines().filter_map(|line| line.split_once(' ')).map(|(_, name)| name.to_owned()).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            drop(self.kill());
        }
    }
}
