// SPDX-License-Identifier: Apache-2.0
//! Architecture, from the machine's own programs.
//!
//! Source: elf(5): class, byte order and `e_machine`; the names are those of `uname -m`.

use snapscan_disk::fs::FileType;
use snapscan_disk::fs::path::MachinePath;
use snapscan_disk::machine::{Follow, Resolved, Tree};

use crate::{Extractor, Hits, Profile, Sink};

/// Architecture, from the machine's own programs.
pub const ARCHITECTURE: Extractor = Extractor {
    name: "architecture",
    ecosystem: None,
    title: "architecture, from the machine's own programs",
    profile: Profile::Os,
    wants: &["bin/sh/", "usr"],
    max_bytes: 1 << 20,
    run: extract,
    walk: None,
};

/// Where else a program of the machine may be: systems without a shell have a loader or a C library.
const OTHERS: &[&str] = &[
    "sbin/init",
    "usr/bin/sh",
    "bin/busybox",
    "lib64/ld-linux-x86-64.so.2",
    "lib/ld-linux-aarch64.so.1",
    "lib/ld-linux-armhf.so.3",
    "lib/ld-linux.so.2",
    "lib/ld-linux.so.3",
    "lib64/ld64.so.2",
    "lib/ld64.so.1",
    "lib/ld-linux-riscv64-lp64d.so.1",
    "lib/ld-musl-x86_64.so.1",
    "lib/ld-musl-aarch64.so.1",
    "lib/ld-musl-armhf.so.1",
];

fn extract(tree: &Tree, hits: &Hits, sink: &mut Sink<'_>) {
    if let Some(name) = hits.of(0).iter().find_map(|hit| of(tree, &hit.at, sink)) {
        return sink.architecture(name);
    }
    for path in OTHERS {
        let path = MachinePath::from(*path);
        match tree.resolve(&path, Follow::Links) {
            Ok(Some(at)) => {
                if let Some(name) = of(tree, &at, sink) {
                    return sink.architecture(name);
                }
            }
            Ok(None) => {}
            Err(error) => sink.failed(path.as_bytes(), &error),
        }
    }
}

/// The architecture of one program; `None` if it is none, or for a machine without a name here.
fn of(tree: &Tree, at: &Resolved, sink: &mut Sink<'_>) -> Option<&'static str> {
    if at.metadata.kind != FileType::File {
        return None;
    }
    let mut header = [0; 20];
    match tree.open(at.location).and_then(|file| file.read_at(0, &mut header)) {
        Ok(_) => machine(&header),
        Err(error) => {
            sink.failed(at.path.as_bytes(), &error);
            None
        }
    }
}

/// The name for an ELF header.
fn machine(header: &[u8; 20]) -> Option<&'static str> {
    let [0x7f, b'E', b'L', b'F', class, order, .., low, high] = *header else { return None };
    let is_64 = class == 2;
    let is_little = order == 1;
    let number = if is_little { u16::from_le_bytes([low, high]) } else { u16::from_be_bytes([low, high]) };
    Some(match (number, is_64, is_little) {
        (62, ..) => "x86_64",
        (3, ..) => "i686",
        (183, _, true) => "aarch64",
        (183, _, false) => "aarch64_be",
        (40, _, true) => "arm",
        (40, _, false) => "armeb",
        (21, _, true) => "ppc64le",
        (21, _, false) => "ppc64",
        (20, ..) => "ppc",
        (22, true, _) => "s390x",
        (22, false, _) => "s390",
        (243, true, _) => "riscv64",
        (243, false, _) => "riscv32",
        (258, true, _) => "loongarch64",
        (8, true, true) => "mips64el",
        (8, true, false) => "mips64",
        (8, false, true) => "mipsel",
        (8, false, false) => "mips",
        (2 | 18, ..) => "sparc",
        (43, ..) => "sparc64",
        (50, ..) => "ia64",
        (15, ..) => "parisc",
        (4, ..) => "m68k",
        (42, ..) => "sh4",
        (0x9026, ..) => "alpha",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::machine;

    /// Headers as `readelf -h` shows them for the C libraries of Debian's ports.
    #[test]
    fn class_order_and_number_give_the_name() {
        for (class, order, number, name) in [
            (2, 1, [62, 0], Some("x86_64")),
            (1, 1, [3, 0], Some("i686")),
            (2, 1, [183, 0], Some("aarch64")),
            (1, 1, [40, 0], Some("arm")),
            (2, 2, [0, 22], Some("s390x")),
            (2, 1, [21, 0], Some("ppc64le")),
            (2, 1, [243, 0], Some("riscv64")),
            (2, 1, [0xff, 0xff], None),
        ] {
            let mut header = [0; 20];
            header[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', class, order]);
            header[18..].copy_from_slice(&number);
            assert_eq!(machine(&header), name);
        }
        assert_eq!(machine(b"#!/bin/sh\n..........."[..20].try_into().unwrap()), None);
    }
}
