// SPDX-License-Identifier: Apache-2.0
//! Where `main` turns to before there is any thread, runtime or configuration.

use std::process::ExitCode;

use super::files::Handed;
use super::plan::{Plan, WORKER};
use super::{Raised, Seat, arrive, confine, report, serve};

/// Exit code of a worker that could not begin.
const UNUSABLE: u8 = 2;

/// Is this process a worker? Then it confines itself, works, and answers with its exit code.
#[must_use]
pub fn entry() -> Option<ExitCode> {
    entry_with(serve::run)
}

/// The same with other work: for the tests that attack the barriers from inside.
#[must_use]
pub fn entry_with(run: impl FnOnce(Seat) -> ExitCode) -> Option<ExitCode> {
    let mut args = std::env::args_os();
    if args.next().is_none_or(|name| name != WORKER) {
        return None;
    }
    let Some(plan) = Plan::parse(args) else {
        eprintln!("{WORKER} is started by snapscan, not by hand");
        return Some(ExitCode::from(UNUSABLE));
    };
    Some(begin(&plan, run).unwrap_or(ExitCode::from(UNUSABLE)))
}

/// `None` if there is nobody to tell why it cannot begin.
fn begin(plan: &Plan, run: impl FnOnce(Seat) -> ExitCode) -> Option<ExitCode> {
    let mut raised = Raised::new(plan.without);
    let Handed { records, blocks, directory } = arrive(plan, &mut raised).ok()?;
    match confine(plan, blocks, directory.as_ref(), &mut raised) {
        Ok((blocks, pool)) => {
            report::send(&records, &Ok(raised.barriers)).ok()?;
            Some(run(Seat { records, blocks, directory, pool }))
        }
        Err(why) => {
            report::send(&records, &Err(why)).ok()?;
            None
        }
    }
}

/// The parent empties it; here it is only looked at.
pub(super) fn environment() -> Result<(), String> {
    match std::env::vars_os().next() {
        None => Ok(()),
        Some(_) => Err("the worker was started with an environment".to_owned()),
    }
}
