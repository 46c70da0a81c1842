// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask cuts`: copies of a filesystem at random instants under load, our reading against the kernel's recovery.
//!
//! An image lies on a loop-mounted XFS, is itself loop-mounted and written to by several threads. Now and then it is
//! cloned (`cp --reflink`), which is atomic, as the snapshot of a volume is. Afterwards the kernel recovers and reads a
//! clone of each cut, our reader reads the cut itself, and all differences are listed.

mod journal;
mod load;
mod stamp;
mod tally;
mod variant;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Result, bail, ensure};
use snapscan_disk::fs::State;
use tempfile::TempDir;

use crate::compare::{self, Depth};
use crate::diff_walk::open;
use crate::mount::{Kind, Mounted, make, run as run_command};
use load::{Load, random::Random};
use tally::{Readings, Tally};
use variant::{Variant, variants};

/// Bytes of the filesystem that holds the image and the cuts; sparse.
const BACKING: u64 = 40 << 30;
/// Cuts of one run of the load; more of them would only be later.
const CUTS_A_LOAD: usize = 4;
/// Operations before the first cut.
const SETTLED: u64 = 300;
/// Operations between two cuts at most; so a busy machine cuts no other load than an idle one.
const BETWEEN: u64 = 700;

/// Which filesystem, and how often.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Its kind
    kind: Kind,
    /// Cuts to take, spread over all variants
    #[arg(long, default_value_t = 10)]
    count: usize,
    /// Where the random numbers of load and instants begin
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Keep cuts with differences in this folder
    #[arg(long)]
    keep: Option<PathBuf>,
    /// Only those variants whose name contains this
    #[arg(long)]
    only: Option<String>,
}

/// Takes and judges the cuts; exit code 1 if anything differs.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    ensure!(nix::unistd::Uid::effective().is_root(), "cuts needs root: it mounts");
    let wanted = |variant: &Variant| arguments.only.as_ref().is_none_or(|part| variant.name.contains(part));
    let all: Vec<Variant> = variants(arguments.kind).into_iter().filter(wanted).collect();
    ensure!(!all.is_empty(), "no variant has such a name");
    let backing = Backing::new()?;
    let mut random = Random::new(arguments.seed);
    let mut tally = Tally::default();
    let mut left = arguments.count;
    for (round, variant) in all.iter().cycle().enumerate() {
        if left == 0 {
            break;
        }
        // Every variant gets its turn before one gets a second one.
        let turns = all.len().saturating_sub(round % all.len());
        let cuts = left.div_ceil(turns).min(CUTS_A_LOAD);
        let taken = backing.cut(variant, cuts, &mut random)?;
        for (number, cut) in taken.iter().enumerate() {
            let name = format!("{}-{round}-{number}", variant.name);
            let judged = judge(cut, variant, &name, &mut tally)?;
            if let (false, Some(folder)) = (judged, &arguments.keep) {
                run_command(Command::new("cp").arg("--sparse=always").arg(cut).arg(folder.join(&name)))?;
            }
            std::fs::remove_file(cut)?;
        }
        left = left.saturating_sub(cuts);
    }
    println!("{tally}");
    Ok(if tally.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A filesystem on which files can be cloned.
struct Backing {
    // Unmounted before the folder of its image is removed: fields are dropped in order.
    mounted: Mounted,
    _folder: TempDir,
}

impl Backing {
    fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let image = make(folder.path(), &["mkfs.xfs", "-q", "-m", "reflink=1"], BACKING)?;
        Ok(Backing { mounted: Mounted::writable(&image, Kind::Xfs)?, _folder: folder })
    }

    /// Makes an image of this variant, and clones it at random instants while threads write to it.
    fn cut(&self, variant: &Variant, count: usize, random: &mut Random) -> Result<Vec<PathBuf>> {
        let image = make(self.mounted.path(), &variant.mkfs, variant.bytes)?;
        let mounted = Mounted::with_options(&image, variant.kind, variant.options)?;
        let load = Load::start(mounted.path(), variant, random)?;
        let mut cuts = Vec::new();
        let mut operations = SETTLED;
        for number in 0..count {
            operations += random.below(BETWEEN);
            load.reach(operations);
            let cut = self.mounted.path().join(format!("cut-{number}"));
            run_command(Command::new("cp").arg("--reflink=always").arg(&image).arg(&cut))?;
            cuts.push(cut);
        }
        let done = load.stop()?;
        mounted.unmount()?;
        std::fs::remove_file(&image)?;
        println!("{}: {count} cuts under {done} operations", variant.name);
        Ok(cuts)
    }
}

/// Compares one cut with the kernel's recovery of a clone of it; true if nothing differs.
fn judge(cut: &Path, variant: &Variant, name: &str, tally: &mut Tally) -> Result<bool> {
    let start = Instant::now();
    let clone = cut.with_extension("clone");
    run_command(Command::new("cp").arg("--reflink=always").arg(cut).arg(&clone))?;
    let mounting = stamp::clock();
    let mounted = match Mounted::with_options(&clone, variant.kind, "") {
        Ok(mounted) => mounted,
        Err(error) => {
            // Where the kernel refuses, ours has to say that it is stale.
            let ours = open(cut, 0, variant.kind).map(|fs| fs.info().state.clone());
            let agreed = variant.may_be_stale && matches!(ours, Ok(State::Stale { .. }));
            if agreed {
                tally.refused(name);
            } else {
                tally.differs(name, &format!("the kernel does not recover it: {error:#}"));
            }
            std::fs::remove_file(&clone)?;
            return Ok(agreed);
        }
    };
    let (kernel, ours) = std::thread::scope(|scope| {
        let kernel = scope.spawn(|| compare::mounted::read(mounted.path(), Depth::Content));
        let ours = open(cut, 0, variant.kind).map(|fs| {
            let tree = compare::own::read(fs.as_ref(), Depth::Content);
            (tree, fs)
        });
        (kernel.join(), ours)
    });
    let Ok(kernel) = kernel else { bail!("the walk of the mounted image panicked") };
    let kernel = kernel?;
    let entries = kernel.len();
    mounted.unmount()?;
    std::fs::remove_file(&clone)?;
    let (ours, fs) = match ours {
        Ok(ours) => ours,
        Err(error) => {
            tally.differs(name, &format!("our reader does not open it: {error:#}"));
            return Ok(false);
        }
    };
    tally.records(cut, variant.kind);
    let good = tally.judge(name, variant, fs.as_ref(), &Readings { kernel, ours, mounting });
    println!("{name}: {entries} entries, {:.1} s", start.elapsed().as_secs_f64());
    Ok(good)
}
