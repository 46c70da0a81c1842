// SPDX-License-Identifier: Apache-2.0
//! Every fixture with bytes changed at random, through everything from the layout to the report.
//!
//! `SNAPSCAN_FLIPS=n` tries n changes of each instead of a few. A failure names fixture and seed.
#![expect(clippy::unwrap_used, reason = "a test that panics is a test that failed")]

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use snapscan_disk::BlockSource;
use snapscan_disk::source::zst::Unpacked;
use snapscan_sandbox::child::unconfined::{inspect, list};
use snapscan_sandbox::look::Listing;
use snapscan_sandbox::{Bytes, Profile, Target, Volume};

/// Changes of each image when nothing else is asked for.
const FEW: u64 = 40;
/// No image here takes a hundredth of it.
const LONGEST: Duration = Duration::from_secs(60);
/// Bytes that are unpacked and written together.
const BLOCK: u64 = 4096;

/// Numbers that follow from a seed: splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap()
    }
}

/// An image as a sparse file, with the places of what is not zero.
struct Image {
    file: File,
    used: Vec<u64>,
}

impl Image {
    fn unpack(path: &Path) -> Image {
        let packed = Unpacked::new(File::open(path).unwrap()).unwrap();
        let file = tempfile::tempfile().unwrap();
        file.set_len(packed.len()).unwrap();
        let mut used = Vec::new();
        for at in (0..packed.len() / BLOCK).map(|block| block * BLOCK) {
            if !packed.is_hole(at..at + BLOCK) {
                let mut block = vec![0; BLOCK as usize];
                packed.read_at(at, &mut block).unwrap();
                file.write_all_at(&block, at).unwrap();
                used.push(at);
            }
        }
        Image { file, used }
    }

    /// Changes up to 16 bytes of one block, and answers what was there.
    fn change(&self, random: &mut Random) -> (u64, Vec<u8>) {
        let at = self.used[random.below(self.used.len())];
        let mut block = vec![0; BLOCK as usize];
        self.file.read_exact_at(&mut block, at).unwrap();
        let before = block.clone();
        // Where the block has bytes, since the rest of it is rarely looked at.
        let places: Vec<usize> = (0..block.len()).filter(|&n| block[n] != 0).collect();
        for _ in 0..=random.below(16) {
            let place = places.get(random.below(places.len())).copied().unwrap_or(0);
            block[place] = match random.below(4) {
                0 => 0xff,
                1 => 0,
                2 => block[place] ^ 1 << random.below(8),
                _ => random.next() as u8,
            };
        }
        self.file.write_all_at(&block, at).unwrap();
        (at, before)
    }

    fn target(&self) -> Target {
        let bytes = Bytes::File(self.file.try_clone().unwrap());
        Target::Disks(vec![Volume { name: b"disk".to_vec(), bytes }])
    }
}

/// Ends the process, with what it was at, if nobody says in time that it is done.
struct Watchdog(Arc<(Mutex<bool>, Condvar)>);

impl Watchdog {
    fn over(what: String) -> Watchdog {
        let done = Arc::new((Mutex::new(false), Condvar::new()));
        let theirs = Arc::clone(&done);
        std::thread::spawn(move || {
            let guard = theirs.0.lock().unwrap();
            let (_guard, timeout) = theirs.1.wait_timeout_while(guard, LONGEST, |done| !*done).unwrap();
            if timeout.timed_out() {
                eprintln!("{what} did not end in {LONGEST:?}");
                std::process::abort();
            }
        });
        Watchdog(done)
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

/// The report of an image whose bytes were changed, and its list of names. Extractors' panics are caught by the engine and
/// said in the report, so they are looked for there.
fn look(image: &Image, what: &str) {
    if let Ok(report) = inspect(image.target(), Profile::Full, 2) {
        let panicked = report.coverage.lines().into_iter().any(|line| {
            let is = |code| code == snapscan_schema::Reason::ExtractorFailed;
            line.code.is_some_and(is) || line.notes.iter().any(|note| is(note.code))
        });
        assert!(!panicked, "{what}: an extractor panicked: {:?}", report.coverage);
    }
    let listing = Listing { recursive: true, long: true, digest: true, tsv: true };
    let _unread = list(image.target(), b"/", listing, &mut std::io::sink());
}

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|end| end == "zst")).collect();
    // Its files of 900 GiB cannot be digested.
    paths.retain(|path| !path.ends_with("evil-ext4.img.zst"));
    paths.sort();
    paths
}

#[test]
fn a_fixture_with_changed_bytes_gives_a_report_without_panic_or_hang() {
    let count = std::env::var("SNAPSCAN_FLIPS").map_or(FEW, |n| n.parse().unwrap());
    let fixtures = fixtures();
    assert!(fixtures.len() >= 10);
    for path in fixtures {
        let image = Image::unpack(&path);
        for seed in 0..count {
            let what = format!("{}, seed {seed}", path.file_name().unwrap().display());
            let _watchdog = Watchdog::over(what.clone());
            let mut random = Random(seed);
            let changes: Vec<_> = (0..=random.below(3)).map(|_| image.change(&mut random)).collect();
            let looked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| look(&image, &what)));
            assert!(looked.is_ok(), "{what}");
            for (at, before) in changes.into_iter().rev() {
                image.file.write_all_at(&before, at).unwrap();
            }
        }
    }
}
