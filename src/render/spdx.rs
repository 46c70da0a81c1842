// SPDX-License-Identifier: Apache-2.0
//! A report as SPDX 2.3, JSON.
//!
//! Source: SPDX specification 2.3, clauses 6 (document), 7 (package), 11 (relationships).

use serde_json::{Map, Value, json};
use snapscan_schema::{Package, Report, System};

use super::document::{Document, hex, system_name, text, whole_version};
use crate::error::Failure;

/// The document.
///
/// # Errors
/// None that a report can cause.
pub(crate) fn document(report: &Report) -> Result<Value, Failure> {
    let document = Document::new(report)?;
    let system = report.header.system.as_ref();
    let mut packages: Vec<Value> = vec![machine(&document)];
    packages.extend(system.map(operating_system));
    packages.extend(document.packages.iter().map(|(id, package)| one(id, package)));
    let contained = packages.iter().skip(1).map(|package| {
        json!({
            "spdxElementId": "SPDXRef-Machine",
            "relationshipType": "CONTAINS",
            "relatedSpdxElement": package["SPDXID"],
        })
    });
    let describes = json!({
        "spdxElementId": "SPDXRef-DOCUMENT",
        "relationshipType": "DESCRIBES",
        "relatedSpdxElement": "SPDXRef-Machine",
    });
    let relationships: Vec<Value> = std::iter::once(describes).chain(contained).collect();
    Ok(json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": document.name(),
        "documentNamespace": format!("https://spdx.org/spdxdocs/snapscan-{}", hex(&document.digest)),
        "creationInfo": {
            "created": document.time.rfc3339(),
            "creators": [format!("Tool: {}-{}", report.header.tool.name, report.header.tool.version)],
        },
        "packages": packages,
        "relationships": relationships,
    }))
}

fn machine(document: &Document<'_>) -> Value {
    json!({
        "SPDXID": "SPDXRef-Machine",
        "name": document.name(),
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        "primaryPackagePurpose": "DEVICE",
    })
}

fn operating_system(system: &System) -> Value {
    let (name, version) = system_name(system);
    let mut package = Map::new();
    package.insert("SPDXID".into(), "SPDXRef-OperatingSystem".into());
    package.insert("name".into(), name.into());
    if !version.is_empty() {
        package.insert("versionInfo".into(), version.into());
    }
    package.insert("downloadLocation".into(), "NOASSERTION".into());
    package.insert("filesAnalyzed".into(), false.into());
    package.insert("primaryPackagePurpose".into(), "OPERATING-SYSTEM".into());
    package.into()
}

fn one(id: &str, package: &Package) -> Value {
    let mut map = Map::new();
    map.insert("SPDXID".into(), format!("SPDXRef-Package-{id}").into());
    map.insert("name".into(), text(&package.name).into());
    map.insert("versionInfo".into(), whole_version(package).into());
    if let Some(vendor) = &package.vendor {
        map.insert("supplier".into(), format!("Organization: {}", text(vendor)).into());
    }
    map.insert("downloadLocation".into(), "NOASSERTION".into());
    map.insert("filesAnalyzed".into(), false.into());
    if let Some(source) = &package.source {
        let version = package.source_version.as_ref().map(|version| format!(" {}", text(version)));
        let built = format!("built package from: {}{}", text(source), version.unwrap_or_default());
        map.insert("sourceInfo".into(), built.into());
    }
    // A licence as its ecosystem writes it need not be an SPDX expression, so it is a comment and no assertion.
    map.insert("licenseDeclared".into(), "NOASSERTION".into());
    if let Some(licence) = &package.licence {
        map.insert("licenseComments".into(), text(licence).into());
    }
    if let Some(purl) = &package.purl {
        map.insert(
            "externalRefs".into(),
            json!([{
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": purl,
            }]),
        );
    }
    map.insert("primaryPackagePurpose".into(), "LIBRARY".into());
    map.into()
}
