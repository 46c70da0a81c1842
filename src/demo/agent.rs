// SPDX-License-Identifier: Apache-2.0
//! The real agent, as a process that can be killed at any moment.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, Stdio};

use toml::{Table, Value};

use super::cloud::end;
use super::stage::Stage;
use super::world::{CUSTOMER, DEPLOYMENT};
use crate::error::Failure;

/// How long a message is hidden from others. When an agent was killed, its jobs come again after this time.
const LEASE: &str = "240s";
/// Variables of the viewer's that the agent sees; settings of his are not for the demo.
const PASSED: [&str; 3] = ["PATH", "TMPDIR", "SNAPSCAN_LOG"];
/// Lines of its log that are shown when it fails.
const LAST: usize = 12;

/// An agent that runs; it is killed when this is dropped.
pub(super) struct Agent {
    child: Child,
    name: &'static str,
}

/// Which cloud the configuration names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// The process behind the socket.
    Socket,
    /// The folder itself, for a viewer who looks at it afterwards.
    Folder,
}

/// Writes the agent's configuration.
///
/// # Errors
/// What the system answers about a file.
pub(super) fn configure(stage: &Stage, reach: Reach) -> Result<(), Failure> {
    write(stage, reach).map_err(|error| {
        let what =
            format!("cannot write the demo's configuration in `{}`: {error}", stage.config().display());
        Failure::new(what, "check the space there; TMPDIR or --keep name another place")
    })
}

fn write(stage: &Stage, reach: Reach) -> io::Result<()> {
    let path = |path: std::path::PathBuf| Value::String(path.to_string_lossy().into_owned());
    let text = |text: &str| Value::String(text.to_owned());
    let secret = stage.folder().join("external.id");
    if reach == Reach::Socket {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&secret)?;
        write!(file, "{}", uuid::Uuid::new_v4().simple())?;
    }
    let cloud = match reach {
        Reach::Socket => [("kind", text("remote")), ("socket", path(stage.socket()))],
        Reach::Folder => [("kind", text("local")), ("folder", path(stage.cloud()))],
    };
    let external = format!("file:{}", secret.display());
    let account = table([("role", text("snapscan-target")), ("external_id", text(&external))]);
    let sink = table([("kind", text("dir")), ("folder", path(stage.folder().join("findings")))]);
    let config = Table::from_iter([
        ("deployment".to_owned(), text(DEPLOYMENT)),
        ("state".to_owned(), path(stage.state())),
        ("cloud".to_owned(), table(cloud)),
        ("accounts".to_owned(), table([(CUSTOMER, account)])),
        ("agent".to_owned(), table([("lease", text(LEASE)), ("metrics", path(stage.metrics()))])),
        // An ordinary user cannot raise every barrier; which ones are missing is shown at the end.
        ("sandbox".to_owned(), table([("require", text("possible"))])),
        ("sinks".to_owned(), table([("findings", sink)])),
    ]);
    let text = toml::to_string(&config).map_err(io::Error::other)?;
    fs::write(stage.config().join("demo.toml"), text)
}

fn table<const N: usize>(rows: [(&str, Value); N]) -> Value {
    Value::Table(rows.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

impl Agent {
    /// Starts it; it ends by itself when nothing is left to be done. What it says goes to a log of this name.
    ///
    /// # Errors
    /// What the system answers.
    pub(super) fn start(stage: &Stage, name: &'static str) -> Result<Self, Failure> {
        let failed = |error: io::Error| {
            let help = "see the system's limits, `ulimit -a`";
            Failure::new(format!("the demo's agent does not start: {error}"), help)
        };
        let program = std::env::current_exe().map_err(failed)?;
        let log = File::create(stage.log(name)).map_err(failed)?;
        let mut command = Command::new(program);
        command.args(["agent", "--until-idle", "--config"]).arg(stage.config());
        let passed = PASSED.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
        command.env_clear().envs(passed).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Ok(Self { child: command.spawn().map_err(failed)?, name })
    }

    /// SIGKILL: no handler runs, nothing is put in order.
    pub(super) fn kill(mut self) {
        end(&mut self.child);
    }

    /// True if it has ended well, false if it runs.
    ///
    /// # Errors
    /// If it has ended otherwise; with the end of its log.
    pub(super) fn has_ended(&mut self, stage: &Stage) -> Result<bool, Failure> {
        let status = match self.child.try_wait() {
            Ok(None) => return Ok(false),
            Ok(Some(status)) if status.success() => return Ok(true),
            Ok(Some(status)) => status.to_string(),
            Err(error) => error.to_string(),
        };
        Err(self.failure(stage, &format!("ended by itself: {status}")))
    }

    /// What to say of it when it does not do what it should, with the end of its log.
    pub(super) fn failure(&self, stage: &Stage, what: &str) -> Failure {
        let log = fs::read_to_string(stage.log(self.name)).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines.iter().skip(lines.len().saturating_sub(LAST));
        let failure = Failure::new(
            format!("the demo's agent {what}"),
            "the lines above are the end of its log; --keep DIR leaves the whole",
        );
        Failure { details: last.map(|line| (*line).to_owned()).collect(), ..failure }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}
