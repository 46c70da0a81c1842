// SPDX-License-Identifier: Apache-2.0
//! The evil image, through the whole program: it ends, stays small, says what it did not read, and reads nothing else.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

/// What must never be seen: it lies in the environment, where /proc/self/environ would show it, and on standard input.
const CANARY: &str = "canary-5f1d0c7e";
/// The last fence: nothing here takes a tenth of it on a busy machine.
const LONGEST: Duration = Duration::from_secs(120);
/// Address space in KiB, threads' stacks and the unpacked image included.
const ADDRESS_SPACE: u32 = 512 << 10;

fn image() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/evil-ext4.img.zst")
}

/// Runs the program within a limit of address space and of time.
fn run(arguments: &[&str]) -> Output {
    let line = format!("ulimit -v {ADDRESS_SPACE}; exec \"$0\" \"$@\"");
    let begin = Instant::now();
    let mut child = Command::new("timeout")
        .args([&LONGEST.as_secs().to_string(), "sh", "-c", &line, env!("CARGO_BIN_EXE_snapscan")])
        .args(arguments)
        .env("CANARY", CANARY)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Whoever does not read it closes the pipe early, which is as it should be.
    let _unread = child.stdin.take().unwrap().write_all(CANARY.as_bytes());
    let output = child.wait_with_output().unwrap();
    assert!(begin.elapsed() < LONGEST, "{arguments:?} did not end");
    for (what, bytes) in [("output", &output.stdout), ("errors", &output.stderr)] {
        let text = String::from_utf8_lossy(bytes);
        assert!(!text.contains(CANARY), "the host's canary is in the {what} of {arguments:?}");
        assert!(!text.contains("panicked"), "{arguments:?}: {}", &text[..text.len().min(2000)]);
    }
    output
}

fn scan(profile: &str, format: &str) -> Output {
    let image = image();
    let image = image.to_str().unwrap();
    let time = "2024-03-01T00:00:00Z";
    run(&["scan", image, "--profile", profile, "--format", format, "--at", time])
}

/// All codes of the extractors' lines and their notes, as `extractor CODE`.
fn codes(coverage: &serde_json::Value, codes: &mut Vec<String>) {
    let name = coverage["name"].as_str().unwrap_or_default();
    let mut add = |code: &serde_json::Value| {
        if let Some(code) = code.as_str() {
            codes.push(format!("{name} {code}"));
        }
    };
    add(&coverage["code"]);
    coverage["notes"].as_array().into_iter().flatten().for_each(|note| add(&note["code"]));
    coverage["children"].as_array().into_iter().flatten().for_each(|child| self::codes(child, codes));
}

#[test]
fn every_trick_of_the_evil_image_has_its_line_in_the_coverage() {
    for profile in ["os", "full"] {
        let output = scan(profile, "json");
        assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let mut met = Vec::new();
        codes(&report["coverage"], &mut met);
        met.retain(|code| !code.starts_with("/usr/"));
        met.dedup();
        for expected in [
            // A FIFO, and a file of 900 GiB behind it.
            "os-release SUBTREE_DAMAGED",
            "os-release LIMIT_REACHED",
            // Links in a circle, and 41 in a row.
            "identity SUBTREE_DAMAGED",
            // A device, a file of 900 GiB, a paragraph torn apart.
            "dpkg SUBTREE_DAMAGED",
            "dpkg LIMIT_REACHED",
            "dpkg RECORD_MALFORMED",
            // Three databases of which each is damaged in its own way.
            "rpm DATABASE_INCOMPLETE",
            "rpm DATABASE_UNREADABLE",
        ] {
            assert!(met.iter().any(|one| one == expected), "{profile}: {expected} is not in {met:?}");
        }
        // What stands before and behind the damage is found.
        let names: Vec<_> = report["findings"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
        for name in ["kept", "whole", "sparse", "package01"] {
            assert!(names.iter().any(|one| *one == name), "{profile}: {name} is not found");
        }
    }
}

#[test]
fn two_scans_of_the_evil_image_give_the_same_bytes() {
    for format in ["json", "cyclonedx", "spdx"] {
        let strip = |output: Output| {
            let mut report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            if let Some(header) = report.get_mut("header").and_then(serde_json::Value::as_object_mut) {
                header.remove("run");
            }
            report
        };
        assert!(strip(scan("full", format)) == strip(scan("full", format)), "{format}");
    }
}

#[test]
fn no_name_of_the_evil_image_reaches_the_terminal_as_it_is() {
    let image = image();
    let image = image.to_str().unwrap();
    for output in
        [scan("full", "table"), run(&["ls", "-R", "-l", image]), run(&["ls", "-R", "--format", "tsv", image])]
    {
        for bytes in [output.stdout, output.stderr] {
            let text = String::from_utf8(bytes).expect("only UTF-8 is printed");
            let raw = text.chars().find(|&c| c.is_control() && c != '\n' && c != '\t');
            assert_eq!(raw, None);
        }
    }
    let table = run(&["ls", image, "names"]);
    assert!(!String::from_utf8(table.stdout).unwrap().contains(['\t', '\u{202e}', '\u{2066}']));
}

#[test]
fn a_filesystem_mounted_onto_itself_is_listed_once() {
    let image = image();
    let listed = run(&["ls", "-R", image.to_str().unwrap()]);
    let text = String::from_utf8(listed.stdout).unwrap();
    assert!(text.lines().count() < 6000, "{} lines", text.lines().count());
    assert!(text.lines().any(|line| line == "m/9"));
    assert!(!text.lines().any(|line| line.starts_with("m/9/")));
    // 2,000 levels of one letter: the deepest path is as long as it can be.
    assert!(text.lines().any(|line| line.matches("/d").count() == 2000));
}

#[test]
fn links_that_escape_end_at_the_root_of_the_image() {
    let image = image();
    let image = image.to_str().unwrap();
    for path in ["/links/up", "/links/root/links/root/etc/passwd"] {
        let output = run(&["cat", image, path]);
        assert!(output.stdout.starts_with(b"inside:x:0:0"), "{path}");
    }
    for path in [
        "/links/environ",
        "/links/canary",
        "/links/fd",
        "/etc/hostname",
        "/etc/os-release",
        "/var/lib/dpkg/status",
    ] {
        let output = run(&["cat", image, path]);
        assert!(!output.status.success() && output.stdout.is_empty(), "{path}");
    }
}

#[test]
fn the_program_opens_the_image_and_no_other_file_for_the_disk_s_sake() {
    let image = image();
    let before = Sha256::digest(fs::read(&image).unwrap());
    let traced = Command::new("strace")
        // Without what cargo tells the loader.
        .env_remove("LD_LIBRARY_PATH")
        .args(["-f", "-qq", "-e", "trace=%file", "-e", "signal=none", env!("CARGO_BIN_EXE_snapscan"), "scan"])
        .args(["--profile", "full", "--format", "json", image.to_str().unwrap()])
        .output();
    let Ok(traced) = traced else {
        assert!(std::env::var_os("SNAPSCAN_ROOT_TESTS").is_none(), "strace is not installed");
        eprintln!("strace is not installed: not traced");
        return;
    };
    assert_eq!(Sha256::digest(fs::read(&image).unwrap()), before, "the image was changed");
    let log = String::from_utf8_lossy(&traced.stderr);
    let calls: Vec<&str> = log.lines().filter(|line| line.contains("(\"") || line.contains(", \"")).collect();
    assert!(calls.iter().any(|line| line.contains("evil-ext4.img.zst")), "{log}");
    for line in calls {
        // An empty path asks about a descriptor.
        let Some(path) = line.split('"').nth(1).filter(|path| !path.is_empty()) else { continue };
        // The loader, the C library, rayon's count of processors, and what the sandbox is built from and looked at by;
        // nothing by a name that the disk holds.
        let own = [
            "/proc/self/cgroup",
            "/proc/self/exe",
            // An ordinary user's namespace.
            "/proc/self/setgroups",
            "/proc/self/uid_map",
            "/proc/self/gid_map",
            "/proc/self/mountinfo",
            "/proc/self/maps",
            "/proc/sys/vm/overcommit_memory",
            "/sys/fs/cgroup",
            "/lib",
            "/usr/lib",
            "/etc/ld.so",
        ];
        let known = path.contains("evil-ext4.img.zst")
            || path == env!("CARGO_BIN_EXE_snapscan")
            || ["/", ".", "none", "/proc", "/dev/null"].contains(&path)
            || is_status_of_worker(path)
            || own.iter().any(|own| path.starts_with(own)) && !path.contains("os-release")
            || line.contains("ENOENT") && path.contains("/target/");
        assert!(known, "{line}");
    }
}

/// True for what the parent looks at to see how its worker is confined: `/proc/7/task/8/status`, and the folder.
fn is_status_of_worker(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let is_number = |text: &str| text.parse::<u32>().is_ok();
    match parts.as_slice() {
        ["", "proc", pid, "task"] => is_number(pid),
        ["", "proc", pid, "task", task, "status"] => is_number(pid) && is_number(task),
        _ => false,
    }
}

#[test]
fn a_compressed_bomb_is_refused_or_read_within_bounds() {
    let folder = tempfile::tempdir().unwrap();
    // Frames by RFC 8878: magic, descriptor, window; blocks of 128 KiB of one byte in four bytes each.
    let bomb = |name: &str, header: &[u8], byte: u8, blocks: u32| {
        let path = folder.path().join(name);
        let mut file = std::io::BufWriter::new(fs::File::create(&path).unwrap());
        file.write_all(&[&[0x28, 0xb5, 0x2f, 0xfd], header].concat()).unwrap();
        for block in 1..=blocks {
            let [a, b, c, _] = ((128_u32 << 10) << 3 | 1 << 1 | u32::from(block == blocks)).to_le_bytes();
            file.write_all(&[a, b, c, byte]).unwrap();
        }
        path
    };
    let petabyte = [[0xc0, 10 << 3].as_slice(), &(1_u64 << 50).to_le_bytes()].concat();
    for (path, code, said) in [
        (bomb("window", &[0, 0xff], 0, 1), 1, "window of a zstd frame"),
        (bomb("promise", &petabyte, 0, 1), 1, "unpacked image, bytes with zeros"),
        // 2 GiB of zeros: an image with nothing on it.
        (bomb("zeros", &[0, 10 << 3], 0, 16_384), 1, ""),
    ] {
        let output = run(&["scan", path.to_str().unwrap()]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{}: {errors}", path.display());
        assert!(errors.contains(said), "{}: {errors}", path.display());
    }
}
