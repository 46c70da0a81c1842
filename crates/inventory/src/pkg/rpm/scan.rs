// SPDX-License-Identifier: Apache-2.0
//! What reading one database came to: records handed over, and what was not reached.

use snapscan_disk::{Error, Result};
use snapscan_schema::Reason;

use crate::sink::reason_of;

/// Bytes of one record; rpm refuses headers over 256 MiB, the largest real one seen has 6.
pub const RECORD_BYTES: usize = 64 << 20;
/// Particulars that are kept word by word.
const KEPT: usize = 20;

/// What a reader calls for each record: the package number and the header blob.
pub type Each<'a> = dyn FnMut(u64, &[u8]) + 'a;

/// How far one database was read.
#[derive(Debug, Default)]
pub struct Scan {
    /// Records handed over.
    pub records: u64,
    /// What the structure promises and was not reached, or is not valid: code and particulars.
    pub damage: Vec<(Reason, String)>,
    /// Damage over what is kept.
    pub more_damage: u64,
    /// Stored totals that differ from what was counted.
    pub stale: Vec<String>,
}

impl Scan {
    /// Something is missing or not valid; the rest goes on.
    pub fn damaged(&mut self, why: impl Into<String>) {
        self.push(Reason::DatabaseIncomplete, why.into());
    }

    /// Something could not be read at all: damage of the database if its structure leads nowhere, else the file's.
    pub fn failed(&mut self, place: &str, error: &Error) {
        let code = match error {
            Error::Corrupt(_) => Reason::DatabaseIncomplete,
            other => reason_of(other),
        };
        self.push(code, format!("{place}: {error}"));
    }

    /// True if everything that the structure promises was reached.
    pub fn is_whole(&self) -> bool {
        self.damage.is_empty()
    }

    fn push(&mut self, code: Reason, why: String) {
        if self.damage.len() < KEPT {
            self.damage.push((code, why));
        } else {
            self.more_damage = self.more_damage.saturating_add(1);
        }
    }

    /// Hands a record over.
    pub fn record(&mut self, each: &mut Each<'_>, number: u64, blob: &[u8]) {
        self.records = self.records.saturating_add(1);
        each(number, blob);
    }
}

/// Numbers of pages or blocks that were met: each may be met once, which ends every cycle and bounds all work.
#[derive(Debug)]
pub struct Met {
    bits: Vec<u64>,
    len: u64,
}

impl Met {
    /// None of `len` numbers from 0 was met yet. One bit is held for each, so `len` must be bounded by a file's size.
    pub fn new(len: u64) -> Self {
        Met { bits: vec![0; snapscan_disk::bytes::index(len.div_ceil(64))], len }
    }

    /// Marks a number as met.
    ///
    /// # Errors
    /// `Corrupt` if there is no such number, or if it was met before.
    pub fn meet(&mut self, number: u64) -> Result<()> {
        let bit = 1_u64 << (number % 64);
        match self.bits.get_mut(snapscan_disk::bytes::index(number / 64)).filter(|_| number < self.len) {
            Some(word) if *word & bit == 0 => {
                *word |= bit;
                Ok(())
            }
            Some(_) => Err(Error::whole("database", format!("page {number} is free or was met before"))),
            None => {
                Err(Error::whole("database", format!("page {number} lies beyond the last of {}", self.len)))
            }
        }
    }

    /// True if the number was met.
    pub fn has(&self, number: u64) -> bool {
        let word = self.bits.get(snapscan_disk::bytes::index(number / 64)).copied().unwrap_or(0);
        word & (1_u64 << (number % 64)) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_met_once_and_only_below_the_length() {
        let mut met = Met::new(65);
        assert!(met.meet(64).is_ok());
        assert!(met.has(64) && !met.has(0));
        assert!(met.meet(64).unwrap_err().to_string().contains("met before"));
        assert!(met.meet(65).unwrap_err().to_string().contains("beyond"));
    }

    #[test]
    fn damage_beyond_what_is_kept_is_counted() {
        let mut scan = Scan::default();
        for number in 0..30 {
            scan.damaged(format!("page {number}"));
        }
        assert_eq!((scan.damage.len(), scan.more_damage), (20, 10));
    }
}
