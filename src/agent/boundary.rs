// SPDX-License-Identifier: Apache-2.0
//! The instants at which the agent may be killed, each by name, for the crash test.
//!
//! Whatever changes something that outlives the process calls [`pass`] just before and just after: a ledger commit, a
//! write, an fsync, a rename, a request. Names are stable and literal (`ledger.commit`, `spool.rename`,
//! `cloud.ec2:CreateSnapshots.before`), because a list of them is committed and may not shrink. Without the feature
//! `crash-points` all of this is empty.
//!
//! With it two environment variables are read once: `SNAPSCAN_CRASH_TRACE` names a file to which each boundary that is
//! passed is added as a line `number name`, and `SNAPSCAN_CRASH_AT` is the number at which the process kills itself.

use std::sync::Arc;

use snapscan_cloud::{Answer, Call, Cloud, Error, Scope, Service};

/// Passes a boundary: here the crash test may end the process.
#[cfg(not(feature = "crash-points"))]
pub(crate) fn pass(_name: &str) {}

/// Passes a boundary: here the crash test may end the process.
#[cfg(feature = "crash-points")]
pub(crate) fn pass(name: &str) {
    armed::pass(name);
}

/// The same cloud, with a boundary before and after each call; without the feature it is the cloud itself.
pub(crate) fn watched(cloud: Cloud) -> Cloud {
    if cfg!(feature = "crash-points") {
        Cloud { service: Arc::new(Watched(cloud.service)), clock: cloud.clock }
    } else {
        cloud
    }
}

struct Watched(Arc<dyn Service>);

#[async_trait::async_trait]
impl Service for Watched {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, Error> {
        let action = call.action().name();
        pass(&format!("cloud.{action}.before"));
        let answer = self.0.call(scope, call).await;
        pass(&format!("cloud.{action}.after"));
        answer
    }
}

#[cfg(feature = "crash-points")]
mod armed {
    use std::fs::{File, OpenOptions};
    use std::io::Write;
    use std::sync::{Mutex, OnceLock, PoisonError};

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::getpid;

    struct Plan {
        trace: Option<File>,
        at: Option<u64>,
        passed: u64,
    }

    pub(super) fn pass(name: &str) {
        static PLAN: OnceLock<Mutex<Plan>> = OnceLock::new();
        let plan = PLAN.get_or_init(|| Mutex::new(Plan::from_environment()));
        let mut plan = plan.lock().unwrap_or_else(PoisonError::into_inner);
        plan.passed += 1;
        let number = plan.passed;
        if let Some(trace) = &mut plan.trace {
            // One write a line, so that a kill leaves no half of one.
            let _written = trace.write_all(format!("{number} {name}\n").as_bytes());
        }
        if plan.at == Some(number) {
            let _killed = kill(getpid(), Signal::SIGKILL);
            // The signal comes at the return to user space; nothing may happen until then.
            loop {
                std::thread::park();
            }
        }
    }

    impl Plan {
        fn from_environment() -> Self {
            let trace = std::env::var_os("SNAPSCAN_CRASH_TRACE")
                .and_then(|path| OpenOptions::new().create(true).append(true).open(path).ok());
            let at = std::env::var("SNAPSCAN_CRASH_AT").ok().and_then(|number| number.parse().ok());
            Self { trace, at, passed: 0 }
        }
    }
}
