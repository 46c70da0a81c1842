// SPDX-License-Identifier: Apache-2.0
//! An intent: what was asked for, what came of it, and what of that is still there.

use snapscan_cloud::owned::{Expected, Origin, Whole};
use snapscan_cloud::{AccountId, InstanceId, IntentId, Region, Timestamp, VolumeId};

use crate::agent::boundary;

use super::event::{Event, Kind, State, Trouble, next};
use super::store::Error;

/// At least so long lie between the two lookups that close an intent, and the two absences that prove a thing gone.
pub(crate) const APART: i64 = 60;

/// What is about to be made.
#[derive(Debug, Clone)]
pub(crate) struct NewIntent {
    /// What.
    pub(crate) kind: Kind,
    /// In which account.
    pub(crate) account: AccountId,
    /// In which region.
    pub(crate) region: Region,
    /// For which job.
    pub(crate) job: String,
    /// Of what: volumes for snapshots, the source for a copy, the snapshot for a share or a volume, the volume for an
    /// attachment.
    pub(crate) sources: Vec<String>,
    /// With whom it is shared, to which instance it is attached, or of which instance the set is and without which of
    /// its volumes ([`written`]); else empty.
    pub(crate) about: String,
    /// How many things it makes.
    pub(crate) expected: u32,
}

/// A row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Intent {
    /// Its place in the order of plans.
    pub(crate) seq: i64,
    /// Its id, which what it makes carries.
    pub(crate) id: IntentId,
    /// What it makes.
    pub(crate) kind: Kind,
    /// In which account.
    pub(crate) account: AccountId,
    /// In which region.
    pub(crate) region: Region,
    /// For which job.
    pub(crate) job: String,
    /// Of what.
    pub(crate) sources: Vec<String>,
    /// As in [`NewIntent`].
    pub(crate) about: String,
    /// How many things it makes.
    pub(crate) expected: u32,
    /// How far it is.
    pub(crate) state: State,
    /// The boot in which it was planned.
    pub(crate) boot: String,
    /// The agent that planned it.
    pub(crate) epoch: i64,
    /// When it was planned.
    pub(crate) planned: Timestamp,
    /// What it makes is made no earlier …
    pub(crate) from: Timestamp,
    /// … and no later.
    pub(crate) until: Timestamp,
    /// When its call was given up at the latest.
    pub(crate) deadline: Timestamp,
    /// Complete lookups so far.
    pub(crate) lookups: u32,
    /// The first and the last of those in a row that count for closing it.
    pub(crate) looks: Option<(Timestamp, Timestamp)>,
    /// Why it stays, and since when.
    pub(crate) trouble: Option<(Trouble, Timestamp)>,
    /// The service's words on what went wrong last.
    pub(crate) why: String,
    /// What it made, as far as is known.
    pub(crate) made: Vec<Made>,
}

/// Something that an intent made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    /// Its id: a snapshot's or volume's; a share's is the snapshot, an attachment's the volume.
    pub(crate) id: String,
    /// When it was seen last.
    pub(crate) seen: Option<Timestamp>,
    /// When the service accepted its deletion.
    pub(crate) deleted: Option<Timestamp>,
    /// Since when it has been missing, each time that somebody looked and that counted.
    pub(crate) absent: Option<Timestamp>,
    /// When it was known to be gone for good.
    pub(crate) gone: Option<Timestamp>,
}

/// A set's instance and the volumes that it leaves out, as the ledger has them.
pub(crate) fn written(whole: &Whole) -> String {
    let left_out = whole.left_out.iter().map(VolumeId::as_str);
    std::iter::once(whole.instance.as_str()).chain(left_out).collect::<Vec<_>>().join(" ")
}

/// Sums over the ledger.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Tally {
    /// Things that were made.
    pub(crate) made: u64,
    /// Those that are gone.
    pub(crate) released: u64,
    /// Those that are not.
    pub(crate) held: u64,
    /// Intents of which it is not known whether they made something.
    pub(crate) unresolved: u64,
    /// Intents that somebody must look at.
    pub(crate) loud: u64,
}

impl Intent {
    /// What is expected of a thing that it made.
    pub(crate) fn expects(&self) -> Expected {
        // What is bound was named by the answer, or was proved to be ours when it was found.
        let answered = self.made.iter().map(|made| made.id.clone()).collect();
        let (origin, sources) = (self.origin(), self.sources.clone());
        Expected { origin, sources, from: self.from, until: self.until, answered }
    }

    /// Where, for what and under which intent it makes something.
    pub(crate) fn origin(&self) -> Origin {
        Origin {
            account: self.account.clone(),
            region: self.region.clone(),
            job: self.job.clone(),
            intent: self.id.clone(),
        }
    }

    /// Of which instance a set is, and without which of its volumes; `None` for what is no set.
    pub(crate) fn whole(&self) -> Option<Whole> {
        let mut words = self.about.split(' ').filter(|_| self.kind == Kind::Set);
        let instance = InstanceId::parse(words.next()?)?;
        let left_out = words.map(VolumeId::parse).collect::<Option<Vec<_>>>()?;
        Some(Whole { instance, left_out })
    }

    /// What is not known to be gone.
    pub(crate) fn held(&self) -> impl Iterator<Item = &Made> {
        self.made.iter().filter(|made| made.gone.is_none())
    }

    /// True if all that it could have made is known.
    pub(crate) fn is_complete(&self) -> bool {
        self.made.len() as u64 >= u64::from(self.expected)
    }

    /// True if two lookups in a row, far enough apart and late enough, found nothing that was not known.
    pub(crate) fn is_looked_through(&self) -> bool {
        if boundary::sabotaged("notfound-is-gone") {
            return true;
        }
        self.looks.is_some_and(|(first, last)| {
            first >= self.deadline.plus(self.kind.grace()) && last.0 - first.0 >= APART
        })
    }

    /// True if somebody must look at it.
    pub(crate) fn is_loud(&self) -> bool {
        self.state == State::Orphaned || (self.trouble.is_some() && !self.state.is_final())
    }

    /// Its state in a word, with the trouble where there is one.
    pub(crate) fn word(&self) -> &'static str {
        match self.trouble {
            Some((trouble, _)) if !self.state.is_final() => trouble.name(),
            _ => self.state.name(),
        }
    }

    /// The row as an event leaves it.
    ///
    /// # Errors
    /// `Illegal` if the table of changes does not have it, `NoRow` if it names a thing that the intent did not make.
    pub(crate) fn after(mut self, event: &Event) -> Result<Self, Error> {
        let step = event.step();
        let illegal =
            || Error::Illegal { intent: self.id.clone(), state: self.state.name(), step: step.name() };
        self.state = next(self.state, step).ok_or_else(illegal)?;
        match event {
            Event::Called { from, until, deadline } => {
                (self.from, self.until, self.deadline) = (*from, *until, *deadline);
            }
            Event::Refused(why) | Event::Lost(why) => self.why.clone_from(why),
            Event::Bound(ids) => {
                self.add(ids);
                self.expected = u32::try_from(self.made.len()).unwrap_or(u32::MAX);
            }
            Event::Found(ids) => {
                self.add(ids);
                self.lookups += 1;
                self.looks = None;
            }
            Event::Looked(at) => {
                self.lookups += 1;
                // What was looked for too early proves nothing.
                let counts = *at >= self.deadline.plus(self.kind.grace());
                self.looks = counts.then(|| (self.looks.map_or(*at, |looks| looks.0), *at));
            }
            Event::Deleting(id, at) => {
                let made = self.thing(id)?;
                (made.seen, made.absent) = (Some(*at), None);
            }
            Event::Deleted(id, at) => self.thing(id)?.deleted = Some(*at),
            Event::Absent(id, at) => {
                let is_late = *at >= self.deadline.plus(self.kind.grace());
                let made = self.thing(id)?;
                // That a thing is missing which nobody ever saw proves nothing before the call is long past.
                if made.seen.is_some() || made.deleted.is_some() || is_late {
                    made.absent = made.absent.or(Some(*at));
                }
            }
            Event::Gone(id, at) => self.thing(id)?.gone = Some(*at),
            Event::Troubled(trouble, why, at) => {
                let since = self.trouble.filter(|(old, _)| old == trouble).map_or(*at, |(_, since)| since);
                self.trouble = Some((*trouble, since));
                self.why.clone_from(why);
            }
            Event::Eased => self.trouble = None,
            Event::Dropped | Event::Releasing | Event::Orphaned | Event::Closed => {}
        }
        Ok(self)
    }

    fn add(&mut self, ids: &[String]) {
        for id in ids {
            if !self.made.iter().any(|made| made.id == *id) {
                self.made.push(Made { id: id.clone(), seen: None, deleted: None, absent: None, gone: None });
            }
        }
    }

    fn thing(&mut self, id: &str) -> Result<&mut Made, Error> {
        let none = || Error::NoRow(format!("thing {id} of this intent"));
        self.made.iter_mut().find(|made| made.id == id).ok_or_else(none)
    }
}
