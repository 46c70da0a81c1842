// SPDX-License-Identifier: Apache-2.0
//! Installed kernels and the one that boots.

use std::collections::BTreeMap;

use snapscan_disk::machine::Tree;
use snapscan_disk::machine::glob::Match;
use snapscan_schema::{Evidence, Kernel};

use crate::{Extractor, Hits, Profile, Sink};

mod boot;
mod grub;
mod image;
#[cfg(test)]
mod tests;

/// Installed kernels and the one that boots.
pub const KERNELS: Extractor = Extractor {
    name: "kernels",
    ecosystem: None,
    title: "installed kernels and the one that boots",
    profile: Profile::Os,
    wants: &[
        "boot/vmlinuz-*/",
        "boot/vmlinux-*/",
        "boot/kernel-*/",
        "usr/lib/modules/*/vmlinuz/",
        "lib/modules/*/vmlinuz/",
        "usr/lib/modules/*/kernel",
        "lib/modules/*/kernel",
        "boot/loader/entries/*.conf",
        "boot/grub2/grubenv",
        "boot/grub/grubenv",
        "boot/grub2/grub.cfg",
        "boot/grub/grub.cfg",
        "boot/grub/grub.conf",
        "boot/grub/menu.lst",
        "vmlinuz/",
        "boot/vmlinuz/",
    ],
    max_bytes: 16 << 20,
    run: extract,
    walk: None,
};

/// Places of the patterns in `wants`.
const IMAGES: std::ops::Range<usize> = 0..5;
const MODULES: std::ops::Range<usize> = 5..7;
const ENTRIES: usize = 7;
const GRUBENV: std::ops::Range<usize> = 8..10;
const GRUB_CFG: std::ops::Range<usize> = 10..12;
const GRUB_OLD: std::ops::Range<usize> = 12..14;
const LINKS: std::ops::Range<usize> = 14..16;

/// One kernel that is installed.
struct Installed {
    /// The names of its images, as boot loaders name them: `vmlinuz-6.1.0-18-amd64`, `vmlinuz-linux`.
    images: Vec<Vec<u8>>,
    evidence: Evidence,
}

fn extract(tree: &Tree, hits: &Hits, sink: &mut Sink<'_>) {
    let mut installed: BTreeMap<Vec<u8>, Installed> = BTreeMap::new();
    let some = |range: std::ops::Range<usize>| range.flat_map(|pattern| hits.of(pattern));
    for hit in some(IMAGES) {
        let name = name_of(hit);
        // What the first kernel says is right; a name without a number (Arch's `vmlinuz-linux`) is not a release.
        let release = release_in_folder(hit).or_else(|| release_of(name).map(<[u8]>::to_vec));
        let release = release.or_else(|| image::release(tree, hit));
        let Some(release) = release.filter(|_| !is_aside(name)) else { continue };
        let evidence = sink.evidence(&hit.at);
        let kernel = installed.entry(release).or_insert_with(|| Installed { images: Vec::new(), evidence });
        kernel.images.push(name.to_vec());
    }
    for hit in some(MODULES) {
        if let Some(release) = release_in_folder(hit) {
            let evidence = sink.evidence(&hit.at);
            installed.entry(release).or_insert_with(|| Installed { images: Vec::new(), evidence });
        }
    }
    let booted = boots(hits, sink);
    let booted = booted.and_then(|image| {
        let named = |(release, kernel): &(&Vec<u8>, &Installed)| {
            release_of(&image) == Some(release.as_slice()) || kernel.images.contains(&image)
        };
        installed.iter().find(named).map(|(release, _)| release.clone())
    });
    for (release, kernel) in installed {
        let default = booted.as_ref().map(|booted| *booted == release);
        sink.kernel(Kernel {
            release: release.into(),
            default,
            evidence: kernel.evidence,
            ..Kernel::default()
        });
    }
}

/// The file name of the image that boots, if that can be told: entries of the boot loader specification where there are
/// any, then GRUB's menu, then the older GRUB's, then the link that simpler loaders follow.
fn boots(hits: &Hits, sink: &mut Sink<'_>) -> Option<Vec<u8>> {
    let first = |range: std::ops::Range<usize>| range.flat_map(|pattern| hits.of(pattern)).next();
    let environment = first(GRUBENV).and_then(|hit| sink.read_resolved(&hit.at));
    let saved = environment.as_ref().and_then(|content| grub::saved_entry(&content.bytes));
    let entries = hits.of(ENTRIES);
    if !entries.is_empty() {
        let mut read = Vec::new();
        for entry in entries {
            let content = sink.read_resolved(&entry.at)?;
            read.extend(boot::entry(name_of(entry), &content.bytes));
        }
        return boot::default(read, saved);
    }
    if let Some(hit) = first(GRUB_CFG) {
        let content = sink.read_resolved(&hit.at)?;
        return grub::default(&content.bytes, saved);
    }
    if let Some(hit) = first(GRUB_OLD) {
        let content = sink.read_resolved(&hit.at)?;
        return grub::old_default(&content.bytes);
    }
    // The link is followed: its target has the release in its name.
    first(LINKS).map(|hit| hit.at.path.name().to_vec())
}

/// The last component of the path that matched.
fn name_of(hit: &Match) -> &[u8] {
    hit.name.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
}

/// The release in the name of an image.
fn release_of(image: &[u8]) -> Option<&[u8]> {
    let starts: [&[u8]; 3] = [b"vmlinuz-", b"vmlinux-", b"kernel-"];
    let release = starts.iter().find_map(|start| image.strip_prefix(*start))?;
    // `0-rescue-…` is a copy that boots any machine.
    let is_release = release.first().is_some_and(u8::is_ascii_digit) && release.contains(&b'.');
    is_release.then_some(release)
}

/// True for copies that are kept aside.
fn is_aside(image: &[u8]) -> bool {
    image.ends_with(b".old")
        || image.ends_with(b".signed")
        || memchr::memmem::find(image, b"-0-rescue").is_some()
}

/// The release that names the folder of modules which holds this; `None` if it is elsewhere.
fn release_in_folder(hit: &Match) -> Option<Vec<u8>> {
    let mut components = hit.name.rsplit(|&byte| byte == b'/').skip(1);
    let release = components.next()?;
    let is_modules = components.next()? == b"modules";
    (is_modules && release.first().is_some_and(u8::is_ascii_digit)).then(|| release.to_vec())
}
