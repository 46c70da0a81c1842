// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask fuzz`: every fuzz target for some seconds, with the installed toolchain.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};

use crate::steps::shown;

/// Where targets that finished a long run are noted, so that it can be resumed.
const DONE: &str = "crates/fuzz/target/finished";
/// From this many seconds on a run is long, and resumable.
const LONG: u64 = 60;
/// Edges of code that the seeds of every target must reach: far less than any parser has, more than a refusal takes.
const SHALLOW: u64 = 100;
/// Lines shown of a run that found something.
const SHOWN: usize = 120;

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
    targets_in(Path::new("crates/fuzz"))
}

fn targets_in(fuzz: &Path) -> Result<Vec<String>> {
    let folder = fs::read_dir(fuzz.join("fuzz_targets")).context("cannot list the fuzz targets")?;
    let mut names: Vec<String> = folder
        .filter_map(Result::ok)
        .filter_map(|file| file.file_name().into_string().ok()?.strip_suffix(".rs").map(str::to_owned))
        .collect();
    names.sort();
    Ok(names)
}

fn one(target: &str, seconds: u64) -> Result<()> {
    let seeds = Path::new("crates/fuzz/corpus").join(target);
    let longest = longest(&seeds).with_context(|| format!("cannot list {}", seeds.display()))?;
    // What a run finds goes to the first folder and is kept for the next one; the seeds are only read.
    fs::create_dir_all(Path::new("crates/fuzz/target/corpus").join(target))?;
    // Coverage instrumentation needs a flag that stable rustc takes only with this variable.
    let mut fuzz = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    fuzz.current_dir("crates").env("RUSTC_BOOTSTRAP", "1");
    fuzz.args(["fuzz", "run", "--fuzz-dir", "fuzz", "--sanitizer", "none", target]);
    fuzz.args([format!("fuzz/target/corpus/{target}"), format!("fuzz/corpus/{target}")]);
    fuzz.args(["--", &format!("-max_total_time={seconds}"), &format!("-max_len={}", length(longest))]);
    fuzz.args(["-rss_limit_mb=512", "-timeout=10", "-print_funcs=0"]);
    let said = watch(&mut fuzz)?;
    ensure!(
        said.reached >= SHALLOW,
        "{target}: its seeds reach {} edges, fewer than {SHALLOW}: most of the parser is not fuzzed",
        said.reached
    );
    println!("   {target}: {}", said.last);
    Ok(())
}

/// Bytes of the longest file in a folder.
fn longest(folder: &Path) -> Result<u64> {
    let sizes = fs::read_dir(folder)?.map(|file| Ok(file?.metadata()?.len()));
    Ok(sizes.collect::<Result<Vec<_>>>()?.into_iter().max().unwrap_or_default())
}

/// Bytes of the longest input to try. A seed that is longer would be cut, and a cut image is refused at its start.
fn length(longest_seed: u64) -> u64 {
    longest_seed.saturating_mul(2).max(4096)
}

/// What a run printed.
struct Said {
    /// Edges that the seeds reach.
    reached: u64,
    /// Its last line of counts.
    last: String,
}

/// Runs libFuzzer and keeps its counts to itself; if it fails, shows the end of what it printed.
fn watch(command: &mut Command) -> Result<Said> {
    println!("   {}", shown(command));
    let mut child = command.stderr(Stdio::piped()).spawn().context("cannot run `cargo fuzz`")?;
    let mut said = Said { reached: 0, last: String::new() };
    let mut end = VecDeque::new();
    for line in BufReader::new(child.stderr.take().context("no pipe")?).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        if line.contains("INITED") {
            said.reached = count_after(&line, "cov:");
        } else if line.contains("DONE") {
            said.last = line.trim_start_matches('#').trim().to_owned();
        }
        if end.len() == SHOWN {
            end.pop_front();
        }
        end.push_back(line);
    }
    let status = child.wait()?;
    if !status.success() {
        end.iter().for_each(|line| eprintln!("{line}"));
        bail!("`{}` ended with {status}", shown(command));
    }
    Ok(said)
}

/// The number in the word after `key`; 0 if there is none.
fn count_after(line: &str, key: &str) -> u64 {
    let mut words = line.split_whitespace().skip_while(|word| *word != key);
    words.nth(1).and_then(|word| word.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_read_from_a_line_of_counts() {
        let line = "#4\tINITED cov: 412 ft: 1033 corp: 3/12Kb exec/s: 0 rss: 38Mb";
        assert_eq!((count_after(line, "cov:"), count_after(line, "none:")), (412, 0));
    }

    #[test]
    fn no_seed_is_longer_than_what_is_tried() {
        for target in ["1", "4096", "67584"].map(|bytes| bytes.parse().unwrap()) {
            assert!(length(target) >= target);
        }
        for target in targets_in(Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz").as_path()).unwrap() {
            let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(&target);
            assert!(longest(&seeds).unwrap() > 0, "{target} has no seed");
        }
    }
}
