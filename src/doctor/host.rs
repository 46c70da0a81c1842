// SPDX-License-Identifier: Apache-2.0
//! The host: folders, the barriers that hold a worker here, devices.

use std::fs;
use std::path::Path;
use std::time::Duration;

use nix::unistd::{AccessFlags, access, geteuid};
use snapscan_sandbox::parent::spawn::{Program, Require, Setup, spawn};
use snapscan_sandbox::policy::{Barrier, Need, State as Stands};

use super::{Check, State};
use crate::config::Config;
use crate::config::effective::MethodChoice;

/// Everything that can be seen on the host itself.
pub(super) fn checks(config: &Config) -> Vec<Check> {
    let mut checks = vec![folder("state folder", &config.state, config.agent.report_room)];
    checks.extend(sandbox(config));
    checks.push(devices(config));
    if let Some(metrics) = &config.agent.metrics {
        checks.push(folder("metrics folder", metrics.parent().unwrap_or(metrics), 0));
    }
    checks
}

/// A folder that must be writable and have so much room.
pub(super) fn folder(subject: &str, path: &Path, room: u64) -> Check {
    let shown = path.display();
    // The nearest folder that is there decides what can be made below it.
    let there = path.ancestors().find(|above| above.exists()).unwrap_or(Path::new("/"));
    if !there.is_dir() {
        return Check::new("host", subject, State::Bad, format!("`{}` is no folder", there.display()));
    }
    if access(there, AccessFlags::W_OK | AccessFlags::X_OK).is_err() {
        let detail =
            format!("`{shown}` cannot be written by this user; run as the agent's user, or change its owner");
        return Check::new("host", subject, State::Bad, detail);
    }
    let free =
        nix::sys::statvfs::statvfs(there).ok().map(|stat| stat.blocks_available() * stat.fragment_size());
    let Some(free) = free else {
        return Check::new("host", subject, State::Note, format!("`{shown}`: its free space cannot be told"));
    };
    // A report, the ledger beside it, and the ballast.
    if free < room.saturating_mul(2) {
        let detail =
            format!("`{shown}` has {} MiB free, and no job is leased below {} MiB", free >> 20, room >> 19);
        return Check::new("host", subject, State::Bad, detail);
    }
    let made = if there == path { "" } else { ", made at the first start" };
    Check::new("host", subject, State::Good, format!("`{shown}`, {} MiB free{made}", free >> 20))
}

/// Starts a worker that gets nothing to read, and tells what holds it.
fn sandbox(config: &Config) -> Vec<Check> {
    let program = Program::this();
    let setup = Setup {
        program: &program,
        threads: 1,
        memory: config.sandbox.memory,
        cpu: Duration::from_secs(10),
        require: Require::Possible,
        directory: None,
        without: &[],
    };
    match spawn(&setup) {
        Ok(worker) => {
            worker.kill();
            // It is gone whatever the answer is: it was killed, and we were its parent.
            let _ended = worker.wait();
            worker.barriers.iter().map(|barrier| judge(barrier, config.sandbox.require_full)).collect()
        }
        Err(error) => vec![Check::new("sandbox", "worker", State::Bad, error.to_string())],
    }
}

/// What a barrier's state means under the configured demand.
pub(super) fn judge(barrier: &Barrier, require_full: bool) -> Check {
    let rule = barrier.name.rule();
    let demanded = matches!(rule.need(geteuid().is_root()), Need::Demanded) && require_full;
    match &barrier.state {
        Stands::InForce => Check::new("sandbox", rule.title, State::Good, "in force"),
        Stands::NotApplied(why) if demanded => {
            let detail = format!(
                "{why}; the agent does not work without it (sandbox.require = \"full\"): {}",
                rule.reason
            );
            Check::new("sandbox", rule.title, State::Bad, detail)
        }
        Stands::NotApplied(why) => Check::new("sandbox", rule.title, State::Note, why.clone()),
    }
}

/// What attaching volumes needs: root, and NVMe devices that show their volume.
fn devices(config: &Config) -> Check {
    let wanted = config.agent.method == MethodChoice::Attach;
    let lacking = if wanted { State::Bad } else { State::Note };
    if !geteuid().is_root() {
        return Check::new(
            "host",
            "devices",
            lacking,
            "attaching volumes needs root; blocks are read without",
        );
    }
    let entries = fs::read_dir("/sys/class/nvme").map(|entries| entries.flatten().collect::<Vec<_>>());
    let model = |path: &Path| fs::read_to_string(path.join("model")).unwrap_or_default();
    let volumes = entries.unwrap_or_default();
    let volumes =
        volumes.iter().filter(|entry| model(&entry.path()).starts_with("Amazon Elastic Block Store")).count();
    match volumes {
        0 => {
            Check::new("host", "devices", lacking, "no NVMe device of EBS is here: this is no Nitro instance")
        }
        some => Check::new("host", "devices", State::Good, format!("{some} NVMe devices of EBS")),
    }
}
