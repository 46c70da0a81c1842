// SPDX-License-Identifier: Apache-2.0
//! Where the program is killed: boundaries by name and count, chosen from traces, and the committed list of their names.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result, bail};

/// The committed list.
const LIST: &str = "crates/xtask/src/crash/points.txt";
/// Beginnings of names that only chance passes: two scanners that meet, faults, and what is done once a day. They are
/// killed at where they come, and neither demanded nor refused.
const BY_CHANCE: [&str; 6] = [
    "cloud.sqs:SendMessage.",
    "ledger.receipt.",
    "ledger.refused.",
    "ledger.troubled.",
    "ledger.eased.",
    "ledger.forgot.",
];
/// Of a name that comes more often than this, the first, the second and the last passing are taken.
const OFTEN: u64 = 6;

/// Names that the uploaders pass, again and again beside the work: of these too the first, the second and the last
/// passing are taken.
const DELIVERY: [&str; 5] =
    ["http.", "dir.", "cloud.s3:ListBucket.", "cloud.s3:GetObject.", "cloud.s3:DeleteObject."];
/// Names of which the uploaders pass most.
const SHARED: &str = "cloud.dynamodb:";

/// The so-many-th passing of a boundary.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Point {
    /// The boundary's name.
    pub(super) name: String,
    /// Counted from 1.
    pub(super) nth: u64,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.name, self.nth)
    }
}

impl FromStr for Point {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, nth) = text.rsplit_once('#').context("a point is NAME#NTH, such as spool.rename#1")?;
        Ok(Self { name: name.to_owned(), nth: nth.parse().context("NTH is a number")? })
    }
}

/// The points of a trace, in the order in which their names appear first.
pub(super) fn points(trace: &[String]) -> Vec<Point> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let mut order = Vec::new();
    for name in trace {
        let count = counts.entry(name).or_default();
        if *count == 0 {
            order.push(name);
        }
        *count += 1;
    }
    let mut points = Vec::new();
    for name in order {
        let count = counts.get(name.as_str()).copied().unwrap_or(0);
        let few = if is_delivery(name) || name.starts_with(SHARED) { 3 } else { OFTEN };
        let mut chosen: Vec<u64> = if count <= few { (1..=count).collect() } else { vec![1, 2, count] };
        chosen.dedup();
        points.extend(chosen.into_iter().map(|nth| Point { name: name.clone(), nth }));
    }
    points
}

/// True for what an uploader does and nobody else.
pub(super) fn is_delivery(name: &str) -> bool {
    DELIVERY.iter().any(|beginning| name.starts_with(beginning))
}

/// The first passing of each name.
pub(super) fn firsts(trace: &[String]) -> Vec<Point> {
    let mut met = BTreeSet::new();
    let first = trace.iter().filter(|name| met.insert(name.as_str()));
    first.map(|name| Point { name: name.clone(), nth: 1 }).collect()
}

/// Compares the names that were passed with the committed list, which may not shrink; writes it anew if asked to.
pub(super) fn compare(passed: &BTreeSet<String>, update: bool) -> Result<()> {
    let is_sure = |name: &&String| !BY_CHANCE.iter().any(|beginning| name.starts_with(beginning));
    let passed: BTreeSet<String> = passed.iter().filter(is_sure).cloned().collect();
    if update {
        let text: String = passed.iter().map(|name| format!("{name}\n")).collect();
        std::fs::write(LIST, text).with_context(|| format!("cannot write {LIST}"))?;
        println!("   {LIST}: {} names written", passed.len());
        return Ok(());
    }
    let text = std::fs::read_to_string(Path::new(LIST)).with_context(|| format!("cannot read {LIST}"))?;
    let listed: BTreeSet<String> = text.lines().map(str::to_owned).collect();
    let gone: Vec<_> = listed.difference(&passed).cloned().collect();
    let new: Vec<_> = passed.difference(&listed).cloned().collect();
    if !gone.is_empty() {
        bail!(
            "boundaries of {LIST} were never passed: {}; lay them down again where the work is now done",
            gone.join(", ")
        );
    }
    if !new.is_empty() {
        bail!("boundaries are not in {LIST}: {}; `cargo xtask crash --update` adds them", new.join(", "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_name_that_comes_often_first_second_and_last_are_taken() {
        let mut trace: Vec<String> = ["b", "a", "b", "c"].map(str::to_owned).into();
        trace.extend(vec!["a".to_owned(); 40]);
        let shown: Vec<String> = points(&trace).iter().map(Point::to_string).collect();
        assert_eq!(shown, ["b#1", "b#2", "a#1", "a#2", "a#41", "c#1"]);
        assert_eq!(firsts(&trace).len(), 3);
    }
}
