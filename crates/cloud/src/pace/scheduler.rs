// SPDX-License-Identifier: Apache-2.0
//! Which of the calls that wait may be made now, and when the next one may.
//!
//! A lane holds what waits for one action in one account. Lanes take turns, so that blocks, whose number under way is
//! limited for the whole process, go round by account, then by job: who asks for much waits for itself.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::bucket::Bucket;
use super::order::{Lane, Urgency};
use super::rates::{Key, Of, Quota, Shares, needs};
use crate::{Call, Scope};

/// Buckets that are kept before those are forgotten that are as new: snapshots have one each.
const MANY_BUCKETS: usize = 4_096;

/// The calls that wait, each as a `T`. All times are milliseconds of one clock.
#[derive(Debug)]
pub(super) struct Scheduler<T> {
    shares: Shares,
    buckets: HashMap<Key, Bucket>,
    lanes: HashMap<Key, Lane<Waiting<T>>>,
    /// The lanes that are not empty, in the order of their turns.
    turns: VecDeque<Key>,
    blocks: usize,
}

#[derive(Debug)]
struct Waiting<T> {
    needs: Vec<(Key, Quota)>,
    one: T,
}

/// What can be done now.
#[derive(Debug, PartialEq)]
pub(super) enum Next<T> {
    /// This one goes; it took a token of each of these.
    Go(T, Granted),
    /// One may go after so long.
    After(Duration),
    /// One may go when a block has come.
    Blocks,
    /// None waits.
    Nobody,
}

/// The tokens that a call took.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Granted(pub(super) Vec<Key>);

impl Granted {
    /// True if it counts among the blocks under way.
    pub(super) fn is_block(&self) -> bool {
        self.0.iter().any(|key| matches!(key.of, Of::Snapshot(_)))
    }
}

impl<T> Scheduler<T> {
    pub(super) fn new(shares: Shares) -> Self {
        let (buckets, lanes) = (HashMap::new(), HashMap::new());
        Self { shares, buckets, lanes, turns: VecDeque::new(), blocks: 0 }
    }

    /// Puts a call in its lane; gives it back if it uses no quota.
    pub(super) fn wait(&mut self, scope: &Scope, call: &Call, one: T) -> Result<(), T> {
        let needs = needs(scope, call);
        let Some((lane, _)) = needs.first().cloned() else { return Err(one) };
        let urgency = Urgency::of(scope, call);
        if !self.lanes.contains_key(&lane) {
            self.turns.push_back(lane.clone());
        }
        self.lanes.entry(lane).or_default().push(urgency, &scope.job, Waiting { needs, one });
        Ok(())
    }

    /// Lets the next call go, if one may.
    pub(super) fn next(&mut self, now: u64) -> Next<T> {
        let mut soonest: Option<Duration> = None;
        for _ in 0..self.turns.len() {
            let Some(key) = self.turns.pop_front() else { break };
            let Some(mut lane) = self.lanes.remove(&key) else { continue };
            let next = self.of_lane(&mut lane, now);
            if matches!(next, Next::Nobody) {
                continue;
            }
            self.lanes.insert(key.clone(), lane);
            self.turns.push_back(key);
            match next {
                Next::Go(..) => return next,
                Next::After(wait) => soonest = Some(soonest.map_or(wait, |other| other.min(wait))),
                Next::Blocks | Next::Nobody => {}
            }
        }
        match (soonest, self.turns.is_empty()) {
            (Some(wait), _) => Next::After(wait),
            (None, true) => Next::Nobody,
            (None, false) => Next::Blocks,
        }
    }

    fn of_lane(&mut self, lane: &mut Lane<Waiting<T>>, now: u64) -> Next<T> {
        let Some((urgency, turns)) = lane.first() else { return Next::Nobody };
        let mut soonest = Duration::MAX;
        let mut nth = 0_usize;
        while let Some(waiting) = turns.head(nth) {
            let is_block = waiting.needs.iter().any(|(key, _)| matches!(key.of, Of::Snapshot(_)));
            if is_block && self.blocks >= self.shares.blocks.max(1) {
                return Next::Blocks;
            }
            let (wait, is_for_all) = self.longest(&waiting.needs, urgency, now);
            if wait.is_zero() {
                let Some(Waiting { needs, one }) = turns.take(nth) else { break };
                let keys: Vec<Key> = needs.into_iter().map(|(key, _)| key).collect();
                self.each(&keys, Bucket::take);
                self.blocks = self.blocks.saturating_add(usize::from(is_block));
                return Next::Go(one, Granted(keys));
            }
            soonest = soonest.min(wait);
            if is_for_all {
                break;
            }
            nth = nth.saturating_add(1);
        }
        Next::After(soonest)
    }

    /// The longest wait among what a call needs, and whether all others of its lane wait for the same.
    fn longest(&mut self, needs: &[(Key, Quota)], urgency: Urgency, now: u64) -> (Duration, bool) {
        self.forget(now);
        let mut longest = (Duration::ZERO, false);
        for (key, quota) in needs {
            let (capacity, rate) = self.shares.of(*quota);
            let bucket = self.buckets.entry(key.clone()).or_insert_with(|| Bucket::new(capacity, rate, now));
            let wait = bucket.wait(now, urgency.reserve());
            let is_for_all = !wait.is_zero() && !matches!(key.of, Of::Snapshot(_));
            longest = (longest.0.max(wait), longest.1 || is_for_all);
        }
        longest
    }

    fn each(&mut self, keys: &[Key], act: fn(&mut Bucket)) {
        for key in keys {
            if let Some(bucket) = self.buckets.get_mut(key) {
                act(bucket);
            }
        }
    }

    fn forget(&mut self, now: u64) {
        if self.buckets.len() > MANY_BUCKETS {
            self.buckets.retain(|_, bucket| !bucket.is_fresh(now));
        }
    }

    /// A call that was let go was not made: its tokens come back.
    pub(super) fn give_back(&mut self, granted: &Granted) {
        self.each(&granted.0, Bucket::give_back);
        self.done(granted.is_block());
    }

    /// A call has ended.
    pub(super) fn done(&mut self, is_block: bool) {
        self.blocks = self.blocks.saturating_sub(usize::from(is_block));
    }

    /// The service throttled what one of these buckets counts.
    pub(super) fn throttle(&mut self, key: &Key, now: u64, after: Option<Duration>) {
        if let Some(bucket) = self.buckets.get_mut(key) {
            bucket.throttle(now, after);
        }
    }

    /// From now on the shares are these.
    pub(super) fn share(&mut self, shares: Shares, now: u64) {
        let (old, new) = (self.shares, shares);
        self.shares = shares;
        let whole = |service| Quota { bucket: 1.0, per_second: 1.0, service };
        for (key, bucket) in &mut self.buckets {
            let service = match &key.of {
                Of::Kms => super::rates::Service::Kms,
                Of::Action(name) if name.starts_with("kms:") => super::rates::Service::Kms,
                Of::Action(name) if name.starts_with("ec2:") => super::rates::Service::Ec2,
                Of::Action(_) | Of::Snapshot(_) => super::rates::Service::Ebs,
            };
            let factor = new.of(whole(service)).1 / old.of(whole(service)).1;
            bucket.scale(factor, now);
        }
    }
}
