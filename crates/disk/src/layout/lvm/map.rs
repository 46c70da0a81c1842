// SPDX-License-Identifier: Apache-2.0
//! Where the bytes of a logical volume lie.

use std::collections::HashMap;
use std::sync::Arc;

use super::label::SECTOR;
use super::text::{Section, Value};
use super::{Mapping, Run};
use crate::bytes::wide;
use crate::source::BlockSource;
use crate::source::pieces::{Piece, Pieces};

/// A physical volume as a group's metadata lists it.
pub(super) struct Disk {
    /// Its name in the metadata, with id.
    pub(super) shown: String,
    /// Its bytes, if it was given.
    pub(super) source: Option<Arc<dyn BlockSource>>,
    /// Its number in the order given, if it was given.
    pub(super) member: Option<usize>,
    /// Its first extent, in bytes.
    pub(super) start: u64,
    /// How many extents it has.
    pub(super) extents: u64,
}

/// What all volumes of a group share.
pub(super) struct Extents {
    /// Bytes of an extent.
    pub(super) size: u64,
    /// Physical volumes by name.
    pub(super) disks: HashMap<String, Disk>,
}

/// Why a volume is not mapped.
enum Not {
    Missing(Vec<String>),
    Unsupported(String),
    Bad(String),
}

/// Segments in the order of their extents.
pub(super) fn segments(volume: &Section) -> Vec<&Section> {
    let mut segments: Vec<_> = volume.sections().map(|(_, segment)| segment).collect();
    segments.sort_by_key(|segment| segment.number("start_extent"));
    segments
}

/// Length of a volume in bytes, as far as its segments say.
pub(super) fn len(segments: &[&Section], extents: &Extents) -> u64 {
    let count = segments.iter().filter_map(|segment| segment.number("extent_count"));
    count.fold(0_u64, u64::saturating_add).saturating_mul(extents.size)
}

/// Maps a volume.
///
/// Shape:  segments with `start_extent`, `extent_count`, `type`; `striped` (and `linear`) ones have `stripe_size` in
///         sectors and `stripes`, pairs of a physical volume's name and its first extent. With several stripes, each
///         holds its part of the extents.
/// Source: lvm2, lib/striped/striped.c; checked against volumes that LVM's own tools made.
pub(super) fn map(segments: &[&Section], extents: &Extents) -> Mapping {
    // A type that is not mapped says more than a disk that is missing beneath it.
    for segment in segments {
        let kind = segment.text("type").unwrap_or_default();
        if !matches!(kind, "striped" | "linear" | "") {
            return Mapping::Unsupported(kind.to_string());
        }
    }
    let mut pieces = Vec::new();
    let mut missing: Vec<String> = Vec::new();
    for segment in segments {
        match piece(segment, extents) {
            Ok(piece) => pieces.push(piece),
            Err(Not::Missing(names)) => missing.extend(names),
            Err(Not::Unsupported(kind)) => return Mapping::Unsupported(kind),
            Err(Not::Bad(why)) => return Mapping::Bad(why),
        }
    }
    if !missing.is_empty() {
        missing.sort();
        missing.dedup();
        return Mapping::Missing(missing);
    }
    if pieces.is_empty() {
        return Mapping::Bad("no segments".into());
    }
    match Pieces::new(pieces) {
        Some(whole) => Mapping::Mapped(Arc::new(whole)),
        None => Mapping::Bad("its segments leave gaps or overlap".into()),
    }
}

/// Where a volume that is mapped lies, if that is one piece of one physical volume: each segment has one stripe, which
/// goes on where the one before it ended.
pub(super) fn run(segments: &[&Section], extents: &Extents) -> Option<Run> {
    let mut whole: Option<Run> = None;
    for segment in segments {
        let [Value::Text(name), Value::Number(first)] = segment.array("stripes") else { return None };
        let disk = extents.disks.get(name)?;
        let first = u64::try_from(*first).ok()?.checked_mul(extents.size)?;
        let (member, start) = (disk.member?, disk.start.checked_add(first)?);
        let len = segment.number("extent_count")?.checked_mul(extents.size)?;
        whole = Some(match whole {
            None => Run { member, start, len },
            Some(before)
                if before.member == member && before.start.checked_add(before.len) == Some(start) =>
            {
                Run { len: before.len.checked_add(len)?, ..before }
            }
            Some(_) => return None,
        });
    }
    whole
}

fn piece(segment: &Section, extents: &Extents) -> Result<Piece, Not> {
    let bad = |what: &str| Not::Bad(format!("a segment has no valid {what}"));
    let start_extent = segment.number("start_extent").ok_or_else(|| bad("start_extent"))?;
    let count =
        segment.number("extent_count").filter(|count| *count > 0).ok_or_else(|| bad("extent_count"))?;
    if segment.text("type").is_none() {
        return Err(bad("type"));
    }
    let start = start_extent.checked_mul(extents.size).ok_or_else(|| bad("start_extent"))?;
    let len = count.checked_mul(extents.size).ok_or_else(|| bad("extent_count"))?;
    let pairs = segment.array("stripes").chunks_exact(2);
    let stripe_count = wide(pairs.len());
    if stripe_count == 0 || !segment.array("stripes").len().is_multiple_of(2) {
        return Err(bad("stripes"));
    }
    if segment.number("stripe_count").is_some_and(|said| said != stripe_count)
        || count.checked_rem(stripe_count) != Some(0)
    {
        return Err(bad("stripe_count"));
    }
    let each = count.checked_div(stripe_count).unwrap_or(0);
    let mut stripes = Vec::new();
    let mut missing = Vec::new();
    for pair in pairs {
        let [Value::Text(name), Value::Number(first)] = pair else { return Err(bad("stripes")) };
        let Some(disk) = extents.disks.get(name) else {
            // Another volume stands where a physical one should: a move is going on, or a type of volume in layers.
            return Err(Not::Unsupported(
                if name.starts_with("pvmove") { "pvmove" } else { "stacked" }.to_string(),
            ));
        };
        let first = u64::try_from(*first).map_err(|_| bad("stripes"))?;
        if first.checked_add(each).is_none_or(|end| end > disk.extents) {
            return Err(Not::Bad(format!(
                "a segment ends beyond the {} extents of {}",
                disk.extents, disk.shown
            )));
        }
        let offset = first.checked_mul(extents.size).and_then(|offset| offset.checked_add(disk.start));
        match &disk.source {
            Some(source) => stripes.push((Arc::clone(source), offset.ok_or_else(|| bad("stripes"))?)),
            None => missing.push(disk.shown.clone()),
        }
    }
    if !missing.is_empty() {
        return Err(Not::Missing(missing));
    }
    let stripe_len = segment.number("stripe_size").unwrap_or(0).saturating_mul(SECTOR);
    let row = stripe_len.saturating_mul(stripe_count);
    if stripe_count > 1 && len.checked_rem(row) != Some(0) {
        return Err(bad("stripe_size"));
    }
    Ok(Piece { start, len, stripes, stripe_len })
}
