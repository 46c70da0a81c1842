// SPDX-License-Identifier: Apache-2.0
//! Numbers from a seed that look as if by chance: splitmix64.
//!
//! Source: Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014, figure 16.

use crate::Action;

/// A row of numbers.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The row of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A row of its own for one call of one action.
    pub(super) fn of_call(seed: u64, action: Action, nth: u64) -> Self {
        let place = Action::ALL.iter().position(|one| *one == action).unwrap_or(0);
        let place = u64::try_from(place).unwrap_or(0);
        let mut dice = Self(seed);
        dice.0 ^= Self(place).next().wrapping_add(nth);
        dice
    }

    /// The next number, of all 64 bits.
    #[expect(clippy::should_implement_trait, reason = "a row has no end")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, both possible.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        let span = high.saturating_sub(low).saturating_add(1).max(1);
        low.saturating_add(self.next() % span)
    }

    /// One of these; none if there is none.
    pub fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let last = u64::try_from(all.len()).unwrap_or(1).saturating_sub(1);
        all.get(usize::try_from(self.between(0, last)).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_numbers_are_those_of_the_reference_implementation() {
        // splitmix64.c by Sebastiano Vigna, with x = 1234567.
        let mut dice = Dice::new(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| dice.next()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }
}
