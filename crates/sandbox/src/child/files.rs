// SPDX-License-Identifier: Apache-2.0
//! Which descriptors a worker has.
//!
//! Two sockets and, for a folder, its descriptor come as standard input, output and error, which exec leaves open;
//! they move up, and `/dev/null` takes their places, so that no stray print reaches a socket.
#![expect(unsafe_code, reason = "close_range(2) has no safe wrapper")]

use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::libc;
use rustix::io::fcntl_dupfd_cloexec;

/// The first descriptor that is not one of the three.
const FIRST: u32 = 3;

/// What was handed over.
pub(super) struct Handed {
    pub(super) records: UnixStream,
    pub(super) blocks: UnixStream,
    pub(super) directory: Option<OwnedFd>,
}

/// Closes all but the first three.
pub(super) fn close_others() -> Result<(), String> {
    // SAFETY: this runs before anything here has opened a descriptor, so nobody owns one of those that are closed.
    let answer = unsafe { libc::syscall(libc::SYS_close_range, FIRST, u32::MAX, 0) };
    match io::Error::last_os_error() {
        _ if answer == 0 => Ok(()),
        error if error.raw_os_error() == Some(libc::ENOSYS) => {
            close_listed().map_err(|e| format!("closing: {e}"))
        }
        error => Err(format!("close_range: {error}")),
    }
}

/// The same for kernels before 5.9, as `/proc` lists them.
fn close_listed() -> io::Result<()> {
    let listed = fs::read_dir("/proc/self/fd")?;
    let numbers: Vec<i32> =
        listed.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    for number in numbers.into_iter().filter(|number| number.unsigned_abs() >= FIRST) {
        // SAFETY: as above; the one by which they were listed is closed already, which the kernel answers so.
        unsafe { libc::close(number) };
    }
    Ok(())
}

/// Takes what was handed over.
///
/// # Errors
/// If it is not there, or there is no `/dev/null` for its place.
pub(super) fn take(directory: bool) -> Result<Handed, String> {
    let failed = |what: &'static str| move |error: io::Error| format!("{what}: {error}");
    let up = |fd: &dyn AsFd| fcntl_dupfd_cloexec(fd.as_fd(), 3).map_err(io::Error::from);
    let records = UnixStream::from(up(&io::stdin()).map_err(failed("no records socket"))?);
    let blocks = UnixStream::from(up(&io::stdout()).map_err(failed("no blocks socket"))?);
    let directory = match directory {
        true => Some(up(&io::stderr()).map_err(failed("no folder"))?),
        false => None,
    };
    let null = OpenOptions::new().read(true).write(true).open("/dev/null").map_err(failed("/dev/null"))?;
    nix::unistd::dup2_stdin(&null)
        .and_then(|()| nix::unistd::dup2_stdout(&null))
        .and_then(|()| nix::unistd::dup2_stderr(&null))
        .map_err(|errno| format!("dup2: {errno}"))?;
    Ok(Handed { records, blocks, directory })
}
