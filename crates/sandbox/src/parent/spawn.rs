// SPDX-License-Identifier: Apache-2.0
//! From a setup to a confined worker that has been looked at from outside.
#![expect(unsafe_code, reason = "wait4(2) and the clock of another process have no safe wrapper")]

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::libc;
use nix::unistd::Pid;
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use super::process::{Ended, Exit, Process};
use super::{spawner, verify};
use crate::Error;
use crate::child::plan::{self, Plan, WORKER};
use crate::child::report;
use crate::policy::{Barrier, Name};

/// Descriptors in one message: the kernel takes 253 (`SCM_MAX_FD`).
pub(crate) const FILES_AT_ONCE: usize = 64;
/// A worker that has not confined itself by then hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a worker is an exec of.
#[derive(Debug, Clone)]
pub struct Program {
    /// The program; its `main` turns to `child::entry` first.
    pub path: PathBuf,
    /// Its name for itself, `argv[0]`.
    pub name: String,
}

impl Program {
    /// This program.
    #[must_use]
    pub fn this() -> Self {
        Program { path: PathBuf::from("/proc/self/exe"), name: WORKER.to_owned() }
    }
}

/// What to do where a barrier cannot be raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Require {
    /// Refuse.
    Full,
    /// Go on, and say so.
    Possible,
}

/// How a worker is to be started.
#[derive(Debug)]
pub struct Setup<'a> {
    /// What it is an exec of.
    pub program: &'a Program,
    /// Threads of its pool; 0 means one a core.
    pub threads: usize,
    /// Bytes it may use, besides stacks and the program itself.
    pub memory: u64,
    /// Processor time it may use; rounded up to seconds.
    pub cpu: Duration,
    /// What is demanded of its barriers.
    pub require: Require,
    /// The folder that is the target, opened for reading.
    pub directory: Option<BorrowedFd<'a>>,
    /// Barriers to leave out, to show what holds without them; never with `Require::Full`.
    pub without: &'a [Name],
}

/// A worker that has confined itself.
#[derive(Debug)]
pub struct Worker {
    /// Frames of records from it, orders to it.
    pub records: UnixStream,
    /// Its requests for blocks.
    pub blocks: UnixStream,
    /// What holds it, as seen from inside and outside.
    pub barriers: Vec<Barrier>,
    /// The process.
    pub process: Process,
}

/// Starts a worker, waits until it has confined itself, and looks at it from outside.
///
/// # Errors
/// `Worker` if it cannot be started or does not answer; `Confinement` if a barrier is demanded and does not stand.
pub fn spawn(setup: &Setup<'_>) -> Result<Worker, Error> {
    let failed =
        |doing: &'static str| move |error: io::Error| Error::Worker { doing, why: error.to_string() };
    let (records, its_records) = UnixStream::pair().map_err(failed("making its sockets"))?;
    let (blocks, its_blocks) = UnixStream::pair().map_err(failed("making its sockets"))?;
    let directory = setup.directory.map(read_only).transpose().map_err(failed("handing over the folder"))?;
    let mut command = Command::new(&setup.program.path);
    command.arg0(&setup.program.name).args(plan_of(setup).args()).env_clear();
    command.stdin(OwnedFd::from(its_records)).stdout(OwnedFd::from(its_blocks));
    command.stderr(directory.map_or_else(Stdio::null, Stdio::from));
    let process = spawner::start(command)
        .and_then(|child| Process::new(&child))
        .map_err(failed("starting the process"))?;
    // From here on every way out kills and reaps it: `process` is dropped.
    records.set_read_timeout(Some(PATIENCE)).map_err(failed("waiting for it"))?;
    let barriers = match report::receive(&records) {
        Ok(Ok(barriers)) => barriers,
        Ok(Err(why)) => return Err(Error::Worker { doing: "confining it", why }),
        Err(error) => return Err(Error::Worker { doing: "confining it", why: silent(&process, &error) }),
    };
    records.set_read_timeout(None).map_err(failed("waiting for it"))?;
    let barriers = verify::from_outside(&process, setup.directory.is_some(), barriers);
    let missing = verify::missing(&barriers);
    if setup.require == Require::Full && !missing.is_empty() {
        return Err(Error::Confinement { missing });
    }
    Ok(Worker { records, blocks, barriers, process })
}

fn plan_of(setup: &Setup<'_>) -> Plan {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    Plan {
        parent: std::process::id(),
        threads: if setup.threads == 0 { cores() } else { setup.threads },
        memory: setup.memory,
        cpu: setup.cpu.as_secs().saturating_add(u64::from(setup.cpu.subsec_nanos() > 0)),
        directory: setup.directory.is_some(),
        without: plan::leaving_out(setup.without),
    }
}

/// Why no report came.
fn silent(process: &Process, error: &io::Error) -> String {
    match process.ended() {
        Ok(Some(Ended { exit: Exit::Code(code), .. })) => {
            format!("it ended with exit code {code} before it began")
        }
        Ok(Some(Ended { exit: Exit::Signal(signal), .. })) => {
            format!("signal {signal} ended it before it began")
        }
        _ if error.kind() == io::ErrorKind::WouldBlock => {
            format!("no answer for {} seconds", PATIENCE.as_secs())
        }
        _ => error.to_string(),
    }
}

impl Worker {
    /// Ends it at once.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// What the system answers.
    pub fn wait(&self) -> io::Result<Ended> {
        self.process.wait()
    }

    /// Sends descriptors, which `Seat::receive_files` takes in the same order.
    ///
    /// # Errors
    /// `PermissionDenied` if one is not read-only; what the socket answers.
    pub fn send_files(&self, files: &[BorrowedFd<'_>]) -> io::Result<()> {
        files.iter().try_for_each(|file| check_read_only(file.as_fd()))?;
        for some in files.chunks(FILES_AT_ONCE) {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES_AT_ONCE))];
            let mut ancillary = SendAncillaryBuffer::new(&mut space);
            if !ancillary.push(SendAncillaryMessage::ScmRights(some)) {
                return Err(io::Error::other("too many descriptors for one message"));
            }
            sendmsg(&self.records, &[IoSlice::new(&[0])], &mut ancillary, SendFlags::NOSIGNAL)?;
        }
        Ok(())
    }
}

/// A copy of a descriptor that cannot be written to.
fn read_only(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    check_read_only(fd)?;
    fd.try_clone_to_owned()
}

fn check_read_only(fd: BorrowedFd<'_>) -> io::Result<()> {
    match fcntl_getfl(fd)?.intersection(OFlags::ACCMODE) {
        OFlags::RDONLY => Ok(()),
        _ => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "a descriptor for a worker can be written to",
        )),
    }
}

/// Takes what is left of a child that has ended.
pub(super) fn reap(pid: Pid) -> io::Result<Ended> {
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    loop {
        // SAFETY: both pointers are to values that live past the call and that it only writes to.
        let answer = unsafe { libc::wait4(pid.as_raw(), &raw mut status, 0, usage.as_mut_ptr()) };
        if answer >= 0 {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    // SAFETY: rusage is plain numbers, for which zeros are valid, and wait4 has filled it in.
    let usage = unsafe { usage.assume_init() };
    let exit = match libc::WIFSIGNALED(status) {
        true => Exit::Signal(libc::WTERMSIG(status)),
        false => Exit::Code(libc::WEXITSTATUS(status)),
    };
    let cpu = duration(usage.ru_utime.tv_sec, usage.ru_utime.tv_usec.saturating_mul(1000))
        .saturating_add(duration(usage.ru_stime.tv_sec, usage.ru_stime.tv_usec.saturating_mul(1000)));
    // getrusage(2): in kilobytes.
    let peak = u64::try_from(usage.ru_maxrss).unwrap_or_default().saturating_mul(1024);
    Ok(Ended { exit, cpu, peak })
}

/// Processor time of all threads of a process.
pub(super) fn cpu_time(pid: Pid) -> Option<Duration> {
    let mut clock = 0;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: both calls write one value each through a pointer that lives past the call.
    let known = unsafe {
        libc::clock_getcpuclockid(pid.as_raw(), &raw mut clock) == 0
            && libc::clock_gettime(clock, &raw mut time) == 0
    };
    known.then(|| duration(time.tv_sec, time.tv_nsec))
}

fn duration(seconds: i64, nanoseconds: i64) -> Duration {
    let nanoseconds = u64::try_from(nanoseconds).unwrap_or_default();
    Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
        .saturating_add(Duration::from_nanos(nanoseconds))
}
