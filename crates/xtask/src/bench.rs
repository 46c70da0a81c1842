// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask bench`: the whole program on large images, one process a row, beside the bars and the rivals.

mod agent;
mod dirty;
mod many;
mod measure;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use serde_json::Value;

pub(crate) use measure::Arguments as MeasureArguments;
pub(crate) use measure::run as run_measure;

use crate::steps;

/// Where images are looked for, unless told.
const FOLDER: &str = "target/bench";
/// The program that is measured, where cargo puts what it builds.
const PROGRAM: &str = "release/snapscan";

/// Options of `bench`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The folder with the images (debian-ext4-gpt.img, debian-xfs-gpt.img, rpm600-xfs-gpt.img …)
    #[arg(long, default_value = FOLDER)]
    images: PathBuf,
    /// A folder with rivals: bin/trivy, and venv/bin/python with dissect.target
    #[arg(long)]
    rivals: Option<PathBuf>,
    /// Make the dirty images first, from the clean ones (root, 8 GB of disk)
    #[arg(long)]
    make_dirty: bool,
    /// Make the images of many names first (root, 3 GB of disk)
    #[arg(long)]
    make_many: bool,
    /// Count instructions with callgrind too
    #[arg(long)]
    instructions: bool,
    /// Measure the agent over a simulated cloud instead
    #[arg(long)]
    agent: bool,
    /// The program that the agent is; a release build is made if absent
    #[arg(long, requires = "agent")]
    program: Option<PathBuf>,
    /// Seconds of the simulated cloud in one of the wall's
    #[arg(long, default_value_t = 1, requires = "agent")]
    speed: u32,
    /// Jobs that the agent reads at once
    #[arg(long, default_value_t = 4, requires = "agent")]
    inspect: usize,
    /// Jobs that the agent is given at once
    #[arg(long, default_value_t = 60, requires = "agent")]
    jobs: usize,
}

/// One row: what is read, how, and what it may cost.
struct Row {
    work: &'static str,
    image: &'static str,
    profile: &'static str,
    bar: Bar,
}

/// What a row may cost; `None` where the bar says nothing.
struct Bar {
    cpu: f64,
    mib: f64,
    blocks: Option<u64>,
    rounds: Option<u64>,
    memory_mib: f64,
}

const OS: Bar = Bar { cpu: 0.05, mib: 8.0, blocks: Some(100), rounds: Some(15), memory_mib: 24.0 };
/// Live logs come on top of bytes and blocks; the row says how large they were.
const DIRTY: Bar = Bar { cpu: 0.15, mib: 8.0, blocks: None, rounds: Some(18), memory_mib: 64.0 };
const RPM: Bar = Bar { cpu: 0.06, mib: 24.0, blocks: None, rounds: None, memory_mib: 32.0 };
const FULL: Bar = Bar { cpu: 0.5, mib: 64.0, blocks: None, rounds: None, memory_mib: 64.0 };

const ROWS: &[Row] = &[
    Row { work: "Debian, ext4", image: "debian-ext4-gpt.img", profile: "os", bar: OS },
    Row { work: "Debian, XFS", image: "debian-xfs-gpt.img", profile: "os", bar: OS },
    Row { work: "Debian, ext4, deep extents", image: "debian-ext4-holes-gpt.img", profile: "os", bar: OS },
    Row { work: "Debian, XFS, btree folders", image: "debian-xfs-frag-gpt.img", profile: "os", bar: OS },
    Row { work: "Debian, ext4 on LVM", image: "debian-ext4-lvm.img", profile: "os", bar: OS },
    Row { work: "Debian, partition `root`", image: "debian-ext4-named.img", profile: "os", bar: OS },
    Row { work: "Debian, ext4, MBR", image: "debian-ext4-mbr.img", profile: "os", bar: OS },
    Row { work: "Debian, ext4, dirty", image: "debian-ext4-dirty.img", profile: "os", bar: DIRTY },
    Row { work: "Debian, XFS, dirty", image: "debian-xfs-dirty.img", profile: "os", bar: DIRTY },
    Row { work: "600 rpms, XFS", image: "rpm600-xfs-gpt.img", profile: "os", bar: RPM },
    Row { work: "Debian, ext4, every name", image: "debian-ext4-gpt.img", profile: "full", bar: FULL },
    Row { work: "Debian, XFS, every name", image: "debian-xfs-gpt.img", profile: "full", bar: FULL },
];

/// Runs the bench as asked.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    if arguments.make_many {
        for kind in ["ext4", "xfs"] {
            many::make(&arguments.images, kind)?;
        }
    }
    if arguments.agent {
        let &Arguments { ref images, speed, inspect, jobs, .. } = arguments;
        let program = arguments.program.as_deref();
        agent::bench(&agent::Told { images, program, speed, inspect, jobs })?;
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.make_dirty {
        for kind in ["ext4", "xfs"] {
            dirty::make(&arguments.images, kind)?;
        }
    }
    bench(&arguments.images, arguments.rivals.as_deref(), arguments.instructions)?;
    Ok(ExitCode::SUCCESS)
}

/// Runs all rows whose images are in `folder`, or in the usual place.
pub(crate) fn all(folder: Option<&Path>) -> Result<()> {
    bench(folder.unwrap_or(Path::new(FOLDER)), None, true)
}

fn bench(images: &Path, rivals: Option<&Path>, instructions: bool) -> Result<()> {
    steps::run(Command::new("cargo").args(["build", "--release", "--quiet"]))?;
    println!(
        "\n| work | CPU s | wall s | read MiB | 4 KiB blocks | 512 KiB blocks | rounds | peak MiB | journal MiB | found | M instr. | of bar |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|");
    let mut measured = 0;
    for row in ROWS {
        let image = images.join(row.image);
        if image.exists() {
            println!("{}", measure_row(row, &image, instructions)?);
            measured += 1;
        } else {
            println!("| {} | – | | | | | | | | | | {} is not there |", row.work, row.image);
        }
    }
    if measured == 0 {
        bail!("no image in {}; CONTRIBUTING.md says how to make them", images.display());
    }
    rivals.map_or(Ok(()), |rivals| measure_rivals(images, rivals))
}

fn measure_row(row: &Row, image: &Path, instructions: bool) -> Result<String> {
    let report = tempfile::NamedTempFile::new()?;
    let scan = |command: &mut Command| {
        command.args(["scan", "--profile", row.profile, "--format", "json", "-o"]);
        command.arg(report.path()).arg(image);
    };
    let mut command = Command::new(steps::built(PROGRAM));
    scan(&mut command);
    let cost = measure::measure(&command)?;
    let json: Value =
        serde_json::from_slice(&std::fs::read(report.path())?).context("the report is no JSON")?;
    let read = &json["header"]["run"]["read"];
    let number = |key: &str| read[key].as_u64().unwrap_or(0);
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let found = json["findings"]
        .as_array()
        .map_or(0, |all| all.iter().filter(|one| one["kind"] == "package").count());
    let counted = if instructions { callgrind(scan)? } else { "–".to_owned() };
    let journal = mib(number("journal_bytes"));
    let ratio = |is: f64, bar: f64| format!("{:.2}", is / bar);
    let mut of_bar = format!(
        "CPU {}, bytes {}, memory {}",
        ratio(cost.cpu, row.bar.cpu),
        ratio(mib(number("bytes")), row.bar.mib + journal),
        ratio(cost.peak_mib, row.bar.memory_mib)
    );
    for (name, key, bar) in [("blocks", "blocks_512k", row.bar.blocks), ("rounds", "rounds", row.bar.rounds)]
    {
        if let Some(bar) = bar {
            of_bar.push_str(&format!(", {name} {}", ratio(number(key) as f64, bar as f64)));
        }
    }
    Ok(format!(
        "| {} | {:.3} | {:.2} | {:.1} | {} | {} | {} | {:.0} | {journal:.1} | {found} | {counted} | {of_bar} |",
        row.work,
        cost.cpu,
        cost.wall,
        mib(number("bytes")),
        number("blocks_4k"),
        number("blocks_512k"),
        number("rounds"),
        cost.peak_mib,
    ))
}

/// Millions of instructions by callgrind; exact whatever else the machine does.
fn callgrind(scan: impl Fn(&mut Command)) -> Result<String> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(steps::built(PROGRAM));
    scan(&mut command);
    let output = command.output().context("cannot run valgrind; `.ci/run` installs it")?;
    let text = String::from_utf8_lossy(&output.stderr);
    let collected =
        text.lines().find_map(|line| line.split_once("Collected : ").map(|(_, count)| count.trim()));
    let count: f64 = collected.context("callgrind printed no count")?.parse()?;
    Ok(format!("{:.1}", count / 1e6))
}

fn measure_rivals(images: &Path, rivals: &Path) -> Result<()> {
    println!("\n| rival | image | CPU s | wall s | peak MiB | exit |\n|---|---|---:|---:|---:|---:|");
    for image in ["debian-ext4-gpt.img", "debian-xfs-gpt.img", "debian-ext4-lvm.img", "rpm600-xfs-gpt.img"] {
        let path = images.join(image);
        let mut trivy = Command::new(rivals.join("bin/trivy"));
        trivy.args([
            "vm",
            "--offline-scan",
            "--pkg-types",
            "os",
            "--format",
            "cyclonedx",
            "--output",
            "/dev/null",
        ]);
        trivy.arg(&path).env("TRIVY_SKIP_VERSION_CHECK", "true");
        if path.exists() && rivals.join("bin/trivy").exists() {
            let cost = measure::measure(&trivy)?;
            println!(
                "| trivy vm | {image} | {:.2} | {:.1} | {:.0} | {} |",
                cost.cpu, cost.wall, cost.peak_mib, cost.code
            );
        }
    }
    Ok(())
}
