// SPDX-License-Identifier: Apache-2.0
//! The machines of the demo's cloud, made of the images that tests read too.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use ruzstd::decoding::StreamingDecoder;
use snapscan_cloud::local::{Account, Builder, InstanceRecord, Latency, Settings, VolumeRecord};
use snapscan_cloud::{AccountId, InstanceId, VolumeId};

use super::decoy;
use super::stage::Stage;
use super::verdict::Expected;
use crate::error::Failure;

/// How many seconds pass in the cloud in one of the viewer's.
pub(super) const SPEED: u32 = 60;
/// The account whose machines are scanned.
pub(super) const CUSTOMER: &str = "444455556666";
/// The name of the deployment, which everything that the agent makes carries.
pub(super) const DEPLOYMENT: &str = "demo";
/// Seconds until a snapshot is complete.
const SNAPSHOT: u64 = 90;
const ZONE: &str = "eu-west-1a";

/// A machine of the demo.
pub(super) struct Machine {
    /// Its name, which is that of its job too.
    pub(super) name: &'static str,
    /// Its instance.
    pub(super) instance: &'static str,
    /// What it is, for a person.
    pub(super) about: String,
    /// Its volumes, the root first.
    pub(super) disks: Vec<(&'static str, Image)>,
    /// True if its owner wants it left alone.
    pub(super) is_excluded: bool,
    /// What its job should end with.
    pub(super) expected: Expected,
}

/// Where the bytes of a volume come from.
pub(super) enum Image {
    /// A fixture, packed with zstd.
    Packed(&'static [u8]),
    /// The same, with [`DAMAGE`] done to it.
    Damaged(&'static [u8]),
    /// A file of the viewer's, which is copied and not looked into.
    File(PathBuf),
}

/// Bytes that are overwritten: the descriptors of an ext4 filesystem on the whole disk, behind its superblock.
const DAMAGE: std::ops::Range<u64> = 4096..65_536;

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/", $name, ".img.zst"))
    };
}

/// All machines, the viewer's last.
pub(super) fn machines(image: Option<&Path>) -> Vec<Machine> {
    let machine = |name, instance, about: &str, disks| Machine {
        name,
        instance,
        about: about.to_owned(),
        disks,
        is_excluded: false,
        expected: Expected::Report,
    };
    let mut all = vec![
        machine(
            "web",
            "i-0de30000000000011",
            "Debian, ext4 in a GPT partition",
            vec![("vol-0de30000000000011", Image::Packed(fixture!("debian-ext4-gpt")))],
        ),
        machine(
            "db",
            "i-0de30000000000012",
            "Rocky Linux, XFS on a volume group",
            vec![("vol-0de30000000000012", Image::Packed(fixture!("rocky-xfs-lvm-gpt")))],
        ),
        machine(
            "mail",
            "i-0de30000000000013",
            "Debian with /var on a second disk",
            vec![
                ("vol-0de30000000000013", Image::Packed(fixture!("two-disks-root"))),
                ("vol-0de30000000000014", Image::Packed(fixture!("two-disks-var"))),
            ],
        ),
        machine(
            "broken",
            "i-0de30000000000015",
            "the same, but the second disk is damaged",
            vec![
                ("vol-0de30000000000018", Image::Packed(fixture!("two-disks-root"))),
                ("vol-0de30000000000019", Image::Damaged(fixture!("two-disks-var"))),
            ],
        ),
        Machine {
            is_excluded: true,
            expected: Expected::Record,
            ..machine(
                "hands-off",
                "i-0de30000000000016",
                "not ours to touch: tagged snapscan:exclude",
                vec![(decoy::SOURCE, Image::Packed(fixture!("alpine")))],
            )
        },
    ];
    if let Some(path) = image {
        let disks = vec![("vol-0de30000000000017", Image::File(path.to_owned()))];
        let yours = machine("yours", "i-0de30000000000017", &format!("yours: {}", path.display()), disks);
        all.push(Machine { expected: Expected::Either, ..yours });
    }
    all
}

/// Writes the cloud's folder.
///
/// # Errors
/// What the system answers about a file.
pub(super) fn write(stage: &Stage, machines: &[Machine]) -> Result<(), Failure> {
    build(stage, machines).map_err(|error| {
        Failure::new(
            format!("cannot make the demo's cloud: {error}"),
            "it needs some 200 MB, and as much again as --image holds; TMPDIR or --keep say where",
        )
    })
}

fn build(stage: &Stage, machines: &[Machine]) -> io::Result<()> {
    let customer = id(CUSTOMER, AccountId::parse)?;
    let latency = Latency { snapshot: SNAPSHOT, ..Latency::default() };
    let settings = Settings { speed: SPEED, epoch: milliseconds(), latency, ..Settings::default() };
    let mut builder = Builder::new().settings(settings).account(Account::new(customer.clone()));
    for machine in machines {
        let mut instance =
            InstanceRecord::new(id(machine.instance, InstanceId::parse)?, customer.clone(), ZONE);
        instance.tags.insert("Name".to_owned(), machine.name.to_owned());
        if machine.is_excluded {
            instance.tags.insert("snapscan:exclude".to_owned(), "legal hold".to_owned());
        }
        for ((volume, image), letter) in machine.disks.iter().zip('a'..) {
            let volume = id(volume, VolumeId::parse)?;
            let path = match image {
                Image::File(path) => path.clone(),
                Image::Packed(packed) | Image::Damaged(packed) => {
                    unpack(packed, &stage.images().join(format!("{volume}.img")))?
                }
            };
            if matches!(image, Image::Damaged(_)) {
                damage(&path)?;
            }
            instance.disks.insert(format!("/dev/xvd{letter}"), volume.clone());
            builder = builder.volume(VolumeRecord::new(volume, customer.clone(), ZONE), &path);
        }
        builder = builder.instance(instance);
    }
    let bait = stage.images().join(format!("{}.img", decoy::SOURCE));
    builder = decoy::add(builder, &customer, &bait)?;
    builder.write(&stage.cloud())?;
    fs::remove_dir_all(stage.images())
}

/// Unpacks an image; what is zero in it becomes a hole.
fn unpack(packed: &[u8], path: &Path) -> io::Result<PathBuf> {
    let mut decoder = StreamingDecoder::new(packed).map_err(io::Error::other)?;
    let mut file = File::create_new(path)?;
    let mut chunk = Vec::with_capacity(CHUNK);
    let mut length = 0;
    loop {
        chunk.clear();
        let read = decoder.by_ref().take(CHUNK as u64).read_to_end(&mut chunk)?;
        if read == 0 {
            file.set_len(length)?;
            return Ok(path.to_owned());
        }
        length += read as u64;
        if chunk.iter().all(|byte| *byte == 0) {
            file.seek(SeekFrom::Start(length))?;
        } else {
            file.write_all(&chunk)?;
        }
    }
}

/// Overwrites what [`DAMAGE`] says.
fn damage(path: &Path) -> io::Result<()> {
    let bytes = vec![0xff; usize::try_from(DAMAGE.end - DAMAGE.start).unwrap_or_default()];
    File::options().write(true).open(path)?.write_all_at(&bytes, DAMAGE.start)
}

/// Bytes that are looked at together for being zero.
const CHUNK: usize = 64 << 10;

/// An id that is written here.
pub(super) fn id<T>(text: &str, parse: fn(&str) -> Option<T>) -> io::Result<T> {
    parse(text).ok_or_else(|| io::Error::other(format!("{text} is no id")))
}

/// The wall's time, from which on the cloud's runs faster.
fn milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
