// SPDX-License-Identifier: Apache-2.0
//! Groups from real disks, from LVM's own tools, and from written metadata.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::*;
use crate::layout::flips::Flips;
use crate::layout::lvm::read;
use crate::source::file::FileSource;
use crate::source::read_vec;

type Given = Vec<(Arc<dyn BlockSource>, PhysicalVolume)>;

fn realdata(what: &str) -> Option<PathBuf> {
    let Some(root) = std::env::var_os("SNAPSCAN_REALDATA") else {
        eprintln!("skipped: SNAPSCAN_REALDATA is not set");
        return None;
    };
    Some(PathBuf::from(root).join("images").join(what))
}

fn given(path: &Path) -> (Arc<dyn BlockSource>, PhysicalVolume) {
    let source: Arc<dyn BlockSource> = Arc::new(FileSource::new(std::fs::File::open(path).unwrap()).unwrap());
    let volume = read(&*source).unwrap().unwrap();
    (source, volume)
}

fn sha256(source: &dyn BlockSource) -> String {
    let bytes = read_vec(source, 0, usize::try_from(source.len()).unwrap()).unwrap();
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The volumes as the listing of the real data has them: group, name, segments' types, extents.
fn listed(folder: &Path) -> Vec<[String; 4]> {
    let text = std::fs::read_to_string(folder.join("expected.tsv")).unwrap();
    let row = |line: &str| {
        let words: Vec<_> = line.split('\t').map(str::to_string).collect();
        [words[0].clone(), words[1].clone(), words[3].clone(), words[4].clone()]
    };
    text.lines().skip(1).map(row).collect()
}

fn rows(group: &Group, extent: u64) -> Vec<[String; 4]> {
    let row = |lv: &LogicalVolume| {
        [group.name.clone(), lv.name.clone(), lv.types.join(","), (lv.len / extent).to_string()]
    };
    group.volumes.iter().map(row).collect()
}

#[test]
fn a_real_group_of_one_disk_gives_the_content_of_its_volume() {
    let Some(folder) = realdata("dissect-lvm") else { return };
    let case: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("case.json")).unwrap()).unwrap();
    let (groups, rest) = assemble(&[given(&folder.join("image.img"))]);
    let [group] = &groups[..] else { panic!() };
    assert!(rest.is_empty() && group.missing.is_empty() && group.notes.is_empty());
    assert_eq!(rows(group, 4 << 20), listed(&folder));
    let Mapping::Mapped(bytes) = &group.volumes[0].mapping else { panic!() };
    assert_eq!(bytes.len(), case["lv_bytes"]["lv_test"].as_u64().unwrap());
    assert_eq!(sha256(&**bytes), case["lv_sha256"]["lv_test"].as_str().unwrap());
}

#[test]
fn a_real_mirror_is_unsupported_by_name_and_its_images_are_left_out() {
    let Some(one) = realdata("dissect-lvm-mirror-1") else { return };
    let two = realdata("dissect-lvm-mirror-2").unwrap();
    let both: Given = vec![given(&one.join("image.img")), given(&two.join("image.img"))];
    let (groups, rest) = assemble(&both);
    let [group] = &groups[..] else { panic!() };
    assert_eq!((group.members.as_slice(), group.missing.len(), rest.len()), (&[0, 1][..], 0, 0));
    assert_eq!(group.notes, [""; 0]);
    let visible: Vec<_> = listed(&one).into_iter().filter(|row| !row[1].contains("_mimage_")).collect();
    assert_eq!(rows(group, 4 << 20), visible);
    assert!(matches!(&group.volumes[0].mapping, Mapping::Unsupported(kind) if kind == "mirror"));
    let (groups, _) = assemble(&both[1..]);
    assert_eq!(groups[0].missing, ["pv0 (nYG2k3-t7iz-PL2Z-wrRC-v7dg-bk4f-COg0jV)"]);
}

/// The tests' own groups: two disks of eight extents of 4 KiB, each of whose bytes is its extent's number, 0x10 and on
/// for the second disk.
fn disks(metadata: [&str; 2]) -> Given {
    let disk = |number: u8, text: &str| {
        let bytes: Vec<u8> =
            (0..9_u8).flat_map(|extent| [(number << 4).wrapping_add(extent).wrapping_sub(1); 4096]).collect();
        let volume = PhysicalVolume {
            id: format!("pv{number}"),
            metadata: text.as_bytes().to_vec(),
            used: !text.is_empty(),
            problems: Vec::new(),
        };
        (Arc::new(bytes) as Arc<dyn BlockSource>, volume)
    };
    vec![disk(0, metadata[0]), disk(1, metadata[1])]
}

fn metadata(seqno: u64, volumes: &str) -> String {
    let disk =
        |n: u8| format!("pv{n} {{ id = \"p-v{n}\" status = [\"ALLOCATABLE\"] pe_start = 8 pe_count = 8 }}");
    format!(
        "vg {{ id = \"g-1\" seqno = {seqno} status = [\"RESIZEABLE\"] extent_size = 8\n\
         physical_volumes {{ {} {} }} logical_volumes {{ {volumes} }} }}",
        disk(0),
        disk(1)
    )
}

fn lv(segments: &str) -> String {
    format!("lv {{ id = \"l-1\" status = [\"READ\", \"VISIBLE\"] segment_count = 1 {segments} }}")
}

fn segment(start: u64, count: u64, rest: &str) -> String {
    format!("segment{start} {{ start_extent = {start} extent_count = {count} {rest} }}")
}

fn only(given: &Given) -> Group {
    let (mut groups, rest) = assemble(given);
    assert_eq!((groups.len(), rest.len()), (1, 0), "{rest:?}");
    groups.remove(0)
}

#[test]
fn linear_and_striped_segments_are_mapped_in_the_order_of_their_extents() {
    let striped = segment(
        1,
        4,
        "type = \"striped\" stripe_count = 2 stripe_size = 4 stripes = [\"pv0\", 2, \"pv1\", 6]",
    );
    let linear = segment(0, 1, "type = \"striped\" stripe_count = 1 stripes = [\"pv1\", 5]");
    let given = disks([&metadata(3, &lv(&format!("{striped} {linear}"))), ""]);
    let group = only(&given);
    let Mapping::Mapped(bytes) = &group.volumes[0].mapping else { panic!() };
    let halves: Vec<u8> = (0..10).map(|half| read_vec(&**bytes, half * 2048, 1).unwrap()[0]).collect();
    assert_eq!(halves, [0x15, 0x15, 2, 0x16, 2, 0x16, 3, 0x17, 3, 0x17]);
    assert_eq!((bytes.len(), group.volumes[0].len, group.members), (5 * 4096, 5 * 4096, vec![0, 1]));
}

#[test]
fn each_reason_not_to_map_a_volume_is_told() {
    let striped = |rest: &str| segment(0, 2, &format!("type = \"striped\" {rest}"));
    for (segments, why) in [
        (striped("stripe_count = 1 stripes = [\"pv0\", 7]"), "bad a segment ends beyond the 8 extents"),
        (striped("stripe_count = 1 stripes = [\"pv0\", -1]"), "bad a segment has no valid stripes"),
        (striped("stripe_count = 1 stripes = [\"pv0\"]"), "bad a segment has no valid stripes"),
        (striped("stripe_count = 1"), "bad a segment has no valid stripes"),
        (striped("stripe_count = 2 stripes = [\"pv0\", 0]"), "bad a segment has no valid stripe_count"),
        (
            striped("stripe_count = 2 stripes = [\"pv0\", 0, \"pv1\", 0]"),
            "bad a segment has no valid stripe_size",
        ),
        (striped("stripe_count = 1 stripes = [\"pvmove0\", 0]"), "unsupported pvmove"),
        (striped("stripe_count = 1 stripes = [\"lv9\", 0]"), "unsupported stacked"),
        (
            segment(1, 1, "type = \"striped\" stripe_count = 1 stripes = [\"pv0\", 0]"),
            "bad its segments leave gaps",
        ),
        (
            segment(0, 0, "type = \"striped\" stripe_count = 1 stripes = [\"pv0\", 0]"),
            "bad a segment has no valid extent_count",
        ),
        (
            segment(0, 1 << 62, "type = \"striped\" stripe_count = 1 stripes = [\"pv0\", 0]"),
            "bad a segment has no valid extent_count",
        ),
        (segment(0, 1, "stripe_count = 1 stripes = [\"pv0\", 0]"), "bad a segment has no valid type"),
        (String::new(), "bad no segments"),
        (segment(0, 1, "type = \"thin\" thin_pool = \"p\""), "unsupported thin"),
        (segment(0, 1, "type = \"error\""), "unsupported error"),
        (segment(0, 1, "type = \"zero\""), "unsupported zero"),
        (segment(0, 1, "type = \"raid1\" raids = [\"a\", \"b\"]"), "unsupported raid1"),
    ] {
        let group = only(&disks([&metadata(3, &lv(&segments)), ""]));
        let told = match &group.volumes[0].mapping {
            Mapping::Bad(why) => format!("bad {why}"),
            Mapping::Unsupported(kind) => format!("unsupported {kind}"),
            Mapping::Mapped(_) => "mapped".into(),
            Mapping::Missing(names) => format!("missing {names:?}"),
        };
        assert!(told.starts_with(why), "{segments}: {told}");
    }
}

#[test]
fn a_volume_on_a_disk_that_was_not_given_names_it() {
    let on =
        |disk: &str| segment(0, 1, &format!("type = \"striped\" stripe_count = 1 stripes = [\"{disk}\", 0]"));
    let both = lv(&on("pv1")) + &lv(&on("pv0")).replace("lv {", "other {");
    let given = disks([&metadata(3, &both), ""]);
    let group = only(&given[..1].to_vec());
    assert_eq!(group.missing, ["pv1 (p-v1)"]);
    assert!(matches!(&group.volumes[0].mapping, Mapping::Missing(names) if names[..] == ["pv1 (p-v1)"]));
    assert!(matches!(&group.volumes[1].mapping, Mapping::Mapped(_)));
    // The group went on without a disk that came back.
    let text = metadata(3, &both).replacen("pe_start", "flags = [\"MISSING\"] pe_start", 2).replacen(
        "flags = [\"MISSING\"] ",
        "",
        1,
    );
    let group = only(&disks([&text, ""]));
    assert!(matches!(&group.volumes[0].mapping, Mapping::Missing(_)));
    assert_eq!((group.members.as_slice(), group.notes.len()), (&[0, 1][..], 1));
}

#[test]
fn hidden_volumes_are_left_out_and_the_store_of_a_snapshot_is_no_content() {
    let data = segment(0, 1, "type = \"striped\" stripe_count = 1 stripes = [\"pv0\", 0]");
    let hidden = format!("pool_tdata {{ status = [\"READ\"] {data} }}");
    let snapshot = "snapshot0 { status = [\"READ\"] segment1 { start_extent = 0 extent_count = 1 type = \"snapshot\" \
                    chunk_size = 8 origin = \"other\" cow_store = \"lv\" } }";
    let other = lv(&data).replace("lv {", "other {");
    let group = only(&disks([
        &metadata(3, &[&lv(&data), &hidden, snapshot, &other].map(|s| s as &str).concat()),
        "",
    ]));
    let told: Vec<_> =
        group.volumes.iter().map(|lv| (lv.name.as_str(), matches!(lv.mapping, Mapping::Mapped(_)))).collect();
    assert_eq!(told, [("lv", false), ("other", true)]);
    let merging = snapshot.replace("cow_store", "merging_store");
    let group =
        only(&disks([&metadata(3, &[&lv(&data), &merging as &str, &other].map(|s| s as &str).concat()), ""]));
    assert!(
        group
            .volumes
            .iter()
            .all(|lv| matches!(&lv.mapping, Mapping::Unsupported(kind) if kind == "snapshot"))
    );
}

#[test]
fn the_newest_metadata_counts_and_what_differs_is_noted() {
    let one = lv(&segment(0, 1, "type = \"striped\" stripe_count = 1 stripes = [\"pv0\", 0]"));
    let group = only(&disks([&metadata(3, ""), &metadata(4, &one)]));
    assert_eq!(group.volumes.len(), 1);
    assert!(group.notes[0].contains("seqno 3, the newest is 4"), "{:?}", group.notes);
    let group = only(&disks([&metadata(4, ""), &metadata(4, &one)]));
    assert_eq!(group.volumes.len(), 0);
    assert!(group.notes[0].contains("different metadata"), "{:?}", group.notes);
    let exported = metadata(4, "").replace("RESIZEABLE", "EXPORTED");
    assert!(only(&disks([&exported, ""])).notes[0].contains("exported"));
}

#[test]
fn physical_volumes_outside_of_every_group_are_told_with_the_reason() {
    let reason =
        |given: &Given| assemble(given).1.into_iter().map(|(_, why)| why).collect::<Vec<_>>().join("; ");
    assert!(reason(&disks(["", ""])).contains("belongs to no group"));
    let mut used = disks(["", ""]);
    used[0].1.used = true;
    assert!(reason(&used).contains("it says that it is used"));
    assert!(reason(&disks(["vg {", ""])).contains("cannot be understood: line 1"));
    for (text, why) in [
        ("n = 1", "no group"),
        ("vg { seqno = 1 }", "no id"),
        ("vg { id = \"x\" }", "no seqno"),
        ("vg { id = \"x\" seqno = 1 extent_size = 0 }", "no extent_size"),
    ] {
        assert!(reason(&disks([text, ""])).contains(why), "{why}");
    }
    let removed = metadata(4, "").replace("p-v1", "p-v9");
    assert!(reason(&disks([&removed, &metadata(3, "")])).contains("does not list it"));
    let mut twice = disks([&metadata(4, ""), ""]);
    twice[1].1.id = "pv0".into();
    assert!(reason(&twice).contains("given twice"));
    assert!(assemble(&twice).0[0].notes.iter().any(|note| note.contains("more than once")));
    let other = metadata(4, "").replace("g-1", "g-2").replace("p-v", "q-v");
    let (groups, _) = assemble(&disks([&metadata(4, ""), &other]));
    assert!(groups.iter().all(|group| group.notes.iter().any(|note| note.contains("same name"))));
}

#[test]
fn flipped_bits_in_metadata_never_panic() {
    let segments = segment(
        0,
        4,
        "type = \"striped\" stripe_count = 2 stripe_size = 4 stripes = [\"pv0\", 2, \"pv1\", 6]",
    );
    let text = metadata(3, &lv(&segments));
    let mut flips = Flips::new(11);
    for round in 0..3000 {
        let mut damaged = text.clone().into_bytes();
        flips.flip(&mut damaged, 1 + round % 4);
        let mut given = disks(["", ""]);
        given[0].1.metadata = damaged;
        for lv in assemble(&given).0.iter().flat_map(|group| &group.volumes) {
            if let Mapping::Mapped(bytes) = &lv.mapping {
                // Any answer will do.
                let _answer = bytes.read_at(bytes.len() / 2, &mut [0; 4096]);
            }
        }
    }
}

#[test]
fn flipped_bits_on_a_real_disk_never_panic() {
    let Some(folder) = realdata("dissect-lvm") else { return };
    let disk = std::fs::read(folder.join("image.img")).unwrap();
    let mut flips = Flips::new(13);
    for round in 0..300 {
        let mut damaged = disk[..64 << 10].to_vec();
        flips.flip(&mut damaged[512..16 << 10], 1 + round % 20);
        // Any answer will do.
        let _answer = read(&damaged);
    }
}
