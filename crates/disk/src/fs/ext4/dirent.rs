// SPDX-License-Identifier: Apache-2.0
//! Entries of a folder's block, one after the other.

use super::features::incompat;
use super::inode::{Inode, flag};
use super::superblock::Superblock;
use crate::bytes::Bytes;
use crate::fs::FileType;

/// Bytes of an entry before its name.
const HEADER: usize = 8;

/// One entry in use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dirent<'a> {
    /// The inode it names.
    pub(super) inode: u32,
    /// The name as stored: encrypted in encrypted folders.
    pub(super) name: &'a [u8],
    /// The type, where entries keep it.
    pub(super) kind: Option<FileType>,
    /// Both hashes, where entries keep them: folders that are encrypted and do not tell upper from lower case.
    pub(super) hashes: Option<(u32, u32)>,
}

impl Dirent<'_> {
    /// True for `.` and `..`.
    pub(super) fn is_dot(&self) -> bool {
        matches!(self.name, b"." | b"..")
    }
}

/// How entries of one folder look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Format {
    inodes: u32,
    /// Blocks of 64 KiB, whose length does not fit 16 bits.
    long: bool,
    has_kind: bool,
    has_hashes: bool,
}

impl Format {
    /// The form in this folder.
    pub(super) fn new(superblock: &Superblock, folder: &Inode<'_>) -> Format {
        Format {
            inodes: superblock.inodes,
            long: superblock.block_size >= 65_536,
            has_kind: superblock.features.incompat(incompat::FILETYPE),
            has_hashes: folder.has(flag::ENCRYPT) && folder.has(flag::CASEFOLD),
        }
    }

    /// The length of an entry that stands in 16 bits, in a block of `block` bytes.
    ///
    /// Source: kernel `ext4_rec_len_from_disk`.
    pub(super) fn length(self, stored: u16, block: usize) -> usize {
        let stored = usize::from(stored);
        match stored {
            0 | 65_535 if self.long => block,
            _ if self.long => (stored & 0xfffc) | ((stored & 3) << 16),
            _ => stored,
        }
    }

    /// The entries in `area`: a block, or a piece of inline content.
    pub(super) fn entries(self, area: &[u8]) -> Entries<'_> {
        Entries { format: self, area, at: 0 }
    }
}

/// Walks through entries; after one that is not valid the rest cannot be found.
pub(super) struct Entries<'a> {
    format: Format,
    area: &'a [u8],
    at: usize,
}

impl<'a> Entries<'a> {
    /// The entry at `at` with its length, or what is wrong with it.
    ///
    /// Shape:  inode (32 bits), length (16), name length (8), type (8), name, filled up to four bytes.
    /// Source: kernel `struct ext4_dir_entry_2`, `__ext4_check_dir_entry`.
    fn next_entry(&self) -> Result<(Dirent<'a>, usize), String> {
        let bytes = Bytes(self.area);
        let header = || {
            let rest = self.area.get(self.at..)?;
            let header = Bytes(rest);
            Some((header.le32(0)?, header.le16(4)?, usize::from(header.u8(6)?), header.u8(7)?))
        };
        let Some((inode, stored, name_len, kind)) = header() else {
            return Err(format!("entry at {} is cut off", self.at));
        };
        let length = self.format.length(stored, self.area.len());
        let hashes_len = if self.format.has_hashes && name_len > 2 { HEADER } else { 0 };
        let least = name_len.next_multiple_of(4).saturating_add(HEADER).saturating_add(hashes_len);
        let left = self.area.len().saturating_sub(self.at);
        if length < 12 || !length.is_multiple_of(4) || length > left || (inode != 0 && length < least) {
            return Err(format!("entry at {} of {length} bytes for a name of {name_len}", self.at));
        }
        let from = self.at.saturating_add(HEADER);
        let name = if inode == 0 { &[] } else { bytes.slice(from, name_len).unwrap_or_default() };
        let hash_at = from.saturating_add(name_len.next_multiple_of(4));
        let hashes = bytes.le32(hash_at).zip(bytes.le32(hash_at.saturating_add(4)));
        let entry = Dirent {
            inode,
            name,
            kind: if self.format.has_kind { kind_of(kind) } else { None },
            hashes: if hashes_len > 0 { hashes } else { None },
        };
        Ok((entry, length))
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Dirent<'a>, String>;

    fn next(&mut self) -> Option<Self::Item> {
        // What is shorter than the shortest entry is filling, as at the end of inline content.
        while self.at.saturating_add(HEADER) <= self.area.len() {
            let at = self.at;
            match self.next_entry() {
                Err(why) => {
                    self.at = self.area.len();
                    return Some(Err(why));
                }
                Ok((entry, length)) => {
                    self.at = at.saturating_add(length);
                    if entry.inode == 0 {
                        continue;
                    }
                    if entry.inode > self.format.inodes {
                        return Some(Err(format!("entry at {at} names inode {}", entry.inode)));
                    }
                    if entry.name.is_empty() {
                        return Some(Err(format!("entry at {at} has no name")));
                    }
                    return Some(Ok(entry));
                }
            }
        }
        None
    }
}

/// The type in an entry; 0 means unknown.
fn kind_of(kind: u8) -> Option<FileType> {
    Some(match kind {
        1 => FileType::File,
        2 => FileType::Directory,
        3 => FileType::CharDevice,
        4 => FileType::BlockDevice,
        5 => FileType::Fifo,
        6 => FileType::Socket,
        7 => FileType::Symlink,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: Format = Format { inodes: 100, long: false, has_kind: true, has_hashes: false };

    fn entry(inode: u32, length: u16, name: &[u8]) -> Vec<u8> {
        let mut bytes = inode.to_le_bytes().to_vec();
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&[u8::try_from(name.len()).unwrap(), 1]);
        bytes.extend_from_slice(name);
        bytes.resize(usize::from(length).max(bytes.len()), 0);
        bytes
    }

    fn refusal(area: &[u8]) -> String {
        FORMAT.entries(area).find_map(Result::err).expect("is refused")
    }

    #[test]
    fn deleted_entries_are_passed_over() {
        let area = [entry(0, 16, b"gone"), entry(12, 12, b"here")].concat();
        let names: Vec<_> = FORMAT.entries(&area).map(|entry| entry.unwrap().name).collect();
        assert_eq!(names, [b"here"]);
    }

    #[test]
    fn entries_that_cannot_be_are_refused() {
        assert!(refusal(&entry(5, 8, b"")).contains("8 bytes"));
        assert!(refusal(&entry(5, 14, b"a")).contains("14 bytes"));
        assert!(refusal(&entry(5, 12, b"toolong")).contains("name of 7"));
        assert!(refusal(&entry(5, 16, b"a")[..12]).contains("16 bytes"));
        assert!(refusal(&entry(101, 12, b"a")).contains("inode 101"));
        assert!(refusal(&entry(5, 12, b"")).contains("no name"));
    }

    #[test]
    fn after_an_entry_that_names_no_inode_the_rest_follows() {
        let area = [entry(101, 12, b"a"), entry(7, 12, b"b")].concat();
        assert_eq!(FORMAT.entries(&area).filter(Result::is_ok).count(), 1);
    }

    #[test]
    fn the_length_of_a_64_kib_entry_is_written_as_the_kernel_does() {
        let long = Format { long: true, ..FORMAT };
        assert_eq!(
            (long.length(65_535, 65_536), long.length(0, 65_536), long.length(16, 65_536)),
            (65_536, 65_536, 16)
        );
    }
}
