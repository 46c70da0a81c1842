// SPDX-License-Identifier: Apache-2.0
//! The table of extractors in `docs/extractors.md` is the registry's.
#![allow(clippy::unwrap_used, reason = "a test that panics is a test that failed")]

use std::path::Path;

use snapscan_inventory::registry;

fn table() -> String {
    let mut table = String::from("| name | what it reads | ecosystem | profile |\n|---|---|---|---|\n");
    for one in registry::ALL {
        let ecosystem = one.ecosystem.map_or("–".to_owned(), |name| format!("`{name}`"));
        table.push_str(&format!("| {} | {} | {ecosystem} | {} |\n", one.name, one.title, one.profile.name()));
    }
    table
}

/// `UPDATE=1` writes the table instead of comparing it.
#[test]
fn the_page_of_extractors_has_the_registrys_table() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/extractors.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once("<!-- extractors -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- end -->").unwrap();
    let right = format!("{before}<!-- extractors -->\n{}<!-- end -->{after}", table());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&page, right).unwrap();
    } else {
        assert!(
            text == right,
            "docs/extractors.md is stale: run UPDATE=1 cargo test -p snapscan-inventory --test docs"
        );
    }
}

#[test]
fn every_extractor_has_a_name_of_its_own() {
    let mut names: Vec<&str> = registry::ALL.iter().map(|one| one.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), registry::ALL.len());
}
