// SPDX-License-Identifier: Apache-2.0
//! The one thread that starts workers.
//!
//! A worker is killed when the thread ends that started it (prctl(2), `PR_SET_PDEATHSIG`), so that thread lives as
//! long as this process.

use std::io;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::thread;

/// A command to start and where to say what became of it.
struct Order {
    command: Command,
    answer: Sender<io::Result<Child>>,
}

static SPAWNER: OnceLock<Sender<Order>> = OnceLock::new();

/// Starts a command from the thread that lives as long as this process.
///
/// # Errors
/// What the system answers.
pub(super) fn start(command: Command) -> io::Result<Child> {
    let gone = || io::Error::other("the thread that starts workers has ended");
    let spawner = SPAWNER.get_or_init(|| {
        let (orders, inbox) = channel::<Order>();
        let run = move || {
            for Order { mut command, answer } in inbox {
                let started = command.spawn();
                // The descriptors for the child must be closed here before anyone waits for its end.
                drop(command);
                if let Err(unheard) = answer.send(started)
                    && let Ok(mut child) = unheard.0
                {
                    // Nobody waits for it any more; its socket is closed, so it ends by itself.
                    let _ended = child.kill().and_then(|()| child.wait());
                }
            }
        };
        // Without the thread the first order finds nobody, which is told below.
        let _thread = thread::Builder::new().name("worker-spawner".to_owned()).spawn(run);
        orders
    });
    let (answer, heard) = channel();
    spawner.send(Order { command, answer }).map_err(|_| gone())?;
    heard.recv().map_err(|_| gone())?
}
