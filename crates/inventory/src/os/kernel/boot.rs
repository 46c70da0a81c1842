// SPDX-License-Identifier: Apache-2.0
//! Entries of the boot loader specification, as GRUB's `blscfg` of Fedora and its kin reads them.
//!
//! Source: uapi-group.org, "Boot Loader Specification", type 1 entries; GRUB's blscfg sorts them by file name as rpm
//!         sorts versions, newest first, and takes `saved_entry` as a file name without `.conf`, or as a number.

use crate::version;

/// One entry.
pub(super) struct Entry {
    /// The file's name without `.conf`.
    id: Vec<u8>,
    title: Vec<u8>,
    /// The file name of its kernel.
    image: Vec<u8>,
}

/// Reads one entry; `None` if it boots no Linux.
pub(super) fn entry(file: &[u8], bytes: &[u8]) -> Option<Entry> {
    let value = |key: &[u8]| {
        bytes.split(|&byte| byte == b'\n').find_map(|line| {
            let rest = line.trim_ascii().strip_prefix(key)?;
            rest.first().is_some_and(u8::is_ascii_whitespace).then(|| rest.trim_ascii().to_vec())
        })
    };
    let image = value(b"linux")?;
    let image = image.rsplit(|&byte| byte == b'/').next()?.to_vec();
    let id = file.strip_suffix(b".conf")?.to_vec();
    Some(Entry { id, title: value(b"title").unwrap_or_default(), image })
}

/// The image of the entry that boots: the one that was saved, else the first. A saved one that is not there cannot be told.
pub(super) fn default(mut entries: Vec<Entry>, saved: Option<Vec<u8>>) -> Option<Vec<u8>> {
    entries.sort_by(|a, b| version::rpm::compare(&b.id, &a.id));
    let chosen = match saved {
        None => entries.into_iter().next(),
        Some(saved) => match std::str::from_utf8(&saved).ok().and_then(|text| text.parse::<usize>().ok()) {
            Some(number) => entries.into_iter().nth(number),
            None => entries.into_iter().find(|entry| entry.id == saved || entry.title == saved),
        },
    };
    chosen.map(|entry| entry.image)
}
