// SPDX-License-Identifier: Apache-2.0
//! Children that crash, hang and lie at every place, and what the report says of it; and that a confined child's report
//! is the one that the same reading gives without a sandbox.
//!
//! This program is its own worker: started under a worker's name it confines itself and reads, and what the first
//! volume is called says how it misbehaves. So it has a `main` of its own instead of libtest's.
#![expect(clippy::unwrap_used, reason = "a test that panics is a test that failed")]

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use snapscan_disk::BlockSource;
use snapscan_disk::source::zst::Unpacked;
use snapscan_sandbox::blocks::{BLOCK_BYTES, Done, Fetch, Fetched, Wanted};
use snapscan_sandbox::child::{self, Seat, Trap, serve, unconfined};
use snapscan_sandbox::look::{Listing, list};
use snapscan_sandbox::wire::frame;
use snapscan_sandbox::wire::line::Line;
use snapscan_sandbox::wire::mirror::{self, Evidence};
use snapscan_sandbox::wire::record::Record;
use snapscan_sandbox::wire::request::{Asked, Place, Request};
use snapscan_sandbox::{Bytes, Error, Options, Profile, Require, Target, Volume, Watch, inspect};
use snapscan_schema::{Coverage, Level, Reason, Report, Status, Text, Weight};

/// The tests, by name.
const TESTS: &[(&str, fn())] = &[
    ("every_fixture_gives_the_report_that_it_gives_without_a_sandbox", equal::fixtures),
    ("a_folder_gives_the_report_that_it_gives_without_a_sandbox", equal::folder),
    ("volumes_whose_blocks_are_served_give_the_report_of_their_files", equal::served),
    ("a_listing_gives_the_names_that_it_gives_without_a_sandbox", equal::listing),
    ("a_child_that_crashes_in_an_extractor_loses_that_extractor_only", crash::extractor),
    ("a_child_that_crashes_in_a_partition_loses_that_partition_only", crash::partition),
    ("a_child_that_crashes_once_loses_nothing", crash::once),
    ("a_child_that_crashes_everywhere_is_given_up", crash::everywhere),
    ("a_child_that_crashes_in_a_look_is_an_error_with_its_place", crash::in_look),
    ("a_child_that_hangs_in_an_extractor_loses_that_extractor_only", crash::hang),
    ("a_child_that_panics_says_so", crash::panic),
    ("a_child_killed_at_any_byte_of_its_stream_leaves_no_half_report", crash::any_byte),
    ("a_child_that_lies_is_ended_and_believed_nothing", lie::all),
    ("a_scan_that_is_cancelled_ends_soon", crash::cancelled),
];

fn main() -> ExitCode {
    if let Some(code) = child::entry_with(misbehave) {
        return code;
    }
    let filter: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    if std::env::args().any(|word| word == "--list") {
        TESTS.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let mut failed = 0;
    for (name, test) in TESTS {
        if !filter.is_empty() && !filter.iter().any(|word| name.contains(word.as_str())) {
            continue;
        }
        let begun = Instant::now();
        let passed = std::panic::catch_unwind(test).is_ok();
        println!("test {name} ... {} ({:?})", if passed { "ok" } else { "FAILED" }, begun.elapsed());
        failed += u8::from(!passed);
    }
    ExitCode::from(failed)
}

/// The first volume's name, or the folder's.
fn first_name(request: &Request) -> String {
    let name = match &request.target {
        Asked::Disks(volumes) => volumes.first().map(|volume| volume.name.clone()).unwrap_or_default(),
        Asked::Directory(name) => name.clone(),
    };
    String::from_utf8_lossy(&name).into_owned()
}

/// A worker that does what its volume's name says: `crash:PLACE`, `hang:PLACE`, `panic:PLACE`, `once:PLACE`, where
/// PLACE is `dpkg` for a part, `/2` for a partition, `*` for every place; `lie:KIND` lies.
fn misbehave(seat: Seat) -> ExitCode {
    serve::run_trapped(seat, |request, mut records| {
        let name = first_name(request);
        let (what, at) = name.split_once(':')?;
        if what == "lie" {
            // The parent may hang up before all is told.
            let _told = lie::tell(at, &name, &mut records);
            std::process::exit(0);
        }
        let (what, at, careful) = (what.to_owned(), at.to_owned(), request.careful);
        let trap: Trap = Box::new(move |place: &Place| {
            let whole = place.part.is_empty() && place.name == [name.as_bytes(), at.as_bytes()].concat();
            let here = at == "*" || place.part == at || whole;
            match (what.as_str(), here) {
                ("crash", true) => std::process::abort(),
                ("once", true) if !careful => std::process::abort(),
                ("panic", true) => panic!("as asked"),
                ("hang", true) => loop {
                    std::thread::park_timeout(Duration::from_secs(1));
                },
                _ => {}
            }
        });
        Some(trap)
    })
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(format!("{name}.img.zst"))
}

fn target(name: &str, path: &Path) -> Target {
    let bytes = Bytes::File(File::open(path).unwrap());
    Target::Disks(vec![Volume { name: name.as_bytes().to_vec(), bytes }])
}

fn folder(path: &Path) -> Target {
    Target::Directory { name: b"folder".to_vec(), folder: OwnedFd::from(File::open(path).unwrap()) }
}

fn options(profile: Profile) -> Options {
    let mut options = Options::new(profile, Require::Possible);
    options.threads = 2;
    options.limits.memory = 1 << 30;
    options
}

fn confined(target: Target, options: &Options) -> Result<Report, Error> {
    inspect(target, options, &Watch::default(), None)
}

/// A report's bytes without what differs from run to run.
fn bytes(mut report: Report) -> String {
    report.header.run = Default::default();
    String::from_utf8(report.to_json().unwrap()).unwrap()
}

fn lost(report: &Report) -> Vec<(Level, String)> {
    let lines = report.coverage.lines();
    let crashed = lines.iter().filter(|line| line.code == Some(Reason::WorkerCrashed));
    crashed.map(|line| (line.level, String::from_utf8_lossy(line.name.as_bytes()).into_owned())).collect()
}

/// The line of the only volume.
fn volume(report: &Report) -> &Coverage {
    report.coverage.children.iter().find(|line| line.level == Level::Volume).unwrap()
}

/// Findings and lines of a report that are not in another.
fn missing(of: &Report, from: &Report) -> (usize, Vec<String>) {
    let findings = of.findings.iter().filter(|finding| !from.findings.contains(finding)).count();
    let line = |line: &&Coverage| (line.level, line.name.clone(), line.code, line.detail.clone());
    let there: Vec<_> = from.coverage.lines().iter().map(line).collect();
    let lines = of.coverage.lines();
    let lines = lines.iter().filter(|one| !there.contains(&line(one)));
    (findings, lines.map(|line| String::from_utf8_lossy(line.name.as_bytes()).into_owned()).collect())
}

mod equal {
    use super::*;

    pub(super) fn fixtures() {
        let mut compared = 0;
        for entry in fs::read_dir(fixture("x").parent().unwrap()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|end| end != "zst") {
                continue;
            }
            for profile in [Profile::Os, Profile::Full] {
                let inside = confined(target("disk", &path), &options(profile)).unwrap();
                let outside = unconfined::inspect(target("disk", &path), profile, 2).unwrap();
                assert_eq!(lost(&inside), [], "{}", path.display());
                assert!(bytes(inside) == bytes(outside), "{} {profile:?}", path.display());
                compared += 1;
            }
        }
        assert!(compared >= 22, "{compared}");
        let two = || {
            let volume = |name: &str| Volume {
                name: name.as_bytes().to_vec(),
                bytes: Bytes::File(File::open(fixture(name)).unwrap()),
            };
            Target::Disks(vec![volume("two-disks-root"), volume("two-disks-var")])
        };
        let inside = confined(two(), &options(Profile::Full)).unwrap();
        assert!(bytes(inside) == bytes(unconfined::inspect(two(), Profile::Full, 2).unwrap()));
    }

    pub(super) fn folder() {
        let home = tempfile::tempdir().unwrap();
        for (path, content) in [
            ("etc/os-release", "ID=debian\nVERSION_ID=12\n"),
            ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
            ("var/lib/dpkg/status", "Package: a\nStatus: install ok installed\nVersion: 1\n\n"),
        ] {
            let path = home.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        for profile in [Profile::Os, Profile::Full] {
            let inside = confined(super::folder(home.path()), &options(profile)).unwrap();
            let outside = unconfined::inspect(super::folder(home.path()), profile, 2).unwrap();
            assert_eq!(inside.findings.iter().filter(|finding| finding.package().is_some()).count(), 1);
            assert!(bytes(inside) == bytes(outside), "{profile:?}");
        }
    }

    /// Blocks of images, unpacked.
    struct Blocks(Vec<Unpacked>);

    impl Fetch for Blocks {
        fn fetch(&self, wanted: Wanted, done: Done) {
            let image = &self.0[usize::try_from(wanted.volume).unwrap()];
            let from = wanted.index * BLOCK_BYTES as u64;
            let len = usize::try_from((image.len() - from).min(BLOCK_BYTES as u64)).unwrap();
            let mut block = vec![0; BLOCK_BYTES];
            image.read_at(from, &mut block[..len]).unwrap();
            done(if block.iter().all(|&byte| byte == 0) { Fetched::Zero } else { Fetched::Bytes(block) });
        }
    }

    pub(super) fn served() {
        let unpack = |name: &str| Unpacked::new(File::open(fixture(name)).unwrap()).unwrap();
        for names in [&["debian-ext4-gpt"][..], &["rocky-xfs-lvm-gpt"], &["two-disks-root", "two-disks-var"]]
        {
            // The second child of a crash is served from the same cache.
            for what in ["disk", "once:dpkg"] {
                let name = |n: usize| if n == 0 { what.into() } else { format!("{what}#{n}").into_bytes() };
                let images: Vec<_> = names.iter().map(|name| unpack(name)).collect();
                let served = images.iter().enumerate().map(|(n, image)| Volume {
                    name: name(n),
                    bytes: Bytes::Served { len: image.len(), sector: None },
                });
                let served = Target::Disks(served.collect());
                let files = names.iter().enumerate().map(|(n, image)| Volume {
                    name: name(n),
                    bytes: Bytes::File(File::open(fixture(image)).unwrap()),
                });
                let files = Target::Disks(files.collect());
                let options = options(Profile::Full);
                let report =
                    inspect(served, &options, &Watch::default(), Some(Arc::new(Blocks(images)))).unwrap();
                assert_eq!(report.header.run.method, "direct");
                let outside = unconfined::inspect(files, Profile::Full, 2).unwrap();
                assert!(bytes(report) == bytes(outside), "{names:?} {what}");
            }
        }
    }

    pub(super) fn listing() {
        let listing = Listing { recursive: true, long: true, digest: true, tsv: true };
        for name in ["debian-ext4-gpt", "rocky-xfs-lvm-gpt"] {
            let (mut inside, mut outside) = (Vec::new(), Vec::new());
            let disk = || target("disk", &fixture(name));
            let seen = list(disk(), &options(Profile::Os), None, b"/", listing, &mut inside).unwrap();
            let expected = unconfined::list(disk(), b"/", listing, &mut outside).unwrap();
            assert!(!inside.is_empty() && inside == outside && seen == expected, "{name}");
        }
    }
}

mod crash {
    use super::*;

    /// Compares a crash at a place with the report that the same name gives without one.
    fn compare(
        what: &str,
        profile: Profile,
        limits: impl Fn(&mut Options),
        lines: &[(Level, &str)],
    ) -> (usize, Vec<String>) {
        let image = fixture("debian-ext4-gpt");
        let mut options = options(profile);
        limits(&mut options);
        let hurt = confined(target(what, &image), &options).unwrap();
        let lines: Vec<_> = lines.iter().map(|(level, name)| (*level, (*name).to_owned())).collect();
        assert_eq!(
            lost(&hurt),
            lines,
            "{what}: {:?}",
            hurt.coverage.children.first().map(|line| &line.detail)
        );
        let whole = unconfined::inspect(target(what, &image), profile, 2).unwrap();
        assert_eq!(missing(&hurt, &whole).0, 0, "{what}: nothing is made up");
        missing(&whole, &hurt)
    }

    pub(super) fn extractor() {
        let (findings, lines) = compare("crash:dpkg", Profile::Os, |_| {}, &[(Level::Extractor, "dpkg")]);
        // The 11 packages, the line of the extractor itself, and no other.
        assert_eq!((findings, lines), (11, vec!["dpkg".to_owned()]));
        let (findings, lines) = compare("crash:sshd", Profile::Full, |_| {}, &[(Level::Extractor, "sshd")]);
        assert!(findings > 0 && lines == ["sshd"], "{findings} {lines:?}");
        let (_, lines) = compare("crash:walk", Profile::Full, |_| {}, &[(Level::Extractor, "modes")]);
        assert_eq!(lines, ["modes"]);
    }

    pub(super) fn partition() {
        let image = fixture("debian-ext4-gpt");
        let whole = unconfined::inspect(target("crash:", &image), Profile::Os, 2).unwrap();
        let root = volume(&whole).children.iter().position(|line| {
            line.children
                .iter()
                .any(|fs| String::from_utf8_lossy(fs.detail.as_bytes()).contains("mounted at /"))
        });
        let name = &volume(&whole).children[root.unwrap()].name;
        let what = format!("crash:/{}", String::from_utf8_lossy(name.as_bytes()));
        let hurt = confined(target(&what, &image), &options(Profile::Os)).unwrap();
        assert_eq!(lost(&hurt), [(Level::Filesystem, String::new())]);
        assert!(hurt.findings.is_empty());
        let others = |report: &Report| {
            let mut lines = volume(report).children.clone();
            lines.remove(root.unwrap());
            lines
        };
        assert_eq!(others(&hurt), others(&whole));
    }

    pub(super) fn once() {
        let (findings, lines) = compare("once:dpkg", Profile::Os, |_| {}, &[]);
        assert_eq!((findings, lines), (0, vec![]));
    }

    pub(super) fn everywhere() {
        let image = fixture("alpine");
        let report = confined(target("crash:*", &image), &options(Profile::Os)).unwrap();
        assert_eq!(report.coverage.status, Status::Failed);
        assert_eq!(lost(&report), [(Level::Volume, "crash:*".to_owned())]);
        assert!(report.findings.is_empty());
    }

    pub(super) fn in_look() {
        let mut out = Vec::new();
        let image = fixture("alpine");
        let at = target("crash:*", &image);
        match list(at, &options(Profile::Os), None, b"/", Listing::default(), &mut out) {
            Err(Error::Crashed { place, why }) => {
                assert_eq!((place.as_str(), why.as_str()), ("crash:*", "it was ended by SIGABRT"));
            }
            other => panic!("{other:?}"),
        }
        assert!(out.is_empty());
    }

    pub(super) fn hang() {
        let quick = |options: &mut Options| options.limits.quiet = Duration::from_millis(1500);
        let (findings, lines) = compare("hang:dpkg", Profile::Os, quick, &[(Level::Extractor, "dpkg")]);
        assert_eq!((findings, lines), (11, vec!["dpkg".to_owned()]));
    }

    pub(super) fn panic() {
        let (_, lines) = compare("panic:walk", Profile::Full, |_| {}, &[(Level::Extractor, "modes")]);
        assert_eq!(lines, ["modes"]);
    }

    pub(super) fn cancelled() {
        let watch = Watch::default();
        let image = fixture("alpine");
        let begun = Instant::now();
        let ended = std::thread::scope(|scope| {
            let scan = scope.spawn(|| inspect(target("hang:*", &image), &options(Profile::Os), &watch, None));
            while watch.stage().is_empty() && !scan.is_finished() {
                std::thread::yield_now();
            }
            watch.cancel();
            scan.join().unwrap()
        });
        assert!(matches!(ended, Err(Error::Cancelled)), "{ended:?}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    }

    /// Ends the stream of a real answer after each of its first bytes, and after some of the rest; through the same judge
    /// that the parent has.
    pub(super) fn any_byte() {
        use snapscan_sandbox::wire::check::{Asking, Check, Lie, Said};
        use snapscan_sandbox::wire::frame::Frames;
        let (stream, volume) = answer();
        let told = |bytes: &[u8]| -> Result<(usize, bool), Lie> {
            let (mut frames, mut check) =
                (Frames::default(), Check::new(Asking::Report(vec![volume.clone()])));
            let (mut count, mut is_done) = (0, false);
            for piece in bytes.chunks(64 << 10) {
                frames.feed(piece, |record: Record, len| {
                    count += 1;
                    is_done |= check.take(record, len)? == Said::Done;
                    Ok::<(), Lie>(())
                })?;
            }
            Ok((count, is_done && frames.end().is_ok()))
        };
        let (all, is_done) = told(&stream).unwrap();
        assert!(is_done && all > 30, "{all}");
        let mut cuts = 0;
        for cut in (0..stream.len()).filter(|cut| *cut < 4000 || cut % 17 == 0 || stream.len() - cut < 50) {
            let (count, is_done) = told(&stream[..cut]).unwrap();
            assert!(!is_done && count < all, "cut at {cut}");
            cuts += 1;
        }
        assert!(cuts > 500, "{cuts}");
    }

    /// The records of a report as they go over the wire, made by the reading in this process.
    fn answer() -> (Vec<u8>, Vec<u8>) {
        let report =
            unconfined::inspect(target("disk", &fixture("debian-ext4-gpt")), Profile::Full, 2).unwrap();
        let mut stream = Vec::new();
        unconfined::say(report, &mut stream).unwrap();
        (stream, b"disk".to_vec())
    }
}

mod lie {
    use super::*;

    /// Lies by kind, and what the coverage then says of them.
    const KINDS: &[(&str, &str)] = &[
        ("long", "a frame of 65537 bytes"),
        ("noise", "that is no record"),
        ("evidence", "evidence on a volume of another job: other"),
        ("volume", "a line of coverage that fits nowhere"),
        ("after", "a record after the last"),
        ("output", "output where a report was asked for"),
        ("endless", "a report of more than"),
        ("half", "exit code 0 in the middle"),
        ("silent", "exit code 0 in the middle"),
        ("empty", "does not speak of every volume"),
    ];

    pub(super) fn all() {
        let image = fixture("alpine");
        for (kind, said) in KINDS {
            let name = format!("lie:{kind}");
            let mut options = options(Profile::Os);
            options.program = snapscan_sandbox::Program::this();
            options.limits.restarts = 1;
            let report = confined(target(&name, &image), &options).unwrap();
            assert_eq!(lost(&report), [(Level::Volume, name.clone())]);
            assert!(report.findings.is_empty() && report.header.system.is_none());
            let detail = String::from_utf8_lossy(report.coverage.children[0].detail.as_bytes()).into_owned();
            assert!(detail.contains(said), "{kind}: {detail}");
        }
    }

    /// Tells a lie of a kind.
    pub(super) fn tell(kind: &str, name: &str, out: &mut impl Write) -> std::io::Result<()> {
        let line = |depth, level, name: &str| {
            Record::Line(Line {
                depth,
                level,
                name: name.into(),
                status: Status::Complete,
                code: None,
                detail: Text::default(),
                weight: Weight::Matters,
            })
        };
        let finding = |volume: &str| {
            let evidence = Evidence { volume: volume.into(), path: "/x".into(), ..Evidence::default() };
            Record::Finding(mirror::Finding::Package(mirror::Package { evidence, ..Default::default() }))
        };
        let mut say = |record: &Record| frame::send(out, record);
        if !matches!(kind, "silent" | "empty") {
            say(&line(0, Level::Machine, "machine"))?;
        }
        if !matches!(kind, "silent" | "empty" | "volume") {
            say(&line(1, Level::Volume, name))?;
        }
        match kind {
            "evidence" => say(&finding("other")),
            "volume" => say(&line(1, Level::Volume, "other")),
            "after" => say(&Record::Done).and_then(|()| say(&Record::Done)),
            "output" => say(&Record::Output(b"root".to_vec())),
            "endless" => loop {
                say(&finding(name))?;
            },
            "empty" => say(&Record::Done),
            "half" | "silent" => Ok(()),
            "long" => out.write_all(&65_537_u32.to_le_bytes()),
            _ => out.write_all(&[8, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]),
        }
    }
}
