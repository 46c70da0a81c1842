// SPDX-License-Identifier: Apache-2.0
//! What a worker is kept from: one table of barriers, each with its reason and the tests that show it.
//!
//! Nothing here does anything. `child` raises the barriers in the order of [`BARRIERS`], `parent` looks at them from
//! outside, `doctor` and reports name them. What the kernel may be asked for stands in [`calls`].

pub mod calls;

use std::fmt;

/// User and group a worker runs as when it was started by root: in the range that no distribution hands out
/// (60578 to 61183, systemd's "Users, Groups, UIDs and GIDs"), so that it owns no file and no other process.
pub const WORKER_ID: u32 = 61000;
/// Bytes of the stack of each thread of a worker's pool.
pub const STACK_BYTES: u64 = 2 << 20;
/// Bytes that a worker has before it reads anything: the stack of its first thread, tables of the runtime, pipes.
pub const BASE_BYTES: u64 = 16 << 20;
/// Bytes of address space over what may be used: the program itself, guard pages, reservations of the allocator.
pub const ADDRESS_BYTES: u64 = 1 << 30;
/// Arenas of the allocator, each of which reserves address space: enough that 16 threads seldom wait.
pub const ARENAS: i32 = 4;
/// Descriptors a worker may have: volumes, their caches, and folders that are walked at the same time.
pub const DESCRIPTORS: u64 = 1024;

/// One thing that keeps a worker from what is not its own, in the order in which they are raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Name {
    /// Exec of ourselves with nothing in the environment.
    Environment,
    /// A session of its own.
    Session,
    /// No descriptor but the agreed ones.
    Descriptors,
    /// A network without interfaces.
    Network,
    /// Shared memory and message queues of its own.
    Ipc,
    /// Mounts of its own.
    Mounts,
    /// A root folder with nothing in it.
    EmptyRoot,
    /// No group but its own.
    Groups,
    /// A user that owns nothing.
    User,
    /// No capability.
    Capabilities,
    /// Memory that no other process may look at.
    Undumpable,
    /// An end when its parent ends.
    ParentDeath,
    /// Bounds of memory, time, descriptors and files.
    Limits,
    /// No privileges by executing something.
    NoNewPrivileges,
    /// No files by landlock.
    Landlock,
    /// No TCP, no signals and no abstract sockets by landlock.
    LandlockScopes,
    /// No processes nor further threads.
    Processes,
    /// The list of allowed system calls.
    SystemCalls,
}

/// What `Require::Full` makes of a barrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Refuse to work without it.
    Demanded,
    /// Raise it where the kernel has it; another barrier stands for the same.
    Welcome,
    /// There is nothing to raise: why.
    Pointless(&'static str),
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The barrier.
    pub name: Name,
    /// As a user reads it.
    pub title: &'static str,
    /// What it is for.
    pub reason: &'static str,
    /// When root starts the worker.
    pub root: Need,
    /// When an ordinary user does.
    pub user: Need,
    /// The attacks of `tests/denied.rs` that show it.
    pub tests: &'static [&'static str],
}

use Name::*;
use Need::{Demanded, Pointless, Welcome};

/// All barriers, in the order in which the child raises them.
#[rustfmt::skip]
pub const BARRIERS: [Rule; 18] = [
    Rule { name: Environment, title: "empty environment", root: Demanded, user: Demanded,
        reason: "keys and tokens live in environments", tests: &["environment"] },
    Rule { name: Session, title: "session of its own", root: Demanded, user: Demanded,
        reason: "a terminal takes characters typed for it, and passes signals to its group", tests: &["session"] },
    Rule { name: Descriptors, title: "no inherited descriptors", root: Demanded, user: Demanded,
        reason: "an open ledger, socket or device would go around every other barrier", tests: &["descriptors"] },
    Rule { name: Network, title: "network without interfaces", root: Demanded, user: Demanded,
        reason: "findings leave through the parent only; the metadata service hands out credentials",
        tests: &["connect", "connect-metadata", "connect-alone", "metadata-alone", "abstract-alone"] },
    Rule { name: Ipc, title: "shared memory of its own", root: Demanded, user: Demanded,
        reason: "segments and queues of other processes are reached by number, not by path",
        tests: &["shared-memory", "shared-memory-alone"] },
    Rule { name: Mounts, title: "mounts of its own", root: Demanded, user: Demanded,
        reason: "the empty root is put in place without touching the host's", tests: &["mount", "mount-alone"] },
    Rule { name: EmptyRoot, title: "empty root folder", root: Demanded, user: Demanded,
        reason: "no path leads to a file, socket or process of the host",
        tests: &["read-file", "see-processes", "create-file", "root-alone", "processes-alone", "create-alone"] },
    Rule { name: Groups, title: "no other groups", root: Demanded,
        user: Pointless("an ordinary user cannot leave its groups"),
        reason: "groups such as disk or docker are as good as root", tests: &["groups"] },
    Rule { name: User, title: "user without files", root: Demanded,
        user: Pointless("it stays the user who started it; landlock and the empty root stand before its files"),
        reason: "root owns too much even without capabilities", tests: &["setuid", "setuid-alone"] },
    Rule { name: Capabilities, title: "no capabilities", root: Demanded, user: Demanded,
        reason: "each is a part of root; only reading a folder as root keeps the one that reads past permissions",
        tests: &["mount-alone", "chroot-alone", "setuid-alone"] },
    Rule { name: Undumpable, title: "not dumpable", root: Demanded, user: Demanded,
        reason: "no process of the same user may look into it, and it leaves no core", tests: &["undumpable", "undumpable-outside"] },
    Rule { name: ParentDeath, title: "ends with its parent", root: Demanded, user: Demanded,
        reason: "an orphan would hold a volume that must be detached", tests: &["orphan"] },
    Rule { name: Limits, title: "resource limits", root: Demanded, user: Demanded,
        reason: "a hostile disk must not take the host's memory, time or room",
        tests: &["allocate", "spin", "grow-file-alone", "raise-limits-alone", "many-descriptors",
            "sixteen-threads"] },
    Rule { name: NoNewPrivileges, title: "no new privileges", root: Demanded, user: Demanded,
        reason: "no set-user-ID program gives back what was dropped", tests: &["exec", "privileges"] },
    Rule { name: Landlock, title: "no files by landlock", root: Demanded, user: Demanded,
        reason: "holds for opens below a descriptor too, which an empty root does not",
        tests: &["landlock-alone", "folder", "climb", "write-below"] },
    Rule { name: LandlockScopes, title: "no TCP or signals by landlock", root: Welcome, user: Welcome,
        reason: "a second barrier behind the network and the system calls, in kernels from 6.12",
        tests: &["tcp-landlock", "abstract-landlock", "signal-landlock"] },
    Rule { name: Processes, title: "no further processes", root: Demanded, user: Demanded,
        reason: "what is not there cannot outlive its parent", tests: &["fork", "thread", "fork-alone"] },
    Rule { name: SystemCalls, title: "list of system calls", root: Demanded, user: Demanded,
        reason: "most of the kernel is never needed for reading, and has most of its faults",
        tests: &["ptrace", "ioctl", "exec", "io-uring", "userfaultfd", "signal", "signal-thread", "socket", "executable-memory",
            "namespaces", "keyring", "bpf", "other-memory", "unknown-call", "open",
            "open-in-pool"] },
];

impl Name {
    /// Its row. Every name has one (see the test).
    #[must_use]
    pub fn rule(self) -> &'static Rule {
        BARRIERS.iter().find(|rule| rule.name == self).unwrap_or(&BARRIERS[0])
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rule().title)
    }
}

impl Rule {
    /// What is asked of it when root, or an ordinary user, starts the worker.
    #[must_use]
    pub fn need(&self, root: bool) -> Need {
        if root { self.root } else { self.user }
    }
}

/// What became of a barrier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It stands.
    InForce,
    /// It does not: why.
    NotApplied(String),
}

/// A barrier and whether it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Barrier {
    /// Which one.
    pub name: Name,
    /// Whether it stands.
    pub state: State,
}

impl Barrier {
    /// True if it stands.
    #[must_use]
    pub fn in_force(&self) -> bool {
        self.state == State::InForce
    }
}

impl fmt::Display for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state {
            State::InForce => write!(f, "{}: in force", self.name),
            State::NotApplied(why) => write!(f, "{}: not applied, {why}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_barrier_has_one_row_in_the_order_of_the_names() {
        for pair in BARRIERS.windows(2) {
            assert!(pair[0].name < pair[1].name, "{:?} stands before {:?}", pair[0].name, pair[1].name);
        }
        for rule in &BARRIERS {
            assert_eq!(rule.name.rule().title, rule.title);
            assert!(
                !rule.tests.is_empty() && !rule.reason.is_empty(),
                "{} is not shown by a test",
                rule.title
            );
        }
        assert_eq!(SystemCalls as usize + 1, BARRIERS.len());
    }
}
