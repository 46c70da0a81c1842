// SPDX-License-Identifier: Apache-2.0
//! One physical volume: its label, and the newest of its copies of the metadata.

use std::ops::Range;

use super::area::{self, Location};
use super::label::{self, Label};
use super::{PhysicalVolume, text};
use crate::bytes::index;
use crate::error::{Error, Result, SourceError};
use crate::source::{BlockSource, read_vec};

/// Reads the label and newest metadata of a physical volume; `None` if `source` is none.
///
/// Cost: the first 2 KiB, 512 bytes of each metadata area (there are one or two), and the texts; each of these three
/// is announced at once.
///
/// # Errors
/// `Corrupt` if it is one and no copy of its metadata is valid; what the source answers.
pub fn read(source: &dyn BlockSource) -> Result<Option<PhysicalVolume>> {
    let start = read_vec(source, 0, index(label::LABEL_BYTES.min(source.len())))?;
    let label = label::find(&start).map_err(|why| Error::whole("LVM2 physical volume", why))?;
    let Some(label) = label else { return Ok(None) };
    let mut problems = Vec::new();
    let texts = texts(source, &label, &mut problems)?;
    let newest = texts.into_iter().reduce(|best, next| if next.0 > best.0 { next } else { best });
    if newest.is_none() && !problems.is_empty() {
        return Err(Error::whole("LVM2 metadata", problems.join("; ")));
    }
    let metadata = newest.map(|(_, text)| text).unwrap_or_default();
    Ok(Some(PhysicalVolume { id: label.id, used: label.used || !metadata.is_empty(), metadata, problems }))
}

/// All valid texts with their `seqno`.
fn texts(source: &dyn BlockSource, label: &Label, problems: &mut Vec<String>) -> Result<Vec<(u64, Vec<u8>)>> {
    let headers: Vec<_> =
        label.metadata.iter().map(|area| area.start..area.start.saturating_add(area::HEADER_BYTES)).collect();
    source.advise(&headers);
    let mut located: Vec<(&Range<u64>, Location)> = Vec::new();
    for (area, header) in label.metadata.iter().zip(&headers) {
        let place = match unless_past_end(read_runs(source, std::slice::from_ref(header)))? {
            Ok(header) => area::locate(&header, area),
            Err(why) => Err(why),
        };
        match place {
            Ok(Some(location)) => located.push((area, location)),
            Ok(None) => {}
            Err(why) => problems.push(format!("metadata area at {}: {why}", area.start)),
        }
    }
    let runs: Vec<_> = located.iter().flat_map(|(_, location)| location.runs.clone()).collect();
    source.advise(&runs);
    let mut texts = Vec::new();
    for (area, location) in located {
        let checked = unless_past_end(read_runs(source, &location.runs))?
            .and_then(|text| location.check(&text).map(|()| text))
            .and_then(|text| seqno(&text).map(|seqno| (seqno, text)));
        match checked {
            Ok(text) => texts.push(text),
            Err(why) => problems.push(format!("metadata area at {}: {why}", area.start)),
        }
    }
    Ok(texts)
}

fn seqno(text: &[u8]) -> Result<u64, String> {
    let tree = text::parse(text)?;
    let group = tree.sections().next();
    group
        .and_then(|(_, group)| group.number("seqno"))
        .ok_or_else(|| "the text has no group with a seqno".into())
}

/// The bytes of some runs after one another; their lengths have been checked.
fn read_runs(source: &dyn BlockSource, runs: &[Range<u64>]) -> Result<Vec<u8>, SourceError> {
    let mut bytes = Vec::new();
    for run in runs {
        bytes.extend(read_vec(source, run.start, index(run.end.saturating_sub(run.start)))?);
    }
    Ok(bytes)
}

/// Makes the end of a truncated image a problem of one copy.
fn unless_past_end(read: Result<Vec<u8>, SourceError>) -> Result<Result<Vec<u8>, String>> {
    match read {
        Ok(bytes) => Ok(Ok(bytes)),
        Err(error @ SourceError::PastEnd { .. }) => Ok(Err(error.to_string())),
        Err(error) => Err(error.into()),
    }
}
