// SPDX-License-Identifier: Apache-2.0
//! A report as CycloneDX 1.6, JSON: the hand-over to any matcher.
//!
//! Source: CycloneDX specification 1.6, bom-1.6.schema.json. Matchers recognize a system by a component of type
//! `operating-system`, a package by its purl, and the source package by properties that trivy named first.

use serde_json::{Map, Value, json};
use snapscan_schema::{Package, Report, System};

use super::document::{Document, system_name, text, whole_version};
use crate::error::Failure;

/// The document.
///
/// # Errors
/// None that a report can cause.
pub(crate) fn document(report: &Report) -> Result<Value, Failure> {
    let document = Document::new(report)?;
    let system = report.header.system.as_ref();
    let mut components: Vec<Value> = system.map(operating_system).into_iter().collect();
    components.extend(document.packages.iter().map(|(id, package)| component(id, package, system)));
    let depends: Vec<Value> = components.iter().map(|one| one["bom-ref"].clone()).collect();
    Ok(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": format!("urn:uuid:{}", document.uuid()),
        "version": 1,
        "metadata": {
            "timestamp": document.time.rfc3339(),
            "tools": { "components": [{
                "type": "application",
                "name": report.header.tool.name,
                "version": report.header.tool.version,
            }] },
            "component": { "bom-ref": "machine", "type": "platform", "name": document.name() },
            "properties": properties(&[
                ("snapscan:profile", report.header.profile.clone()),
                ("snapscan:coverage", if report.coverage.is_incomplete() { "partial" } else { "complete" }.to_owned()),
            ]),
        },
        "components": components,
        "dependencies": [{ "ref": "machine", "dependsOn": depends }],
    }))
}

fn operating_system(system: &System) -> Value {
    let (name, version) = system_name(system);
    let mut component = Map::new();
    component.insert("bom-ref".into(), "operating-system".into());
    component.insert("type".into(), "operating-system".into());
    component.insert("name".into(), name.clone().into());
    if !version.is_empty() {
        component.insert("version".into(), version.into());
    }
    if let Some(pretty) = &system.pretty_name {
        component.insert("description".into(), text(pretty).into());
    }
    let properties =
        properties(&[("aquasecurity:trivy:Class", "os-pkgs".to_owned()), ("aquasecurity:trivy:Type", name)]);
    component.insert("properties".into(), properties);
    component.into()
}

fn component(id: &str, package: &Package, system: Option<&System>) -> Value {
    let mut component = Map::new();
    component.insert("bom-ref".into(), id.into());
    component.insert("type".into(), "library".into());
    if let Some(vendor) = &package.vendor {
        component.insert("supplier".into(), json!({ "name": text(vendor) }));
    }
    component.insert("name".into(), text(&package.name).into());
    component.insert("version".into(), whole_version(package).into());
    if let Some(licence) = &package.licence {
        component.insert("licenses".into(), json!([{ "license": { "name": text(licence) } }]));
    }
    if let Some(purl) = &package.purl {
        component.insert("purl".into(), purl.clone().into());
    }
    let evidence = &package.evidence;
    component.insert("evidence".into(), json!({ "occurrences": [{ "location": text(&evidence.path) }] }));
    component.insert("properties".into(), source_properties(package, system));
    component.into()
}

/// The source package in the words that matchers read.
fn source_properties(package: &Package, system: Option<&System>) -> Value {
    let mut all = Vec::new();
    if let Some(system) = system {
        all.push(("aquasecurity:trivy:PkgType", text(&system.id)));
    }
    if let Some(source) = source_of(package) {
        all.push(("aquasecurity:trivy:SrcName", source.name));
        all.push(("aquasecurity:trivy:SrcVersion", source.version));
        if let Some(release) = source.release {
            all.push(("aquasecurity:trivy:SrcRelease", release));
        }
        if let Some(epoch) = source.epoch {
            all.push(("aquasecurity:trivy:SrcEpoch", epoch));
        }
    }
    if let Some(status) = &package.status {
        all.push(("snapscan:status", text(status)));
    }
    properties(&all)
}

struct Source {
    name: String,
    version: String,
    release: Option<String>,
    epoch: Option<String>,
}

/// The source package, its version taken apart as the ecosystem does.
fn source_of(package: &Package) -> Option<Source> {
    let name = package.source.as_ref().map(text);
    if package.ecosystem.as_bytes() == b"rpm" {
        // The source rpm's file name is name-version-release.src.rpm.
        let file = name?;
        let stem = file.strip_suffix(".src.rpm").or_else(|| file.strip_suffix(".nosrc.rpm"))?;
        let (stem, release) = stem.rsplit_once('-')?;
        let (name, version) = stem.rsplit_once('-')?;
        let epoch = package.epoch.filter(|&epoch| epoch != 0).map(|epoch| epoch.to_string());
        return Some(Source {
            name: name.into(),
            version: version.into(),
            release: Some(release.into()),
            epoch,
        });
    }
    let whole = text(package.source_version.as_ref().unwrap_or(&package.version));
    let (mut epoch, mut version, mut release) = (None, whole, None);
    if package.ecosystem.as_bytes() == b"deb" {
        if let Some((number, rest)) = version.clone().split_once(':') {
            (epoch, version) = (Some(number.to_owned()), rest.to_owned());
        }
        if let Some((upstream, revision)) = version.clone().rsplit_once('-') {
            (version, release) = (upstream.to_owned(), Some(revision.to_owned()));
        }
    }
    Some(Source { name: name.unwrap_or_else(|| text(&package.name)), version, release, epoch })
}

fn properties(pairs: &[(&str, String)]) -> Value {
    pairs.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}
