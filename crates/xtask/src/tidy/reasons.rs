// SPDX-License-Identifier: Apache-2.0
//! Every reason code is made somewhere and tested somewhere (INV-8).

use std::fs;

use anyhow::Result;
use snapscan_schema::Reason;
use walkdir::WalkDir;

use super::Source;

pub(super) fn check(sources: &[Source], problems: &mut Vec<String>) -> Result<()> {
    let mut expectations = String::new();
    for folder in ["tests", "crates", "fixtures"] {
        for file in WalkDir::new(folder).into_iter().filter_map(Result::ok) {
            let path = file.path();
            let is_expected = path.extension().is_some_and(|ending| ending == "json" || ending == "toml");
            let is_generated =
                path.components().any(|part| part.as_os_str() == "target" || part.as_os_str() == "json");
            if is_expected && !is_generated {
                expectations.push_str(&fs::read_to_string(path)?);
            }
        }
    }
    for &reason in Reason::ALL {
        let name = format!("Reason::{reason:?}");
        let code = reason.code();
        let makes = |source: &&Source| {
            !source.is_test()
                && !source.is_in("crates/xtask")
                && source.code().any(|line| line.contains(&name))
        };
        if !sources.iter().any(|source| makes(&source)) {
            problems.push(format!("{code} is in the table, and nothing makes it"));
        }
        let tested = |source: &&Source| {
            let tests: String = match source.is_test() {
                true => source.text.clone(),
                false => {
                    source.text.split_once("\n#[cfg(test)]\n").map_or(String::new(), |(_, t)| t.to_owned())
                }
            };
            tests.contains(&name) || tests.contains(code)
        };
        if !sources.iter().any(|source| tested(&source)) && !expectations.contains(&format!("\"{code}\"")) {
            problems.push(format!("{code} has no test"));
        }
    }
    Ok(())
}
