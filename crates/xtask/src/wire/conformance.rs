// SPDX-License-Identifier: Apache-2.0
//! The conformance suite over AWS's own client and moto: what moto is known to get wrong fails, and only that.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::moto::{HOME, Moto};
use super::proxy::Proxy;
use super::world::{self, SERVICE, TARGET};
use crate::steps;

/// Cases that moto fails: name, `across` or `within` or `both`, and why, apart by tabs. One that begins to pass breaks
/// the run.
const GAPS: &str = include_str!("gaps.txt");

/// Runs the suite with the target in an account of its own, which moto shares nothing with, and in the scanner's.
pub(super) fn run(program: &Path, folder: &Path) -> Result<()> {
    for (how, account, cases) in [("across", TARGET, 41), ("within", SERVICE, 42)] {
        let said = one(program, folder, how, account)?;
        fs::write(folder.join(format!("conformance-{how}.txt")), &said)?;
        judge(&said, how, cases)?;
    }
    Ok(())
}

/// Runs it against a server of its own; what it printed.
fn one(program: &Path, folder: &Path, how: &str, account: &str) -> Result<String> {
    let moto = Moto::start(&folder.join(format!("moto-{how}.log")))?;
    let (jobs, dead) = world::services(&moto)?;
    let key = if account == SERVICE { HOME.to_owned() } else { world::enter_target(&moto)? };
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
    let endpoint = format!("http://{}", proxy.address);
    let mut command = Command::new(program.with_file_name("aws-conformance"));
    command.arg(&endpoint).args([&jobs, &dead, &machine.instance, &machine.volume, &data, &scanner.instance]);
    command.env_clear().env("AWS_ACCESS_KEY_ID", HOME).env("AWS_SECRET_ACCESS_KEY", "x");
    command.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &endpoint).env("TARGET_ACCOUNT", account);
    let said = steps::output(&mut command)?;
    let seen = proxy.seen();
    // Reads of what nobody made are asked for on purpose here.
    let problems: Vec<&String> =
        seen.problems.iter().filter(|problem| !problem.contains("which nobody made")).collect();
    ensure!(problems.is_empty(), "requests that a real cloud would not take: {problems:#?}");
    Ok(said)
}

fn judge(said: &str, how: &str, cases: usize) -> Result<()> {
    let gap = |line: &'static str| {
        let mut parts = line.split('\t');
        let (name, here) = (parts.next()?, parts.next()?);
        (here == how || here == "both").then_some(name)
    };
    let gaps: BTreeSet<&str> = GAPS.lines().filter_map(gap).collect();
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
    if !surprises.is_empty() {
        bail!("{how} accounts moto is not as it was:\n{}", surprises.join("\n"));
    }
    // Fewer would mean that some were never reached.
    ensure!(met.len() >= cases, "only {} cases were reached", met.len());
    println!(
        "   conformance {how} accounts: {} cases, of which {} fail as moto is known to",
        met.len(),
        gaps.len()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_that_was_mended_and_a_new_failure_are_surprises() {
        let first = GAPS.lines().next().and_then(|line| line.split('\t').next()).unwrap();
        let mended = judge(&format!("{first}\tok"), "across", 0).unwrap_err().to_string();
        assert!(mended.contains("moto does this now"), "{mended}");
        let failed = judge("some case\tit does not", "across", 0).unwrap_err().to_string();
        assert!(failed.contains("some case: it does not"), "{failed}");
    }
}
