// SPDX-License-Identifier: Apache-2.0
//! Commands that are printed before they are run, and steps made of them.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// One step of the gate.
pub(crate) struct Step {
    /// Its name in the table of times.
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) run: fn() -> Result<()>,
}

/// Prints a command as a person would type it, runs it, and fails if it does.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("   {}", shown(command));
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| missing(&program))?;
    if !status.success() {
        bail!("`{}` ended with {status}", shown(command));
    }
    Ok(())
}

/// Runs a command and answers what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| missing(&program))?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` ended with {}: {}", shown(command), output.status, error.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Where cargo puts what it builds: `debug/snapscan`, `release/snapscan`.
pub(crate) fn built(path: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    target.join(path)
}

/// A command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn missing(program: &str) -> String {
    format!("cannot run `{program}`; `.ci/run` installs everything the gate needs")
}
