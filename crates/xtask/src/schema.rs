// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask schema`: the JSON Schema of the report, generated from the types and committed.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

const FILE: &str = "crates/schema/json/report.v1.schema.json";

/// Options of `schema`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only compare; fail if the committed file differs
    #[arg(long)]
    check: bool,
}

/// Writes or compares the schema.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    if arguments.check {
        check()?;
    } else {
        let folder = Path::new(FILE).parent().context("the schema has a folder")?;
        fs::create_dir_all(folder)?;
        fs::write(FILE, generated()?)?;
        println!("wrote {FILE}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Fails if the committed schema is not what the types say.
pub(crate) fn check() -> Result<()> {
    let committed = fs::read_to_string(FILE).with_context(|| format!("cannot read {FILE}"))?;
    if committed != generated()? {
        bail!("{FILE} is not what the types say; run `cargo xtask schema` and read the difference");
    }
    Ok(())
}

fn generated() -> Result<String> {
    let schema = schemars::schema_for!(snapscan_schema::Report);
    Ok(serde_json::to_string_pretty(&schema)? + "\n")
}
