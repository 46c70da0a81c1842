// SPDX-License-Identifier: Apache-2.0
//! From disks to a report by the host kernel's readers in place of ours.
//!
//! A first child says what lies where, which filesystem is the root, and what fstab mounts. The mount helper, which
//! parses nothing, mounts the root and the others below it, each a piece of a volume (`plan`), and a fresh child reads
//! that folder. What it found is put into what the first child said of the disks (`join`). A filesystem that cannot be
//! mounted costs itself, and its line says so; only the root's costs the report.

mod join;
mod plan;

use std::io::{Seek, SeekFrom};
use std::os::fd::AsFd;

use snapscan_schema::{Coverage, Level, Report, Run, Text};

use crate::parent::mount::{Mounted, Part as Range, mount};
use crate::parent::run::{Answer, Ask, report};
use crate::wire::record::{Mountable, Piece};
use crate::wire::request::Work;
use crate::{Bytes, Error, Options, Profile, Target, Volume, Watch, inspect};

use join::{Filesystem, Seen};
use plan::Plan;

/// Reads disks through mounts of the machine's filesystems and reports, as [`inspect()`] does. To be called on a thread
/// that does not end meanwhile, as root.
///
/// # Errors
/// Those of [`inspect()`]; `Kernel` if there is no root's filesystem that can be mounted.
pub fn inspect_mounted(target: Target, options: &Options, watch: &Watch) -> Result<Report, Error> {
    let ask = Ask::new(target, options, watch, None)?;
    let Answer { told, open } = report(&ask, &Work::Survey)?;
    let Target::Disks(volumes) = &ask.target else { return Err(failed("a folder is no disk")) };
    let plan = Plan::of(&told.mountable).map_err(failed)?;
    let (mut mounted, filesystems) = mounted(volumes, &plan, options)?;
    let folder = mounted.folder.try_clone().map_err(|error| failed(error.to_string()))?;
    let shown = Target::Directory { name: plan.root.volume.clone(), folder };
    let mut report = inspect(shown, options, watch, None)?;
    if !mounted.is_there().map_err(|error| failed(error.to_string()))? {
        return Err(failed("the mount helper ended, and with it the mounts, while they were read"));
    }
    let survey = told.coverage.unwrap_or_else(|| Coverage::complete(Level::Machine, "machine", ""));
    let read = std::mem::replace(&mut report.coverage, survey);
    let is_full = options.profile == Profile::Full;
    let seen = Seen { filesystems: &filesystems, knows_fstab: plan.knows_fstab, is_full };
    seen.join(&mut report.coverage, read);
    seen.name_volumes(&mut report);
    report.header.target.kind = "image".to_owned();
    report.header.target.volumes = ask.volumes().into_iter().map(Text).collect();
    let mut barriers: Vec<String> = open.iter().map(ToString::to_string).collect();
    barriers.append(&mut report.header.run.sandbox);
    barriers.dedup();
    report.header.run = Run { method: "file".to_owned(), sandbox: barriers, ..report.header.run };
    report.seal();
    Ok(report)
}

fn failed(why: impl Into<String>) -> Error {
    Error::Kernel { why: why.into() }
}

/// Mounts what was planned; answers what became of each, the root first.
fn mounted<'a>(
    volumes: &[Volume],
    plan: &Plan<'a>,
    options: &Options,
) -> Result<(Mounted, Vec<Filesystem<'a>>), Error> {
    let root = plan.root;
    let range = range(volumes, root).map_err(failed)?;
    let mut mounted = mount(&options.program, &range).map_err(failed)?;
    let mut filesystems = vec![Filesystem { is: root, point: b"/", read: Ok(mounted.dirty) }];
    for (other, point) in &plan.others {
        let read = self::range(volumes, other).and_then(|range| mounted.below(&range, point));
        filesystems.push(Filesystem { is: other, point, read });
    }
    Ok((mounted, filesystems.into_iter().chain(plan.left_out()).collect()))
}

/// The bytes of a filesystem, if they are one piece of one volume and all there.
fn range<'a>(volumes: &'a [Volume], of: &Mountable) -> Result<Range<'a>, String> {
    let Some(Piece { volume, start, len }) = of.at else {
        let place = of.place.escape_ascii();
        return Err(format!(
            "{place} does not lie in one piece of one volume, as a loop device can show it: ask for the reader `own`"
        ));
    };
    let volume = usize::try_from(volume).ok().and_then(|number| volumes.get(number));
    let volume = volume.ok_or("its volume is not there")?;
    let Bytes::File(file) = &volume.bytes else {
        return Err("blocks that are fetched one by one cannot be mounted".to_owned());
    };
    let mut end = file;
    let there = end.seek(SeekFrom::End(0)).map_err(|error| error.to_string())?;
    if start.checked_add(len).is_none_or(|end| end > there) {
        let why = format!("{len} bytes from {start} of a volume of {there} bytes");
        return Err(format!("the filesystem ends beyond its volume: {why}"));
    }
    Ok(Range { volume: file.as_fd(), offset: start, len, kind: of.kind })
}
