// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask fixtures`: small disk images, made by code from small trees with the real tools.
//!
//! A committed image is never edited: damage is a recipe that changes a good image. Tools do not fix everything (the
//! times of inodes, LVM's ids), so building anew gives other bytes with the same content, and what is committed is known
//! by its digest.

mod alpine;
mod debian;
mod dirty;
mod disk;
mod evil;
mod lvm;
mod readme;
mod recipes;
mod rocky;
mod tools;
mod tree;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};

use self::recipes::{RECIPES, Recipe};
use self::tools::run as tool;

/// Bytes of the largest image that is committed, compressed.
const LARGEST: u64 = 200 << 10;
/// Bytes of all committed images together, compressed.
const LARGEST_SUM: u64 = 3 << 20;

/// What to make.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Images to make; all if none is named
    names: Vec<String>,
    /// Make nothing: compare what is committed with the list in fixtures/README.md
    #[arg(long, conflicts_with = "names")]
    check: bool,
}

/// The folder of committed images.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

/// Makes images, or compares the committed ones.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let folder = folder();
    if arguments.check {
        readme::check(&folder, RECIPES)?;
        println!("{} fixtures are as fixtures/README.md lists them", RECIPES.len());
        return Ok(ExitCode::SUCCESS);
    }
    let unknown = arguments.names.iter().find(|name| RECIPES.iter().all(|recipe| recipe.name != *name));
    if let Some(unknown) = unknown {
        let known: Vec<_> = RECIPES.iter().map(|recipe| recipe.name).collect();
        bail!("no recipe is named {unknown}; there are {}", known.join(", "));
    }
    std::fs::create_dir_all(&folder)?;
    for recipe in RECIPES
        .iter()
        .filter(|one| arguments.names.is_empty() || arguments.names.iter().any(|n| n == one.name))
    {
        make(recipe, &folder).with_context(|| format!("fixture {}", recipe.name))?;
    }
    readme::write(&folder, RECIPES)?;
    Ok(ExitCode::SUCCESS)
}

fn make(recipe: &Recipe, folder: &Path) -> Result<()> {
    let work = tempfile::tempdir()?;
    let image = work.path().join("image");
    (recipe.build)(work.path(), &image)?;
    let packed = folder.join(format!("{}.img.zst", recipe.name));
    tool("zstd", &["-q", "-f", "-19", "--no-progress", "-o", text(&packed)?, text(&image)?])?;
    let size = std::fs::metadata(&packed)?.len();
    println!("{}: {} bytes, {size} packed", recipe.name, std::fs::metadata(&image)?.len());
    ensure!(size <= LARGEST, "{size} bytes packed, more than {LARGEST}");
    Ok(())
}

/// A path as an argument of a tool.
fn text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}
