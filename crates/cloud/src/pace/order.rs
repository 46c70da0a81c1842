// SPDX-License-Identifier: Apache-2.0
//! Whose turn it is among the calls that wait for one action in one account: by urgency, then by job, then by age.

use std::collections::{HashMap, VecDeque};

use crate::{Action, Call, Purpose, Scope};

/// What goes first. Each leaves a part of the bucket to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// Gives back what costs money.
    Release,
    /// Keeps what would be lost.
    Heartbeat,
    /// Goes on with what was begun.
    Read,
    /// Begins something new.
    Create,
}

impl Urgency {
    pub(super) const ALL: [Self; 4] = [Self::Release, Self::Heartbeat, Self::Read, Self::Create];

    /// How urgent a call is.
    pub(super) fn of(scope: &Scope, call: &Call) -> Self {
        match (scope.purpose, call.action()) {
            (Purpose::Release, _) => Self::Release,
            (_, Action::ExtendLease | Action::Watch | Action::Protect) => Self::Heartbeat,
            (Purpose::Create | Purpose::Share, _) => Self::Create,
            (Purpose::Scanner | Purpose::Read | Purpose::Borrow, _) => Self::Read,
        }
    }

    /// The part of a bucket that it leaves to what is more urgent.
    pub(super) fn reserve(self) -> f64 {
        match self {
            Self::Release => 0.0,
            Self::Heartbeat => 0.05,
            Self::Read => 0.1,
            Self::Create => 0.2,
        }
    }
}

/// What waits for one action in one account.
#[derive(Debug)]
pub(super) struct Lane<T> {
    turns: [Turns<T>; 4],
}

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Self { turns: std::array::from_fn(|_| Turns::default()) }
    }
}

impl<T> Lane<T> {
    /// Puts one at the end of its job's line.
    pub(super) fn push(&mut self, urgency: Urgency, job: &str, one: T) {
        let [release, heartbeat, read, create] = &mut self.turns;
        let turns = match urgency {
            Urgency::Release => release,
            Urgency::Heartbeat => heartbeat,
            Urgency::Read => read,
            Urgency::Create => create,
        };
        turns.push(job, one);
    }

    /// The most urgent that wait.
    pub(super) fn first(&mut self) -> Option<(Urgency, &mut Turns<T>)> {
        let mut all = Urgency::ALL.into_iter().zip(&mut self.turns);
        all.find(|(_, turns)| !turns.jobs.is_empty())
    }
}

/// The jobs of one urgency, each with its line, in the order of their turns.
#[derive(Debug)]
pub(super) struct Turns<T> {
    jobs: VecDeque<String>,
    lines: HashMap<String, VecDeque<T>>,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self { jobs: VecDeque::new(), lines: HashMap::new() }
    }
}

impl<T> Turns<T> {
    fn push(&mut self, job: &str, one: T) {
        let line = self.lines.entry(job.to_owned()).or_insert_with(|| {
            self.jobs.push_back(job.to_owned());
            VecDeque::new()
        });
        line.push_back(one);
    }

    /// The head of the line of the job whose turn is `nth`; `None` beyond the last.
    pub(super) fn head(&self, nth: usize) -> Option<&T> {
        self.lines.get(self.jobs.get(nth)?)?.front()
    }

    /// Takes that head; the job's next turn comes after all others.
    pub(super) fn take(&mut self, nth: usize) -> Option<T> {
        let job = self.jobs.remove(nth)?;
        let line = self.lines.get_mut(&job)?;
        let one = line.pop_front();
        match line.is_empty() {
            true => drop(self.lines.remove(&job)),
            false => self.jobs.push_back(job),
        }
        one
    }
}
