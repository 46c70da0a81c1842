// SPDX-License-Identifier: Apache-2.0
//! A worker as a process: what it used, how it ended, and that nothing is left of it.

use std::io;
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use super::spawn::{cpu_time, reap};

/// A worker's process; clones are the same one. It is killed and waited for when the last is dropped.
#[derive(Debug, Clone)]
pub struct Process(Arc<Held>);

#[derive(Debug)]
struct Held {
    pid: Pid,
    /// Set once it has been waited for: its number may then be somebody else's.
    ended: Mutex<Option<Ended>>,
}

/// How a worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// With what.
    pub exit: Exit,
    /// Processor time of all its threads.
    pub cpu: Duration,
    /// Bytes of memory it had at most.
    pub peak: u64,
}

/// With what a worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Process {
    pub(super) fn new(child: &Child) -> io::Result<Self> {
        let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
        Ok(Process(Arc::new(Held { pid: Pid::from_raw(pid), ended: Mutex::new(None) })))
    }

    /// Its number. It may be another's once it has been waited for.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.0.pid.as_raw().unsigned_abs()
    }

    /// Ends it at once, from any thread; nothing happens if it has ended.
    pub fn kill(&self) {
        self.0.kill();
    }

    /// Waits for its end, from any thread, as often as wanted.
    ///
    /// # Errors
    /// What the system answers.
    pub fn wait(&self) -> io::Result<Ended> {
        self.0.wait()
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// What the system answers.
    pub fn ended(&self) -> io::Result<Option<Ended>> {
        match self.0.look(WaitPidFlag::WNOHANG)? {
            true => self.0.collect().map(Some),
            false => Ok(None),
        }
    }

    /// Processor time that all its threads have used so far; `None` if it has ended.
    #[must_use]
    pub fn cpu(&self) -> Option<Duration> {
        let ended = self.0.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.is_some() { None } else { cpu_time(self.0.pid) }
    }
}

impl Held {
    fn kill(&self) {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.is_none() {
            // It is a child that has not been waited for, so the number is its own; it may have ended already.
            let _sent = kill(self.pid, Signal::SIGKILL);
        }
    }

    fn wait(&self) -> io::Result<Ended> {
        self.look(WaitPidFlag::empty())?;
        self.collect()
    }

    /// True if it has ended; leaves it to be collected.
    fn look(&self, how: WaitPidFlag) -> io::Result<bool> {
        loop {
            if self.ended.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
                return Ok(true);
            }
            match waitid(Id::Pid(self.pid), how | WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) {
                Ok(WaitStatus::StillAlive) => return Ok(false),
                Ok(_) => return Ok(true),
                // A signal, or another thread has collected it meanwhile.
                Err(Errno::EINTR) => {}
                Err(Errno::ECHILD) if self.ended.lock().is_ok_and(|ended| ended.is_some()) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Takes what is left of one that has ended.
    fn collect(&self) -> io::Result<Ended> {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        match *ended {
            Some(ended) => Ok(ended),
            None => Ok(*ended.insert(reap(self.pid)?)),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.kill();
        // No zombie stays; if waiting fails, there is no such child.
        let _ended = self.wait();
    }
}
