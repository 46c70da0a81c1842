// SPDX-License-Identifier: Apache-2.0
//! Faults that are planted in the program, and the round or test that must notice each.

use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use super::judge::Verdict;
use super::rounds::{Bench, Round};
use super::world::Method;
use crate::steps::shown;

/// A fault, and what notices it in a round.
struct Fault {
    name: &'static str,
    kill: Option<&'static str>,
    power: bool,
    late: u64,
    notices: fn(&Verdict) -> bool,
}

const FAULTS: [Fault; 9] = [
    at_work("ack-before-spool", |verdict| !verdict.lost.is_empty()),
    killed("call-before-intent", CREATED, |verdict| !verdict.leaked.is_empty()),
    Fault { late: 600, ..killed("notfound-is-gone", CREATED, |verdict| !verdict.leaked.is_empty()) },
    killed("owned-skipped", CREATED, |verdict| !verdict.foreign.is_empty()),
    at_work("set-member-forgotten", |verdict| !verdict.leaked.is_empty()),
    killed("new-request-id-on-repeat", "http.csam.after#1", |verdict| !verdict.lost.is_empty()),
    killed("mark-before-send", "http.csam.before#1", |verdict| !verdict.lost.is_empty()),
    unsynced("ledger-unsynced", CREATED, |verdict| !verdict.leaked.is_empty()),
    // By then the last mark is put that somebody was delivered to.
    unsynced("dir-unsynced", "cloud.s3:PutObject.after#6", |verdict| !verdict.lost.is_empty()),
];

const CREATED: &str = "cloud.ec2:CreateSnapshots.after#1";

const fn at_work(name: &'static str, notices: fn(&Verdict) -> bool) -> Fault {
    Fault { name, kill: None, power: false, late: 20, notices }
}

const fn killed(name: &'static str, at: &'static str, notices: fn(&Verdict) -> bool) -> Fault {
    Fault { kill: Some(at), ..at_work(name, notices) }
}

const fn unsynced(name: &'static str, at: &'static str, notices: fn(&Verdict) -> bool) -> Fault {
    Fault { power: true, ..killed(name, at, notices) }
}

/// Faults that show in no round of this world: the package and the test that notices each. Without the fault it passes.
const TESTED: [(&str, &[&str], &str); 1] = [(
    "evict-pinned-block",
    &["-p", "snapscan-sandbox", "--lib"],
    "what_is_held_stays_and_what_was_given_back_goes_first",
)];

/// How many there are.
pub(super) const ALL: usize = FAULTS.len() + TESTED.len();

/// Plants each fault; fails if one is not noticed.
pub(super) fn plant(bench: &Bench) -> Result<()> {
    for fault in &FAULTS {
        let kill = fault.kill.and_then(|at| at.parse().ok());
        let Fault { power, late, .. } = *fault;
        let calm = Round::calm(Method::Direct, 1);
        let outcome =
            bench.round(&Round { kill, power, late, sabotage: Some(fault.name.to_owned()), ..calm })?;
        if !(fault.notices)(&outcome.verdict) {
            bail!("sabotage {} is not noticed: {:?}", fault.name, outcome.verdict);
        }
        let Verdict { leaked, lost, foreign } = outcome.verdict;
        let (leaked, lost, foreign) = (leaked.len(), lost.len(), foreign.len());
        println!("   sabotage {}: leaked {leaked}, lost {lost}, foreign {foreign}", fault.name);
    }
    for (fault, package, test) in TESTED {
        if !passes(package, test, None)? {
            bail!("the test {test} does not pass without sabotage");
        }
        if passes(package, test, Some(fault))? {
            bail!("sabotage {fault} is not noticed: the test {test} passes all the same");
        }
        println!("   sabotage {fault}: its test fails");
    }
    Ok(())
}

/// Runs one test, which must be there.
fn passes(package: &[&str], test: &str, fault: Option<&str>) -> Result<bool> {
    let mut command = Command::new("cargo");
    command.args(["test", "--quiet", "--features", "crash-points"]).args(package).arg(test);
    command.stdin(Stdio::null());
    command.envs(fault.map(|fault| ("SNAPSCAN_SABOTAGE", fault)));
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if text.contains("running 0 tests") || !text.contains("running 1 test") {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` ran no test: {text}{}", shown(&command), error.trim());
    }
    Ok(output.status.success())
}
