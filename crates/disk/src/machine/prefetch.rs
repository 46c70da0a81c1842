// SPDX-License-Identifier: Apache-2.0
//! Resolves many paths together, so that what none of them waits for alone is waited for once.

use crate::error::Error;
use crate::fs::FileType;
use crate::limits::WHOLE_FILE_BYTES;

use super::glob::Globbed;
use super::tree::Tree;

impl Tree {
    /// Brings what these patterns match into the caches: folders on the way, inodes, and the content of files up to
    /// [`WHOLE_FILE_BYTES`]. Nothing is answered and nothing fails; who reads later meets what there is to meet.
    ///
    /// All patterns go one step as far as the caches lead, then all that they miss is fetched at once, and so on: the
    /// number of rounds is the longest chain, not the sum.
    pub fn prefetch(&self, patterns: &[&[u8]]) {
        let Some(rounds) = self.rounds() else { return };
        let mut left: Vec<&[u8]> = patterns.to_vec();
        rounds.run(|| left.retain(|pattern| !self.touch(pattern)));
    }

    /// One attempt at one pattern; true if nothing was missing.
    fn touch(&self, pattern: &[u8]) -> bool {
        let Globbed { found, problems } = self.glob(pattern);
        let mut here = !problems.iter().any(|(_, error)| error.is_not_resident());
        for one in found.iter().filter(|one| one.at.metadata.kind == FileType::File) {
            here &= match self.open(one.at.location) {
                Ok(file) => {
                    if file.size() <= WHOLE_FILE_BYTES {
                        file.advise(0..file.size());
                    }
                    true
                }
                Err(error) => !Error::is_not_resident(&error),
            };
        }
        here
    }
}
