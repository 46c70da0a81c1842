// SPDX-License-Identifier: Apache-2.0
//! Who may depend on whom: whoever parses a customer's bytes has no network, credentials or clock (INV-1, INV-2).

use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::steps::output;

/// What one of our crates may know.
struct Rule {
    /// The crate.
    name: &'static str,
    /// The crates of ours that it may name.
    may: &'static [&'static str],
    /// What it may name only as an optional dependency, by the beginning of the name.
    optional: &'static [&'static str],
    /// What a build without features must never reach, by whatever way.
    never: &'static [&'static str],
}

/// Async, TLS and HTTP: what talks to a network.
const NETWORK: &[&str] = &["tokio", "reqwest", "rustls", "hyper", "hyper-util", "native-tls", "aws-*"];
/// What an AWS SDK is made of. `aws-lc-rs` is none: it is the cryptography of rustls.
const SDK: &[&str] =
    &["aws-config", "aws-credential-types", "aws-runtime", "aws-sdk-*", "aws-smithy-*", "aws-types"];

const RULES: &[Rule] = &[
    Rule {
        name: "snapscan-schema",
        may: &[],
        optional: &[],
        never: &["tokio", "reqwest", "rustls", "hyper", "nix", "rustix", "aws-*"],
    },
    Rule { name: "snapscan-disk", may: &[], optional: &[], never: NETWORK },
    Rule {
        name: "snapscan-inventory",
        may: &["snapscan-schema", "snapscan-disk"],
        optional: &[],
        never: NETWORK,
    },
    Rule {
        name: "snapscan-sandbox",
        may: &["snapscan-schema", "snapscan-disk", "snapscan-inventory"],
        optional: &[],
        never: NETWORK,
    },
    Rule { name: "snapscan-cloud", may: &[], optional: SDK, never: SDK },
    Rule { name: "snapscan-cloud-aws", may: &["snapscan-cloud"], optional: SDK, never: SDK },
    Rule {
        name: "snapscan",
        may: &[
            "snapscan-schema",
            "snapscan-disk",
            "snapscan-sandbox",
            "snapscan-cloud",
            "snapscan-cloud-aws",
        ],
        optional: &["snapscan-cloud-aws", "aws-*"],
        never: SDK,
    },
];

/// The only crates that `snapscan-schema` may name.
const SCHEMA_MAY: &[&str] = &["serde", "serde_json", "schemars"];

pub(super) fn check(problems: &mut Vec<String>) -> Result<()> {
    let metadata = output(Command::new("cargo").args(["metadata", "--format-version", "1", "--no-deps"]))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists packages")?;
    for package in packages {
        let name = package["name"].as_str().context("a package has a name")?;
        if name != "xtask" && !RULES.iter().any(|rule| rule.name == name) {
            problems.push(format!("{name} has no rule of what it may depend on"));
        }
    }
    for rule in RULES {
        let name = rule.name;
        let package = packages.iter().find(|package| package["name"] == name);
        let package = package.with_context(|| format!("there is no crate {name}"))?;
        let direct = package["dependencies"].as_array().context("a package lists dependencies")?;
        let direct = direct.iter().filter(|one| one["kind"].is_null());
        let ours: Vec<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
        for dependency in direct {
            let is_optional = dependency["optional"] == true;
            let dependency = dependency["name"].as_str().context("a dependency has a name")?;
            named(rule, dependency, is_optional, ours.contains(&dependency), problems);
        }
        reached(rule, problems)?;
    }
    Ok(())
}

/// Judges a dependency that a crate names.
fn named(rule: &Rule, dependency: &str, is_optional: bool, is_ours: bool, problems: &mut Vec<String>) {
    let name = rule.name;
    if is_ours && !rule.may.contains(&dependency) {
        problems.push(format!("{name} depends on {dependency}, which it may not know"));
    }
    if !is_optional && rule.optional.iter().any(|pattern| is_meant(pattern, dependency)) {
        problems.push(format!("{name} depends on {dependency} always; it may by a feature only"));
    }
    if name == "snapscan-schema" && !SCHEMA_MAY.contains(&dependency) {
        problems.push(format!("{name} depends on {dependency}; it is words only"));
    }
}

/// Judges everything that a build of a crate without features compiles.
fn reached(rule: &Rule, problems: &mut Vec<String>) -> Result<()> {
    let arguments = ["--edges", "normal", "--prefix", "none", "--format", "{p}"];
    let tree = output(Command::new("cargo").args(["tree", "--package", rule.name]).args(arguments))?;
    let mut names: Vec<&str> = tree.lines().map(|line| line.split(' ').next().unwrap_or_default()).collect();
    names.sort_unstable();
    names.dedup();
    for reached in names {
        if rule.never.iter().any(|pattern| is_meant(pattern, reached)) {
            problems.push(format!("{} reaches {reached}", rule.name));
        }
    }
    Ok(())
}

/// A pattern is a name, or the beginning of one and a star.
fn is_meant(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |beginning| name.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_that_is_not_allowed_is_a_problem() {
        let (cloud, schema) = (&RULES[4], &RULES[0]);
        let judged = |rule, dependency, is_optional, is_ours| {
            let mut problems = Vec::new();
            named(rule, dependency, is_optional, is_ours, &mut problems);
            problems.len()
        };
        assert_eq!(judged(cloud, "snapscan-disk", false, true), 1);
        assert_eq!(judged(cloud, "aws-sdk-ec2", false, false), 1);
        assert_eq!(judged(cloud, "serde", false, false), 0);
        assert_eq!(judged(schema, "tokio", true, false), 1);
    }

    #[test]
    fn the_cryptography_of_rustls_is_no_sdk() {
        let is_sdk = |name| SDK.iter().any(|pattern| is_meant(pattern, name));
        assert!(is_sdk("aws-sdk-ec2") && is_sdk("aws-smithy-runtime") && is_sdk("aws-config"));
        assert!(!is_sdk("aws-lc-rs") && !is_sdk("aws-lc-sys"));
    }
}
