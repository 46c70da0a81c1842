// SPDX-License-Identifier: Apache-2.0
//! Faults that are planted in the program, and the round or test that must notice each.

use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use super::judge::Verdict;
use super::points::Point;
use super::rounds::{Bench, Round};
use super::world::Method;
use crate::steps::shown;

/// A fault, and what notices it in a round.
struct Fault {
    name: &'static str,
    kill: Option<&'static str>,
    late: u64,
    notices: fn(&Verdict) -> bool,
}

const FAULTS: [Fault; 5] = [
    Fault { name: "ack-before-spool", kill: None, late: 20, notices: |verdict| !verdict.lost.is_empty() },
    Fault {
        name: "call-before-intent",
        kill: Some("cloud.ec2:CreateSnapshots.after"),
        late: 20,
        notices: |verdict| !verdict.leaked.is_empty(),
    },
    Fault {
        name: "notfound-is-gone",
        kill: Some("cloud.ec2:CreateSnapshots.after"),
        late: 600,
        notices: |verdict| !verdict.leaked.is_empty(),
    },
    Fault {
        name: "owned-skipped",
        kill: Some("cloud.ec2:CreateSnapshots.after"),
        late: 20,
        notices: |verdict| !verdict.foreign.is_empty(),
    },
    Fault {
        name: "set-member-forgotten",
        kill: None,
        late: 20,
        notices: |verdict| !verdict.leaked.is_empty(),
    },
];

/// Faults that show in no round of this world: the package and the test that notices each. Without the fault it passes.
const TESTED: [(&str, &[&str], &str); 2] = [
    (
        "new-request-id-on-repeat",
        &["-p", "snapscan", "--bin", "snapscan"],
        "an_uploader_that_dies_in_a_call_leaves_a_batch_that_the_next_one_sends_unchanged",
    ),
    (
        "evict-pinned-block",
        &["-p", "snapscan-sandbox", "--lib"],
        "what_is_held_stays_and_what_was_given_back_goes_first",
    ),
];

/// How many there are.
pub(super) const ALL: usize = FAULTS.len() + TESTED.len();

/// Plants each fault; fails if one is not noticed.
pub(super) fn plant(bench: &Bench) -> Result<()> {
    for fault in &FAULTS {
        let kill = fault.kill.map(|name| Point { name: name.to_owned(), nth: 1 });
        let calm = Round::calm(Method::Direct, 1);
        let outcome = bench.round(&Round { kill, late: fault.late, sabotage: Some(fault.name), ..calm })?;
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
