// SPDX-License-Identifier: Apache-2.0
//! What all forms of SBOM share: packages with stable ids, the system, and when it was written.

use sha2::{Digest, Sha256};
use snapscan_schema::{Finding, Package, Report, System, Text, Time};

use crate::error::Failure;

/// A report as an SBOM sees it.
pub(crate) struct Document<'a> {
    /// The report.
    pub(crate) report: &'a Report,
    /// The SHA-256 of the findings and the system: the same content has the same id, whenever it was read.
    pub(crate) digest: [u8; 32],
    /// The packages with an id of each.
    pub(crate) packages: Vec<(String, &'a Package)>,
    /// When the document is from.
    pub(crate) time: Time,
}

impl<'a> Document<'a> {
    /// Prepares a report.
    ///
    /// # Errors
    /// None that a report can cause.
    pub(crate) fn new(report: &'a Report) -> Result<Self, Failure> {
        let whole = digest(&(&report.findings, &report.header.system, &report.header.target))?;
        let mut packages = Vec::new();
        for package in report.findings.iter().filter_map(Finding::package) {
            packages.push((hex(&digest(package)?[..16]), package));
        }
        let time = report.header.run.started.unwrap_or(Time(0));
        Ok(Document { report, digest: whole, packages, time })
    }

    /// A UUID made from the content (RFC 9562, version 8).
    pub(crate) fn uuid(&self) -> String {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.digest[..16]);
        bytes[6] = (bytes[6] & 0x0f) | 0x80;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let text = hex(&bytes);
        format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
    }

    /// The machine's name: its hostname, else what was scanned.
    pub(crate) fn name(&self) -> String {
        let header = &self.report.header;
        let volume = header.target.volumes.first().map(text);
        header.hostname.as_ref().map(text).or(volume).unwrap_or_else(|| "machine".to_owned())
    }
}

/// Name and version of an operating system as SBOMs give them.
pub(crate) fn system_name(system: &System) -> (String, String) {
    (text(&system.id), system.version_id.as_ref().map(text).unwrap_or_default())
}

/// A package's whole version: epoch, version, release.
pub(crate) fn whole_version(package: &Package) -> String {
    let epoch =
        package.epoch.filter(|&epoch| epoch != 0).map(|epoch| format!("{epoch}:")).unwrap_or_default();
    let release = package.release.as_ref().map(|release| format!("-{}", text(release))).unwrap_or_default();
    format!("{epoch}{}{release}", text(&package.version))
}

/// Text of the disk as JSON carries it.
pub(crate) fn text(text: &Text) -> String {
    text.to_json().into_owned()
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The SHA-256 of a value's JSON.
fn digest<T: serde::Serialize>(value: &T) -> Result<[u8; 32], Failure> {
    let bytes = serde_json::to_vec(value)
        .map_err(|error| Failure::new(format!("cannot write the report: {error}"), "please report this"))?;
    Ok(Sha256::digest(bytes).into())
}
