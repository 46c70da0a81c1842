// SPDX-License-Identifier: Apache-2.0
//! What was logged of an inode: its core as the writer's memory had it, and what changed in its forks.

use crate::bytes::{Bytes, index};
use crate::error::SourceError;

use super::buffer::Context;
use super::item::{Extent, InodeFormat, fields};
use super::live::Region;
use super::record::Lsn;

/// Bytes of an inode before its forks.
const CORE: usize = 176;
/// Bytes of the largest inode; also more than any fork logged of it.
pub(super) const LARGEST: u32 = 2048;

/// One item's changes of an inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Logged {
    /// The number of its transaction, counted from the tail.
    pub(super) transaction: u32,
    fields: u32,
    device: u32,
    core: Region,
    data: Region,
    attr: Region,
}

impl Logged {
    /// The changes that an item speaks of; `None` if regions are missing or too large.
    pub(super) fn new(format: &InodeFormat, regions: &[Region], transaction: u32) -> Option<Logged> {
        let core = *regions.get(1).filter(|core| core.len >= 96 && core.len <= LARGEST)?;
        let mut forks = regions.iter().skip(2).copied();
        let mut fork = |mask: u32| match format.fields & mask {
            0 => Some(Region::default()),
            _ => forks.next().filter(|fork| fork.len <= 2 * LARGEST),
        };
        // An inode that has no fork to log has no region for it either.
        let (data, attr) = if regions.len() <= 2 {
            (Region::default(), Region::default())
        } else {
            (fork(fields::DATA)?, fork(fields::ATTR)?)
        };
        Some(Logged { transaction, fields: format.fields, device: format.device, core, data, attr })
    }

    fn has(&self, mask: u32) -> bool {
        self.fields & mask != 0
    }
}

/// All changes of one inode.
///
/// An item replaces the core, and of the forks what it logged. So three items at most make the inode: the newest, and
/// the newest with either fork.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Inode {
    /// The buffer that it was logged in.
    pub(super) buffer: Option<Extent>,
    /// Where the link to the next unlinked inode was logged, which goes its own way.
    pub(super) unlinked: Option<u32>,
    newest: Option<Logged>,
    data: Option<Logged>,
    attr: Option<Logged>,
}

impl Inode {
    /// Takes the next item.
    pub(super) fn add(&mut self, logged: Logged) {
        self.newest = Some(logged);
        if logged.has(fields::DATA | fields::DEVICE) {
            self.data = Some(logged);
        }
        if logged.has(fields::ATTR) {
            self.attr = Some(logged);
        }
    }

    /// The regions of the log that the inode is made from.
    pub(super) fn regions(&self) -> impl Iterator<Item = Region> + '_ {
        let logged = [self.newest, self.data, self.attr].into_iter().flatten();
        logged.flat_map(|item| [item.core, item.data, item.attr]).filter(|region| region.len > 0)
    }

    /// Applies the changes to the inode as it was before the log.
    ///
    /// # Errors
    /// What the source answers.
    pub(super) fn apply(&self, inode: &mut [u8], context: &Context<'_>) -> Result<(), SourceError> {
        let on_disk = match Bytes(inode).be64(112).unwrap_or(0) {
            0 | u64::MAX => None,
            lsn => Some(Lsn(lsn)),
        };
        let mut items: Vec<_> = [self.data, self.attr, self.newest].into_iter().flatten().collect();
        items.sort_by_key(|item| item.transaction);
        items.dedup();
        for item in items {
            let lsn = context.lsn(item.transaction);
            // Equal numbers do not say that the disk has this item: several transactions may share one.
            if on_disk.is_none_or(|on_disk| on_disk <= lsn) {
                apply_item(inode, &item, lsn, context)?;
            }
        }
        if let Some(at) = self.unlinked {
            let region = Region { at, len: 4 };
            if let Some(link) = inode.get_mut(96..100) {
                context.live.read(region, 0, link)?;
            }
        }
        update_checksum(inode);
        Ok(())
    }
}

fn apply_item(inode: &mut [u8], item: &Logged, lsn: Lsn, context: &Context<'_>) -> Result<(), SourceError> {
    let mut core = [0; CORE];
    let logged = CORE.min(index(u64::from(item.core.len)));
    context.live.read(item.core, 0, core.get_mut(..logged).unwrap_or_default())?;
    write_core(inode, &core, lsn);
    if item.has(fields::DEVICE) {
        put(inode, CORE, &item.device.to_be_bytes());
    }
    let attr_at = match Bytes(&core).u8(82).unwrap_or(0) {
        0 => inode.len(),
        eighths => CORE.saturating_add(usize::from(eighths).saturating_mul(8)).min(inode.len()),
    };
    let forks = [
        (item.data, CORE..attr_at, item.has(fields::DATA_ROOT)),
        (item.attr, attr_at..inode.len(), item.has(fields::ATTR_ROOT)),
    ];
    for (region, range, is_root) in forks {
        let mut bytes = vec![0; index(u64::from(region.len.min(2 * LARGEST)))];
        context.live.read(region, 0, &mut bytes)?;
        let fork = inode.get_mut(range).unwrap_or_default();
        match is_root && !bytes.is_empty() {
            true => write_root(fork, &bytes),
            false => put(fork, 0, &bytes),
        }
    }
    Ok(())
}

/// Copies bytes to an offset; what does not fit is left out.
fn put(to: &mut [u8], offset: usize, bytes: &[u8]) {
    for (to, from) in to.iter_mut().skip(offset).zip(bytes) {
        *to = *from;
    }
}

/// Turns a core from the byte order of the log into that of the disk.
///
/// Shape: `struct xfs_log_dinode` has the same fields at the same places as `struct xfs_dinode`, in the writer's byte
/// order; the link to the next unlinked inode (96), the checksum (100) and the sequence number (112) are not taken
/// from it.
/// Source: xfs_log_dinode_to_disk in Linux, fs/xfs/xfs_inode_item_recover.c.
fn write_core(inode: &mut [u8], core: &[u8; CORE], lsn: Lsn) {
    const BIG_TIMES: u64 = 1 << 3;
    const LARGE_COUNTS: u64 = 1 << 4;
    let log = Bytes(core);
    let is_v3 = log.u8(4) == Some(3);
    let flags = if is_v3 { log.le64(120).unwrap_or(0) } else { 0 };
    let mut swapped = *core;
    let mut reverse = |at: usize, len: usize| {
        if let Some(field) = swapped.get_mut(at..).and_then(|rest| rest.get_mut(..len)) {
            field.reverse();
        }
    };
    for (at, len) in [(0, 2), (2, 2), (8, 4), (12, 4), (16, 4), (20, 2), (22, 2), (56, 8), (64, 8), (72, 4)] {
        reverse(at, len);
    }
    for (at, len) in [(84, 4), (88, 2), (90, 2), (92, 4), (104, 8), (120, 8), (128, 4), (152, 8)] {
        reverse(at, len);
    }
    for time in [32, 40, 48, 144] {
        if flags & BIG_TIMES != 0 {
            reverse(time, 8);
        } else {
            reverse(time, 4);
            reverse(time.saturating_add(4), 4);
        }
    }
    if flags & LARGE_COUNTS != 0 {
        reverse(24, 8);
    } else {
        put(&mut swapped, 24, &[0; 8]);
    }
    let mut reverse = |at: usize, len: usize| {
        if let Some(field) = swapped.get_mut(at..).and_then(|rest| rest.get_mut(..len)) {
            field.reverse();
        }
    };
    reverse(76, 4);
    reverse(80, 2);
    put(inode, 0, swapped.get(..96).unwrap_or_default());
    if is_v3 {
        put(inode, 104, swapped.get(104..).unwrap_or_default());
        put(inode, 112, &lsn.0.to_be_bytes());
        put(inode, 132, &[0; 12]);
    }
}

/// Turns the root of a b+tree from its form in memory, that of a whole block, into that in an inode, which has a
/// header of four bytes.
///
/// Source: xfs_bmbt_to_bmdr in Linux, fs/xfs/libxfs/xfs_bmap_btree.c.
fn write_root(fork: &mut [u8], root: &[u8]) {
    const HEADER: usize = 72;
    let bytes = Bytes(root);
    let most = |len: usize, header: usize| len.saturating_sub(header) / 16;
    let records = usize::from(bytes.be16(6).unwrap_or(0));
    let (most_here, most_there) = (most(root.len(), HEADER), most(fork.len(), 4));
    let len = records.min(most_here).min(most_there).saturating_mul(8);
    put(fork, 0, bytes.slice(4, 4).unwrap_or_default());
    put(fork, 4, bytes.slice(HEADER, len).unwrap_or_default());
    let from = HEADER.saturating_add(most_here.saturating_mul(8));
    let to = most_there.saturating_mul(8).saturating_add(4);
    put(fork, to, bytes.slice(from, len).unwrap_or_default());
}

/// Writes the CRC-32C of a version 3 inode, as recovery does.
pub(super) fn update_checksum(inode: &mut [u8]) {
    if Bytes(inode).u8(4) != Some(3) {
        return;
    }
    put(inode, 100, &[0; 4]);
    let crc = crc32c::crc32c(inode);
    put(inode, 100, &crc.to_le_bytes());
}
