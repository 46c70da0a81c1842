// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask ci`: the gate, step by step, with the seconds of each.

use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Result, bail};

use crate::steps::{Step, run};
use crate::{bench, fuzz, readme, schema, tidy};

/// Options of `ci`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The long one: 20 minutes a fuzz target, 200 cuts, the 10 GiB benches, diff-walks of 100,000 files
    #[arg(long)]
    full: bool,
    /// Begin with this step; steps that a long run finished need not be repeated
    #[arg(long, value_name = "STEP")]
    from: Option<String>,
    /// Only list the steps
    #[arg(long)]
    list: bool,
}

/// Runs the gate; the first step that fails ends it.
pub(crate) fn run_all(arguments: &Arguments) -> Result<ExitCode> {
    let mut steps = gate();
    if arguments.full {
        steps.extend(full());
    }
    if arguments.list {
        steps.iter().for_each(|step| println!("{}", step.name));
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(from) = &arguments.from {
        let Some(at) = steps.iter().position(|step| step.name == from) else {
            bail!("there is no step `{from}`; --list shows them");
        };
        steps.drain(..at);
    }
    let mut times = Vec::new();
    for step in steps {
        println!("== {}", step.name);
        let begun = Instant::now();
        let done = (step.run)();
        times.push((step.name, begun.elapsed().as_secs_f64(), done.is_ok()));
        if let Err(error) = done {
            table(&times);
            bail!("step `{}` failed: {error:#}", step.name);
        }
    }
    table(&times);
    println!("ci: passed");
    Ok(ExitCode::SUCCESS)
}

fn table(times: &[(&str, f64, bool)]) {
    println!("\n{:<16} {:>8}", "step", "seconds");
    for (name, seconds, passed) in times {
        println!("{name:<16} {seconds:>8.1}{}", if *passed { "" } else { "  failed" });
    }
}

fn cargo(arguments: &[&str]) -> Result<()> {
    run(Command::new("cargo").args(arguments))
}

/// What every change must pass, in the order in which a failure is cheapest to meet.
fn gate() -> Vec<Step> {
    vec![
        Step { name: "format", run: || cargo(&["fmt", "--all", "--check"]) },
        Step { name: "tidy", run: tidy::check },
        Step {
            name: "clippy",
            run: || cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
        },
        Step {
            name: "docs",
            run: || {
                let mut doc = Command::new("cargo");
                doc.args(["doc", "--workspace", "--no-deps", "--quiet", "--document-private-items"]);
                run(doc.env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private-intra-doc-links"))
            },
        },
        Step { name: "deny", run: || cargo(&["deny", "--offline", "check", "bans", "licenses", "sources"]) },
        Step { name: "schema", run: schema::check },
        Step { name: "readme", run: readme::check },
        Step { name: "fixtures", run: || xtask(&["fixtures", "--check"]) },
        Step { name: "diff-walk", run: || xtask(&["diff-walk", "--made"]) },
        Step { name: "cuts-ext4", run: || xtask(&["cuts", "ext4", "--count", "10"]) },
        Step { name: "cuts-xfs", run: || xtask(&["cuts", "xfs", "--count", "10"]) },
        Step { name: "oracle-dpkg", run: oracle },
        Step { name: "crash", run: || xtask(&["crash"]) },
        Step { name: "wire", run: || xtask(&["wire"]) },
        Step { name: "fuzz", run: || fuzz::all(5) },
    ]
}

/// What takes hours, once in a while.
fn full() -> Vec<Step> {
    vec![
        Step { name: "cuts-ext4-200", run: || xtask(&["cuts", "ext4", "--count", "200"]) },
        Step { name: "cuts-xfs-200", run: || xtask(&["cuts", "xfs", "--count", "200"]) },
        Step { name: "diff-walk-ext4", run: || xtask(&["diff-walk", "target/bench/debian-ext4.img"]) },
        Step { name: "diff-walk-xfs", run: || xtask(&["diff-walk", "target/bench/debian-xfs.img"]) },
        Step { name: "crash-1000", run: || xtask(&["crash", "--rounds", "1000"]) },
        Step { name: "bench", run: || bench::all(None) },
        Step { name: "fuzz-long", run: || fuzz::all(20 * 60) },
    ]
}

fn xtask(arguments: &[&str]) -> Result<()> {
    run(Command::new(std::env::current_exe()?).args(arguments))
}

/// The control paragraphs of a second parser, which lives in a workspace of its own (its dependencies need an old
/// libc crate).
fn oracle() -> Result<()> {
    run(Command::new("cargo").args(["test", "--quiet", "--locked"]).current_dir("tests/oracles/debian"))
}
