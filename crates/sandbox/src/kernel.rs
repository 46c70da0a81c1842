// SPDX-License-Identifier: Apache-2.0
//! From disks to a report by the host kernel's readers in place of ours.
//!
//! A first child says what lies where. The mount helper, which parses nothing, shows the root's filesystem, and a fresh
//! child reads that folder. Only the root's filesystem is mounted: it must lie in one piece of one volume, and every
//! other one has a line that says that it was not read.

use std::io::{Seek, SeekFrom};
use std::os::fd::AsFd;

use snapscan_schema::{Coverage, Level, Reason, Report, Run, Text, Weight};

use crate::parent::mount::{Kind, Mounted, Part as Range, mount};
use crate::parent::run::{Answer, Ask, report};
use crate::wire::record::{Mountable, Part, Piece};
use crate::wire::request::Work;
use crate::{Bytes, Error, Options, Target, Volume, Watch, inspect};

/// Why a filesystem beside the root's was not read.
const ROOT_ONLY: &str = "the kernel was asked for the root's filesystem only";

/// Reads disks through a mount of the root's filesystem and reports, as [`inspect()`] does. To be called on a thread
/// that does not end meanwhile, as root.
///
/// # Errors
/// Those of [`inspect()`]; `Kernel` if there is no root's filesystem that can be mounted.
pub fn inspect_mounted(target: Target, options: &Options, watch: &Watch) -> Result<Report, Error> {
    let ask = Ask::new(target, options, watch, None)?;
    let Answer { told, open } = report(&ask, &Work::Survey)?;
    let Target::Disks(volumes) = &ask.target else {
        return Err(Error::Kernel { why: "a folder is no disk".to_owned() });
    };
    let (kind, piece) = root_of(&told.mountable)?;
    let volume = usize::try_from(piece.volume).ok().and_then(|number| volumes.get(number));
    let volume = volume.ok_or_else(|| Error::Kernel { why: "its volume is not there".to_owned() })?;
    let mounted = mounted(volume, kind, &piece, options)?;
    let folder = mounted.folder.try_clone().map_err(|error| Error::Kernel { why: error.to_string() })?;
    let shown = Target::Directory { name: volume.name.clone(), folder };
    let mut report = inspect(shown, options, watch, None)?;
    let survey = told.coverage.unwrap_or_else(|| Coverage::complete(Level::Machine, "machine", ""));
    let read = std::mem::replace(&mut report.coverage, survey);
    join(&mut report.coverage, read, &volume.name, &piece, mounted.dirty);
    report.header.target.kind = "image".to_owned();
    report.header.target.volumes = ask.volumes().into_iter().map(Text).collect();
    let mut barriers: Vec<String> = open.iter().map(ToString::to_string).collect();
    barriers.append(&mut report.header.run.sandbox);
    barriers.dedup();
    report.header.run = Run { method: "file".to_owned(), sandbox: barriers, ..report.header.run };
    report.seal();
    Ok(report)
}

/// The root's filesystem: the one that our readers found, else the only one that they cannot open, else the only one.
fn root_of(all: &[Mountable]) -> Result<(Kind, Piece), Error> {
    let no = |why: &str| Error::Kernel { why: why.to_owned() };
    let of = |part| all.iter().find(|one| one.part == part);
    // The firmware's own files lie on FAT, and no system does.
    let may_be = |one: &&Mountable| one.part == Part::Unread && one.kind != Kind::Vfat;
    let mut unread = all.iter().filter(may_be);
    let root = match (of(Part::Root), unread.next(), unread.next()) {
        (Some(root), ..) | (None, Some(root), None) => Some(root),
        (None, None, _) => of(Part::Unmarked),
        (None, Some(_), Some(_)) => {
            return Err(no(
                "several filesystems cannot be opened by our readers, and each could be the root",
            ));
        }
    };
    let root =
        root.ok_or_else(|| no("there is no filesystem of a kind that the kernel may be asked to mount"))?;
    let piece = root.at.ok_or_else(|| no("the root's filesystem does not lie in one piece of one volume"))?;
    Ok((root.kind, piece))
}

fn mounted(volume: &Volume, kind: Kind, piece: &Piece, options: &Options) -> Result<Mounted, Error> {
    let failed = |why: String| Error::Kernel { why };
    let Bytes::File(file) = &volume.bytes else {
        return Err(failed("blocks that are fetched one by one cannot be mounted".to_owned()));
    };
    let mut end = file;
    let len = end.seek(SeekFrom::End(0)).map_err(|error| failed(error.to_string()))?;
    if piece.start.checked_add(piece.len).is_none_or(|end| end > len) {
        let why = format!("{} bytes from {} of a volume of {len} bytes", piece.len, piece.start);
        return Err(failed(format!("the filesystem ends beyond its volume: {why}")));
    }
    let range = Range { volume: file.as_fd(), offset: piece.start, len: piece.len, kind };
    mount(&options.program, &range).map_err(failed)
}

/// Puts what was read of the root's filesystem into what lies where.
fn join(top: &mut Coverage, read: Coverage, volume: &[u8], piece: &Piece, dirty: bool) {
    // Whether there is a system is known to whoever read it.
    top.children.retain(|line| line.level != Level::Extractor);
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
    top.children.iter_mut().for_each(leave_out);
    let volume = top.children.iter_mut().find(|line| line.level == Level::Volume && line.name.0 == volume);
    let holder = volume.and_then(|volume| match piece.partition {
        None => Some(volume),
        Some(number) => {
            let name = number.to_string().into_bytes();
            volume.children.iter_mut().find(|line| line.level == Level::Partition && line.name.0 == name)
        }
    });
    let root = holder.and_then(|it| it.children.iter_mut().find(|line| line.level == Level::Filesystem));
    let mut whole = if dirty {
        let why = "it was mounted without its journal, which holds changes";
        Coverage::because(Level::Filesystem, "", Reason::JournalNotReplayed, why)
    } else {
        Coverage::complete(Level::Filesystem, "", "mounted by the kernel, read-only")
    };
    whole.children = lines;
    match root {
        Some(root) => {
            whole.name = root.name.clone();
            *root = whole;
        }
        None => top.children.push(whole),
    }
}

/// Says of every filesystem that our readers could have read that it was not.
fn leave_out(line: &mut Coverage) {
    // What holds logical volumes is accounted for by those.
    if line.level == Level::Filesystem && line.code.is_none() && line.name.0 != b"LVM2_member" {
        let name = line.name.clone();
        let left_out = Coverage::because(Level::Filesystem, name, Reason::ByChoice, ROOT_ONLY);
        // Packages may lie there: what was not read counts.
        *line = Coverage { weight: Weight::Matters, ..left_out };
    }
    line.children.iter_mut().for_each(leave_out);
}
