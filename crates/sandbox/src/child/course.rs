// SPDX-License-Identifier: Apache-2.0
//! The course of a child's work: what it announces, what it leaves out, how far it is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use snapscan_disk::machine::{Guide, Step};

use super::voice::Voice;
use crate::wire::record::{Record, Stage};
use crate::wire::request::{LeftOut, Place};

/// Called for each step before it is announced as begun: how tests make a child die at a place.
pub type Trap = Box<dyn Fn(&Place) + Send + Sync>;

/// The course of one request.
#[derive(Default)]
pub(crate) struct Course {
    voice: Option<Voice>,
    careful: bool,
    /// The parent serves blocks.
    served: bool,
    left_out: Vec<LeftOut>,
    trap: Option<Trap>,
    state: Mutex<State>,
    /// Names met in a walk.
    pub(crate) names: AtomicU64,
}

#[derive(Default)]
struct State {
    stage: Stage,
    /// The step announced last.
    last: Place,
}

impl Course {
    /// The course of a request whose parent listens to `voice`.
    pub(crate) fn new(voice: Voice, careful: bool, left_out: Vec<LeftOut>, trap: Option<Trap>) -> Course {
        Course { voice: Some(voice), careful, left_out, trap, ..Course::default() }
    }

    /// The same, for volumes whose blocks the parent serves.
    pub(crate) fn of_served(self, served: bool) -> Course {
        Course { served, ..self }
    }

    /// Says what is being done from now on.
    pub(crate) fn stage(&self, stage: Stage) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).stage = stage;
        self.beat();
    }

    /// Says how far it is.
    pub(crate) fn beat(&self) {
        let stage = self.state.lock().unwrap_or_else(PoisonError::into_inner).stage;
        self.say_now(&Record::Progress { stage, names: self.names.load(Ordering::Relaxed) });
    }

    fn say_now(&self, record: &Record) {
        if let Some(voice) = &self.voice {
            // A parent that listens no more has ended, and this process ends with it.
            let _gone = voice.say_now(record);
        }
    }
}

impl Guide for Course {
    fn enter(&self, step: Step<'_>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.last.name == step.place && state.last.part == step.part {
            return;
        }
        state.last = Place { name: step.place.to_vec(), part: step.part.to_owned() };
        let place = state.last.clone();
        self.say_now(&Record::Entered(place.clone()));
        drop(state);
        if let Some(trap) = &self.trap {
            trap(&place);
        }
    }

    fn leaves_out(&self, step: Step<'_>) -> Option<String> {
        let is = |one: &&LeftOut| one.place.name == step.place && one.place.part == step.part;
        self.left_out.iter().find(is).map(|one| one.why.clone())
    }

    fn reads_ahead(&self) -> bool {
        !self.careful
    }

    fn is_remote(&self) -> bool {
        self.served
    }
}
