// SPDX-License-Identifier: Apache-2.0
//! Facts about files: content at all kinds of offsets, and extents that cover it.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{Facts, What};
use crate::bytes::{index, wide};
use crate::fs::{Extent, Extents, File};

/// Bytes read at once; larger files are compared in the neighbourhood of their pieces.
const READ: u64 = 1 << 20;

impl Facts<'_> {
    pub(super) fn files(&mut self) {
        for item in self.items {
            let What::File { size, pieces } = &item.what else { continue };
            let Some(node) = self.reach(&item.path) else { continue };
            match self.fs.open(node) {
                Ok(file) => self.file(&item.path, file.as_ref(), *size, pieces),
                Err(error) => self.that(&item.path, false, || format!("open fails: {error}")),
            }
        }
    }

    fn file(&mut self, path: &[u8], file: &dyn File, size: u64, pieces: &[(u64, Vec<u8>)]) {
        self.that(path, file.size() == size, || format!("is open with {} bytes, not {size}", file.size()));
        file.advise(0..u64::MAX);
        // Each place where something begins or ends, and blocks of all sizes.
        let mut places: Vec<u64> = vec![0, 1023, 1024, 4095, 4096, 4097, 65_535, 65_536, size, u64::MAX];
        for (offset, bytes) in pieces.iter().take(8) {
            places.extend([*offset, offset.saturating_add(wide(bytes.len()))]);
        }
        // Beyond the end all places are alike.
        places.retain(|place| *place <= size || *place == u64::MAX);
        let near =
            |place: u64| [place.saturating_sub(3), place.saturating_sub(1), place, place.saturating_add(1)];
        let offsets: BTreeSet<u64> = places.into_iter().flat_map(near).collect();
        for at in offsets {
            for len in [0, 1, 5, 4096, 10_000] {
                self.read(path, file, at..at.saturating_add(len), size, pieces);
            }
        }
        if size <= READ.saturating_mul(8) {
            self.read(path, file, 0..size, size, pieces);
            self.read(path, file, 0..size.saturating_add(1000), size, pieces);
        }
        for range in
            [0..size, 0..0, 0..1, 1..size, size / 3..size / 2, 0..size.saturating_add(9), size..u64::MAX]
        {
            self.extents(path, file, range, size);
        }
    }

    fn read(&mut self, path: &[u8], file: &dyn File, at: Range<u64>, size: u64, pieces: &[(u64, Vec<u8>)]) {
        let expected = expected(at.start..at.end.min(size), pieces);
        // What is not read must stay as it was.
        let mut buf = vec![0xA5; index(at.end.saturating_sub(at.start))];
        let read = file.read_at(at.start, &mut buf);
        let len = expected.len();
        self.that(path, matches!(read, Ok(read) if read == len), || {
            format!("reading {at:?} gives {read:?}, not {len}")
        });
        let (got, rest) = buf.split_at_checked(len).unwrap_or((&buf, &[]));
        self.that(path, got == expected, || format!("has other bytes in {at:?}"));
        self.that(path, rest.iter().all(|&byte| byte == 0xA5), || {
            format!("reading {at:?} writes past the end")
        });
    }

    fn extents(&mut self, path: &[u8], file: &dyn File, asked: Range<u64>, size: u64) {
        let extents = match file.extents(asked.clone()) {
            Ok(extents) => extents,
            Err(error) => return self.that(path, false, || format!("extents of {asked:?} fail: {error}")),
        };
        let (mut at, end) = (asked.start, asked.end.min(size));
        for extent in &extents {
            let follows = extent.range.start == at && extent.range.end > at;
            self.that(path, follows, || format!("extents of {asked:?}: {:?} follows {at}", extent.range));
            at = extent.range.end;
            self.place(path, file, extent);
        }
        self.that(path, at == end.max(asked.start), || {
            format!("extents of {asked:?} end at {at}, not {end}")
        });
    }

    /// Where there is a hole are zeros; where the source is said to have the bytes, it has them.
    fn place(&mut self, path: &[u8], file: &dyn File, extent: &Extent) {
        let len = extent.range.end.saturating_sub(extent.range.start).min(READ);
        let mut content = vec![0; index(len)];
        let read = file.read_at(extent.range.start, &mut content);
        self.that(path, read.is_ok(), || format!("reading {:?} gives {read:?}", extent.range));
        match (&extent.place, self.source) {
            (Extents::Hole | Extents::Unwritten, _) => {
                let zeros = content.iter().all(|&byte| byte == 0);
                self.that(path, zeros, || format!("has data in the hole {:?}", extent.range));
            }
            (Extents::Data(from), Some(source)) => {
                let mut stored = vec![0; content.len()];
                let right = source.read_at(*from, &mut stored).is_ok() && stored == content;
                self.that(path, right, || {
                    format!("has other bytes at {from} of the source: {:?}", extent.range)
                });
            }
            (Extents::Data(_) | Extents::Inline, _) => {}
        }
    }
}

/// The bytes of a range, made of pieces and zeros.
fn expected(range: Range<u64>, pieces: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = vec![0; index(range.end.saturating_sub(range.start))];
    for (offset, piece) in pieces {
        let into = bytes.iter_mut().skip(index(offset.saturating_sub(range.start)));
        let from = piece.iter().skip(index(range.start.saturating_sub(*offset)));
        for (into, from) in into.zip(from).filter(|_| *offset < range.end) {
            *into = *from;
        }
    }
    bytes
}
