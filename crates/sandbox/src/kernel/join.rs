// SPDX-License-Identifier: Apache-2.0
//! What was read of mounted filesystems, put into what lies where on the disks.

use snapscan_schema::{Coverage, Evidence, Finding, Level, Reason, Report, Status, Weight};

use crate::wire::record::Mountable;

/// Why a filesystem that our readers can open was not read.
const ROOT_ONLY: &str =
    "the root was mounted alone: our readers cannot open it, so nobody knows what else it mounts";
/// The same for one that nobody mounts.
const APART: &str =
    "fstab does not name it, and the kernel was asked for what fstab names: the reader `own` walks it";

/// What became of one filesystem.
pub(super) struct Filesystem<'a> {
    /// Which.
    pub(super) is: &'a Mountable,
    /// Where it belongs.
    pub(super) point: &'a [u8],
    /// Whether its journal was left alone; why it is not mounted.
    pub(super) read: Result<bool, String>,
}

/// All that was mounted, or was to be; the root first.
pub(super) struct Seen<'a> {
    pub(super) filesystems: &'a [Filesystem<'a>],
    /// True if what fstab mounts is known.
    pub(super) knows_fstab: bool,
    /// True if every filesystem is to be walked.
    pub(super) is_full: bool,
}

impl Seen<'_> {
    /// Puts what was read of the whole tree into what lies where.
    pub(super) fn join(&self, top: &mut Coverage, read: Coverage) {
        // Whether there is a system is known to whoever read it; mounts, to whoever read the root's own fstab.
        top.children.retain(|line| line.level != Level::Extractor);
        top.children.retain(|line| self.knows_fstab || line.level != Level::Mount);
        let mut lines = Vec::new();
        for line in read.children {
            match line.level {
                Level::Volume => {
                    let of_fs = line.children.into_iter().filter(|line| line.level == Level::Filesystem);
                    lines.extend(of_fs.flat_map(|line| line.children));
                }
                _ => top.children.push(line),
            }
        }
        for line in &mut top.children {
            self.line(line, &[], &mut lines);
        }
    }

    /// Says of a line, and of those beneath it, what the kernel read of it. The root's takes what extractors said.
    fn line(&self, line: &mut Coverage, above: &[u8], lines: &mut Vec<Coverage>) {
        let mut place = above.to_vec();
        place.extend_from_slice(&line.name.0);
        if line.level == Level::Filesystem {
            match self.filesystems.iter().find(|one| one.is.place == place) {
                Some(Filesystem { is, read: Err(why), .. }) => not_mounted(line, is, why),
                Some(Filesystem { read: Ok(dirty), point, .. }) => {
                    mounted(line, point, *dirty);
                    if *point == b"/" {
                        line.children.append(lines);
                    }
                }
                None => self.leave_out(line),
            }
        }
        place.push(b'/');
        line.children.iter_mut().for_each(|child| self.line(child, &place, lines));
    }

    /// Says of a filesystem that our readers could have read, and that was not mounted, that it was not read.
    fn leave_out(&self, line: &mut Coverage) {
        let is_apart = line.notes.iter().any(|note| note.code == Reason::NotMounted);
        // What holds logical volumes is accounted for by those.
        if line.code.is_some()
            || line.name.0 == b"LVM2_member"
            || self.knows_fstab && is_apart && !self.is_full
        {
            return;
        }
        let why = if self.knows_fstab { APART } else { ROOT_ONLY };
        let left_out = Coverage::because(Level::Filesystem, line.name.clone(), Reason::ByChoice, why);
        // Packages may lie there: what was not read counts.
        *line = Coverage { weight: Weight::Matters, ..left_out };
    }

    /// Gives evidence the volume on which the filesystem lies that is mounted over its path.
    pub(super) fn name_volumes(&self, report: &mut Report) {
        let header = &mut report.header;
        if let Some(evidence) = header.system.as_mut().and_then(|system| system.evidence.as_mut()) {
            self.name_volume(evidence);
        }
        header.kernels.iter_mut().for_each(|kernel| self.name_volume(&mut kernel.evidence));
        for finding in &mut report.findings {
            self.name_volume(match finding {
                Finding::Package(package) | Finding::Key(package) => &mut package.evidence,
                Finding::Fact(fact) => &mut fact.evidence,
            });
        }
    }

    fn name_volume(&self, evidence: &mut Evidence) {
        let is_over = |point: &[u8]| {
            let rest = evidence.path.0.strip_prefix(point);
            point == b"/" || rest.is_some_and(|rest| rest.is_empty() || rest.first() == Some(&b'/'))
        };
        let over = self.filesystems.iter().filter(|one| one.read.is_ok() && is_over(one.point));
        if let Some(on) = over.max_by_key(|one| one.point.len()) {
            evidence.volume.0.clone_from(&on.is.volume);
        }
    }
}

/// A line of what the kernel read, mounted at one place even where fstab names more: what our readers noticed on the way
/// to the survey does not count.
fn mounted(line: &mut Coverage, point: &[u8], dirty: bool) {
    // That bytes are missing, or what it is, holds whoever reads.
    let known = line.code.is_none() || line.code == Some(Reason::ImageTruncated);
    let mut detail = if known { std::mem::take(&mut line.detail.0) } else { Vec::new() };
    detail.extend_from_slice(if detail.is_empty() { b"" } else { b", " });
    let point = point.escape_ascii();
    detail.extend_from_slice(format!("mounted by the kernel at {point}, read-only").as_bytes());
    line.notes.clear();
    line.weight = Weight::Matters;
    if dirty {
        detail.extend_from_slice(b" and without its journal, which holds changes");
        (line.code, line.status) = (Some(Reason::JournalNotReplayed), Status::Partial);
    } else if line.code != Some(Reason::ImageTruncated) {
        (line.code, line.status) = (None, Status::Complete);
    }
    line.detail = detail.into();
}

/// A line of what the kernel did not read. What our readers say against it stands.
fn not_mounted(line: &mut Coverage, is: &Mountable, why: &str) {
    if line.code.is_some() {
        line.detail.0.extend_from_slice(format!("; the kernel could not read it: {why}").as_bytes());
        return;
    }
    // What lies in several pieces is a logical volume: nothing else that our readers open does.
    let code = if is.at.is_none() { Reason::UnsupportedLvm } else { Reason::SourceUnreadable };
    *line = Coverage::because(Level::Filesystem, line.name.clone(), code, why);
}

#[cfg(test)]
mod tests;
