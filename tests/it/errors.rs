// SPDX-License-Identifier: Apache-2.0
//! What goes wrong: the exit code, and a message that says what, where, and what to do.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::disk::{Images, fixture, swap_text};
use crate::run::{self, Ran, places, scan, snapscan};

/// Requires one error with a way out, each line in its form.
fn is_error(ran: &Ran, code: i32, what: &str, help: &str) {
    assert_eq!(ran.code, code, "{}", ran.err);
    let lines: Vec<&str> = ran.err.lines().collect();
    let error = lines.iter().find(|line| line.starts_with("error: ")).copied().unwrap_or_default();
    assert!(error.contains(what), "{what} is not in {:?}", ran.err);
    let last = lines.last().copied().unwrap_or_default();
    assert!(last.starts_with("help: ") && last.contains(help), "{help} is not in {last:?}");
}

#[test]
fn a_file_that_is_no_image_fails_with_what_it_is() {
    let images = Images::new();
    for content in [b"hello, this is no disk\n".as_slice(), &[0x5a; 700], &[0x5a; 3 << 20]] {
        let image = images.write("notes.txt", content);
        let ran = snapscan(["scan".as_ref(), image.as_os_str()]);
        is_error(&ran, 1, "no filesystem could be read on `notes.txt`", "[UNKNOWN_CONTENT]");
        assert!(ran.text().contains("volume notes.txt: failed"), "{}", ran.text());
        let report = snapscan(["scan".as_ref(), "--json".as_ref(), image.as_os_str()]);
        assert_eq!(report.code, 1);
        assert!(
            serde_json::from_slice::<serde_json::Value>(&report.out).is_ok(),
            "the report is there all the same"
        );
    }
}

#[test]
fn an_empty_image_fails_and_says_so() {
    let image = Images::new();
    let image = image.write("empty.img", b"");
    let path = image.clone();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, b"").unwrap();
    is_error(&snapscan(["scan".as_ref(), path.as_os_str()]), 1, "`empty.img`", "[IMAGE_EMPTY]");
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[test]
fn an_image_of_zeros_holds_nothing() {
    let images = Images::new();
    let image = images.write("blank.img", &[0; 1 << 20]);
    let (code, report) = scan(&[&image]);
    assert_eq!((code, places(&report)[1].as_str()), (1, "filesystem : skipped BLANK neutral"));
}

#[test]
fn a_missing_file_and_a_forbidden_one_are_named() {
    let images = Images::new();
    let missing = images.path("nowhere.img");
    for command in ["scan", "ls"] {
        let ran = snapscan([command.as_ref(), missing.as_os_str()]);
        is_error(&ran, 1, "nowhere.img`: No such file", "check the path");
    }
    let secret = images.write("secret.img", b"x");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    let ran = if fs::File::open(&secret).is_ok() {
        // Root may read all, so the program runs as nobody, from a folder that everybody may enter.
        let program = images.path("snapscan");
        fs::copy(env!("CARGO_BIN_EXE_snapscan"), &program).unwrap();
        fs::set_permissions(program.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        run::ran(command.arg(program).arg("scan").arg(&secret))
    } else {
        snapscan(["scan".as_ref(), secret.as_os_str()])
    };
    is_error(&ran, 1, "secret.img`: Permission denied", "run as a user that may read it");
}

#[test]
fn a_folder_is_the_only_target() {
    let images = Images::new();
    let folder = images.path("root");
    fs::create_dir(&folder).unwrap();
    let image = run::fixture("alpine");
    for targets in [[folder.as_os_str(), image.as_os_str()], [image.as_os_str(), folder.as_os_str()]] {
        let ran = snapscan(["scan".as_ref()].into_iter().chain(targets));
        is_error(&ran, 2, "is a folder, and a folder is the only target", "scan it on its own");
        assert!(ran.out.is_empty());
    }
}

#[test]
fn a_command_line_that_is_not_understood_is_exit_code_2() {
    let image = run::fixture("alpine");
    let image = image.to_str().unwrap();
    for arguments in [
        vec!["scan"],
        vec!["scna", image],
        vec!["scan", "--profil", "os", image],
        vec!["scan", "--at", "yesterday", image],
        vec!["scan", "--threads", "4000", image],
        vec!["scan", "--format", "xml", image],
        vec!["ls"],
        vec!["cat", image],
        vec!["explain", "NO_SUCH_CODE"],
        vec![],
    ] {
        let ran = snapscan(&arguments);
        assert_eq!((ran.code, ran.out.len()), (2, 0), "{arguments:?} {}", ran.err);
    }
    let ran = run::ran(run::command().args(["scan", image]).env("SOURCE_DATE_EPOCH", "soon"));
    is_error(&ran, 2, "SOURCE_DATE_EPOCH", "seconds since 1970");
    assert!(snapscan(["explain", "IMAGE_TRUNCATD"]).err.contains("did you mean IMAGE_TRUNCATED?"));
}

#[test]
fn a_result_that_cannot_be_written_is_an_error() {
    let image = run::fixture("alpine");
    let image = image.to_str().unwrap();
    is_error(
        &snapscan(["scan", image, "-o", "/nonexistent/report"]),
        1,
        "/nonexistent/report",
        "check the folder",
    );
    if std::path::Path::new("/dev/full").exists() {
        let ran = snapscan(["scan", image, "-o", "/dev/full"]);
        is_error(&ran, 1, "No space left on device", "check the space");
    }
}

#[test]
fn a_torn_packed_image_is_an_error_and_not_a_short_disk() {
    let packed = fs::read(run::fixture("debian-ext4-gpt")).unwrap();
    let images = Images::new();
    let torn = images.path("torn.img.zst");
    for len in [5, 100, packed.len() / 2, packed.len() - 1] {
        fs::write(&torn, &packed[..len]).unwrap();
        let ran = snapscan(["scan".as_ref(), torn.as_os_str()]);
        is_error(&ran, 1, "cannot read torn.img.zst", "compare its size or digest");
    }
}

#[test]
fn a_truncated_image_gives_what_is_there_and_exit_code_3() {
    let ran = snapscan(["scan".as_ref(), run::fixture("truncated").as_os_str()]);
    assert_eq!(ran.code, 3);
    assert!(ran.text().contains("11 deb packages"), "{}", ran.text());
    let warning = "warning: volume `truncated.img.zst` and 1 more: read in part: the image ends before its content does";
    assert!(ran.text().contains(warning), "{}", ran.text());
    assert!(ran.text().contains("[IMAGE_TRUNCATED]"), "{}", ran.text());
}

#[test]
fn an_image_that_ends_anywhere_is_no_crash_and_never_complete() {
    let disk = fixture("debian-ext4-gpt");
    let images = Images::new();
    // The last MiB of this disk holds only the copy of the table.
    for mib in [1, 2, 20, 36, 37, 38, 40, 44, 50, 56] {
        let image = images.write("cut.img", &disk[..(mib << 20) + 1000]);
        let (code, report) = scan(&[&image]);
        assert!(code == 3 || code == 1, "{mib} MiB: {code} {:?}", places(&report));
        let volume = &places(&report)[0];
        let either = ["volume cut.img: failed IMAGE_TRUNCATED", "volume cut.img: partial IMAGE_TRUNCATED"];
        assert!(either.contains(&volume.as_str()), "{mib} MiB: {volume}");
    }
}

#[test]
fn looking_at_what_is_not_there_says_what_is() {
    let image = run::fixture("debian-ext4-gpt");
    let image = image.to_str().unwrap();
    is_error(&snapscan(["cat", image, "/nope"]), 1, "/nope: no such file or folder", "`snapscan ls`");
    is_error(&snapscan(["ls", image, "/etc/nope"]), 1, "/etc/nope: no such file or folder", "`snapscan ls`");
    is_error(&snapscan(["cat", image, "/etc"]), 1, "/etc: not a regular file", "`snapscan ls -l`");
    let ran = snapscan(["ls", image, "--volume", "debian-ext4-gpt.img.zst/9"]);
    is_error(&ran, 1, "there are debian-ext4-gpt.img.zst/2", "--volume");
}

#[test]
fn names_from_the_disk_cannot_reach_the_terminal() {
    let mut image = fixture("alpine");
    // A package, a hostname in evidence, and a file, whose names hold escape codes; lengths stay what they are.
    swap_text(&mut image, "PRETTY_NAME=\"Alpine Linux", "PRETTY_NAME=\"\x1b[31mn\x07Linux");
    swap_text(&mut image, "P:musl\n", "P:\x1b[2J\n");
    let images = Images::new();
    let image = images.write("\x1b]0;title\x07.img", &image);
    let evil = |ran: &Ran| ran.out.iter().chain(ran.err.as_bytes()).any(|byte| matches!(byte, 0x1b | 0x07));
    let table = snapscan(["scan".as_ref(), image.as_os_str()]);
    assert!(table.code == 0 && !evil(&table), "{} {:?}", table.code, table.text());
    assert!(table.text().contains("\\x1b[31mn\\x07Linux"), "{}", table.text());
    assert!(table.text().contains("\\x1b[2J"), "{}", table.text());
    let missing = snapscan(["ls".as_ref(), image.as_os_str(), "/a\x1b[2Jb".as_ref()]);
    assert!(missing.code == 1 && !evil(&missing), "{:?}", missing.err);
    let forbidden = snapscan(["scan".as_ref(), images.path("\x1b[2J.img").as_os_str()]);
    assert!(forbidden.code == 1 && !evil(&forbidden), "{:?}", forbidden.err);

    let folder = images.path("root");
    fs::create_dir_all(folder.join("a\x1b[31m")).unwrap();
    fs::write(folder.join("a\x1b[31m/b\x07\n"), b"x").unwrap();
    for options in [vec!["-R"], vec!["-R", "-l"], vec!["-R", "--format", "tsv"]] {
        let arguments = ["ls".as_ref(), folder.as_os_str()];
        let ran = snapscan(arguments.into_iter().chain(options.iter().map(AsRef::as_ref)));
        assert!(ran.code == 0 && !evil(&ran), "{options:?}");
        assert!(ran.text().contains("a\\x1b[31m/b\\x07\\n"), "{}", ran.text());
    }
}
