// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask tidy`: rules of the house that no compiler checks.

mod dependencies;
mod reasons;
mod size;
mod words;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use walkdir::WalkDir;

/// Options of `tidy`.
#[derive(clap::Args)]
pub(crate) struct Arguments {}

/// Runs all checks and prints what they find.
pub(crate) fn run(_: &Arguments) -> Result<ExitCode> {
    check()?;
    println!("tidy: nothing to say");
    Ok(ExitCode::SUCCESS)
}

/// Fails with everything that is not in order.
pub(crate) fn check() -> Result<()> {
    let sources = sources()?;
    let mut problems = Vec::new();
    size::check(&sources, &mut problems);
    words::check(&sources, &mut problems);
    dependencies::check(&mut problems)?;
    reasons::check(&sources, &mut problems)?;
    if problems.is_empty() {
        return Ok(());
    }
    problems.iter().for_each(|problem| println!("   {problem}"));
    bail!("{} things are not in order", problems.len())
}

/// One source file.
struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// True if the path lies beneath a folder of the repository.
    fn is_in(&self, folder: &str) -> bool {
        self.path.starts_with(folder)
    }

    /// True if the file holds nothing but tests.
    fn is_test(&self) -> bool {
        let in_tests = self.path.components().any(|part| part.as_os_str() == "tests");
        in_tests || self.path.file_name().is_some_and(|name| name == "tests.rs")
    }

    /// The lines before an inline module of tests.
    fn code(&self) -> impl Iterator<Item = &str> {
        self.text.lines().take_while(|line| *line != "#[cfg(test)]")
    }
}

/// All Rust files of the workspace, and those of the fuzz targets.
fn sources() -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for folder in ["src", "crates", "tests"] {
        let walk = WalkDir::new(folder).sort_by_file_name().into_iter();
        for file in walk.filter_entry(|entry| entry.file_name() != "target") {
            let path = file?.into_path();
            if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with(Path::new("build.rs"))
            {
                sources.push(Source { text: fs::read_to_string(&path)?, path });
            }
        }
    }
    Ok(sources)
}
