// SPDX-License-Identifier: Apache-2.0
//! Reads of numbers from bytes that cannot panic.

/// A view of bytes from a disk; every read outside of it is `None`.
#[derive(Debug, Clone, Copy)]
pub struct Bytes<'a>(pub &'a [u8]);

macro_rules! number {
    ($($(#[$doc:meta])* $name:ident $type:ty, $from:ident;)*) => {$(
        $(#[$doc])*
        pub fn $name(self, offset: usize) -> Option<$type> {
            self.0.get(offset..)?.first_chunk().copied().map(<$type>::$from)
        }
    )*};
}

impl<'a> Bytes<'a> {
    number! {
        /// A little-endian 16-bit number at `offset` bytes.
        le16 u16, from_le_bytes;
        /// A little-endian 32-bit number at `offset` bytes.
        le32 u32, from_le_bytes;
        /// A little-endian 64-bit number at `offset` bytes.
        le64 u64, from_le_bytes;
        /// A big-endian 16-bit number at `offset` bytes.
        be16 u16, from_be_bytes;
        /// A big-endian 32-bit number at `offset` bytes.
        be32 u32, from_be_bytes;
        /// A big-endian 64-bit number at `offset` bytes.
        be64 u64, from_be_bytes;
    }

    /// The byte at `offset`.
    pub fn u8(self, offset: usize) -> Option<u8> {
        self.0.get(offset).copied()
    }

    /// `len` bytes from `offset`.
    pub fn slice(self, offset: usize, len: usize) -> Option<&'a [u8]> {
        self.0.get(offset..)?.get(..len)
    }

    /// `N` bytes from `offset` as an array: a UUID, a magic.
    pub fn array<const N: usize>(self, offset: usize) -> Option<[u8; N]> {
        self.0.get(offset..)?.first_chunk().copied()
    }

    /// True if the bytes at `offset` are these.
    pub fn has(self, offset: usize, magic: &[u8]) -> bool {
        self.slice(offset, magic.len()) == Some(magic)
    }
}

/// The number of a slice's length or index as 64 bits; no machine we run on has more.
pub fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// A 64-bit number as an index; what does not fit is beyond every slice.
pub fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The text before the first NUL of a fixed field.
pub fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or(field)
}

/// A UUID's bytes as people write them.
pub fn uuid_text(uuid: &[u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (at, byte) in uuid.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}
