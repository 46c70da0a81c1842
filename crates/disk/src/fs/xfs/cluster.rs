// SPDX-License-Identifier: Apache-2.0
//! Many inodes at once: neighbours are read together.

use std::ops::Range;

use super::inode::{self, Core};
use super::volume::Volume;
use crate::bytes::index;
use crate::error::Result;
use crate::fs::{Metadata, Node};

/// Bytes of an inode cluster, which the kernel writes as one (`XFS_INODE_BIG_CLUSTER_SIZE`).
const CLUSTER: u64 = 8192;
/// Bytes of one read at most: a chunk of 64 of the largest inodes is 128 KiB.
const LONGEST: u64 = 128 << 10;

/// An inode of a list: its byte, its place in the list, its number.
#[derive(Clone, Copy)]
struct Wanted {
    place: u64,
    nth: usize,
    number: u64,
}

/// Metadata of all `nodes` in the order given, read in the order of the disk.
pub(super) fn metadata_many(volume: &Volume, nodes: &[Node]) -> Vec<Result<Metadata>> {
    let size = u64::from(volume.superblock.geometry.inode_size);
    let mut wanted = Vec::with_capacity(nodes.len());
    let mut answers: Vec<Option<Result<Metadata>>> = Vec::with_capacity(nodes.len());
    for (nth, node) in nodes.iter().enumerate() {
        match inode::offset(volume, node.0) {
            Ok(place) => {
                wanted.push(Wanted { place, nth, number: node.0 });
                answers.push(None);
            }
            Err(error) => answers.push(Some(Err(error))),
        }
    }
    wanted.sort_unstable_by_key(|inode| inode.place);
    let runs: Vec<&[Wanted]> = wanted.chunk_by(|one, next| together(one.place, next.place)).collect();
    volume.advise(&runs.iter().filter_map(|run| span(run, size)).collect::<Vec<_>>());
    for run in runs {
        // A run is a chain of neighbours and may be long.
        for part in parts(run) {
            read_part(volume, part, size, &mut answers);
        }
    }
    let one_by_one = |(answer, node): (Option<Result<Metadata>>, &Node)| {
        answer.unwrap_or_else(|| {
            let inode = inode::Inode::read(volume, node.0)?;
            Ok(inode.core.metadata(node.0, volume.is_stale(node.0)))
        })
    };
    answers.into_iter().zip(nodes).map(one_by_one).collect()
}

/// Announces the clusters of these inodes.
pub(super) fn advise(volume: &Volume, nodes: &[Node]) {
    let places = nodes.iter().filter_map(|node| volume.superblock.geometry.inode_offset(node.0));
    let mut clusters: Vec<u64> = places.map(|place| place / CLUSTER).collect();
    clusters.sort_unstable();
    clusters.dedup();
    let range =
        |cluster: u64| cluster.saturating_mul(CLUSTER)..cluster.saturating_add(1).saturating_mul(CLUSTER);
    let ranges: Vec<Range<u64>> = clusters.into_iter().map(range).collect();
    if !ranges.is_empty() {
        volume.source.advise(&ranges);
    }
}

/// True if inodes at these two bytes, in order, lie in the same cluster or in neighbours.
fn together(one: u64, next: u64) -> bool {
    (next / CLUSTER).saturating_sub(one / CLUSTER) <= 1
}

/// The bytes from the first inode of a run to the end of the last.
fn span(run: &[Wanted], size: u64) -> Option<Range<u64>> {
    Some(run.first()?.place..run.last()?.place.saturating_add(size))
}

/// Cuts a run into parts that are at most [`LONGEST`] bytes long.
fn parts(run: &[Wanted]) -> impl Iterator<Item = &[Wanted]> {
    let mut rest = run;
    std::iter::from_fn(move || {
        let first = rest.first()?.place;
        let count = rest.partition_point(|inode| inode.place < first.saturating_add(LONGEST));
        let (part, after) = rest.split_at_checked(count)?;
        rest = after;
        Some(part)
    })
}

/// Answers for the inodes of one part. If it cannot be read as one, its inodes stay unanswered.
fn read_part(volume: &Volume, part: &[Wanted], size: u64, answers: &mut [Option<Result<Metadata>>]) {
    let Some(range) = span(part, size) else { return };
    let read = volume.read(range.start, range.end.saturating_sub(range.start));
    for inode in part {
        let answer = match &read {
            Ok(bytes) => {
                let from = index(inode.place.saturating_sub(range.start));
                let bytes = bytes.get(from..).and_then(|rest| rest.get(..index(size))).unwrap_or_default();
                let core = Core::parse(volume, inode.number, inode.place, bytes);
                Some(core.map(|core| core.metadata(inode.number, volume.is_stale(inode.number))))
            }
            Err(error) if error.is_not_resident() => Some(Err(error.clone())),
            Err(_) => None,
        };
        if let Some(slot) = answers.get_mut(inode.nth) {
            *slot = answer;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::wide;

    #[test]
    fn long_run_is_cut_and_loses_nothing() {
        let run: Vec<Wanted> =
            (0..1000).map(|n| Wanted { place: n * 512, nth: n as usize, number: n }).collect();
        let parts: Vec<_> = parts(&run).collect();
        assert_eq!(parts.iter().map(|part| part.len()).sum::<usize>(), 1000);
        assert!(parts.iter().all(|part| wide(part.len()) * 512 <= LONGEST));
        assert!(together(0, 16_383) && !together(0, 16_384));
    }
}
