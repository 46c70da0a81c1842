// SPDX-License-Identifier: Apache-2.0
//! What could not be read, within a bound and whatever the order: some word by word, all counted.

use std::collections::{BTreeMap, BTreeSet};

use snapscan_schema::{Note, Reason};

/// Problems that are kept word by word.
pub const MOST: usize = 100;

/// A bounded collection of problems. Which ones it keeps depends on them alone, not on the order or the thread in which
/// they were met: those that sort first.
#[derive(Debug, Default)]
pub struct Problems {
    kept: BTreeSet<Note>,
    /// How often each code was met, the kept ones included.
    met: BTreeMap<Reason, u64>,
}

impl Problems {
    /// Adds one.
    pub fn add(&mut self, problem: Note) {
        self.count(problem.code, 1);
        self.keep(problem);
    }

    /// Adds what another collection gave by [`Problems::into_parts`].
    pub fn absorb(&mut self, kept: impl IntoIterator<Item = Note>, more: &BTreeMap<Reason, u64>) {
        kept.into_iter().for_each(|problem| self.add(problem));
        more.iter().for_each(|(&code, &count)| self.count(code, count));
    }

    /// The problems that were kept, sorted, and for each code how many more there were.
    pub fn into_parts(self) -> (Vec<Note>, BTreeMap<Reason, u64>) {
        let mut more = self.met;
        for problem in &self.kept {
            if let Some(count) = more.get_mut(&problem.code) {
                *count = count.saturating_sub(1);
            }
        }
        more.retain(|_, count| *count > 0);
        (self.kept.into_iter().collect(), more)
    }

    fn count(&mut self, code: Reason, count: u64) {
        let met = self.met.entry(code).or_default();
        *met = met.saturating_add(count);
    }

    fn keep(&mut self, problem: Note) {
        self.kept.insert(problem);
        if self.kept.len() > MOST {
            self.kept.pop_last();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(number: usize) -> Note {
        let code = if number.is_multiple_of(3) { Reason::SubtreeDamaged } else { Reason::ImageTruncated };
        Note { code, detail: format!("/file-{number:04}").into() }
    }

    #[test]
    fn the_same_problems_in_any_order_and_any_parts_give_the_same_lines() {
        let mut forward = Problems::default();
        (0..1000).for_each(|number| forward.add(problem(number)));
        let mut parts = Problems::default();
        for start in [500, 0] {
            let mut part = Problems::default();
            (start..start + 500).rev().for_each(|number| part.add(problem(number)));
            let (kept, more) = part.into_parts();
            parts.absorb(kept, &more);
        }
        let (kept, more) = forward.into_parts();
        assert_eq!((kept.clone(), more.clone()), parts.into_parts());
        assert_eq!((kept.len(), more.values().sum::<u64>()), (MOST, 900));
    }
}
