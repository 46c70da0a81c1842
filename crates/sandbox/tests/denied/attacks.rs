// SPDX-License-Identifier: Apache-2.0
//! What a worker that has been taken over may try: the table of attacks, and what must come of each.

use nix::libc::{self, c_long};
use snapscan_sandbox::policy::Name::{self, *};

use crate::inside::{self, Seen};

/// What must come of an attack.
pub(crate) enum Expect {
    /// The worker lives and says one of these.
    Says(&'static [&'static str]),
    /// One of these signals ends it.
    Killed(&'static [i32]),
}

use Expect::{Killed, Says};

/// One attack.
pub(crate) struct Attack {
    /// Its name in the table of barriers.
    pub(crate) name: &'static str,
    /// Barriers that are left out, so that the one that is meant stands alone.
    pub(crate) without: &'static [Name],
    /// True if the worker has a folder.
    pub(crate) folder: bool,
    /// What the worker does, and says.
    pub(crate) run: fn(&Seen) -> String,
    /// What must come of it.
    pub(crate) expect: Expect,
}

const fn attack(name: &'static str, run: fn(&Seen) -> String, expect: Expect) -> Attack {
    Attack { name, without: &[], folder: false, run, expect }
}

const fn alone(
    name: &'static str,
    without: &'static [Name],
    run: fn(&Seen) -> String,
    expect: Expect,
) -> Attack {
    Attack { name, without, folder: false, run, expect }
}

const fn below(
    name: &'static str,
    without: &'static [Name],
    run: fn(&Seen) -> String,
    expect: Expect,
) -> Attack {
    Attack { name, without, folder: true, run, expect }
}

fn call(number: c_long, args: [u64; 5]) -> String {
    inside::said(inside::raw(number, args))
}

/// A call that is never made honestly.
const SIGSYS: &[i32] = &[libc::SIGSYS];
const REFUSED: &[&str] = &["EPERM"];
const NO_CALLS: &[Name] = &[SystemCalls];

/// All of them.
#[rustfmt::skip]
pub(crate) const ATTACKS: &[Attack] = &[
    attack("environment", |_| std::env::vars_os().count().to_string(), Says(&["0"])),
    alone("session", NO_CALLS, |_| inside::session(), Says(&["own"])),
    // Standard input, output and error are /dev/null; then the two sockets, and the reader's copy of one.
    attack("descriptors", |_| inside::descriptors(), Says(&["0 1 2 3 4 5"])),
    // The network.
    attack("socket", |_| call(libc::SYS_socket, [2, 1, 0, 0, 0]), Killed(SIGSYS)),
    attack("connect", |seen| inside::connect("127.0.0.1", seen.port), Killed(SIGSYS)),
    attack("connect-metadata", |_| inside::connect("169.254.169.254", 80), Killed(SIGSYS)),
    alone("connect-alone", &[LandlockScopes, SystemCalls], |seen| inside::connect("127.0.0.1", seen.port), Says(&["ENETUNREACH"])),
    alone("metadata-alone", &[LandlockScopes, SystemCalls], |_| inside::connect("169.254.169.254", 80), Says(&["ENETUNREACH"])),
    alone("tcp-landlock", &[Network, SystemCalls], |seen| inside::connect("127.0.0.1", seen.port), Says(&["EACCES"])),
    // An abstract socket of the parent's, which lives in its network.
    alone("abstract-alone", &[LandlockScopes, SystemCalls], inside::connect_abstract, Says(&["ECONNREFUSED"])),
    alone("abstract-landlock", &[Network, SystemCalls], inside::connect_abstract, Says(&["EPERM"])),
    // Other processes' memory.
    attack("shared-memory", |seen| call(libc::SYS_shmget, [seen.segment, 0, 0, 0, 0]), Killed(SIGSYS)),
    alone("shared-memory-alone", NO_CALLS, |seen| call(libc::SYS_shmget, [seen.segment, 0, 0, 0, 0]), Says(&["ENOENT"])),
    attack("ptrace", |seen| call(libc::SYS_ptrace, [u64::from(libc::PTRACE_ATTACH), seen.parent, 0, 0, 0]), Killed(SIGSYS)),
    attack("other-memory", |seen| call(libc::SYS_process_vm_readv, [seen.parent, 0, 0, 0, 0]), Killed(SIGSYS)),
    alone("undumpable", NO_CALLS, |_| call(libc::SYS_prctl, [libc::PR_GET_DUMPABLE as u64, 0, 0, 0, 0]), Says(&["answered 0"])),
    // Mounts and roots.
    attack("mount", |_| call(libc::SYS_mount, [0; 5]), Killed(SIGSYS)),
    alone("mount-alone", NO_CALLS, |_| inside::mount(), Says(REFUSED)),
    alone("chroot-alone", NO_CALLS, |_| inside::with_path(libc::SYS_chroot, c"/"), Says(REFUSED)),
    attack("namespaces", |_| call(libc::SYS_unshare, [libc::CLONE_NEWUSER as u64, 0, 0, 0, 0]), Killed(SIGSYS)),
    // Files of the host.
    attack("open", |_| inside::open("/etc/passwd"), Says(REFUSED)),
    attack("open-in-pool", |seen| seen.pool.install(|| inside::open("/etc/passwd")), Says(REFUSED)),
    attack("see-processes", |_| inside::open("/proc/1/status"), Says(REFUSED)),
    attack("create-file", |_| inside::create("/tmp/worker-was-here"), Says(REFUSED)),
    alone("root-alone", &[Landlock, SystemCalls], |_| inside::open("/etc/passwd"), Says(&["ENOENT"])),
    alone("processes-alone", &[Landlock, SystemCalls], |_| inside::open("/proc/1/status"), Says(&["ENOENT"])),
    alone("create-alone", &[Landlock, SystemCalls], |_| inside::create("/worker-was-here"), Says(&["EROFS"])),
    alone("landlock-alone", &[EmptyRoot, SystemCalls], |_| inside::open("/etc/passwd"), Says(&["EACCES"])),
    // A folder that was handed over, and what is not below it.
    below("folder", &[], |seen| inside::below(seen, c"inside", false), Says(&["read inside"])),
    // What honest code does there, with all that it calls.
    below("reader", &[], inside::reader, Says(&["inside: 6 bytes, inside"])),
    below("read-file", &[], |seen| inside::below(seen, c"/etc/passwd", false), Says(&["ENOENT", "EACCES"])),
    below("climb", &[], |seen| inside::below(seen, c"../outside", false), Says(&["EACCES"])),
    below("write-below", &[], |seen| inside::below(seen, c"new", true), Says(&["EACCES"])),
    // Who it is.
    alone("groups", NO_CALLS, |_| call(libc::SYS_getgroups, [0; 5]), Says(&["answered 0"])),
    attack("setuid", |_| call(libc::SYS_setuid, [0; 5]), Killed(SIGSYS)),
    // As an ordinary user, root is not even a user of its namespace.
    alone("setuid-alone", NO_CALLS, |_| call(libc::SYS_setresuid, [0; 5]), Says(&["EPERM", "EINVAL"])),
    alone("privileges", NO_CALLS, |_| call(libc::SYS_prctl, [libc::PR_GET_NO_NEW_PRIVS as u64, 0, 0, 0, 0]), Says(&["answered 1"])),
    // How much it takes.
    attack("allocate", |_| inside::allocate(), Says(&["refused within its bound"])),
    attack("spin", |_| inside::spin(), Killed(&[libc::SIGKILL, libc::SIGXCPU])),
    attack("many-descriptors", |_| inside::many_descriptors(), Says(&["EMFILE"])),
    alone("grow-file-alone", NO_CALLS, |_| inside::grow_file(), Killed(&[libc::SIGXFSZ])),
    alone("raise-limits-alone", NO_CALLS, |_| inside::raise_limit(), Says(REFUSED)),
    // Other programs, processes and threads.
    attack("exec", |_| inside::with_path(libc::SYS_execve, c"/bin/sh"), Killed(SIGSYS)),
    attack("fork", |_| call(libc::SYS_clone, [libc::SIGCHLD as u64, 0, 0, 0, 0]), Says(REFUSED)),
    attack("thread", |_| inside::thread(), Says(&["EPERM", "EAGAIN"])),
    alone("fork-alone", NO_CALLS, |_| call(libc::SYS_clone, [libc::SIGCHLD as u64, 0, 0, 0, 0]), Says(&["EAGAIN"])),
    attack("signal", |seen| call(libc::SYS_kill, [seen.parent, 0, 0, 0, 0]), Killed(SIGSYS)),
    attack("signal-thread", |seen| call(libc::SYS_tgkill, [seen.parent, seen.parent, 0, 0, 0]), Says(REFUSED)),
    alone("signal-landlock", NO_CALLS, |seen| call(libc::SYS_kill, [seen.parent, 0, 0, 0, 0]), Says(REFUSED)),
    // The rest of the kernel.
    attack("ioctl", |_| call(libc::SYS_ioctl, [0, libc::TCGETS, 0, 0, 0]), Says(REFUSED)),
    attack("io-uring", |_| call(libc::SYS_io_uring_setup, [1, 0, 0, 0, 0]), Killed(SIGSYS)),
    attack("userfaultfd", |_| call(libc::SYS_userfaultfd, [0; 5]), Killed(SIGSYS)),
    attack("keyring", |_| call(libc::SYS_keyctl, [0; 5]), Killed(SIGSYS)),
    attack("bpf", |_| call(libc::SYS_bpf, [0; 5]), Killed(SIGSYS)),
    attack("executable-memory", |_| inside::executable_memory(), Says(REFUSED)),
    attack("unknown-call", |_| call(4000, [0; 5]), Says(REFUSED)),
];
