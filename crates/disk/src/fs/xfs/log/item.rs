// SPDX-License-Identifier: Apache-2.0
//! The kinds of item in a transaction, and the formats that name what each changed.

use crate::bytes::{Bytes, index, wide};

/// What an item is about, with the name that `xfs_logprint` and the kernel's header use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Buffer,
    Inode,
    InodeCreate,
    /// A change that was announced and may be undone by no more than its own end.
    Intent(Intent, Phase),
    /// Quotas, which a reader of files never meets.
    Quota,
    Unknown(u16),
}

/// A change that takes several transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Intent {
    /// Free blocks, reverse mappings, reference counts: nothing that a reader reads.
    Space,
    /// Map or unmap blocks of an inode.
    Map,
    /// Change attributes of an inode.
    Attribute,
    /// Exchange the blocks of two inodes.
    Exchange,
}

/// Which end of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Announced,
    Done,
}

/// The names of all kinds.
pub(super) const NAMES: [&str; 18] = [
    "BUF", "INODE", "ICREATE", "EFI", "EFD", "RUI", "RUD", "CUI", "CUD", "BUI", "BUD", "ATTRI", "ATTRD",
    "XMI", "XMD", "DQUOT", "QUOTAOFF", "REALTIME",
];

/// The kind of an item and its name.
///
/// Source: XFS_LI_* in Linux, fs/xfs/libxfs/xfs_log_format.h.
pub(super) fn kind(format: &[u8]) -> (Kind, &'static str) {
    use Intent::{Attribute, Exchange, Map, Space};
    use Phase::{Announced, Done};
    match Bytes(format).le16(0).unwrap_or(0) {
        0x1236 => (Kind::Intent(Space, Announced), "EFI"),
        0x1237 => (Kind::Intent(Space, Done), "EFD"),
        0x123b => (Kind::Inode, "INODE"),
        0x123c => (Kind::Buffer, "BUF"),
        0x123d => (Kind::Quota, "DQUOT"),
        0x123e => (Kind::Quota, "QUOTAOFF"),
        0x123f => (Kind::InodeCreate, "ICREATE"),
        0x1240 => (Kind::Intent(Space, Announced), "RUI"),
        0x1241 => (Kind::Intent(Space, Done), "RUD"),
        0x1242 => (Kind::Intent(Space, Announced), "CUI"),
        0x1243 => (Kind::Intent(Space, Done), "CUD"),
        0x1244 => (Kind::Intent(Map, Announced), "BUI"),
        0x1245 => (Kind::Intent(Map, Done), "BUD"),
        0x1246 => (Kind::Intent(Attribute, Announced), "ATTRI"),
        0x1247 => (Kind::Intent(Attribute, Done), "ATTRD"),
        0x1248 => (Kind::Intent(Exchange, Announced), "XMI"),
        0x1249 => (Kind::Intent(Exchange, Done), "XMD"),
        0x124a..=0x124f => (Kind::Intent(Space, Announced), "REALTIME"),
        other => (Kind::Unknown(other), "UNKNOWN"),
    }
}

/// A buffer by its first sector of 512 bytes on the source and its length in sectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Extent {
    pub(super) sector: u64,
    pub(super) sectors: u32,
}

impl Extent {
    /// The byte where it begins.
    pub(super) fn start(self) -> u64 {
        self.sector.saturating_mul(512)
    }

    /// Its length in bytes.
    pub(super) fn len(self) -> u64 {
        u64::from(self.sectors).saturating_mul(512)
    }
}

/// Bytes of the unit in which changes of buffers are logged.
pub(super) const CHUNK: u32 = 128;
/// Chunks of the largest buffer: 17 words of 32 bits in its map.
const MOST_CHUNKS: u32 = 17 * 32;
/// Sectors of the largest buffer.
pub(super) const MOST_SECTORS: u32 = MOST_CHUNKS * CHUNK / 512;

/// What a buffer's item says of it.
///
/// Shape: type, regions, flags, sectors (2 bytes each), first sector (8), words in the map (4), the map; in the order
/// of bytes of the machine that wrote it, as all formats of items but `icreate`.
/// Source: `struct xfs_buf_log_format`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BufferFormat {
    pub(super) flags: u16,
    pub(super) extent: Extent,
    map: Vec<u32>,
}

impl BufferFormat {
    /// Inodes lie in the buffer, and only links between unlinked ones were logged.
    const INODES: u16 = 1;
    /// The buffer was freed: what was logged of it before must not be replayed.
    const CANCELLED: u16 = 2;
    /// Quotas of users, projects or groups.
    const QUOTAS: u16 = 0x1c;

    /// Reads the format; `None` if it is not valid.
    pub(super) fn parse(format: &[u8]) -> Option<BufferFormat> {
        let bytes = Bytes(format);
        let extent = Extent { sector: bytes.le64(8)?, sectors: u32::from(bytes.le16(6)?) };
        let words = bytes.le32(16)?;
        let map =
            (0..words.min(17)).map(|n| bytes.le32(index(u64::from(n).saturating_mul(4).saturating_add(20))));
        let format = BufferFormat { flags: bytes.le16(4)?, extent, map: map.collect::<Option<_>>()? };
        let in_range = extent.sectors > 0 && extent.sectors <= MOST_SECTORS && extent.sector < 1 << 54;
        (in_range || format.is_cancelled()).then_some(format)
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.flags & Self::CANCELLED != 0
    }

    pub(super) fn holds_inodes(&self) -> bool {
        self.flags & Self::INODES != 0
    }

    pub(super) fn holds_quotas(&self) -> bool {
        self.flags & Self::QUOTAS != 0
    }

    /// The runs of chunks that were logged, as first chunk and count.
    pub(super) fn runs(&self) -> Vec<(u32, u32)> {
        let mut runs: Vec<(u32, u32)> = Vec::new();
        for chunk in 0..MOST_CHUNKS {
            let word = self.map.get(index(u64::from(chunk / 32))).copied().unwrap_or(0);
            if word.checked_shr(chunk % 32).unwrap_or(0) & 1 == 0 {
                continue;
            }
            match runs.last_mut() {
                Some((first, count)) if first.saturating_add(*count) == chunk => {
                    *count = count.saturating_add(1)
                }
                _ => runs.push((chunk, 1)),
            }
        }
        runs
    }
}

/// What an inode's item says of it.
///
/// Shape: 56 bytes; 52 where a 32-bit machine wrote it, which leaves out the padding before the inode's number.
/// Source: `struct xfs_inode_log_format` and `xfs_inode_log_format_32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InodeFormat {
    pub(super) fields: u32,
    pub(super) inode: u64,
    /// The number of a device, if `fields` has [`fields::DEVICE`].
    pub(super) device: u32,
    /// The buffer in which the inode lies.
    pub(super) buffer: Extent,
    /// Bytes from the buffer's start to the inode.
    pub(super) offset: u32,
}

/// What was logged of an inode.
pub(super) mod fields {
    /// The data fork's bytes: a link's target, a small folder.
    pub(crate) const DATA_LOCAL: u32 = 0x002;
    /// The data fork's extents.
    pub(crate) const DATA_EXTENTS: u32 = 0x004;
    /// The root of the data fork's b+tree.
    pub(crate) const DATA_ROOT: u32 = 0x008;
    /// The device's number.
    pub(crate) const DEVICE: u32 = 0x010;
    /// Any of the data fork.
    pub(crate) const DATA: u32 = DATA_LOCAL | DATA_EXTENTS | DATA_ROOT;
    /// The root of the attribute fork's b+tree.
    pub(crate) const ATTR_ROOT: u32 = 0x100;
    /// Any of the attribute fork.
    pub(crate) const ATTR: u32 = 0x040 | 0x080 | ATTR_ROOT;
    /// Blocks of a fork's b+tree changed their owner.
    pub(crate) const OWNER_CHANGED: u32 = 0x200 | 0x400;
}

impl InodeFormat {
    /// Reads the format, the first region of `len` bytes; `None` if it is not valid.
    pub(super) fn parse(format: &[u8], len: u32) -> Option<InodeFormat> {
        let bytes = Bytes(format);
        let (inode, device, buffer) = if len == 52 { (12, 20, 36) } else { (16, 24, 40) };
        let sectors = bytes.le32(index(wide(buffer).checked_add(8)?))?;
        let format = InodeFormat {
            fields: bytes.le32(4)?,
            inode: bytes.le64(inode)?,
            device: bytes.le32(device)?,
            buffer: Extent { sector: bytes.le64(buffer)?, sectors },
            offset: bytes.le32(index(wide(buffer).checked_add(12)?))?,
        };
        let inside = format.offset < sectors.checked_mul(512)?;
        (inside && sectors <= MOST_SECTORS && format.buffer.sector < 1 << 54).then_some(format)
    }

    /// The byte of the source where the inode begins.
    pub(super) fn start(&self) -> u64 {
        self.buffer.start().saturating_add(u64::from(self.offset))
    }
}

/// A chunk of inodes that was created.
///
/// Shape: type and regions (2 bytes each), then seven numbers of 4 bytes, big-endian.
/// Source: `struct xfs_icreate_log`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CreateFormat {
    pub(super) group: u32,
    pub(super) block: u32,
    pub(super) inodes: u32,
    pub(super) inode_size: u32,
    pub(super) blocks: u32,
    pub(super) generation: u32,
}

impl CreateFormat {
    /// Reads the format; `None` if it ends early.
    pub(super) fn parse(format: &[u8]) -> Option<CreateFormat> {
        let bytes = Bytes(format);
        Some(CreateFormat {
            group: bytes.be32(4)?,
            block: bytes.be32(8)?,
            inodes: bytes.be32(12)?,
            inode_size: bytes.be32(16)?,
            blocks: bytes.be32(20)?,
            generation: bytes.be32(24)?,
        })
    }
}
