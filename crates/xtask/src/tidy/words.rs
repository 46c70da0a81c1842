// SPDX-License-Identifier: Apache-2.0
//! Words that must not stand in certain folders: what a crate never does is part of its promise (INV-1).

use super::Source;

/// Words that must not stand somewhere.
struct Rule {
    /// The folder.
    folder: &'static str,
    /// The words.
    words: &'static [&'static str],
    /// True if tests may hold them.
    tests_may: bool,
    /// Why they must not stand there.
    why: &'static str,
}

/// A clock that does not come from the cloud's.
const CLOCKS: &[&str] = &["SystemTime::now", "Instant::now", "UNIX_EPOCH.elapsed"];
/// How an [`snapscan_cloud::Owned`] could be had without proof: out of text, or with the call that carries it.
const FORGERY: &[&str] = &["::<Owned", "::<Call>", "postcard"];
const FORGED: &str = "what is ours is proved by a look at the cloud, and never read from text (INV-5)";
/// What is not done, and says so.
const NOT_DONE: &[&str] = &["TODO", "FIXME", "XXX:", "todo!(", "unimplemented!(", "#[ignore"];

const RULES: &[Rule] = &[
    Rule {
        folder: "crates/disk/src",
        words: &[
            "std::net",
            "std::env",
            "SystemTime",
            "Instant::now",
            "std::process",
            "println!",
            "eprintln!",
        ],
        tests_may: true,
        why: "the reader of disks has no network, environment, clock or output",
    },
    Rule {
        folder: "crates/inventory/src",
        words: &[
            "std::fs",
            "std::net",
            "std::env",
            "std::process",
            "SystemTime",
            "Instant::now",
            "println!",
            "eprintln!",
        ],
        tests_may: true,
        why: "extractors are pure functions of a tree",
    },
    Rule {
        folder: "crates/schema/src",
        words: &["std::fs", "std::net", "std::env", "std::process", "SystemTime"],
        tests_may: true,
        why: "words only",
    },
    Rule {
        folder: "crates/sandbox/src",
        words: &["std::net", "tokio", "reqwest", "AddressFamily::Inet", "SystemTime"],
        tests_may: true,
        why: "whoever parses a customer's bytes has no network and no wall clock",
    },
    Rule {
        folder: "crates/cloud/src",
        words: &["std::env", "SystemTime::now"],
        tests_may: true,
        why: "a cloud is told everything, the time included",
    },
    Rule {
        folder: "src",
        words: &["snapscan_inventory", "snapscan_disk::"],
        tests_may: false,
        why: "the command parses no byte of a target (INV-2)",
    },
    Rule {
        folder: "src",
        words: &["std::env", "env::var"],
        tests_may: true,
        why: "the environment is read where the configuration is read, and nowhere else",
    },
    Rule {
        folder: "src",
        words: CLOCKS,
        tests_may: true,
        why: "time comes from the cloud's clock, which tests turn",
    },
    Rule { folder: "src", words: FORGERY, tests_may: true, why: FORGED },
    Rule { folder: "crates/cloud-aws/src", words: FORGERY, tests_may: true, why: FORGED },
    Rule { folder: "crates", words: NOT_DONE, tests_may: false, why: "what is not done is not resolved" },
    Rule { folder: "src", words: NOT_DONE, tests_may: false, why: "what is not done is not resolved" },
    Rule { folder: "tests", words: NOT_DONE, tests_may: false, why: "what is not done is not resolved" },
    Rule {
        folder: "crates",
        words: &["#[allow(", "thread::sleep"],
        tests_may: false,
        why: "an exception is expected by name, and no test sleeps",
    },
    Rule {
        folder: "src",
        words: &["#[allow(", "thread::sleep"],
        tests_may: false,
        why: "an exception is expected by name, and nothing sleeps but by the cloud's clock",
    },
];

/// Longer words that hold a forbidden one and are harmless.
const HARMLESS: &[(&str, &str)] = &[
    // How one half of a Unix socket is closed; the type lies in the network's module.
    ("std::net", "std::net::Shutdown"),
    // The reader of disks in the sandbox is chosen by the command, and so are the sources that it may open.
    ("snapscan_disk::", "snapscan_disk::source"),
];

/// File or folder, word, and the reason why it may stand there; an empty word means all of them.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("crates/xtask/src/tidy/words.rs", "", "the list itself"),
    ("crates/xtask/src", "thread::sleep", "the project's tool watches real processes"),
    ("src/agent/health.rs", "Instant::now", "the watchdog is the host's, and so is its time"),
    ("src/agent/boundary.rs", "std::env", "where to die is told to a process that is started for it"),
    ("src/agent/boundary.rs", "env::var", "where to die is told to a process that is started for it"),
    ("src/config/layers.rs", "std::env", "the environment is a layer of the configuration"),
    ("src/config/layers.rs", "env::var", "the environment is a layer of the configuration"),
    ("src/secret.rs", "std::env", "a secret may be in the environment"),
    ("src/secret.rs", "env::var", "a secret may be in the environment"),
    ("src/cli/scan.rs", "std::env", "SOURCE_DATE_EPOCH makes a report's bytes the same every day"),
    ("src/cli/scan.rs", "env::var", "SOURCE_DATE_EPOCH makes a report's bytes the same every day"),
    ("src/render/progress.rs", "Instant::now", "a person waits in real time"),
    ("src/scan.rs", "Instant::now", "a person waits in real time"),
    ("src/scan.rs", "SystemTime::now", "the report of a person's scan carries the host's time"),
    ("src/demo", "Instant::now", "a person waits in real time"),
    ("src/demo", "SystemTime::now", "the cloud that is played begins now"),
    ("src/demo", "std::env", "it starts this program anew, in the environment that it has"),
    ("src/demo", "env::var", "it starts this program anew, in the environment that it has"),
    ("crates/cloud/src/clock.rs", "SystemTime::now", "this is the clock"),
    ("crates/cloud/src/owned/rule.rs", "std::env", "a fault that `cargo xtask crash` plants, by a feature"),
];

pub(super) fn check(sources: &[Source], problems: &mut Vec<String>) {
    for source in sources {
        for rule in RULES.iter().filter(|rule| source.is_in(rule.folder)) {
            if !(source.is_test() && rule.tests_may) {
                judge(source, rule, problems);
            }
        }
        let is_wire =
            source.is_in("crates/cloud/src") || source.is_in("crates/xtask/src") || source.is_test();
        let has = |word: &str| source.code().any(|line| line.contains(word));
        if !is_wire && has("Owned<") && has("Deserialize") {
            problems
                .push(format!("{}: `Owned` in a file that deserializes: {FORGED}", source.path.display()));
        }
    }
}

/// Judges one file by one rule.
fn judge(source: &Source, rule: &Rule, problems: &mut Vec<String>) {
    let path = source.path.display();
    for word in rule.words {
        let excepted =
            |&(place, of, _): &(&str, &str, &str)| source.is_in(place) && (of.is_empty() || of == *word);
        if EXCEPTIONS.iter().any(excepted) {
            continue;
        }
        for (number, line) in (1..).zip(source.code()).filter(|(_, line)| holds(line, word)) {
            // A comment may name what the code does not do, but not say that something is undone.
            if !line.trim_start().starts_with("//") || NOT_DONE.contains(word) {
                problems.push(format!("{path}:{number}: `{word}`: {}", rule.why));
            }
        }
    }
}

/// True if a line holds the word other than as a part of a harmless one.
fn holds(line: &str, word: &str) -> bool {
    let harmless = HARMLESS.iter().filter(|(of, _)| *of == word);
    let left = harmless.fold(line.to_owned(), |line, (_, longer)| line.replace(longer, ""));
    left.contains(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(path: &str, text: &str) -> usize {
        let mut problems = Vec::new();
        check(&[Source { path: path.into(), text: text.to_owned() }], &mut problems);
        problems.len()
    }

    #[test]
    fn a_unix_socket_may_be_closed_and_no_network_opened() {
        let file = "crates/sandbox/src/parent/serve.rs";
        assert_eq!(judged(file, "use std::net::Shutdown;\nuse std::os::unix::net::UnixStream;\n"), 0);
        assert_eq!(judged(file, "use std::net::{Shutdown, TcpStream};\n"), 1);
        assert_eq!(judged(file, "fn f() { std::net::TcpStream::connect(\"h:1\"); }\n"), 1);
    }

    #[test]
    fn the_command_knows_sources_of_disks_and_nothing_else_of_them() {
        assert_eq!(judged("src/cli/scan.rs", "use snapscan_disk::source::raw::Raw;\n"), 0);
        assert_eq!(judged("src/cli/scan.rs", "use snapscan_disk::layout::gpt;\n"), 1);
    }

    #[test]
    fn ours_is_proved_and_not_deserialized() {
        let forged = "#[derive(Deserialize)]\nstruct Row { id: Owned<SnapshotId> }\n";
        assert_eq!(judged("src/agent/ledger/rows.rs", forged), 1);
        assert_eq!(judged("crates/cloud/src/call.rs", forged), 0);
        assert_eq!(
            judged("src/agent/steps/open.rs", "let id = serde_json::from_str::<Owned<_>>(text);\n"),
            1
        );
    }

    #[test]
    fn tests_may_read_clocks_and_logic_may_not() {
        let text = "let now = SystemTime::now();\n";
        assert_eq!(judged("src/agent/lease.rs", text), 1);
        assert_eq!(judged("src/agent/lease/tests.rs", text), 0);
        assert_eq!(judged("src/agent/lease.rs", &format!("// Not SystemTime.\n#[cfg(test)]\n{text}")), 0);
    }
}
