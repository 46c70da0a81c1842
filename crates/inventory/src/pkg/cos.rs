// SPDX-License-Identifier: Apache-2.0
//! Container-Optimized OS packages.
//!
//! Source: `cos-package-info.json` as cos.googlesource.com's tools write it. `buildTimePackages` are not on the machine.

use serde_json::Value;
use snapscan_disk::machine::{Content, Tree};
use snapscan_schema::{Package, Reason, Text};

use crate::{Extractor, Hits, Profile, Sink};

/// Container-Optimized OS packages.
pub const COS: Extractor = Extractor {
    name: "cos",
    ecosystem: Some("cos"),
    title: "Container-Optimized OS packages",
    profile: Profile::Os,
    wants: &["etc/cos-package-info.json"],
    max_bytes: 4 << 20,
    run: extract,
    walk: None,
};

fn extract(_: &Tree, hits: &Hits, sink: &mut Sink<'_>) {
    for hit in hits.distinct() {
        sink.database(&hit.at.path);
        if let Some(content) = sink.read_resolved(&hit.at) {
            packages(&content, sink);
        }
    }
}

fn packages(content: &Content, sink: &mut Sink<'_>) {
    let at = &content.at;
    let document = match serde_json::from_slice::<Value>(&content.bytes) {
        Ok(document) => document,
        Err(error) => {
            return sink.problem(Reason::DatabaseUnreadable, at.path.as_bytes(), error.to_string());
        }
    };
    let Some(list) = document.get("installedPackages").and_then(Value::as_array) else {
        return sink.problem(Reason::DatabaseIncomplete, at.path.as_bytes(), "no list of installedPackages");
    };
    for (record, entry) in (1..).zip(list) {
        match package(entry) {
            Some(package) => {
                let evidence = sink.evidence_of_record(at, record);
                sink.package(Package { evidence, ..package });
            }
            None => {
                let why = format!("installed package {record} has no name or no version");
                sink.problem(Reason::RecordMalformed, at.path.as_bytes(), why);
            }
        }
    }
}

fn package(entry: &Value) -> Option<Package> {
    let text = |key: &str| entry.get(key)?.as_str().filter(|text| !text.is_empty());
    let name = text("name")?;
    let name = text("category").map_or_else(|| name.to_owned(), |category| format!("{category}/{name}"));
    Some(Package {
        ecosystem: "cos".into(),
        name: name.into(),
        version: text("version")?.into(),
        source_version: text("ebuild_version").map(Text::from),
        ..Package::default()
    })
}
