// SPDX-License-Identifier: Apache-2.0
//! What the kernel says of a worker, seen from outside.
//!
//! The child says what it did; here it is read in `/proc/PID/task/*/status`, for each of its threads. Where the two
//! differ, the kernel is right.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use nix::unistd::{getegid, geteuid};

use super::process::Process;
use crate::policy::{BARRIERS, Barrier, Name, Need, State, WORKER_ID};

/// The bit of `CAP_DAC_READ_SEARCH` (capability.h).
const READ_PAST_PERMISSIONS: u64 = 1 << 2;

/// The lines of one status file by name.
type Status = BTreeMap<String, String>;

/// Goes through what the child says, and takes back what is not so.
pub(super) fn from_outside(process: &Process, directory: bool, told: Vec<Barrier>) -> Vec<Barrier> {
    let root = geteuid().is_root();
    let seen = statuses(process.id());
    let expected = Expected::new(root, directory);
    BARRIERS
        .iter()
        .map(|rule| {
            let told = told.iter().find(|barrier| barrier.name == rule.name);
            let state = match (told.map(|barrier| barrier.state.clone()), &seen) {
                (Some(State::InForce), Ok(seen)) => match expected.contradicts(rule.name, seen) {
                    Some(line) => State::NotApplied(format!("the kernel says {line}")),
                    None => State::InForce,
                },
                (Some(State::InForce), Err(error)) if expected.shows(rule.name) => {
                    State::NotApplied(format!("its status cannot be read: {error}"))
                }
                (Some(state), _) => state,
                (None, _) => State::NotApplied("the worker did not name it".to_owned()),
            };
            Barrier { name: rule.name, state }
        })
        .collect()
}

/// The demanded barriers that do not stand.
pub(super) fn missing(barriers: &[Barrier]) -> Vec<Barrier> {
    let root = geteuid().is_root();
    let demanded = |barrier: &&Barrier| barrier.name.rule().need(root) == Need::Demanded;
    barriers.iter().filter(demanded).filter(|barrier| !barrier.in_force()).cloned().collect()
}

/// What the lines of a status must be.
struct Expected {
    lines: Vec<(Name, &'static str, String)>,
}

impl Expected {
    fn new(root: bool, directory: bool) -> Self {
        let hex = |bits: u64| format!("{bits:016x}");
        let kept = hex(if root && directory { READ_PAST_PERMISSIONS } else { 0 });
        let four = |id: u32| [id; 4].map(|id| id.to_string()).join("\t");
        let (user, group) = match root {
            true => (WORKER_ID, WORKER_ID),
            false => (geteuid().as_raw(), getegid().as_raw()),
        };
        let mut lines = vec![
            (Name::NoNewPrivileges, "NoNewPrivs", "1".to_owned()),
            // proc_pid_status(5): 2 is a filter.
            (Name::SystemCalls, "Seccomp", "2".to_owned()),
            (Name::Capabilities, "CapEff", kept.clone()),
            (Name::Capabilities, "CapPrm", kept),
            (Name::Capabilities, "CapInh", hex(0)),
            (Name::Capabilities, "CapAmb", hex(0)),
            (Name::Capabilities, "CapBnd", hex(0)),
            (Name::User, "Uid", four(user)),
            (Name::User, "Gid", four(group)),
        ];
        if root {
            lines.push((Name::Groups, "Groups", String::new()));
        }
        Expected { lines }
    }

    /// True if a status says something of this barrier.
    fn shows(&self, name: Name) -> bool {
        self.lines.iter().any(|(of, _, _)| *of == name)
    }

    /// The first line of any thread that is not as it must be.
    fn contradicts(&self, name: Name, seen: &[Status]) -> Option<String> {
        let of_name = self.lines.iter().filter(|(of, _, _)| *of == name);
        of_name.flat_map(|line| seen.iter().map(move |status| (line, status))).find_map(
            |((_, key, wanted), status)| {
                let found = status.get(*key).map_or("", String::as_str);
                (found != wanted).then(|| format!("{key}: {found:?} instead of {wanted:?}"))
            },
        )
    }
}

/// The status of each thread.
fn statuses(pid: u32) -> io::Result<Vec<Status>> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))?;
    let seen: Vec<Status> = tasks.map(|task| status(&task?.path())).collect::<io::Result<_>>()?;
    if seen.is_empty() { Err(io::Error::other("it has no threads")) } else { Ok(seen) }
}

fn status(task: &Path) -> io::Result<Status> {
    let text = fs::read_to_string(task.join("status"))?;
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    Ok(lines.map(|(key, value)| (key.to_owned(), value.trim().to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status_of(lines: &[(&str, &str)]) -> Status {
        lines.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn one_thread_without_a_filter_contradicts_the_child() {
        let expected = Expected::new(true, false);
        let with = status_of(&[("Seccomp", "2"), ("NoNewPrivs", "1")]);
        let without = status_of(&[("Seccomp", "0"), ("NoNewPrivs", "1")]);
        assert_eq!(expected.contradicts(Name::SystemCalls, &[with.clone(), with.clone()]), None);
        let found = expected.contradicts(Name::SystemCalls, &[with, without.clone()]);
        assert_eq!(found.as_deref(), Some("Seccomp: \"0\" instead of \"2\""));
        assert_eq!(expected.contradicts(Name::NoNewPrivileges, &[without]), None);
    }

    #[test]
    fn capability_to_read_past_permissions_is_expected_of_root_with_a_folder_only() {
        let kept = status_of(&[
            ("CapEff", "0000000000000004"),
            ("CapPrm", "0000000000000004"),
            ("CapInh", "0000000000000000"),
            ("CapAmb", "0000000000000000"),
            ("CapBnd", "0000000000000000"),
        ]);
        let contradicts = |root, directory| {
            Expected::new(root, directory)
                .contradicts(Name::Capabilities, std::slice::from_ref(&kept))
                .is_some()
        };
        assert!(!contradicts(true, true));
        assert!(contradicts(true, false) && contradicts(false, true));
    }

    #[test]
    fn missing_status_line_contradicts() {
        let expected = Expected::new(false, false);
        assert!(expected.contradicts(Name::SystemCalls, &[Status::new()]).is_some());
    }
}
