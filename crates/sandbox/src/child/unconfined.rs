// SPDX-License-Identifier: Apache-2.0
//! The same reading in the caller's own process: for tests, which compare it with the sandbox's or have no time for it.

use std::io::Write;

use rayon::ThreadPoolBuilder;
use snapscan_inventory::Profile;
use snapscan_schema::Report;

use super::course::Course;
use super::open::{self, Source};
use super::{inspect, look, serve};
use crate::Error;
use crate::look::{Listing, Problems};
use crate::target::{Bytes, Target};
use crate::wire::frame;
use crate::wire::record::Record;

/// Reads and reports, as [`inspect`](fn@crate::inspect) does.
///
/// # Errors
/// Those of [`inspect`](fn@crate::inspect) that have to do with the target.
pub fn inspect(target: Target, profile: Profile, threads: usize) -> Result<Report, Error> {
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|e| Error::Threads { threads, why: e.to_string() })?;
    let source = source(target)?;
    pool.install(|| inspect::inspect(source, profile, &Course::default()))
}

/// Lists, as [`crate::look::list`] does.
///
/// # Errors
/// Those of [`crate::look::list`] that have to do with the target.
pub fn list(target: Target, path: &[u8], listing: Listing, out: &mut dyn Write) -> Result<Problems, Error> {
    look::list(source(target)?, None, path, listing, &Course::default(), out)
}

/// A report as the records that a child would say.
///
/// # Errors
/// What `out` answers.
pub fn say(report: Report, out: &mut dyn Write) -> Result<(), Error> {
    let mut out = out;
    serve::say_report(report, &mut |record| Ok(frame::send(&mut out, record)?))?;
    Ok(frame::send(&mut out, &Record::Done)?)
}

fn source(target: Target) -> Result<Source, Error> {
    match target {
        Target::Directory { name, folder } => Ok(Source::Directory { name, folder }),
        Target::Disks(volumes) => {
            let volumes = volumes.into_iter().map(|volume| match volume.bytes {
                Bytes::File(file) => Ok(open::Volume { name: volume.name, bytes: open::Bytes::File(file) }),
                Bytes::Served { .. } => {
                    Err(Error::Worker { doing: "opening", why: "nobody serves blocks here".to_owned() })
                }
            });
            Ok(Source::Disks(volumes.collect::<Result<_, _>>()?))
        }
    }
}
