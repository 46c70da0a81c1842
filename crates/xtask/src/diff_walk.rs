// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask diff-walk`: the kernel's reading of an image against ours.

mod made;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use snapscan_disk::BlockSource;
use snapscan_disk::fs::{FileSystem, FileType};
use snapscan_disk::fs::{ext4::Ext4, kernel::KernelFs, xfs::Xfs};
use snapscan_disk::source::{cache::Cache, file::FileSource, rounds::Rounds, window::Window};

use crate::compare::{self, Depth, Difference};
use crate::mount::{Kind, Mounted};

/// Bytes of the image that are kept in memory.
const CACHED: u64 = 256 << 20;

/// What to compare: one image, or images that are made for it.
#[derive(clap::Args)]
#[group(skip)]
#[command(group(clap::ArgGroup::new("what").required(true)))]
pub(crate) struct Arguments {
    /// The image to read
    #[arg(group = "what")]
    image: Option<PathBuf>,
    /// Where its filesystem begins, in bytes
    #[arg(long, default_value_t = 0, requires = "image")]
    offset: u64,
    /// Its filesystem; told by its magic number if not given
    #[arg(long)]
    kind: Option<Kind>,
    /// Names, metadata and attributes only
    #[arg(long)]
    no_content: bool,
    /// Read by our reader of the mounted folder in place of the one of the image
    #[arg(long)]
    kernel_reader: bool,
    /// Make a tree of 5,000 odd things on each variant of each filesystem
    #[arg(long, group = "what")]
    made: bool,
    /// Only those variants whose name contains this
    #[arg(long, requires = "made")]
    only: Option<String>,
    /// Copy this folder onto ext4 and XFS
    #[arg(long, group = "what")]
    tree: Option<PathBuf>,
    /// Keep the images that were made in this folder
    #[arg(long, conflicts_with = "image")]
    keep: Option<PathBuf>,
}

/// How to read.
#[derive(Clone, Copy)]
struct How {
    depth: Depth,
    kernel_reader: bool,
}

/// How many names were compared, and what differs.
#[derive(Default)]
struct Outcome {
    entries: usize,
    differences: usize,
}

/// Lists every difference; exit code 1 if there is any.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let how = How {
        depth: if arguments.no_content { Depth::Metadata } else { Depth::Content },
        kernel_reader: arguments.kernel_reader,
    };
    let mut outcome = Outcome::default();
    if let Some(image) = &arguments.image {
        let kind = match arguments.kind {
            Some(kind) => kind,
            None => kind_of(image, arguments.offset)?,
        };
        outcome.take(&image.display().to_string(), one(image, arguments.offset, kind, how)?);
    } else {
        for (name, variant) in made::variants(arguments.tree.as_deref())? {
            let asked_for = arguments.only.as_ref().is_none_or(|part| name.contains(part.as_str()));
            if asked_for && arguments.kind.is_none_or(|kind| kind == variant.kind) {
                let scratch = variant.scratch()?;
                let image = variant.make(scratch.path())?;
                outcome.take(&name, one(&image, 0, variant.kind, how)?);
                if let Some(keep) = &arguments.keep {
                    std::fs::copy(&image, keep.join(format!("{name}.img")))?;
                }
            }
        }
    }
    println!("diff-walk: {} entries, {} differences", outcome.entries, outcome.differences);
    Ok(if outcome.differences == 0 && outcome.entries > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Outcome {
    /// Prints what one image gave, and counts it.
    fn take(&mut self, name: &str, (entries, differences, seconds): (usize, Vec<Difference>, f64)) {
        for difference in &differences {
            println!("{name}: {difference}");
        }
        println!("{name}: {entries} entries, {} differences, {seconds:.1} s", differences.len());
        self.entries += entries;
        self.differences += differences.len();
    }
}

/// Reads one filesystem twice.
fn one(image: &Path, offset: u64, kind: Kind, how: How) -> Result<(usize, Vec<Difference>, f64)> {
    let start = Instant::now();
    let mounted = Mounted::recovered(image, offset, kind)?;
    let (kernel, ours) = std::thread::scope(|scope| {
        let kernel = scope.spawn(|| compare::mounted::read(mounted.path(), how.depth));
        let fs = if how.kernel_reader { open_folder(mounted.path()) } else { open(image, offset, kind) };
        let ours = fs.map(|fs| {
            let tree = compare::own::read(fs.as_ref(), how.depth);
            for note in fs.notes() {
                println!("note: {note:?}");
            }
            tree
        });
        (kernel.join(), ours)
    });
    let Ok(kernel) = kernel else { bail!("the walk of the mounted image panicked") };
    let (mut kernel, ours) = (kernel?, ours?);
    if how.kernel_reader {
        // That reader tells no attributes of links and devices, by its own account.
        for record in kernel.values_mut() {
            if !matches!(record.kind, FileType::File | FileType::Directory) {
                record.xattrs.clear();
            }
        }
    }
    let differences = compare::differences(&kernel, &ours);
    Ok((kernel.len(), differences, start.elapsed().as_secs_f64()))
}

/// Opens a filesystem of an image by our reader.
pub(crate) fn open(image: &Path, offset: u64, kind: Kind) -> Result<Box<dyn FileSystem>> {
    let file = File::open(image).with_context(|| image.display().to_string())?;
    let whole: Arc<dyn BlockSource> = Arc::new(FileSource::new(file)?);
    let len = whole.len().saturating_sub(offset);
    let window: Arc<dyn BlockSource> = Arc::new(Window::new(whole, offset, len));
    let source: Arc<dyn BlockSource> = Cache::new(window, &Arc::new(Rounds::default()), CACHED);
    Ok(match kind {
        Kind::Ext4 => Box::new(Ext4::open(source)?),
        Kind::Xfs => Box::new(Xfs::open(source)?),
    })
}

/// Opens a mounted filesystem by our reader of directories.
fn open_folder(path: &Path) -> Result<Box<dyn FileSystem>> {
    Ok(Box::new(KernelFs::new(File::open(path)?.into())?))
}

/// The filesystem by its magic number: XFS has it in its first bytes, ext4 at byte 1080.
fn kind_of(image: &Path, offset: u64) -> Result<Kind> {
    use std::os::unix::fs::FileExt;
    let mut head = [0; 1082];
    let file = File::open(image).with_context(|| image.display().to_string())?;
    file.read_exact_at(&mut head, offset).with_context(|| format!("{}: too short", image.display()))?;
    match (head.starts_with(b"XFSB"), head.ends_with(&[0x53, 0xef])) {
        (true, _) => Ok(Kind::Xfs),
        (_, true) => Ok(Kind::Ext4),
        _ => bail!("{}: neither ext4 nor XFS begins at byte {offset}", image.display()),
    }
}
