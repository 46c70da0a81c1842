// SPDX-License-Identifier: Apache-2.0
//! Tables against what sfdisk and sgdisk say of them.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;
use crate::layout::flips::Flips;
use crate::limits;
use crate::source::file::FileSource;

fn realdata(what: &str) -> Option<PathBuf> {
    let Some(root) = std::env::var_os("SNAPSCAN_REALDATA") else {
        eprintln!("skipped: SNAPSCAN_REALDATA is not set");
        return None;
    };
    Some(PathBuf::from(root).join(what))
}

fn open(path: &Path) -> FileSource {
    FileSource::new(std::fs::File::open(path).unwrap()).unwrap()
}

/// Runs a partitioning tool on a new image of `mib` MiB and returns its bytes; `None` if the tool is not here.
fn made(mib: usize, tool: &str, args: &[&str], script: &str) -> Option<Vec<u8>> {
    let image = tempfile::NamedTempFile::new().unwrap();
    image.as_file().set_len((mib as u64) << 20).unwrap();
    run(image.path(), tool, args, script)?;
    Some(std::fs::read(image.path()).unwrap())
}

fn run(image: &Path, tool: &str, args: &[&str], script: &str) -> Option<String> {
    use std::io::Write as _;
    let child = Command::new(tool)
        .args(args)
        .arg(image)
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("skipped: {tool} is not here");
        return None;
    };
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{tool} {args:?}: {output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Number, start and length in sectors, type, name and UUID as `sfdisk -J` lists them.
type Row = (u32, u64, u64, String, String, String);

fn as_sfdisk_lists(bytes: &[u8]) -> Option<Vec<Row>> {
    let image = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(image.path(), bytes).unwrap();
    let json: serde_json::Value = serde_json::from_str(&run(image.path(), "sfdisk", &["-J"], "")?).unwrap();
    let table = &json["partitiontable"];
    let prefix = image.path().to_str().unwrap();
    let id = table["id"].as_str().unwrap().trim_start_matches("0x").to_lowercase();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_lowercase();
    let extended = ["5", "f", "85"];
    let rows = table["partitions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| !extended.contains(&&*text(&row["type"])));
    Some(
        rows.map(|row| {
            let node = row["node"].as_str().unwrap();
            let number: u32 = node.strip_prefix(prefix).unwrap().trim_start_matches('p').parse().unwrap();
            let mut uuid = text(&row["uuid"]);
            if uuid.is_empty() {
                uuid = format!("{id}-{number:02x}");
            }
            let name = row["name"].as_str().unwrap_or_default().to_string();
            (
                number,
                row["start"].as_u64().unwrap(),
                row["size"].as_u64().unwrap(),
                text(&row["type"]),
                name,
                uuid,
            )
        })
        .collect(),
    )
}

fn rows(table: &Table) -> Vec<Row> {
    let sector = u64::from(table.sector_size);
    let kind = |kind: &PartitionType| match kind {
        PartitionType::Byte(byte) => format!("{byte:x}"),
        PartitionType::Guid(guid) => uuid_text(guid),
    };
    let row = |one: &Partition| {
        let (name, uuid) = (one.name.clone(), one.partuuid.clone());
        (one.number, one.start / sector, one.len / sector, kind(&one.kind), name, uuid)
    };
    table.partitions.iter().map(row).collect()
}

const GPT: &str = "label: gpt\nsize=1MiB, type=21686148-6449-6E6F-744E-656564454649, name=\"BIOS\"\n\
                   size=2MiB, type=U, name=\"Größe 😀\"\ntype=L, name=\"root\"\n";

fn gpt() -> Option<Vec<u8>> {
    made(8, "sfdisk", &["-q"], GPT)
}

#[test]
fn a_gpt_is_what_sfdisk_says_and_so_is_its_copy() {
    let Some(mut disk) = gpt() else { return };
    let Some(listed) = as_sfdisk_lists(&disk) else { return };
    let table = read(&disk).unwrap().unwrap();
    assert_eq!((table.scheme, table.sector_size, table.notes.len()), (Scheme::Gpt, 512, 0));
    assert_eq!(rows(&table), listed);
    // Damage of the header, of the entries, and a lost first 34 sectors but for the MBR.
    for (at, why) in
        [(512 + 60, "checksum of the header"), (1024 + 40, "checksum of the entries"), (512, "no header")]
    {
        let mut damaged = disk.clone();
        damaged[at] ^= 1;
        let copy = read(&damaged).unwrap().unwrap();
        assert_eq!(rows(&copy), listed);
        assert!(
            matches!(&copy.notes[..], [TableNote::BackupUsed(text)] if text.contains(why)),
            "{:?}",
            copy.notes
        );
    }
    // The copy of an image that was written to a larger disk lies where the first header says.
    disk.resize(16 << 20, 0);
    disk[1024 + 40] ^= 1;
    assert_eq!(rows(&read(&disk).unwrap().unwrap()), listed);
}

#[test]
fn a_gpt_damaged_without_a_copy_is_corrupt_with_the_reason() {
    let Some(mut disk) = gpt() else { return };
    disk[512 + 60] ^= 1;
    disk.truncate(1 << 20);
    let error = read(&disk).unwrap_err().to_string();
    assert!(error.contains("checksum of the header"), "{error}");
    disk.truncate(512);
    let error = read(&disk).unwrap_err().to_string();
    assert!(error.contains("none is there"), "{error}");
}

#[test]
fn a_truncated_image_keeps_its_partitions_and_says_how_long_the_disk_was() {
    let Some(mut disk) = gpt() else { return };
    let listed = rows(&read(&disk).unwrap().unwrap());
    for len in [5 << 20, 1 << 20, 34 * 512] {
        disk.truncate(len);
        let table = read(&disk).unwrap().unwrap();
        assert_eq!(rows(&table), listed);
        assert_eq!(table.notes, [TableNote::LongerThanSource { promised: 8 << 20 }]);
    }
}

/// The header's checksum is set anew after a change.
fn reseal(disk: &mut [u8], header: usize) {
    let entries = crc32fast::hash(&disk[1024..1024 + 128 * 128]);
    disk[header + 88..][..4].copy_from_slice(&entries.to_le_bytes());
    disk[header + 16..][..4].fill(0);
    let crc = crc32fast::hash(&disk[header..header + 92]);
    disk[header + 16..][..4].copy_from_slice(&crc.to_le_bytes());
}

#[test]
fn each_reason_to_refuse_a_header_is_named() {
    let Some(disk) = gpt() else { return };
    let number = |disk: &mut [u8], at: usize, value: u64, len: usize| {
        disk[512 + at..][..len].copy_from_slice(&value.to_le_bytes()[..len]);
    };
    for (at, value, len, why) in [
        (12, 91, 4, "header has 91 bytes"),
        (12, 513, 4, "header has 513 bytes"),
        (24, 2, 8, "says it is in sector 2"),
        (48, 1, 8, "usable sectors"),
        (84, 64, 4, "entries of 64 bytes"),
        (84, 132, 4, "entries of 132 bytes"),
        (80, 1 << 20, 4, "over the limit"),
        (72, 1 << 40, 8, "beyond the end of the source"),
    ] {
        let mut disk = disk.clone();
        number(&mut disk, at, value, len);
        reseal(&mut disk, 512);
        let table = read(&disk).unwrap().unwrap();
        assert!(
            matches!(&table.notes[..], [TableNote::BackupUsed(text)] if text.contains(why)),
            "{why} {:?}",
            table.notes
        );
    }
}

#[test]
fn entries_that_overlap_or_leave_the_disk_are_noted() {
    let Some(disk) = gpt() else { return };
    let whole = read(&disk).unwrap().unwrap();
    for (entry, at, value, kept, why) in [
        (1, 32, 2048_u64, 3, "partitions 1 and 2 overlap"),
        (2, 40, 99_999, 3, "entry 3 ends in sector 99999"),
        (2, 32, 99_999, 2, "entry 3 has no valid range"),
        (2, 40, 5, 2, "entry 3 has no valid range"),
        (2, 40, u64::MAX, 2, "entry 3 has no valid range"),
    ] {
        let mut disk = disk.clone();
        disk[1024 + 128 * entry + at..][..8].copy_from_slice(&value.to_le_bytes());
        reseal(&mut disk, 512);
        let table = read(&disk).unwrap().unwrap();
        assert_eq!(table.partitions.len(), kept, "{why}");
        assert!(
            table.notes.iter().any(|note| matches!(note, TableNote::BadEntry(text) if text.contains(why))),
            "{why}"
        );
        assert_eq!(table.partitions[0], whole.partitions[0]);
    }
}

#[test]
fn an_mbr_with_logical_partitions_is_what_sfdisk_says() {
    let script = "label: dos\nlabel-id: 0x8f8378c0\nsize=1MiB, type=83, bootable\nsize=5MiB, type=f\nsize=1MiB, type=82\n\
                  size=1MiB, type=83\nsize=1MiB, type=8e\ntype=83\n";
    let Some(disk) = made(12, "sfdisk", &["-q"], script) else { return };
    let Some(listed) = as_sfdisk_lists(&disk) else { return };
    let table = read(&disk).unwrap().unwrap();
    assert_eq!((table.scheme, table.id.as_str(), table.notes.len()), (Scheme::Mbr, "8f8378c0", 0));
    assert_eq!(rows(&table), listed);
    assert_eq!(listed.len(), 5);
    // The chain leads out of a truncated image: what is known is kept.
    let mut cut = disk.clone();
    cut.truncate(3 << 20);
    let table = read(&cut).unwrap().unwrap();
    assert!(table.partitions.len() >= 3);
    assert!(
        table
            .notes
            .iter()
            .any(|note| matches!(note, TableNote::BadEntry(text) if text.contains("beyond the end")))
    );
    assert!(table.notes.iter().any(|note| matches!(note, TableNote::LongerThanSource { .. })));
}

/// Sector 0 with a signature and these entries: type, first sector, sectors.
fn mbr(entries: &[(u8, u32, u32)]) -> Vec<u8> {
    let mut disk = vec![0; 1 << 20];
    record(&mut disk, 0, entries);
    disk[440..444].copy_from_slice(&[0xc0, 0x78, 0x83, 0x8f]);
    disk
}

fn record(disk: &mut [u8], at: usize, entries: &[(u8, u32, u32)]) {
    for (slot, (kind, first, count)) in entries.iter().enumerate() {
        let entry = &mut disk[at + 446 + slot * 16..][..16];
        entry[4] = *kind;
        entry[8..12].copy_from_slice(&first.to_le_bytes());
        entry[12..16].copy_from_slice(&count.to_le_bytes());
    }
    disk[at + 510..at + 512].copy_from_slice(&[0x55, 0xaa]);
}

#[test]
fn a_chain_of_logical_partitions_that_loops_ends() {
    let mut disk = mbr(&[(5, 100, 1000)]);
    record(&mut disk, 100 * 512, &[(0x83, 10, 20), (5, 0, 1000)]);
    let table = read(&disk).unwrap().unwrap();
    assert_eq!(table.partitions.len(), (limits::PARTITIONS - 4) as usize);
    let mut disk = mbr(&[(5, 100, 1000)]);
    record(&mut disk, 100 * 512, &[(0, 0, 0), (5, 0, 1000)]);
    let table = read(&disk).unwrap().unwrap();
    assert!(
        matches!(&table.notes[..], [TableNote::BadEntry(text)] if text.contains("given up")),
        "{:?}",
        table.notes
    );
}

#[test]
fn a_chain_without_signature_and_an_entry_at_zero_are_noted() {
    let table = read(&mbr(&[(5, 100, 1000), (0x83, 0, 50)])).unwrap().unwrap();
    assert!(table.partitions.is_empty());
    assert_eq!(table.notes.len(), 2);
}

#[test]
fn boot_flags_that_no_table_has_make_it_none() {
    let mut disk = mbr(&[(0x83, 100, 1000)]);
    assert!(read(&disk).unwrap().is_some());
    disk[446] = 0x20;
    assert!(read(&disk).unwrap().is_none());
    disk[446] = 0x80;
    assert!(read(&disk).unwrap().is_some());
    disk[510] = 0;
    assert!(read(&disk).unwrap().is_none());
}

#[test]
fn no_entries_make_a_table_only_with_a_signature_and_nothing_known_at_the_start() {
    let mut disk = mbr(&[]);
    assert_eq!(read(&disk).unwrap().unwrap().partitions, []);
    disk[0x10040..][..8].copy_from_slice(b"_BHRfS_M");
    assert!(read(&disk).unwrap().is_none());
    assert!(read(&vec![0; 1 << 20]).unwrap().is_none());
    assert!(read(&Vec::new()).unwrap().is_none());
}

#[test]
fn a_filesystem_beside_a_live_mbr_is_noted() {
    let mut disk = mbr(&[(0x83, 100, 1000)]);
    disk[0x10040..][..8].copy_from_slice(b"_BHRfS_M");
    let table = read(&disk).unwrap().unwrap();
    assert!(matches!(&table.notes[..], [TableNote::Ambiguous(text)] if text.contains("btrfs")));
}

#[test]
fn a_hybrid_mbr_is_noted_and_one_that_contradicts_is_ambiguous() {
    let Some(mut disk) = gpt() else { return };
    let root = read(&disk).unwrap().unwrap().partitions[2].clone();
    let (first, count) = ((root.start / 512) as u32, (root.len / 512) as u32);
    record(&mut disk, 0, &[(0xee, 1, 33), (0x83, first, count)]);
    let table = read(&disk).unwrap().unwrap();
    assert_eq!((table.scheme, table.notes.as_slice()), (Scheme::Gpt, &[TableNote::Hybrid][..]));
    record(&mut disk, 0, &[(0xee, 1, 33), (0x83, first + 8, count - 8)]);
    let table = read(&disk).unwrap().unwrap();
    assert!(matches!(&table.notes[..], [TableNote::Ambiguous(text)] if text.contains("MBR entry 2")));
}

#[test]
fn a_hybrid_mbr_of_sgdisk_is_noted() {
    let Some(disk) = gpt() else { return };
    let image = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(image.path(), disk).unwrap();
    if run(image.path(), "sgdisk", &["-h", "1:3"], "").is_none() {
        return;
    }
    let table = read(&open(image.path())).unwrap().unwrap();
    assert_eq!((table.scheme, table.notes.as_slice()), (Scheme::Gpt, &[TableNote::Hybrid][..]));
}

#[test]
fn a_gpt_in_sectors_of_4096_bytes_is_what_fdisk_says_and_so_is_its_copy() {
    let script = "g\nn\n1\n\n+2M\nn\n2\n\n\nw\n";
    let Some(mut disk) = made(16, "fdisk", &["-b", "4096", "-w", "never"], script) else { return };
    let image = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(image.path(), &disk).unwrap();
    let listed = run(image.path(), "fdisk", &["-b", "4096", "-o", "Start,Sectors", "-l"], "").unwrap();
    let lines = listed.lines().skip_while(|line| !line.contains("Start")).skip(1);
    let expected: Vec<Vec<u64>> =
        lines.map(|line| line.split_whitespace().map(|word| word.parse().unwrap()).collect()).collect();
    for damage in [false, true] {
        disk[4096 + 60] ^= u8::from(damage);
        let table = read(&disk).unwrap().unwrap();
        let found: Vec<_> = rows(&table).iter().map(|row| vec![row.1, row.2]).collect();
        assert_eq!((table.sector_size, found), (4096, expected.clone()));
        assert_eq!(matches!(&table.notes[..], [TableNote::BackupUsed(_)]), damage);
    }
}

#[test]
fn a_stale_gpt_yields_to_a_live_mbr_and_is_noted() {
    let Some(mut disk) = gpt() else { return };
    record(&mut disk, 0, &[(0x83, 4096, 2048)]);
    for wiped in [false, true] {
        if wiped {
            disk[512..34 * 512].fill(0);
        }
        let table = read(&disk).unwrap().unwrap();
        assert_eq!((table.scheme, table.partitions.len()), (Scheme::Mbr, 1));
        assert!(matches!(&table.notes[..], [TableNote::Ambiguous(text)] if text.contains("valid GPT")));
    }
}

#[test]
fn a_gpt_without_any_mbr_is_read_and_noted() {
    let Some(mut disk) = gpt() else { return };
    disk[..512].fill(0);
    let table = read(&disk).unwrap().unwrap();
    assert!(matches!(&table.notes[..], [TableNote::Ambiguous(text)] if text.contains("no MBR")));
    // Not where a filesystem was made over it since.
    disk[0x10040..][..8].copy_from_slice(b"_BHRfS_M");
    assert!(read(&disk).unwrap().is_none());
}

#[test]
fn a_fat_boot_sector_is_no_table() {
    let image = tempfile::NamedTempFile::new().unwrap();
    image.as_file().set_len(8 << 20).unwrap();
    if run(image.path(), "mkfs.vfat", &[], "").is_none() {
        return;
    }
    assert!(read(&open(image.path())).unwrap().is_none());
}

#[test]
fn real_gpts_are_read_as_listed() {
    for (name, sector) in [("dissect-gpt", 512), ("dissect-gpt-4k", 4096), ("dissect-gpt-hybrid", 512)] {
        let Some(root) = realdata(&format!("images/{name}")) else { return };
        let table = read(&open(&root.join("image.img"))).unwrap().unwrap();
        assert_eq!(table.sector_size, sector);
        let mut listing = String::from("index\ttype\tguid\tfirst_lba\tlast_lba\tname\n");
        for (number, start, len, kind, name, uuid) in rows(&table) {
            listing += &format!("{number}\t{kind}\t{uuid}\t{start}\t{}\t{name}\n", start + len - 1);
        }
        assert_eq!(listing, std::fs::read_to_string(root.join("expected.tsv")).unwrap(), "{name}");
        let longer = table.notes.iter().any(|note| matches!(note, TableNote::LongerThanSource { .. }));
        assert!(longer, "{name}: {:?}", table.notes);
        eprintln!("{name}: {:?}", table.notes);
    }
}

#[test]
fn tables_of_blkids_own_tests_are_read_as_it_lists_them() {
    let Some(root) = realdata("images/blkid") else { return };
    let expected: serde_json::Value =
        serde_json::from_slice(&std::fs::read(root.join("expected.json")).unwrap()).unwrap();
    for name in ["images-pt/gpt", "images-pt/dos+bsd"] {
        let table = read(&open(&root.join("images").join(format!("{name}.img")))).unwrap().unwrap();
        let lines = expected[name]["probe"].as_array().unwrap();
        assert!(lines[0].as_str().unwrap().ends_with(&format!("id={}", table.id)));
        for (number, start, len, _, _, uuid) in rows(&table) {
            let line = lines
                .iter()
                .filter_map(|line| line.as_str())
                .find(|line| line.starts_with(&format!("#{number}:")));
            let words: Vec<_> = line.unwrap().split_whitespace().collect();
            assert_eq!(words[1..3], [start.to_string(), len.to_string()]);
            assert!(line.unwrap().contains(&format!("uuid='{uuid}'")));
        }
    }
}

#[test]
fn flipped_bits_never_panic_and_an_attempt_with_nothing_resident_asks_for_both_ends_at_once() {
    let script = "label: dos\nsize=1MiB, type=83\ntype=f\nsize=1MiB, type=83\nsize=1MiB, type=83\n";
    let Some(logical) = made(6, "sfdisk", &["-q"], script) else { return };
    let Some(gpt) = gpt() else { return };
    let mut flips = Flips::new(99);
    for disk in [gpt, logical] {
        for round in 0..400 {
            let mut damaged = disk.clone();
            flips.flip(&mut damaged[440..2048], 1 + round % 8);
            // Any answer will do.
            let _answer = read(&damaged);
        }
        let rounds = std::sync::Arc::new(crate::source::rounds::Rounds::default());
        let cache = crate::source::cache::Cache::new(std::sync::Arc::new(disk), &rounds, 1 << 20);
        let mut found = None;
        rounds.run(|| found = read(&*cache).ok().flatten());
        let found = found.unwrap();
        assert_eq!(rounds.count(), if found.scheme == Scheme::Gpt { 1 } else { 3 });
    }
}
