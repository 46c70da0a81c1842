// SPDX-License-Identifier: Apache-2.0
//! The conformance suite over AWS's own client and moto: what moto is known to get wrong fails, and only that.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::moto::{HOME, Moto};
use super::proxy::Proxy;
use super::world;
use crate::steps;

/// Cases that moto fails, one a line, with the reason after a tab. One that begins to pass breaks the run.
const GAPS: &str = include_str!("gaps.txt");
/// Cases there must be at least: fewer would mean that some were never reached.
const CASES: usize = 40;

/// Runs the suite against a server of its own.
pub(super) fn run(program: &Path, folder: &Path) -> Result<()> {
    let moto = Moto::start(&folder.join("moto-conformance.log"))?;
    let (jobs, dead) = world::services(&moto)?;
    let key = world::enter_target(&moto)?;
    let image = folder.join("conformance.img");
    world::unpack("alpine", &image)?;
    let machine = world::machine(&moto, &key, &image)?;
    let scanner = world::machine(&moto, HOME, &image)?;
    let data = moto.one(&key, "ec2", "Action=CreateVolume&Size=1&AvailabilityZone=eu-west-1a", "volumeId")?;
    let attach =
        format!("Action=AttachVolume&VolumeId={data}&InstanceId={}&Device=/dev/sdf", machine.instance);
    moto.query(&key, "ec2", &attach)?;
    let proxy = Proxy::start(moto.address)?;
    {
        let mut seen = proxy.seen();
        seen.identity = super::identity(&scanner.instance);
        for volume in [&machine.volume, &data] {
            seen.holds.insert(volume.clone(), machine.holds.clone());
        }
    }
    let suite = program.with_file_name("aws-conformance");
    let mut command = Command::new(suite);
    command.arg(format!("http://{}", proxy.address)).args([&jobs, &dead]);
    command.args([&machine.instance, &machine.volume, &data, &scanner.instance]);
    command.env_clear().env("AWS_ACCESS_KEY_ID", HOME).env("AWS_SECRET_ACCESS_KEY", "x");
    command.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", format!("http://{}", proxy.address));
    let said = steps::output(&mut command)?;
    fs::write(folder.join("conformance.txt"), &said)?;
    judge(&said)?;
    let seen = proxy.seen();
    // Reads of what nobody made are asked for on purpose here.
    let problems: Vec<&String> =
        seen.problems.iter().filter(|problem| !problem.contains("which nobody made")).collect();
    ensure!(problems.is_empty(), "requests that a real cloud would not take: {problems:#?}");
    Ok(())
}

fn judge(said: &str) -> Result<()> {
    let gaps: BTreeSet<&str> =
        GAPS.lines().filter_map(|line| line.split('\t').next()).filter(|l| !l.is_empty()).collect();
    let mut met = BTreeSet::new();
    let mut surprises = Vec::new();
    for line in said.lines() {
        let (name, result) = line.split_once('\t').with_context(|| format!("a case has a result: {line}"))?;
        met.insert(name);
        match (result, gaps.contains(name)) {
            ("ok", true) => surprises.push(format!("{name}: moto does this now; take it off the list")),
            ("ok", false) | (_, true) => {}
            (why, false) => surprises.push(format!("{name}: {why}")),
        }
    }
    surprises.extend(gaps.difference(&met).map(|name| format!("{name}: there is no such case")));
    ensure!(met.len() >= CASES, "only {} cases were reached", met.len());
    if !surprises.is_empty() {
        bail!("moto is not as it was:\n{}", surprises.join("\n"));
    }
    println!("   conformance: {} cases, of which {} fail as moto is known to", met.len(), gaps.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_that_was_mended_and_a_new_failure_are_surprises() {
        let first = GAPS.lines().next().and_then(|line| line.split('\t').next()).unwrap();
        assert!(judge(&format!("{first}\tok")).is_err());
        assert!(judge("some case\tit does not").is_err());
    }
}
