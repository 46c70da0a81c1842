// SPDX-License-Identifier: Apache-2.0
//! Who may depend on whom: whoever parses a customer's bytes has no network, credentials or clock (INV-1, INV-2).

use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::steps::output;

/// Crate, the crates of ours that it may depend on, and what it must never reach, by whatever way.
const RULES: &[(&str, &[&str], &[&str])] = &[
    ("snapscan-schema", &[], &["tokio", "reqwest", "rustls", "nix", "rustix"]),
    ("snapscan-disk", &[], &["tokio", "reqwest", "rustls", "hyper", "aws-config"]),
    ("snapscan-inventory", &["snapscan-schema", "snapscan-disk"], &["tokio", "reqwest", "rustls", "hyper"]),
    (
        "snapscan-sandbox",
        &["snapscan-schema", "snapscan-disk", "snapscan-inventory"],
        &["tokio", "reqwest", "rustls", "hyper", "aws-config"],
    ),
    ("snapscan", &["snapscan-schema", "snapscan-disk", "snapscan-sandbox"], &[]),
];

/// The only crates that `snapscan-schema` may name.
const SCHEMA_MAY: &[&str] = &["serde", "serde_json", "schemars"];

pub(super) fn check(problems: &mut Vec<String>) -> Result<()> {
    let metadata = output(Command::new("cargo").args(["metadata", "--format-version", "1", "--no-deps"]))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists packages")?;
    for (name, may, never) in RULES {
        let package = packages.iter().find(|package| package["name"] == *name);
        let package = package.with_context(|| format!("there is no crate {name}"))?;
        let direct = package["dependencies"].as_array().context("a package lists dependencies")?;
        let direct = direct.iter().filter(|one| one["kind"].is_null());
        for dependency in direct.filter_map(|one| one["name"].as_str()) {
            let is_ours = packages.iter().any(|package| package["name"] == dependency);
            if is_ours && !may.contains(&dependency) {
                problems.push(format!("{name} depends on {dependency}, which it may not know"));
            }
            if *name == "snapscan-schema" && !SCHEMA_MAY.contains(&dependency) {
                problems.push(format!("{name} depends on {dependency}; it is words only"));
            }
        }
        let tree = output(Command::new("cargo").args([
            "tree",
            "--package",
            name,
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ]))?;
        for line in tree.lines() {
            let reached = line.split(' ').next().unwrap_or_default();
            if never.contains(&reached) {
                problems.push(format!("{name} reaches {reached}"));
            }
        }
    }
    Ok(())
}
