// SPDX-License-Identifier: Apache-2.0
//! A report in the forms that people and other programs read.

mod cyclonedx;
mod document;
pub(crate) mod progress;
mod spdx;
pub(crate) mod table;

pub(crate) use document::{hex, whole_version};

use snapscan_schema::{Coverage, Level, Reason, Report, Status};

use crate::cli::Format;
use crate::error::Failure;

/// The bytes of a report in a format.
pub(crate) fn render(report: &Report, format: Format) -> Result<Vec<u8>, Failure> {
    let rendered = match format {
        Format::Table => Ok(table::render(report).into_bytes()),
        Format::Json => report.to_json(),
        Format::Cyclonedx => pretty(&cyclonedx::document(report)?),
        Format::Spdx => pretty(&spdx::document(report)?),
    };
    rendered.map_err(|error| Failure::new(format!("cannot write the report: {error}"), "please report this"))
}

/// Indented by two, keys sorted, a newline at the end.
fn pretty(document: &serde_json::Value) -> serde_json::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(document)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// True if a filesystem's line says that it was opened, read whole or not. A physical volume is complete if its group
/// accounts for it, and what is ambiguous is neither of both: neither was opened.
pub(crate) fn was_opened(line: &Coverage) -> bool {
    line.level == Level::Filesystem
        && matches!(line.status, Status::Complete | Status::Partial)
        && line.code != Some(Reason::Ambiguous)
        && line.name.as_bytes() != b"LVM2_member"
}
