// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask schema`: what is generated from the types and committed, so that other programs can rely on it.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use snapscan_schema::{Job, Outcome, Parcel, Report};

use crate::readme;

/// Options of `schema`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only compare; fail if a committed file differs
    #[arg(long)]
    check: bool,
}

/// Writes or compares the files.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    if arguments.check {
        check()?;
        return Ok(ExitCode::SUCCESS);
    }
    for (file, text) in generated()? {
        if fs::read_to_string(file).is_ok_and(|old| old == text) {
            continue;
        }
        let folder = Path::new(file).parent().context("a generated file has a folder")?;
        fs::create_dir_all(folder)?;
        fs::write(file, text)?;
        println!("   {file} written");
    }
    Ok(ExitCode::SUCCESS)
}

/// Fails if a committed file is not what the types say.
pub(crate) fn check() -> Result<()> {
    for (file, text) in generated()? {
        let committed = fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
        if committed != text {
            bail!("{file} is not what the types say; run `cargo xtask schema` and read the difference");
        }
    }
    Ok(())
}

/// Each file as it should be.
fn generated() -> Result<Vec<(&'static str, String)>> {
    Ok(vec![
        ("crates/schema/json/report.v1.schema.json", pretty(&schemars::schema_for!(Report))?),
        ("crates/schema/json/job.v1.schema.json", pretty(&schemars::schema_for!(Job))?),
        ("crates/schema/json/outcome.v1.schema.json", pretty(&schemars::schema_for!(Outcome))?),
        ("crates/schema/json/parcel.v1.schema.json", pretty(&schemars::schema_for!(Parcel))?),
        readme::reasons_page()?,
    ])
}

fn pretty(schema: &schemars::Schema) -> Result<String> {
    Ok(serde_json::to_string_pretty(schema)? + "\n")
}
