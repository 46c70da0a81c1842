// SPDX-License-Identifier: Apache-2.0
//! One line on standard error that says how far a scan is; only on a terminal, cleared at the end.

use std::io::{IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use snapscan_sandbox::Watch;

/// Time between two updates.
const STEP: Duration = Duration::from_millis(100);

/// The progress line.
pub(crate) struct Progress;

impl Progress {
    /// Runs `work` while the line shows what `watch` says.
    pub(crate) fn show<T>(watch: &Watch, work: impl FnOnce() -> T) -> T {
        if !std::io::stderr().is_terminal() {
            return work();
        }
        let (done, ended) = mpsc::channel::<()>();
        thread::scope(|scope| {
            scope.spawn(move || draw(watch, &ended));
            let result = work();
            drop(done);
            result
        })
    }
}

fn draw(watch: &Watch, ended: &mpsc::Receiver<()>) {
    let begun = Instant::now();
    while ended.recv_timeout(STEP) == Err(RecvTimeoutError::Timeout) {
        let names = match watch.names() {
            0 => String::new(),
            names => format!(", {names} names"),
        };
        let line = format!("\r\x1b[K{}{names}, {} s", watch.stage(), begun.elapsed().as_secs());
        // A terminal that went away shows nothing more; the scan goes on.
        let _gone = std::io::stderr().write_all(line.as_bytes());
    }
    let _gone = std::io::stderr().write_all(b"\r\x1b[K");
}
