// SPDX-License-Identifier: Apache-2.0
//! When the host's kernel reads in place of our readers.

use std::fs::File;
use std::sync::Arc;

use snapscan_sandbox::blocks::Fetch;
use snapscan_sandbox::{Bytes, Error, Options, Target, Volume, Watch};
use snapscan_schema::{Finding, Reason, Report, Weight};

/// Whether the kernel reads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kernel {
    Never,
    /// Where our readers cannot.
    Fallback,
    First,
}

/// Reads on this thread, which lives as long as a mount must.
///
/// # Errors
/// Those of [`snapscan_sandbox::inspect()`]; for `First` also those of [`snapscan_sandbox::inspect_mounted()`].
pub(super) fn read(
    target: Target,
    options: &Options,
    watch: &Watch,
    fetch: Option<Arc<dyn Fetch>>,
    kernel: Kernel,
) -> Result<Report, Error> {
    if kernel == Kernel::Never || !is_mountable(&target) {
        return snapscan_sandbox::inspect(target, options, watch, fetch);
    }
    if kernel == Kernel::First {
        return snapscan_sandbox::inspect_mounted(target, options, watch);
    }
    let again = again(&target)?;
    let own = snapscan_sandbox::inspect(target, options, watch, fetch)?;
    if unsupported(&own) == 0 {
        return Ok(own);
    }
    match snapscan_sandbox::inspect_mounted(again, options, watch) {
        Ok(mounted) if is_more(&mounted, &own) => Ok(mounted),
        Ok(_) => {
            tracing::info!("kernel_reads_no_more");
            Ok(own)
        }
        Err(Error::Cancelled) => Err(Error::Cancelled),
        Err(error) => {
            tracing::warn!(%error, "kernel_unusable");
            Ok(own)
        }
    }
}

/// Files and devices can be mounted; a folder is, and blocks cannot be.
fn is_mountable(target: &Target) -> bool {
    matches!(target, Target::Disks(volumes) if !volumes.iter().any(Volume::is_served))
}

/// The same disks once more.
fn again(target: &Target) -> Result<Target, Error> {
    let Target::Disks(volumes) = target else { return Ok(Target::Disks(Vec::new())) };
    let files = volumes.iter().filter_map(|volume| match &volume.bytes {
        Bytes::File(file) => Some((volume, file)),
        Bytes::Served { .. } => None,
    });
    let again = |(volume, file): (&Volume, &File)| {
        let file = file.try_clone().map_err(|error| Error::Volume {
            name: volume.name.escape_ascii().to_string(),
            why: error.to_string(),
        });
        Ok(Volume { name: volume.name.clone(), bytes: Bytes::File(file?) })
    };
    files.map(again).collect::<Result<_, _>>().map(Target::Disks)
}

/// How many lines matter and were not read because of a kind or a feature that the reader does not know.
fn unsupported(report: &Report) -> usize {
    let codes = [Reason::UnsupportedBtrfs, Reason::UnsupportedFeature, Reason::UnsupportedFilesystem];
    let lines = report.coverage.lines();
    let is = |code: Option<Reason>| code.is_some_and(|code| codes.contains(&code));
    lines.iter().filter(|line| line.weight == Weight::Matters && is(line.code)).count()
}

/// True if the kernel read what our readers do not know, and no fewer packages in all: it replays no journal, and mounts no
/// logical volume in pieces.
fn is_more(mounted: &Report, own: &Report) -> bool {
    let packages = |report: &Report| report.findings.iter().filter_map(Finding::package).count();
    mounted.header.system.is_some()
        && unsupported(mounted) < unsupported(own)
        && packages(mounted) >= packages(own)
}

#[cfg(test)]
mod tests {
    use snapscan_schema::{Coverage, Header, Level, Package, System};

    use super::*;

    /// A report of so many packages, beside a filesystem that was not read for this reason.
    fn report(packages: usize, unread: Option<Reason>) -> Report {
        let mut coverage = Coverage::complete(Level::Machine, "machine", "");
        let line = |code| Coverage::because(Level::Filesystem, "btrfs", code, "");
        coverage.children.extend(unread.map(line));
        Report {
            schema_version: 1,
            header: Header { system: Some(System::default()), ..Header::default() },
            findings: vec![Finding::Package(Package::default()); packages],
            coverage,
        }
    }

    #[test]
    fn the_kernels_report_is_taken_if_it_lacks_less_and_lists_no_fewer_packages() {
        let own = report(3, Some(Reason::UnsupportedBtrfs));
        assert_eq!((unsupported(&own), unsupported(&report(3, Some(Reason::ByChoice)))), (1, 0));
        assert!(is_more(&report(3, None), &own));
        // A database in a journal that was not replayed.
        assert!(!is_more(&report(2, None), &own));
        // It could not mount it either.
        assert!(!is_more(&report(9, Some(Reason::UnsupportedFilesystem)), &own));
        let nowhere = Report { header: Header::default(), ..report(9, None) };
        assert!(!is_more(&nowhere, &own));
    }
}
