// SPDX-License-Identifier: Apache-2.0
//! Mappings of logical volumes against what LVM's own tools say of them.
#![expect(clippy::unwrap_used, reason = "a test that panics is a test that failed")]

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use snapscan_disk::BlockSource;
use snapscan_disk::layout::lvm::{self, Mapping};
use snapscan_disk::source::{file::FileSource, read_vec};

/// Bytes of the smallest run that carries a mark of its own: the stripe of the test's volumes.
const STRIPE: u64 = 64 << 10;

fn run(name: &str, arguments: &[&str]) -> String {
    let path = "/usr/sbin:/sbin:/usr/bin:/bin";
    let output = Command::new(name).args(arguments).env("PATH", path).env("LC_ALL", "C").output().unwrap();
    assert!(output.status.success(), "{name} {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A loop device over an image, detached when dropped.
struct Loop(String);

impl Loop {
    fn new(image: &Path) -> Self {
        Loop(run("losetup", &["-f", "--show", image.to_str().unwrap()]).trim().into())
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        run("losetup", &["-d", &self.0]);
    }
}

/// One line of `lvs --segments`: volume, first extent and extents of the segment, stripe size, and where each stripe
/// begins: device and extent.
struct Segment {
    volume: String,
    start: u64,
    count: u64,
    stripe: u64,
    places: Vec<(String, u64)>,
}

fn segments(text: &str) -> Vec<Segment> {
    let segment = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let place = |range: &&str| {
            let (device, extents) = range.split_once(':').unwrap();
            (device.to_string(), extents.split_once('-').unwrap().0.parse().unwrap())
        };
        let number = |at: usize| words[at].parse().unwrap();
        let places = words[4..].iter().map(place).collect();
        Segment { volume: words[0].into(), start: number(1), count: number(2), stripe: number(3), places }
    };
    text.lines().map(segment).collect()
}

/// Every run of 64 KiB of both disks carries its disk and place; each volume must show them in the order that follows
/// from what `lvs` prints. The second disk holds no metadata.
#[test]
fn linear_and_striped_volumes_lie_where_lvs_says() {
    if std::env::var_os("SNAPSCAN_ROOT_TESTS").is_none() {
        eprintln!("skipped: SNAPSCAN_ROOT_TESTS is not set");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let images = [folder.path().join("pv0"), folder.path().join("pv1")];
    for image in &images {
        File::create(image).unwrap().set_len(48 << 20).unwrap();
    }
    let loops = images.each_ref().map(|image| Loop::new(image));
    let devices = loops.each_ref().map(|one| one.0.as_str());
    let configuration = format!(
        "devices{{filter=[\"a|^{}$|\",\"a|^{}$|\",\"r|.*|\"] use_devicesfile=0}} backup{{backup=0 archive=0}} \
         global{{locking_type=1}} activation{{udev_sync=0 udev_rules=0}}",
        devices[0], devices[1]
    );
    let fixed = ["-q", "--driverloaded", "n", "--config", &configuration];
    let tool = |name: &str, more: &[&str]| run(name, &[&fixed[..], more].concat());
    tool("pvcreate", &["-y", "--metadatacopies", "2", devices[0]]);
    tool("pvcreate", &["-y", "--metadatacopies", "0", devices[1]]);
    tool("vgcreate", &["-s", "1m", "vgtools", devices[0], devices[1]]);
    let create = ["-an", "-Zn", "-Wn"];
    tool("lvcreate", &[&create[..], &["-n", "one", "-L", "5m", "vgtools"]].concat());
    tool("lvcreate", &[&create[..], &["-n", "two", "-i", "2", "-I", "64k", "-L", "12m", "vgtools"]].concat());
    tool("lvcreate", &[&create[..], &["-n", "three", "-l", "100%FREE", "vgtools"]].concat());
    let columns = "lv_name,seg_start_pe,seg_size_pe,stripe_size,seg_pe_ranges";
    let units = ["--noheadings", "--nosuffix", "--units", "b"];
    let listed = segments(&tool("lvs", &[&units[..], &["--segments", "-o", columns, "vgtools"]].concat()));
    let starts = devices.map(|device| {
        tool("pvs", &[&units[..], &["-o", "pe_start", device]].concat()).trim().parse::<u64>().unwrap()
    });

    let names = devices.map(str::to_string);
    drop(loops);

    let extent = 1 << 20;
    for (number, image) in images.iter().enumerate() {
        let disk = File::options().write(true).open(image).unwrap();
        // The copy of the metadata at the end is left alone.
        for place in (starts[number]..46 << 20).step_by(STRIPE as usize) {
            disk.write_all_at(&[&[number as u8 + 1], &place.to_le_bytes()[..]].concat(), place).unwrap();
        }
    }
    let given = images.each_ref().map(|image| {
        let source: Arc<dyn BlockSource> = Arc::new(FileSource::new(File::open(image).unwrap()).unwrap());
        let volume = lvm::read(&*source).unwrap().unwrap();
        (source, volume)
    });
    assert!(given[1].1.metadata.is_empty() && given[1].1.used);
    let (groups, rest) = lvm::assemble(&given);
    assert_eq!((groups.len(), rest.len(), groups[0].members.as_slice()), (1, 0, &[0, 1][..]));
    let mut compared = 0;
    for segment in &listed {
        let volume = groups[0].volumes.iter().find(|one| one.name == segment.volume).unwrap();
        let Mapping::Mapped(bytes) = &volume.mapping else { panic!("{}", segment.volume) };
        let stripes = segment.places.len() as u64;
        // One segment of one stripe is what a loop device can show.
        let alone = listed.iter().filter(|other| other.volume == segment.volume).count() == 1;
        let place_of = |(device, first): &(String, u64)| {
            let member = names.iter().position(|name| name == device).unwrap();
            lvm::Run { member, start: starts[member] + first * extent, len: segment.count * extent }
        };
        let run = (alone && stripes == 1).then(|| place_of(&segment.places[0]));
        assert_eq!(volume.run, run, "{}", segment.volume);
        let stripe = if stripes == 1 { segment.count * extent } else { segment.stripe };
        for offset in (0..segment.count * extent).step_by(STRIPE as usize) {
            let (chunk, within) = (offset / stripe, offset % stripe);
            let (device, first) = &segment.places[(chunk % stripes) as usize];
            let number = names.iter().position(|name| name == device).unwrap();
            let place = starts[number] + first * extent + chunk / stripes * stripe + within;
            if place >= 46 << 20 {
                continue;
            }
            let mark = read_vec(&**bytes, segment.start * extent + offset, 9).unwrap();
            assert_eq!(
                mark,
                [&[number as u8 + 1], &place.to_le_bytes()[..]].concat(),
                "{} {offset}",
                segment.volume
            );
            compared += 1;
        }
    }
    assert!(listed.len() >= 4 && compared > 1000, "{} segments, {compared} runs", listed.len());
}
