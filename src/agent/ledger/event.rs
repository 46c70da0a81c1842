// SPDX-License-Identifier: Apache-2.0
//! The legal changes of an intent: one table.

use std::time::Duration;

use snapscan_cloud::Timestamp;

/// Defines an enum whose variants have a stable name in the log and as crash points.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) enum $name { $($(#[$each])* $variant,)* }

        impl $name {
            /// Its stable name.
            pub(crate) fn name(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }
        }
    };
}

/// Defines one whose names stand in the database too, and are read back from there.
macro_rules! stored {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $text:literal,)* }) => {
        named! { $(#[$doc])* $name { $($(#[$each])* $variant = $text,)* } }

        impl $name {
            /// All there are.
            pub(crate) const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// The one of this name.
            pub(crate) fn find(name: &str) -> Option<$name> {
                Self::ALL.iter().copied().find(|one| one.name() == name)
            }
        }
    };
}

stored! {
    /// What an intent makes.
    Kind {
        /// One crash-consistent set of snapshots.
        Set = "snapshot set",
        /// A snapshot of one volume.
        Snapshot = "snapshot",
        /// A copy of a snapshot.
        Copy = "copy",
        /// Leave for another account to use a snapshot of ours.
        Share = "share",
        /// A volume of a snapshot.
        Volume = "volume",
        /// A volume of ours at the scanner.
        Attachment = "attachment",
    }
}

impl Kind {
    /// How long after a call's deadline a lookup that finds nothing begins to count.
    /// Source: the API reference gives no bound; a copy is queued behind others and may begin hours later.
    pub(crate) fn grace(self) -> Duration {
        match self {
            Kind::Copy => Duration::from_secs(24 * 3600),
            _ => Duration::from_secs(15 * 60),
        }
    }
}

stored! {
    /// How far an intent is.
    State {
        /// Written down, not yet called.
        Planned = "planned",
        /// The call may have left.
        Called = "called",
        /// The call answered what it made.
        Bound = "bound",
        /// Whether the call took effect is not known: it is looked for, and never called again.
        Unknown = "unknown",
        /// What it made is being taken away.
        Releasing = "releasing",
        /// Nothing of it exists.
        Closed = "closed",
        /// Given up after thirty days without access: somebody must look.
        Orphaned = "orphaned",
    }
}

impl State {
    /// True if nothing is to be done for it any more.
    pub(crate) fn is_final(self) -> bool {
        matches!(self, State::Closed | State::Orphaned)
    }
}

stored! {
    /// Why something stays although it should go: said aloud at each attempt.
    Trouble {
        /// Looking or deleting is not allowed.
        Denied = "denied",
        /// The snapshot is locked.
        Locked = "locked",
        /// It lies in the account's recycle bin, billed.
        RecycleBin = "in recycle bin",
        /// Two things claim the same intent and source: neither is touched.
        Ambiguous = "ambiguous",
        /// What we made does not carry our marks (any more): not touched.
        Foreign = "not provably ours",
    }
}

/// Something that happened to an intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// The call is about to leave.
    Called {
        /// What it makes is made no earlier …
        from: Timestamp,
        /// … and no later.
        until: Timestamp,
        /// It is given up then.
        deadline: Timestamp,
    },
    /// It never left.
    Dropped,
    /// The service refused it, without effect.
    Refused(String),
    /// All that it made is known: these.
    Bound(Vec<String>),
    /// No answer came.
    Lost(String),
    /// A lookup found these, which were not known.
    Found(Vec<String>),
    /// A lookup, complete to the last page, found nothing that was not known.
    Looked(Timestamp),
    /// It is being taken away.
    Releasing,
    /// This one was seen, is ours, and is about to be taken away.
    Deleting(String, Timestamp),
    /// The service accepted the deletion.
    Deleted(String, Timestamp),
    /// This one was not there.
    Absent(String, Timestamp),
    /// This one is gone for good.
    Gone(String, Timestamp),
    /// It cannot be taken away.
    Troubled(Trouble, String, Timestamp),
    /// It can be taken away again.
    Eased,
    /// Nobody tries any more.
    Orphaned,
    /// All that it could have made is gone.
    Closed,
}

named! {
    /// An event without what it carries.
    Step {
        /// The row is written.
        Planned = "planned",
        /// [`Event::Called`].
        Called = "called",
        /// [`Event::Dropped`].
        Dropped = "dropped",
        /// [`Event::Refused`].
        Refused = "refused",
        /// [`Event::Bound`].
        Bound = "bound",
        /// [`Event::Lost`].
        Lost = "lost",
        /// [`Event::Found`].
        Found = "found",
        /// [`Event::Looked`].
        Looked = "looked",
        /// [`Event::Releasing`].
        Releasing = "releasing",
        /// [`Event::Deleting`].
        Deleting = "deleting",
        /// [`Event::Deleted`].
        Deleted = "deleted",
        /// [`Event::Absent`].
        Absent = "absent",
        /// [`Event::Gone`].
        Gone = "gone",
        /// [`Event::Troubled`].
        Troubled = "troubled",
        /// [`Event::Eased`].
        Eased = "eased",
        /// [`Event::Orphaned`].
        Orphaned = "orphaned",
        /// [`Event::Closed`].
        Closed = "closed",
    }
}

impl Event {
    /// Which it is.
    pub(crate) fn step(&self) -> Step {
        match self {
            Event::Called { .. } => Step::Called,
            Event::Dropped => Step::Dropped,
            Event::Refused(_) => Step::Refused,
            Event::Bound(_) => Step::Bound,
            Event::Lost(_) => Step::Lost,
            Event::Found(_) => Step::Found,
            Event::Looked(_) => Step::Looked,
            Event::Releasing => Step::Releasing,
            Event::Deleting(..) => Step::Deleting,
            Event::Deleted(..) => Step::Deleted,
            Event::Absent(..) => Step::Absent,
            Event::Gone(..) => Step::Gone,
            Event::Troubled(..) => Step::Troubled,
            Event::Eased => Step::Eased,
            Event::Orphaned => Step::Orphaned,
            Event::Closed => Step::Closed,
        }
    }
}

/// From, by, to. What is not here is an error; above all there is no way back to `called`.
const LEGAL: &[(State, Step, State)] = &[
    (State::Planned, Step::Called, State::Called),
    (State::Planned, Step::Dropped, State::Closed),
    (State::Called, Step::Bound, State::Bound),
    (State::Called, Step::Refused, State::Closed),
    (State::Called, Step::Lost, State::Unknown),
    (State::Bound, Step::Releasing, State::Releasing),
    (State::Unknown, Step::Found, State::Unknown),
    (State::Unknown, Step::Looked, State::Unknown),
    (State::Unknown, Step::Bound, State::Bound),
    (State::Unknown, Step::Deleting, State::Unknown),
    (State::Unknown, Step::Deleted, State::Unknown),
    (State::Unknown, Step::Absent, State::Unknown),
    (State::Unknown, Step::Gone, State::Unknown),
    (State::Unknown, Step::Troubled, State::Unknown),
    (State::Unknown, Step::Eased, State::Unknown),
    (State::Unknown, Step::Orphaned, State::Orphaned),
    (State::Unknown, Step::Closed, State::Closed),
    (State::Releasing, Step::Deleting, State::Releasing),
    (State::Releasing, Step::Deleted, State::Releasing),
    (State::Releasing, Step::Absent, State::Releasing),
    (State::Releasing, Step::Gone, State::Releasing),
    (State::Releasing, Step::Troubled, State::Releasing),
    (State::Releasing, Step::Eased, State::Releasing),
    (State::Releasing, Step::Orphaned, State::Orphaned),
    (State::Releasing, Step::Closed, State::Closed),
];

/// Where a step leads from here; `None` if it is illegal.
pub(crate) fn next(from: State, step: Step) -> Option<State> {
    LEGAL.iter().find(|(state, by, _)| *state == from && *by == step).map(|(.., to)| *to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_back_to_called() {
        let to_called: Vec<_> = LEGAL.iter().filter(|(.., to)| *to == State::Called).collect();
        assert_eq!(to_called, [&(State::Planned, Step::Called, State::Called)]);
        assert_eq!(next(State::Unknown, Step::Called), None);
        assert_eq!(next(State::Bound, Step::Called), None);
    }

    #[test]
    fn a_final_state_is_final_and_every_other_one_leads_to_closed() {
        for state in State::ALL.iter().copied() {
            assert_eq!(state.is_final(), LEGAL.iter().all(|(from, ..)| *from != state), "{}", state.name());
            let mut reached = vec![state];
            for _ in State::ALL {
                let more: Vec<_> =
                    LEGAL.iter().filter(|(from, ..)| reached.contains(from)).map(|row| row.2).collect();
                reached.extend(more.into_iter().filter(|to| *to != State::Orphaned));
                reached.dedup();
            }
            assert!(state == State::Orphaned || reached.contains(&State::Closed), "{}", state.name());
        }
    }

    #[test]
    fn each_pair_has_one_outcome_at_most() {
        for (index, row) in LEGAL.iter().enumerate() {
            let twins = LEGAL.iter().filter(|other| (other.0, other.1) == (row.0, row.1)).count();
            assert_eq!(twins, 1, "row {index}");
        }
    }
}
