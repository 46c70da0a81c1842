// SPDX-License-Identifier: Apache-2.0
//! What the agent and its workers cost, by the operating system's own account.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};

/// What an agent and its workers cost.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cost {
    /// Seconds of user and system time, of the agent and of all its workers.
    pub(super) cpu: f64,
    /// Peak of resident memory of a worker.
    pub(super) worker_mib: f64,
    /// Peak of resident memory of the agent itself.
    pub(super) agent_mib: f64,
}

/// Between two looks at the workers' memory; the kernel keeps each one's peak while it lives.
const LOOK: Duration = Duration::from_millis(10);

/// Runs an agent until it has nothing left to do.
pub(super) fn agent(
    program: &Path,
    folder: &Path,
    socket: &Path,
    account: &str,
    inspect: usize,
    scanners: u32,
) -> Result<Cost> {
    let config = folder.join("config.d");
    fs::create_dir(&config)?;
    let text = format!(
        "deployment = \"bench\"\nstate = \"{}\"\n[cloud]\nkind = \"remote\"\nsocket = \"{}\"\n\
         [agent]\nlease = \"1h\"\ninspect = {inspect}\nscanners = {scanners}\n\
         [sandbox]\nrequire = \"possible\"\n\
         [accounts.{account}]\nrole = \"snapscan\"\nexternal_id = \"env:EXTERNAL\"\n\
         [sinks.findings]\nkind = \"dir\"\nfolder = \"{}\"\n",
        folder.join("state").display(),
        socket.display(),
        folder.join("findings").display()
    );
    fs::write(config.join("bench.toml"), text)?;
    let log = fs::File::create(folder.join("log"))?;
    let mut command = Command::new(program);
    command.args(["agent", "--until-idle", "--config"]).arg(&config).env_clear();
    command.env("EXTERNAL", "0123456789abcdef0123456789abcdef").env("SNAPSCAN_LOG", "info");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let before = children()?;
    let mut child = command.spawn().context("the agent does not start")?;
    let mut cost = watch(&mut child)?;
    cost.cpu = children()? - before;
    let status = child.wait()?;
    let log = fs::read_to_string(folder.join("log"))?;
    let last: Vec<&str> = log.lines().rev().take(20).collect();
    ensure!(status.success(), "the agent ended with {status}: {last:#?}");
    Ok(cost)
}

/// Seconds of processor time of all children that have ended.
fn children() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

/// Looks at the agent and at what it has started until it ends.
fn watch(child: &mut Child) -> Result<Cost> {
    let mut cost = Cost::default();
    while child.try_wait()?.is_none() {
        let all = processes();
        let agent = child.id();
        for (id, process) in &all {
            if *id == agent {
                cost.agent_mib = cost.agent_mib.max(process.peak_mib);
            } else if descends(*id, agent, &all) {
                cost.worker_mib = cost.worker_mib.max(process.peak_mib);
            }
        }
        std::thread::sleep(LOOK);
    }
    Ok(cost)
}

/// A process as `/proc` shows it.
struct Process {
    parent: u32,
    peak_mib: f64,
}

fn processes() -> BTreeMap<u32, Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter_map(|id| Some((id, process(id)?))).collect()
}

/// Source: proc(5), /proc/pid/status: `PPid`, and `VmHWM`, the peak of resident memory, in KiB. A process that has not yet
/// become a worker shows its parent's memory.
fn process(id: u32) -> Option<Process> {
    let text = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let peak: f64 =
        field("VmHWM:").and_then(|text| text.split_whitespace().next()?.parse().ok()).unwrap_or(0.0);
    let words = fs::read(format!("/proc/{id}/cmdline")).ok()?;
    let is_worker = words.starts_with(b"snapscan-worker");
    let is_agent = words.split(|byte| *byte == 0).any(|word| word == b"agent");
    let peak_mib = if is_worker || is_agent { peak / 1024.0 } else { 0.0 };
    Some(Process { parent: field("PPid:")?.parse().ok()?, peak_mib })
}

fn descends(mut id: u32, from: u32, all: &BTreeMap<u32, Process>) -> bool {
    for _ in 0..8 {
        match all.get(&id) {
            Some(process) if process.parent == from => return true,
            Some(process) => id = process.parent,
            None => return false,
        }
    }
    false
}
