// SPDX-License-Identifier: Apache-2.0
//! A report in the forms that people and other programs read.

pub(crate) mod progress;
pub(crate) mod table;

use snapscan_schema::{Coverage, Level, Report, Status};

use crate::cli::Format;
use crate::error::Failure;

/// The bytes of a report in a format.
pub(crate) fn render(report: &Report, format: Format) -> Result<Vec<u8>, Failure> {
    let rendered = match format {
        Format::Table => Ok(table::render(report).into_bytes()),
        Format::Json => report.to_json(),
        Format::Cyclonedx | Format::Spdx => Ok(Vec::new()),
    };
    rendered.map_err(|error| Failure::new(format!("cannot write the report: {error}"), "please report this"))
}

/// True if a filesystem's line says that it was opened, read whole or not.
pub(crate) fn was_opened(line: &Coverage) -> bool {
    line.level == Level::Filesystem && matches!(line.status, Status::Complete | Status::Partial)
}
