// SPDX-License-Identifier: Apache-2.0
//! Which barriers hold a worker here, by starting one that gets nothing to read.

use std::time::Duration;

use snapscan_sandbox::parent::spawn::{Setup, spawn};
use snapscan_sandbox::{Program, Require};

/// Memory of the worker, in bytes.
const MEMORY: u64 = 256 << 20;

/// How many barriers stand, then each that does not, with the reason.
///
/// # Errors
/// Why no worker could be started.
pub(super) fn look() -> Result<(usize, Vec<String>), snapscan_sandbox::Error> {
    let program = Program::this();
    let setup = Setup {
        program: &program,
        threads: 1,
        memory: MEMORY,
        cpu: Duration::from_secs(10),
        require: Require::Possible,
        directory: None,
        without: &[],
    };
    let worker = spawn(&setup)?;
    worker.kill();
    // It is gone whatever the answer is: it was killed, and we were its parent.
    let _ended = worker.wait();
    let (stand, open): (Vec<_>, Vec<_>) = worker.barriers.iter().partition(|barrier| barrier.in_force());
    Ok((stand.len(), open.iter().map(ToString::to_string).collect()))
}
