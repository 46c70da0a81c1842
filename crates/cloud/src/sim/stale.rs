// SPDX-License-Identifier: Apache-2.0
//! Old states that follow newer ones.
//!
//! Source: Amazon EC2 Developer Guide, "Eventual consistency": two calls may be answered by servers of which one knows
//! less, so a volume that was seen attached can be seen available once more.

use std::collections::HashMap;
use std::time::Duration;

use super::dice::Dice;
use crate::Answer;
use crate::ec2::{Snapshot, Volume};

/// What was shown before. Times are milliseconds of one clock.
#[derive(Debug, Default)]
pub(super) struct Stale {
    snapshots: HashMap<String, Shown<Snapshot>>,
    volumes: HashMap<String, Shown<Volume>>,
}

/// A thing's newest state, since when it is that, and the one before it.
#[derive(Debug)]
struct Shown<T> {
    newest: T,
    since: u64,
    before: Option<T>,
}

impl Stale {
    /// Shows, of what changed not longer ago than `most`, the state before in one of two answers.
    pub(super) fn sees(&mut self, answer: &mut Answer, now: u64, most: Duration, dice: &mut Dice) {
        if most.is_zero() {
            return;
        }
        match answer {
            Answer::DescribeSnapshots(page) => {
                for snapshot in &mut page.items {
                    show(&mut self.snapshots, snapshot.id.to_string(), snapshot, now, most, dice);
                }
            }
            Answer::DescribeVolumes(page) => {
                for volume in &mut page.items {
                    show(&mut self.volumes, volume.id.to_string(), volume, now, most, dice);
                }
            }
            _ => {}
        }
    }
}

fn show<T: Clone + PartialEq>(
    all: &mut HashMap<String, Shown<T>>,
    id: String,
    thing: &mut T,
    now: u64,
    most: Duration,
    dice: &mut Dice,
) {
    let new = || Shown { newest: thing.clone(), since: now, before: None };
    let shown = all.entry(id).or_insert_with(new);
    if shown.newest != *thing {
        let before = std::mem::replace(&mut shown.newest, thing.clone());
        (shown.before, shown.since) = (Some(before), now);
    }
    let is_young = u128::from(now.saturating_sub(shown.since)) < most.as_millis();
    if let Some(before) = &shown.before
        && is_young
        && dice.between(0, 1) == 0
    {
        *thing = before.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::VolumeId;
    use crate::ec2::{Page, Tags};

    fn answer(state: &str) -> Answer {
        let volume = Volume {
            id: VolumeId::parse("vol-1").unwrap(),
            state: state.to_owned(),
            size_gib: 1,
            zone: String::new(),
            snapshot: None,
            encrypted: false,
            key: None,
            created: crate::Timestamp(0),
            product_codes: vec![],
            attachments: vec![],
            tags: Tags::new(),
        };
        Answer::DescribeVolumes(Page { items: vec![volume], token: None })
    }

    /// The states that are shown when the cloud's is this one, ten times in this second.
    fn shown(stale: &mut Stale, state: &str, second: u64) -> Vec<String> {
        let states = (0..10).map(|nth| {
            let mut answer = answer(state);
            let mut dice = Dice::new(second * 10 + nth);
            stale.sees(&mut answer, second * 1_000, Duration::from_secs(20), &mut dice);
            let Answer::DescribeVolumes(page) = answer else { panic!("another answer") };
            page.items[0].state.clone()
        });
        states.collect()
    }

    #[test]
    fn an_old_state_follows_a_newer_one_for_a_while_and_never_later() {
        let mut stale = Stale::default();
        assert_eq!(shown(&mut stale, "available", 1), vec!["available"; 10]);
        let mixed = shown(&mut stale, "in-use", 2);
        assert!(
            mixed.iter().any(|state| state == "in-use") && mixed.iter().any(|state| state == "available")
        );
        assert_eq!(shown(&mut stale, "in-use", 22), vec!["in-use"; 10]);
    }
}
