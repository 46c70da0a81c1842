// SPDX-License-Identifier: Apache-2.0
//! Small rpm databases that SQLite and Berkeley DB wrote, whole and with single bits turned.
//!
//! `tests/data/rpm/make.py` makes them and says what is in them.
#![allow(clippy::unwrap_used, reason = "a test that panics is a test that failed")]

mod files;
mod places;
mod refusals;
mod second;
mod tools;

use files::{Files, Rows, cases, expected};

#[test]
fn every_case_gives_the_rows_that_its_writer_reads() {
    for case in cases() {
        let (rows, scan) = Files::open(&case).read().unwrap();
        assert_eq!(rows, expected(&case), "{}", case.display());
        assert_eq!(scan.damage, [], "{}", case.display());
    }
}

/// A generator with a fixed seed (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

/// Fails if a database whose bits were turned comes out whole with another list, but for the content of the one record
/// that was hit: SQLite and Berkeley DB keep no checksums of content.
fn check_flipped(files: &Files, whole: &Rows, what: &str) {
    let Ok((rows, scan)) = files.read() else { return };
    if !scan.is_whole() {
        return;
    }
    let lost: Vec<_> = whole.iter().filter(|(number, _)| !rows.contains_key(number)).collect();
    let changed = rows.iter().filter(|(number, line)| whole.get(number) != Some(line)).count();
    assert!(changed <= 1 && lost.len() <= changed, "{what}: {changed} changed, lost {lost:?}");
}

#[test]
fn a_turned_bit_costs_a_status_or_one_records_content() {
    for case in cases() {
        let whole = expected(&case);
        let name = case.file_name().unwrap().display().to_string();
        let original = Files::open(&case);
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
        for round in 0..1500 {
            let mut files = original.clone();
            let mut parts = files.parts();
            let part = dice.below(parts.len());
            let bytes = &mut parts[part];
            // Half of the rounds turn bits where structures lie: at the start of a page.
            let at = if round % 2 == 0 {
                dice.below(bytes.len())
            } else {
                (dice.below(bytes.len().div_ceil(512)) * 512 + dice.below(40)).min(bytes.len() - 1)
            };
            let bit = dice.below(8);
            bytes[at] ^= 1 << bit;
            check_flipped(&files, &whole, &format!("{name}, file {part}, byte {at}, bit {bit}"));
        }
    }
}

#[test]
fn a_file_that_is_cut_anywhere_is_never_whole_with_fewer_rows() {
    for case in cases() {
        let whole = expected(&case);
        let mut original = Files::open(&case);
        let len = original.parts()[0].len();
        for cut in (0..len).step_by(len / 97 + 1) {
            let mut files = original.clone();
            files.parts()[0].truncate(cut);
            if let Ok((rows, scan)) = files.read() {
                assert!(!scan.is_whole() || rows == whole, "{} cut at {cut}", case.display());
            }
        }
    }
}
