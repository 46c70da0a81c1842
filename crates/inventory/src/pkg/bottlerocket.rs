// SPDX-License-Identifier: Apache-2.0
//! Bottlerocket's application inventory.
//!
//! Source: Bottlerocket's "Application Inventory": one JSON object, `Content` a list of what the image was built of.

use serde_json::Value;
use snapscan_disk::machine::{Content, Tree};
use snapscan_schema::{Package, Reason, Text};

use crate::{Extractor, Hits, Profile, Sink};

/// Bottlerocket's application inventory.
pub const BOTTLEROCKET: Extractor = Extractor {
    name: "bottlerocket",
    ecosystem: Some("bottlerocket"),
    title: "Bottlerocket's application inventory",
    profile: Profile::Os,
    wants: &[
        "usr/share/bottlerocket/application-inventory.json",
        "x86_64-bottlerocket-linux-gnu/sys-root/usr/share/bottlerocket/application-inventory.json",
        "aarch64-bottlerocket-linux-gnu/sys-root/usr/share/bottlerocket/application-inventory.json",
    ],
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
    let parsed = serde_json::from_slice::<Value>(&content.bytes).map_err(|error| error.to_string());
    let list = parsed.and_then(|document| match document {
        Value::Object(mut object) => object.remove("Content").ok_or_else(|| "no Content".to_owned()),
        _ => Err("no object".to_owned()),
    });
    let list = match list {
        Ok(Value::Array(list)) => list,
        Ok(_) => return sink.problem(Reason::DatabaseUnreadable, at.path.as_bytes(), "Content is no list"),
        Err(why) => return sink.problem(Reason::DatabaseUnreadable, at.path.as_bytes(), why),
    };
    for (record, entry) in (1..).zip(&list) {
        match package(entry) {
            Some(package) => {
                let evidence = sink.evidence_of_record(at, record);
                sink.package(Package { evidence, ..package });
            }
            None => {
                let why = format!("entry {record} has no name or no version");
                sink.problem(Reason::RecordMalformed, at.path.as_bytes(), why);
            }
        }
    }
}

fn package(entry: &Value) -> Option<Package> {
    let text = |key: &str| entry.get(key)?.as_str().filter(|text| !text.is_empty()).map(Text::from);
    Some(Package {
        ecosystem: "bottlerocket".into(),
        name: text("Name")?,
        epoch: entry.get("Epoch").and_then(Value::as_str).and_then(|epoch| epoch.parse().ok()),
        version: text("Version")?,
        release: text("Release"),
        arch: text("Architecture"),
        vendor: text("Publisher"),
        ..Package::default()
    })
}
