// SPDX-License-Identifier: Apache-2.0
//! The instants at which the agent may be killed, each by name, for the crash test.
//!
//! Whatever changes something that outlives the process calls [`pass`] just before and just after: a ledger commit, a
//! write, an fsync, a rename, a request. Names are stable and literal (`ledger.commit`, `spool.rename`,
//! `cloud.ec2:CreateSnapshots.before`), because a list of them is committed and may not shrink. Without the feature
//! `crash-points` all of this is empty.
//!
//! With it three environment variables are read once: `SNAPSCAN_CRASH_TRACE` names a file to which each boundary that is
//! passed is added as a line `number name`, `SNAPSCAN_CRASH_AT` is the number at which the process kills itself, or
//! `name#nth` for the so-many-th passing of one boundary, and `SNAPSCAN_SABOTAGE` names a fault that is planted so that the
//! crash test can show that it would notice ([`sabotaged`]).

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

/// True if this fault is planted. Never without the feature.
#[cfg(not(feature = "crash-points"))]
pub(crate) fn sabotaged(_fault: &str) -> bool {
    false
}

/// True if this fault is planted.
#[cfg(feature = "crash-points")]
pub(crate) fn sabotaged(fault: &str) -> bool {
    armed::sabotaged(fault)
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
    use std::collections::HashMap;
    use std::fs::{File, OpenOptions};
    use std::io::Write;
    use std::sync::{Mutex, OnceLock, PoisonError};

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::getpid;

    /// Where the process ends.
    enum At {
        /// At the boundary of this number, counted over all.
        Number(u64),
        /// At the so-many-th passing of this one.
        Nth(String, u64),
    }

    struct Plan {
        trace: Option<File>,
        at: Option<At>,
        passed: u64,
        by_name: HashMap<String, u64>,
    }

    pub(super) fn pass(name: &str) {
        static PLAN: OnceLock<Mutex<Plan>> = OnceLock::new();
        let plan = PLAN.get_or_init(|| Mutex::new(Plan::from_environment()));
        let mut plan = plan.lock().unwrap_or_else(PoisonError::into_inner);
        plan.passed += 1;
        let number = plan.passed;
        let nth = plan.by_name.entry(name.to_owned()).or_default();
        *nth += 1;
        let nth = *nth;
        if let Some(trace) = &mut plan.trace {
            // One write a line, so that a kill leaves no half of one.
            let _written = trace.write_all(format!("{number} {name}\n").as_bytes());
        }
        let is_here = match &plan.at {
            Some(At::Number(at)) => *at == number,
            Some(At::Nth(at, wanted)) => at == name && *wanted == nth,
            None => false,
        };
        if is_here {
            let _killed = kill(getpid(), Signal::SIGKILL);
            // The signal comes at the return to user space; nothing may happen until then.
            loop {
                std::thread::park();
            }
        }
    }

    pub(super) fn sabotaged(fault: &str) -> bool {
        static PLANTED: OnceLock<Option<String>> = OnceLock::new();
        PLANTED.get_or_init(|| std::env::var("SNAPSCAN_SABOTAGE").ok()).as_deref() == Some(fault)
    }

    impl Plan {
        fn from_environment() -> Self {
            let trace = std::env::var_os("SNAPSCAN_CRASH_TRACE")
                .and_then(|path| OpenOptions::new().create(true).append(true).open(path).ok());
            let at = std::env::var("SNAPSCAN_CRASH_AT").ok().and_then(|text| At::parse(&text));
            Self { trace, at, passed: 0, by_name: HashMap::new() }
        }
    }

    impl At {
        fn parse(text: &str) -> Option<Self> {
            match text.rsplit_once('#') {
                Some((name, nth)) => Some(Self::Nth(name.to_owned(), nth.parse().ok()?)),
                None => Some(Self::Number(text.parse().ok()?)),
            }
        }
    }
}
