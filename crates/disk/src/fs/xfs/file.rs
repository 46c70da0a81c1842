// SPDX-License-Identifier: Apache-2.0
//! An open regular file.

use std::ops::Range;
use std::sync::Arc;

use super::extent::Mapping;
use super::fork::Fork;
use super::geometry::FileBlock;
use super::inode::Inode;
use super::volume::Volume;
use crate::bytes::{index, wide};
use crate::error::{Error, Result};
use crate::fs::{Extent, Extents, File, FileType};

/// A regular file: its inode, and where its blocks lie.
pub(super) struct XfsFile {
    volume: Arc<Volume>,
    inode: Inode,
    fork: Fork,
}

impl XfsFile {
    /// Opens inode `number`.
    ///
    /// # Errors
    /// `WrongType`; `Corrupt`; what the source answers.
    pub(super) fn open(volume: &Arc<Volume>, number: u64) -> Result<XfsFile> {
        let inode = Inode::read(volume, number)?;
        if inode.core.kind != FileType::File {
            return Err(Error::WrongType("regular file"));
        }
        // Numbers of a realtime file's blocks mean another device and are never looked at.
        let fork = if inode.core.realtime { Fork::Extents(Vec::new()) } else { Fork::data(volume, &inode)? };
        Ok(XfsFile { volume: Arc::clone(volume), inode, fork })
    }

    /// The extents that hold bytes of `range`, which ends within the file.
    fn map(&self, range: &Range<u64>) -> Result<Vec<Mapping>> {
        if self.inode.core.realtime && range.start < range.end {
            return Err(Error::Unsupported("XFS realtime device, where this file's content lies".into()));
        }
        let geometry = &self.volume.superblock.geometry;
        let end = FileBlock(geometry.blocks_for(range.end));
        self.fork.map(&self.volume, &self.inode, geometry.block_of(range.start)..end)
    }

    /// `range` cut at the end of the file.
    fn within(&self, range: &Range<u64>) -> Range<u64> {
        let end = range.end.min(self.inode.core.size);
        range.start.min(end)..end
    }

    /// The bytes of the file that `mapping` holds, cut to `range`, and where the first of them lies.
    fn place(&self, mapping: &Mapping, range: &Range<u64>) -> (Range<u64>, u64) {
        let geometry = &self.volume.superblock.geometry;
        let start = geometry.bytes(mapping.file.0);
        let from = start.max(range.start);
        let to = geometry.bytes(mapping.end().0).min(range.end);
        (from..to.max(from), mapping.byte.saturating_add(from.saturating_sub(start)))
    }

    /// Runs of the source's bytes that hold `range`.
    fn runs(&self, mappings: &[Mapping], range: &Range<u64>) -> Vec<Range<u64>> {
        let written = mappings.iter().filter(|mapping| !mapping.unwritten);
        let runs = written.map(|mapping| {
            let (bytes, place) = self.place(mapping, range);
            place..place.saturating_add(bytes.end.saturating_sub(bytes.start))
        });
        runs.filter(|run| run.start < run.end).collect()
    }
}

impl File for XfsFile {
    fn size(&self) -> u64 {
        self.inode.core.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let range = self.within(&(offset..offset.saturating_add(wide(buf.len()))));
        let len = index(range.end.saturating_sub(range.start));
        let buf = buf.get_mut(..len).unwrap_or_default();
        let mappings = self.map(&range)?;
        self.volume.advise(&self.runs(&mappings, &range));
        let mut done = range.start;
        let mut rest = buf;
        for mapping in mappings.iter().filter(|mapping| !mapping.unwritten) {
            let (bytes, place) = self.place(mapping, &range);
            let (hole, after) = split(rest, bytes.start.saturating_sub(done));
            hole.fill(0);
            let (data, after) = split(after, bytes.end.saturating_sub(bytes.start));
            self.volume.source.read_at(place, data)?;
            rest = after;
            done = bytes.end;
        }
        rest.fill(0);
        Ok(len)
    }

    fn extents(&self, range: Range<u64>) -> Result<Vec<Extent>> {
        let range = self.within(&range);
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let mut all = Vec::new();
        let mut done = range.start;
        for mapping in self.map(&range)? {
            let (bytes, place) = self.place(&mapping, &range);
            if bytes.start > done {
                all.push(Extent { range: done..bytes.start, place: Extents::Hole });
            }
            done = bytes.end;
            let place = if mapping.unwritten { Extents::Unwritten } else { Extents::Data(place) };
            all.push(Extent { range: bytes, place });
        }
        if done < range.end {
            all.push(Extent { range: done..range.end, place: Extents::Hole });
        }
        Ok(all)
    }

    fn advise(&self, range: Range<u64>) {
        let range = self.within(&range);
        // What cannot be mapped yet was noted by the source, or fails again when it is read.
        if let Ok(mappings) = self.map(&range) {
            self.volume.source.advise(&self.runs(&mappings, &range));
        }
    }
}

/// Splits off `len` bytes, or all if there are fewer.
fn split(buf: &mut [u8], len: u64) -> (&mut [u8], &mut [u8]) {
    let at = index(len).min(buf.len());
    buf.split_at_mut(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::xfs::samples::{sample_inode, seal_inode, volume};

    /// A volume with inode 131, changed by `change`, and 4 KiB of sevens in block 5.
    fn file(change: impl Fn(&mut Vec<u8>)) -> Result<XfsFile> {
        let mut raw = sample_inode(true);
        // One extent of one block: file block 1 is block 5.
        raw[176..184].copy_from_slice(&(1_u64 << 9).to_be_bytes());
        raw[184..192].copy_from_slice(&(5_u64 << 21 | 1).to_be_bytes());
        raw[56..64].copy_from_slice(&6000_u64.to_be_bytes());
        change(&mut raw);
        seal_inode(&mut raw);
        let mut image = vec![0xee; 131 * 512];
        image[5 * 4096..6 * 4096].fill(7);
        image.extend(raw);
        XfsFile::open(&Arc::new(volume(true, image)), 131)
    }

    #[test]
    fn holes_are_zeros_and_the_end_is_the_size() {
        let file = file(|_| {}).unwrap();
        let mut buf = [0xaa; 5000];
        assert_eq!(file.read_at(4000, &mut buf).unwrap(), 2000);
        assert!(buf[..96].iter().all(|&b| b == 0) && buf[96..2000].iter().all(|&b| b == 7));
        assert_eq!(file.read_at(6000, &mut buf).unwrap(), 0);
        assert_eq!(file.read_at(u64::MAX, &mut buf).unwrap(), 0);
        let data = Extent { range: 4096..6000, place: Extents::Data(5 * 4096) };
        assert_eq!(
            file.extents(0..u64::MAX).unwrap(),
            [Extent { range: 0..4096, place: Extents::Hole }, data]
        );
        let part = Extent { range: 5000..5010, place: Extents::Data(5 * 4096 + 904) };
        assert_eq!(file.extents(5000..5010).unwrap(), [part]);
    }

    #[test]
    fn content_on_the_realtime_device_is_refused_and_the_size_is_known() {
        let file = file(|raw| raw[91] = 1).unwrap();
        assert_eq!(file.size(), 6000);
        for error in [file.read_at(0, &mut [0; 10]).unwrap_err(), file.extents(0..1).unwrap_err()] {
            assert!(matches!(&error, Error::Unsupported(what) if what.contains("realtime")), "{error}");
        }
    }

    #[test]
    fn extents_that_cannot_be_are_refused() {
        for (at, byte, why) in
            [(79, 99, "99 extents"), (191, 0, "0 blocks"), (184, 0xff, "leaves the filesystem")]
        {
            let error = file(|raw| raw[at] = byte).err().unwrap().to_string();
            assert!(error.contains("inode 131") && error.contains(why), "{error}");
        }
        let error = file(|raw| raw[2] = 0x41).err().unwrap();
        assert!(matches!(error, Error::WrongType(_)), "{error}");
    }
}
