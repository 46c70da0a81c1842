// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask fuzz`: every fuzz target for some seconds, with the installed toolchain.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::{env, fs};

use anyhow::{Context, Result};

use crate::steps::run;

/// Where targets that finished a long run are noted, so that it can be resumed.
const DONE: &str = "crates/fuzz/target/finished";
/// From this many seconds on a run is long, and resumable.
const LONG: u64 = 60;

/// Options of `fuzz`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Targets; all if none is named
    targets: Vec<String>,
    /// Seconds for each
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

/// Fuzzes the targets that were named.
pub(crate) fn run_named(arguments: &Arguments) -> Result<ExitCode> {
    let targets = if arguments.targets.is_empty() { targets()? } else { arguments.targets.clone() };
    for target in &targets {
        one(target, arguments.seconds)?;
    }
    println!("fuzz: {} targets, {} seconds each, nothing found", targets.len(), arguments.seconds);
    Ok(ExitCode::SUCCESS)
}

/// Fuzzes all targets; a long run leaves out those that an earlier one finished at this commit.
pub(crate) fn all(seconds: u64) -> Result<()> {
    let head = crate::steps::output(Command::new("git").args(["rev-parse", "HEAD"]))?;
    for target in targets()? {
        let mark = Path::new(DONE).join(format!("{target}.{seconds}.{}", head.trim()));
        if seconds >= LONG && mark.exists() {
            println!("   {target}: finished before");
            continue;
        }
        one(&target, seconds)?;
        if seconds >= LONG {
            fs::create_dir_all(DONE)?;
            fs::write(&mark, "")?;
        }
    }
    Ok(())
}

/// The names of all targets.
fn targets() -> Result<Vec<String>> {
    let folder = fs::read_dir("crates/fuzz/fuzz_targets").context("cannot list the fuzz targets")?;
    let mut names: Vec<String> = folder
        .filter_map(Result::ok)
        .filter_map(|file| file.file_name().into_string().ok()?.strip_suffix(".rs").map(str::to_owned))
        .collect();
    names.sort();
    Ok(names)
}

fn one(target: &str, seconds: u64) -> Result<()> {
    // Coverage instrumentation needs a flag that stable rustc takes only with this variable.
    let mut fuzz = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    fuzz.current_dir("crates").env("RUSTC_BOOTSTRAP", "1");
    fuzz.args(["fuzz", "run", "--fuzz-dir", "fuzz", "--sanitizer", "none", target, "--"]);
    fuzz.arg(format!("-max_total_time={seconds}"));
    fuzz.args([
        "-rss_limit_mb=1024",
        "-timeout=10",
        "-max_len=1048576",
        "-print_final_stats=0",
        "-verbosity=0",
    ]);
    run(&mut fuzz)
}
