// SPDX-License-Identifier: Apache-2.0
//! Configuration files that are damaged or nonsense: whatever stands in them, nothing panics, no bytes are lost.
#![allow(clippy::unwrap_used, reason = "a test that panics is a test that failed")]

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use snapscan_disk::fs::mem::MemTree;
use snapscan_disk::machine::Tree;
use snapscan_inventory::{Options, Outcome, Profile, run};
use snapscan_schema::Reason;

/// Files of all parsers of configuration, each with what its parser looks for.
const FILES: &[(&str, &[u8])] = &[
    ("etc/ssh/sshd_config", b"Include /etc/ssh/sshd_config.d/*.conf\nPort 22\nRekeyLimit 1G 1h\nMatch User \"a b\"\nBanner x\n"),
    ("etc/ssh/sshd_config.d/1.conf", b"Include [a-z]?*/\\x\nListenAddress [::1]:22\nMaxStartups 10:30:60\n"),
    ("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n+nis\nb:$1$a$b:1:1::/:\n"),
    ("etc/shadow", b"root:$6$salt$hash:20778:0:99999:7::20800:\nb:!:0::::::\n"),
    ("etc/group", b"wheel:x:10:root,b\n"),
    ("etc/gshadow", b"wheel:!:root:root,b\n"),
    ("etc/sudoers", b"Defaults:%a x=\"b\\\"c\", !d\nUser_Alias A = b : C = d\na, #1 ALL = (b:c) NOPASSWD: /x\\, y : h = /z\n@includedir sudoers.d\n"),
    ("etc/sudoers.d/a", b"@include \"/etc/sudoers.d/a\"\nROLE=a ALL=TYPE=b /c\n"),
    ("etc/sysctl.d/1.conf", b"a.b = 1\n-net/ipv4/x.y=2\n; c\n-left\n"),
    ("etc/crontab", b"A=b\n1 2 3 4 5 root x % y\n@daily root z\n"),
    ("etc/anacrontab", b"1 5 a b c\n@monthly 5 a b\n"),
    ("etc/fstab", b"UUID=\"a\\040b\" / ext4 noexec,user,exec 0 1\n/dev/x none swap sw\n"),
    ("usr/lib/systemd/system/a@.service", b"[Install]\nWantedBy=b.target \\\n c\nDefaultInstance=d\nAlias=e@.service\n"),
];

/// A generator of numbers that is the same everywhere (xorshift64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end.max(1)
    }
}

fn inventory(change: &mut dyn FnMut(&[u8]) -> Vec<u8>) -> Outcome {
    let builder =
        FILES.iter().fold(MemTree::builder(), |builder, (path, text)| builder.file(path, change(text)));
    let builder =
        builder.symlink("etc/systemd/system/x.wants/a@d.service", "/usr/lib/systemd/system/a@.service");
    let tree = Tree::new(Arc::new(builder.build().unwrap()), "disk");
    run(&tree, Options { profile: Profile::Os }, &AtomicU64::new(0))
}

fn assert_no_panic(outcome: &Outcome, seed: u64) {
    for line in &outcome.lines {
        assert_ne!(line.code, Some(Reason::ExtractorFailed), "seed {seed}: {line:?}");
    }
}

#[test]
fn flipped_bytes_make_no_parser_panic() {
    for seed in 1..=400 {
        let mut numbers = Numbers(seed);
        let outcome = inventory(&mut |text| {
            let mut bytes = text.to_vec();
            for _ in 0..=numbers.below(4) {
                let at = numbers.below(bytes.len());
                bytes[at] = u8::try_from(numbers.below(256)).unwrap();
            }
            bytes.truncate(bytes.len() - numbers.below(8));
            bytes
        });
        assert_no_panic(&outcome, seed);
    }
}

#[test]
fn random_bytes_make_no_parser_panic() {
    for seed in 1..=200 {
        let mut numbers = Numbers(seed);
        let special = b"\n\n\n :=,\\\"'#()[]@%!$*/.-+0aZ\0\xff\xe9";
        let outcome = inventory(&mut |_| {
            (0..numbers.below(600)).map(|_| special[numbers.below(special.len())]).collect()
        });
        assert_no_panic(&outcome, seed);
    }
}

#[test]
fn names_that_are_not_utf8_come_through_as_bytes() {
    let outcome = inventory(&mut |text| text.iter().map(|&b| if b == b'b' { 0xe9 } else { b }).collect());
    let subjects: Vec<_> =
        outcome.findings.iter().filter_map(|one| Some(one.fact()?.subject.as_bytes())).collect();
    assert!(subjects.contains(&&b"\xe9"[..]), "the account");
    assert!(subjects.contains(&&b"a.\xe9"[..]), "the kernel parameter");
}
