// SPDX-License-Identifier: Apache-2.0
//! What one process cost, by the operating system's own account of it.

use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};
use nix::sys::resource::{UsageWho, getrusage};
use serde_json::{Value, json};

/// Options of `measure`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The command
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

/// What a process cost.
pub(crate) struct Cost {
    /// Seconds of user and system time.
    pub(crate) cpu: f64,
    /// Seconds.
    pub(crate) wall: f64,
    /// Peak of resident memory.
    pub(crate) peak_mib: f64,
    /// How it ended.
    pub(crate) code: i64,
}

/// Runs a command in a process of its own that has no other child, since peaks are kept over all children.
pub(crate) fn measure(command: &Command) -> Result<Cost> {
    let mut nested = Command::new(std::env::current_exe()?);
    nested.arg("measure").arg("--").arg(command.get_program()).args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => nested.env(key, value),
            None => nested.env_remove(key),
        };
    }
    let output = nested.stderr(Stdio::inherit()).output().context("cannot measure")?;
    let cost: Value = serde_json::from_slice(&output.stdout).context("the measurement is no JSON")?;
    let number = |key: &str| cost[key].as_f64().with_context(|| format!("the measurement has no {key}"));
    let code = cost["code"].as_i64().context("the measurement has no exit code")?;
    Ok(Cost { cpu: number("cpu")?, wall: number("wall")?, peak_mib: number("peak_mib")?, code })
}

/// The nested half: runs the command and prints what it cost.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let (program, rest) = arguments.command.split_first().context("a command is needed")?;
    let begun = Instant::now();
    let status = Command::new(program).args(rest).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let wall = begun.elapsed().as_secs_f64();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    println!(
        "{}",
        json!({
            "cpu": seconds(usage.user_time()) + seconds(usage.system_time()),
            "wall": wall,
            // Linux counts kibibytes here (getrusage(2)).
            "peak_mib": usage.max_rss() as f64 / 1024.0,
            "code": status.code(),
        })
    );
    Ok(ExitCode::SUCCESS)
}
