// SPDX-License-Identifier: Apache-2.0
//! Tables, signatures and groups together, on the committed images.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use super::lvm::Mapping;
use super::{Content, Scheme, TableNote, lvm, probe, table};
use crate::source::window::Window;
use crate::source::zst::Unpacked;
use crate::source::{BlockSource, read_vec};

fn fixture(name: &str) -> Arc<dyn BlockSource> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../fixtures/{name}.img.zst"));
    Arc::new(Unpacked::new(File::open(path).unwrap()).unwrap())
}

/// Name and UUID of what lies on a source.
fn known(source: &dyn BlockSource) -> (String, String) {
    match probe::identify(source).unwrap() {
        Content::Known(found) => (found.name.into(), found.uuid.unwrap_or_default()),
        other => panic!("{other:?}"),
    }
}

/// Number, name and UUID of what lies on each partition.
fn partitions(disk: &Arc<dyn BlockSource>) -> Vec<(u32, String, String)> {
    let table = table::read(&**disk).unwrap().unwrap();
    let content = |one: &super::Partition| {
        let (name, uuid) = known(&Window::new(Arc::clone(disk), one.start, one.len));
        (one.number, name, uuid)
    };
    table.partitions.iter().map(content).collect()
}

const ESP: &str = "8F3A-2B1C";
const ROOT: &str = "6f1ca1d5-5d6c-4b7e-9d0e-0b3f1d2c4a51";

fn row(number: u32, name: &str, uuid: &str) -> (u32, String, String) {
    (number, name.into(), uuid.into())
}

#[test]
fn a_gpt_with_esp_and_root_is_told_also_when_it_is_truncated() {
    for name in ["debian-ext4-gpt", "two-disks-root", "truncated"] {
        let disk = fixture(name);
        assert_eq!(partitions(&disk), [row(1, "vfat", ESP), row(2, "ext4", ROOT)]);
        let table = table::read(&*disk).unwrap().unwrap();
        assert_eq!((table.scheme, table.partitions[1].name.as_str()), (Scheme::Gpt, "root"));
        let expected: &[_] =
            if name == "truncated" { &[TableNote::LongerThanSource { promised: 63_963_136 }] } else { &[] };
        assert_eq!(table.notes, expected);
    }
}

#[test]
fn logical_partitions_have_the_kernels_numbers() {
    let disk = fixture("mbr-extended");
    let boot = row(1, "ext4", "1b0a9c3e-7d42-4a6f-b3c8-2e5f4d6a7b91");
    let swap = row(5, "swap", "3d4c5b6a-1f2e-4d3c-8b9a-7e6f5d4c3b2a");
    assert_eq!(partitions(&disk), [boot, swap, row(6, "ext4", ROOT)]);
}

#[test]
fn a_disk_without_a_table_has_none() {
    for name in ["unpartitioned-ext4", "alpine", "dirty-ext4", "dirty-xfs", "two-disks-var"] {
        let disk = fixture(name);
        assert_eq!(table::read(&*disk).unwrap(), None);
        assert_eq!(known(&*disk).0, if name == "dirty-xfs" { "xfs" } else { "ext4" });
    }
}

#[test]
fn a_group_in_a_partition_gives_the_filesystem_in_its_volume() {
    let disk = fixture("rocky-xfs-lvm-gpt");
    let id = "Fx1tUr-e000-0000-0000-0000-0000-000001";
    assert_eq!(partitions(&disk), [row(1, "vfat", ESP), row(2, "LVM2_member", id)]);
    let partition = table::read(&*disk).unwrap().unwrap().partitions[1].clone();
    let member: Arc<dyn BlockSource> = Arc::new(Window::new(disk, partition.start, partition.len));
    let volume = lvm::read(&*member).unwrap().unwrap();
    let (groups, rest) = lvm::assemble(&[(member, volume)]);
    assert_eq!((groups.len(), rest.len(), groups[0].name.as_str()), (1, 0, "rl"));
    let root = &groups[0].volumes[0];
    assert_eq!((root.name.as_str(), root.len), ("root", 304 << 20));
    let Mapping::Mapped(root) = &root.mapping else { panic!() };
    assert_eq!(known(&**root), ("xfs".into(), "2a7d5c1e-8b4f-4e3a-9c6d-1f0e2b3a4c5d".into()));
    // The second allocation group's copy of the superblock lies in the middle of the volume.
    assert_eq!(read_vec(&**root, (304 << 20) / 2, 4).unwrap(), b"XFSB");
}
