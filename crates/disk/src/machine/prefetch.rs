// SPDX-License-Identifier: Apache-2.0
//! Resolves many paths together, so that what none of them waits for alone is waited for once.

use std::ops::ControlFlow;

use crate::fs::FileType;
use crate::limits::WHOLE_FILE_BYTES;

use super::glob::Globbed;
use super::tree::{Location, Tree};

/// Bytes at the start of a file that tell what it is.
const FIRST_BYTES: u64 = 4096;

impl Tree {
    /// Brings what these patterns match into the caches: folders on the way, inodes, and the content of files up to
    /// [`WHOLE_FILE_BYTES`]. Nothing is answered and nothing fails; who reads later meets what there is to meet.
    ///
    /// A pattern that ends in a slash wants the object and not all its content: of a file its first bytes, of a folder the
    /// names in it.
    ///
    /// All patterns go one step as far as the caches lead, then all that they miss is fetched at once, and so on: the
    /// number of rounds is the longest chain, not the sum.
    pub fn prefetch(&self, patterns: &[&[u8]]) {
        let Some(rounds) = self.rounds() else { return };
        let mut left: Vec<&[u8]> = patterns.to_vec();
        rounds.run(|| left.retain(|pattern| !self.touch(pattern)));
    }

    /// One attempt at one pattern; true if nothing was missing.
    pub(super) fn touch(&self, pattern: &[u8]) -> bool {
        let Globbed { found, problems, .. } = self.glob(pattern);
        let mut here = !problems.iter().any(|(_, error)| error.is_not_resident());
        let whole = pattern.last() != Some(&b'/');
        for one in &found {
            here &= match one.at.metadata.kind {
                FileType::File => self.touch_file(one.at.location, whole),
                FileType::Directory if !whole => {
                    let names = self.entries(one.at.location, &mut |_| ControlFlow::Continue(()));
                    !names.is_err_and(|error| error.is_not_resident())
                }
                _ => true,
            };
        }
        here
    }

    /// Opens a file and says what of it will be read; true if nothing was missing.
    fn touch_file(&self, location: Location, whole: bool) -> bool {
        match self.open(location) {
            Ok(file) => {
                let size = file.size();
                if !whole {
                    file.advise(0..size.min(FIRST_BYTES));
                } else if size <= WHOLE_FILE_BYTES {
                    file.advise(0..size);
                }
                true
            }
            Err(error) => !error.is_not_resident(),
        }
    }
}
