// SPDX-License-Identifier: Apache-2.0
//! A header blob of an rpm database read as the package it describes.
//!
//! Shape:  number of index entries and of store bytes (each big-endian 32 bits), then the entries of 16 bytes (tag,
//!         type, offset in the store, count), then the store. No magic: that stands in package files only. A header of
//!         today begins with a region entry (tag 63); what rpm added at installation follows the region. Where a tag
//!         stands twice, the addition counts.
//! Source: rpm's docs/manual/format_header.md and hregions.md; lib/header.c (limits); include/rpm/rpmtag.h (tags).

use snapscan_disk::bytes::{Bytes, index};
use snapscan_schema::{Package, Text, Time};

/// Index entries at most, as rpm's own reader has it.
const MOST_ENTRIES: u32 = 0xffff;
/// Bytes of the fixed start and of one index entry.
const INTRO: usize = 8;
const ENTRY: usize = 16;

/// Types of entries that are read.
const INT32: u32 = 4;
const INT64: u32 = 5;
const STRING: u32 = 6;
const STRING_ARRAY: u32 = 8;
const I18N_STRING: u32 = 9;

/// Tags that are read.
const NAME: u32 = 1000;
const VERSION: u32 = 1001;
const RELEASE: u32 = 1002;
const EPOCH: u32 = 1003;
const INSTALLTIME: u32 = 1008;
const VENDOR: u32 = 1011;
const LICENSE: u32 = 1014;
const ARCH: u32 = 1022;
const SOURCERPM: u32 = 1044;
const MODULARITYLABEL: u32 = 5096;

/// All of them.
const WANTED: [u32; 10] =
    [NAME, VERSION, RELEASE, EPOCH, INSTALLTIME, VENDOR, LICENSE, ARCH, SOURCERPM, MODULARITYLABEL];

/// Bytes of one text with its end; the longest licence seen has 3,000.
const LONGEST_TEXT: usize = 64 << 10;

/// The name under which rpm keeps public keys among its packages.
const KEY: &[u8] = b"gpg-pubkey";

/// Why a blob is no header of a package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The blob ends before what its first eight bytes announce.
    #[error("{entries} index entries and {store} store bytes do not fit into {len} bytes")]
    Short {
        /// Index entries announced.
        entries: u32,
        /// Store bytes announced.
        store: u32,
        /// Bytes of the blob.
        len: usize,
    },
    /// More index entries than rpm itself accepts.
    #[error("{0} index entries, at most 65535 are allowed")]
    Entries(u32),
    /// An entry's type is not the one that its tag has.
    #[error("tag {tag} has type {kind}")]
    Type {
        /// The tag.
        tag: u32,
        /// Its type.
        kind: u32,
    },
    /// An entry's value lies outside of the store, or is a string without its end.
    #[error("tag {tag} at store offset {offset} leaves the store of {store} bytes")]
    Outside {
        /// The tag.
        tag: u32,
        /// Its offset in the store.
        offset: u32,
        /// Bytes of the store.
        store: usize,
    },
    /// A tag that every package has is not there, or empty.
    #[error("no tag {0}")]
    Missing(u32),
}

/// What a header describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Described {
    /// An installed package.
    Package(Package),
    /// A public key.
    Key(Package),
}

/// Reads a blob. Only the index and the wanted values are looked at. The evidence is left to the caller.
///
/// # Errors
/// [`Malformed`], if the blob is no header, or one without name, version or release.
pub fn read(blob: &[u8]) -> Result<Described, Malformed> {
    let header = Header::open(blob)?;
    let text = |tag: u32| header.value(tag).map(Value::text);
    let full = |tag: u32| header.value(tag).map(|value| Some(value.text()).filter(|text| !text.is_empty()));
    let epoch = header.value(EPOCH)?.number();
    let package = Package {
        ecosystem: "rpm".into(),
        name: text(NAME)?,
        epoch: epoch.and_then(|epoch| u32::try_from(epoch).ok()),
        version: text(VERSION)?,
        release: full(RELEASE)?,
        arch: full(ARCH)?,
        source: full(SOURCERPM)?,
        licence: full(LICENSE)?,
        vendor: full(VENDOR)?,
        modularity: full(MODULARITYLABEL)?,
        install_time: header.value(INSTALLTIME)?.number().and_then(time),
        ..Package::default()
    };
    if package.name.is_empty() {
        return Err(Malformed::Missing(NAME));
    }
    if package.version.is_empty() {
        return Err(Malformed::Missing(VERSION));
    }
    if package.release.is_none() {
        return Err(Malformed::Missing(RELEASE));
    }
    let is_key = package.name.as_bytes() == KEY;
    Ok(if is_key { Described::Key(package) } else { Described::Package(package) })
}

/// Seconds since 1970; rpm writes 0 where it does not know.
fn time(seconds: u64) -> Option<Time> {
    i64::try_from(seconds).ok().filter(|&seconds| seconds != 0).map(Time)
}

/// A blob cut into its wanted index entries and its store.
struct Header<'a> {
    /// The last entry of each of [`WANTED`].
    entries: [Option<&'a [u8]>; WANTED.len()],
    store: &'a [u8],
}

impl<'a> Header<'a> {
    fn open(blob: &'a [u8]) -> Result<Self, Malformed> {
        let bytes = Bytes(blob);
        let entries = bytes.be32(0).unwrap_or(0);
        let store = bytes.be32(4).unwrap_or(0);
        let short = || Malformed::Short { entries, store, len: blob.len() };
        if entries > MOST_ENTRIES {
            return Err(Malformed::Entries(entries));
        }
        let index_len = index(u64::from(entries)).saturating_mul(ENTRY);
        let store_at = INTRO.saturating_add(index_len);
        let index_bytes =
            bytes.slice(INTRO, index_len).filter(|index| !index.is_empty()).ok_or_else(short)?;
        let store = bytes.slice(store_at, index(u64::from(store))).ok_or_else(short)?;
        let mut entries = [None; WANTED.len()];
        for entry in index_bytes.chunks_exact(ENTRY) {
            let tag = Bytes(entry).be32(0);
            let wanted = WANTED.iter().zip(&mut entries).find(|(wanted, _)| tag == Some(**wanted));
            if let Some((_, place)) = wanted {
                *place = Some(entry);
            }
        }
        Ok(Header { entries, store })
    }

    /// The first value of a tag.
    fn value(&self, tag: u32) -> Result<Value<'a>, Malformed> {
        let found = WANTED.iter().zip(self.entries).find(|(wanted, _)| **wanted == tag);
        let Some(entry) = found.and_then(|(_, entry)| entry).map(Bytes) else { return Ok(Value::None) };
        let [kind, offset, count] = [4, 8, 12].map(|at| entry.be32(at).unwrap_or(0));
        let outside = || Malformed::Outside { tag, offset, store: self.store.len() };
        if count == 0 {
            return Err(outside());
        }
        let store = Bytes(self.store);
        let at = index(u64::from(offset));
        match (tag, kind) {
            (EPOCH | INSTALLTIME, INT32) => {
                store.be32(at).map(|number| Value::Number(number.into())).ok_or_else(outside)
            }
            (INSTALLTIME, INT64) => store.be64(at).map(Value::Number).ok_or_else(outside),
            (EPOCH | INSTALLTIME, _) => Err(Malformed::Type { tag, kind }),
            (_, STRING | STRING_ARRAY | I18N_STRING) => {
                let rest = self.store.get(at..).ok_or_else(outside)?;
                let rest = rest.get(..rest.len().min(LONGEST_TEXT)).unwrap_or_default();
                let end = memchr::memchr(0, rest).ok_or_else(outside)?;
                rest.get(..end).map(Value::Text).ok_or_else(outside)
            }
            // Headers of the nineties have numbers for the architecture; those are no names.
            (ARCH, _) => Ok(Value::None),
            _ => Err(Malformed::Type { tag, kind }),
        }
    }
}

/// One value of a header.
#[derive(Clone, Copy)]
enum Value<'a> {
    None,
    Number(u64),
    Text(&'a [u8]),
}

impl Value<'_> {
    fn text(self) -> Text {
        match self {
            Value::Text(text) => text.into(),
            Value::Number(_) | Value::None => Text::default(),
        }
    }

    fn number(self) -> Option<u64> {
        match self {
            Value::Number(number) => Some(number),
            Value::Text(_) | Value::None => None,
        }
    }
}

#[cfg(test)]
mod tests;
