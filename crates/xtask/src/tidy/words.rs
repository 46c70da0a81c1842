// SPDX-License-Identifier: Apache-2.0
//! Words that must not stand in certain crates: what a crate never does is part of its promise (INV-1).

use super::Source;

/// Folder, words, and why they must not stand there.
const FORBIDDEN: &[(&str, &[&str], &str)] = &[
    (
        "crates/disk/src",
        &["std::net", "std::env", "SystemTime", "Instant::now", "std::process", "println!", "eprintln!"],
        "the reader of disks has no network, environment, clock or output",
    ),
    (
        "crates/inventory/src",
        &[
            "std::fs",
            "std::net",
            "std::env",
            "std::process",
            "SystemTime",
            "Instant::now",
            "println!",
            "eprintln!",
        ],
        "extractors are pure functions of a tree",
    ),
    ("crates/schema/src", &["std::fs", "std::net", "std::env", "std::process", "SystemTime"], "words only"),
    (
        "crates/sandbox/src",
        &["std::net", "tokio", "reqwest"],
        "whoever parses a customer's bytes has no network",
    ),
    (
        "src",
        &["snapscan_inventory", "snapscan_disk::fs", "snapscan_disk::layout", "snapscan_disk::machine"],
        "the command parses no byte of a target (INV-2)",
    ),
    ("crates", &["TODO", "FIXME", "XXX:", "#[ignore"], "what is not done is not resolved"),
    ("src", &["TODO", "FIXME", "XXX:", "#[ignore"], "what is not done is not resolved"),
    ("crates", &["#[allow(", "thread::sleep"], "an exception is expected by name, and no test sleeps"),
];

/// Files that may hold a word, with the reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("crates/xtask/src/tidy/words.rs", "", "the list itself"),
    (
        "crates/xtask/src/crash/scanner.rs",
        "thread::sleep",
        "no test: it looks whether another process has ended",
    ),
    ("crates/xtask/src/crash/serve.rs", "thread::sleep", "no test: it looks whether a socket is there"),
];

pub(super) fn check(sources: &[Source], problems: &mut Vec<String>) {
    for source in sources {
        let path = source.path.display().to_string();
        for (folder, words, why) in FORBIDDEN.iter().filter(|(folder, _, _)| source.is_in(folder)) {
            for word in words.iter() {
                let excepted =
                    EXCEPTIONS.iter().any(|(file, of, _)| path == *file && (of.is_empty() || of == word));
                let tests_may = source.is_test() && !folder.ends_with("crates") && *folder != "src";
                if excepted || tests_may {
                    continue;
                }
                for (number, line) in (1..).zip(source.code()).filter(|(_, line)| line.contains(word)) {
                    if !line.trim_start().starts_with("//") || word.starts_with(char::is_uppercase) {
                        problems.push(format!("{path}:{number}: `{word}`: {why}"));
                    }
                }
            }
        }
    }
}
