// SPDX-License-Identifier: Apache-2.0
//! A child's life: one request, its answer, the end.

use std::any::Any;
use std::fs::File;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use snapscan_schema::{Finding, Report};

use super::Seat;
use super::blocks::ServedVolume;
use super::course::{Course, Trap};
use super::inspect::read;
use super::look;
use super::open::{Bytes, Source, Volume};
use super::voice::{Spoken, Voice};
use crate::Error;
use crate::wire::frame;
use crate::wire::line::flatten;
use crate::wire::mirror;
use crate::wire::record::{Record, cut};
use crate::wire::request::{Asked, AskedVolume, Origin, Request, Work};

/// Time between two signs of life.
const BEAT: Duration = Duration::from_millis(100);
/// Exit code of a child whose work panicked: what Rust's runtime ends with.
const PANICKED: u8 = 101;

/// Does what the parent asks, and ends.
pub fn run(seat: Seat) -> ExitCode {
    run_trapped(seat, |_, _| None)
}

/// The same with a trap for each step, chosen by the request: how tests make a child die at a place, or say what it
/// should not.
#[doc(hidden)]
pub fn run_trapped(seat: Seat, trap: impl FnOnce(&Request, &UnixStream) -> Option<Trap>) -> ExitCode {
    let Ok(request) = frame::receive::<Request>(&mut &seat.records) else { return ExitCode::FAILURE };
    let trap = trap(&request, &seat.records);
    let Ok(stream) = seat.records.try_clone() else { return ExitCode::FAILURE };
    let voice = Voice::new(stream);
    let Request { target, work, careful, left_out } = request;
    let course = Course::new(voice.clone(), careful, left_out, trap).of_served(is_served(&target));
    let ended = match source_of(target, &seat) {
        Ok(source) => do_work(source, work, course, &voice, &seat.pool),
        Err(error) => Ok(Err(error)),
    };
    let last = match ended {
        Ok(Ok(())) => Record::Done,
        Ok(Err(error)) => Record::Failed(error.into()),
        Err(_panic) => return ExitCode::from(PANICKED),
    };
    match voice.say_now(&last) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_parent_is_gone) => ExitCode::FAILURE,
    }
}

/// True if blocks of the target come from the parent.
fn is_served(target: &Asked) -> bool {
    let Asked::Disks(volumes) = target else { return false };
    volumes.iter().any(|volume| matches!(volume.origin, Origin::Served { .. }))
}

/// What is to be read, with the descriptors that the parent sends.
fn source_of(target: Asked, seat: &Seat) -> Result<Source, Error> {
    let lost = |why: String| Error::Worker { doing: "taking what it shall read", why };
    match target {
        Asked::Directory(name) => {
            let folder =
                seat.directory.as_ref().ok_or_else(|| lost("no folder was handed over".to_owned()))?;
            let folder =
                folder.try_clone().map_err(|error| lost(format!("cannot hold the folder: {error}")))?;
            Ok(Source::Directory { name, folder })
        }
        Asked::Disks(asked) => {
            let files = seat.receive_files(asked.len());
            let files = files.map_err(|error| lost(format!("the volumes did not come: {error}")))?;
            let mut served = Vec::new();
            let mut volumes = Vec::new();
            for (AskedVolume { name, origin }, file) in asked.into_iter().zip(files) {
                let file = File::from(file);
                match origin {
                    Origin::File => volumes.push(Volume { name, bytes: Bytes::File(file) }),
                    Origin::Served { len, sector } => {
                        served.push((name, ServedVolume { len, sector, cache: file }))
                    }
                }
            }
            let (names, served): (Vec<_>, Vec<_>) = served.into_iter().unzip();
            let sources = seat.blocks.volumes(served).into_iter().map(Bytes::Source);
            volumes.extend(names.into_iter().zip(sources).map(|(name, bytes)| Volume { name, bytes }));
            Ok(Source::Disks(volumes))
        }
    }
}

/// Does the work. A report is made by the pool, while this thread says how far it is; a look, which can go deep into
/// folders, by this thread, whose stack is the largest.
fn do_work(
    source: Source,
    work: Work,
    course: Course,
    voice: &Voice,
    pool: &rayon::ThreadPool,
) -> Result<Result<(), Error>, Box<dyn Any + Send>> {
    let mut out = Spoken(voice);
    match work {
        Work::Inspect(_) | Work::Survey => {
            let profile = match work {
                Work::Inspect(depth) => Some(depth.into()),
                _ => None,
            };
            let (over, ended) = mpsc::channel();
            let (course, theirs) = (Arc::new(course), voice.clone());
            let at = Arc::clone(&course);
            pool.spawn(move || {
                let fenced = catch_unwind(AssertUnwindSafe(|| {
                    read(source, profile, &at).and_then(|(report, mountable)| {
                        let mut say = |record: &Record| theirs.say(record).map_err(Error::from);
                        say_report(report, &mut say)?;
                        mountable.into_iter().try_for_each(|one| say(&Record::Mountable(one)))
                    })
                }));
                // Nobody waits only where this process ends.
                let _gone = over.send(fenced);
            });
            loop {
                match ended.recv_timeout(BEAT) {
                    Ok(fenced) => return fenced,
                    Err(RecvTimeoutError::Timeout) => course.beat(),
                    Err(RecvTimeoutError::Disconnected) => return Err(Box::new("the pool ended")),
                }
            }
        }
        Work::List { volume, path, listing } => fence(|| {
            let problems = look::list(source, volume.as_deref(), &path, listing, &course, &mut out)?;
            for problem in problems {
                voice.say(&Record::Problem(cut(problem)))?;
            }
            Ok(())
        }),
        Work::Cat { volume, path } => {
            fence(|| look::cat(source, volume.as_deref(), &path, &course, &mut out))
        }
    }
}

fn fence(work: impl FnOnce() -> Result<(), Error>) -> Result<Result<(), Error>, Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(work))
}

/// Says a report: what lies where first, since findings are judged by it.
pub(super) fn say_report(
    report: Report,
    say: &mut dyn FnMut(&Record) -> Result<(), Error>,
) -> Result<(), Error> {
    let Report { schema_version: _, header, findings, coverage } = report;
    flatten(coverage, 0, &mut |record| say(&record))?;
    let mut system = header.system;
    let fields = system.as_mut().map(|system| std::mem::take(&mut system.fields)).unwrap_or_default();
    say(&Record::About(mirror::About {
        system: system.map(Into::into),
        architecture: header.architecture,
        hostname: header.hostname,
        machine_id: header.machine_id,
    }))?;
    for (key, value) in fields {
        say(&Record::Field(key, value))?;
    }
    for kernel in header.kernels {
        say(&Record::Kernel(kernel.into()))?;
    }
    findings.into_iter().try_for_each(|finding: Finding| say(&Record::Finding(finding.into())))?;
    say(&Record::Counts { read: header.run.read, threads: header.run.threads })
}
