// SPDX-License-Identifier: Apache-2.0
//! The kinds of things that we own, as data: policies are made of the same table as the calls that they allow.

use super::{TAG_DEPLOYMENT, TAG_INTENT, TAG_JOB, TAG_MAC, TAG_SOURCE};
use crate::Action;

/// One kind of things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnedKind {
    /// What it is called.
    pub name: &'static str,
    /// The EC2 resource that carries its tags, as policies name it: `snapshot` or `volume`.
    pub resource: &'static str,
    /// The actions that make it.
    pub made_by: &'static [Action],
    /// The actions that release it: allowed only on what carries the deployment's tag.
    pub released_by: &'static [Action],
    /// The tags that a call which makes it must set; none where it is a state of another thing of ours. Sets of more
    /// than 21 volumes set `snapscan:mac-2` and following ones too ([`super::tag_keys`]).
    pub tags: &'static [&'static str],
}

/// All there are.
pub const KINDS: &[OwnedKind] = &[
    OwnedKind {
        name: "snapshot",
        resource: "snapshot",
        made_by: &[Action::CreateSnapshots, Action::CreateSnapshot],
        released_by: &[Action::DeleteSnapshot],
        tags: &[TAG_DEPLOYMENT, TAG_JOB, TAG_INTENT, TAG_MAC],
    },
    OwnedKind {
        name: "copy",
        resource: "snapshot",
        made_by: &[Action::CopySnapshot],
        released_by: &[Action::DeleteSnapshot],
        tags: &[TAG_DEPLOYMENT, TAG_JOB, TAG_INTENT, TAG_MAC, TAG_SOURCE],
    },
    OwnedKind {
        name: "share",
        resource: "snapshot",
        made_by: &[Action::ShareSnapshot],
        released_by: &[Action::UnshareSnapshot],
        tags: &[],
    },
    OwnedKind {
        name: "volume",
        resource: "volume",
        made_by: &[Action::CreateVolume],
        released_by: &[Action::DeleteVolume],
        tags: &[TAG_DEPLOYMENT, TAG_JOB, TAG_INTENT, TAG_MAC],
    },
    OwnedKind {
        name: "attachment",
        resource: "volume",
        made_by: &[Action::AttachVolume],
        released_by: &[Action::DetachVolume],
        tags: &[],
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Purpose;

    fn is_listed(action: Action, list: fn(&OwnedKind) -> &'static [Action]) -> bool {
        KINDS.iter().any(|kind| list(kind).contains(&action))
    }

    #[test]
    fn every_action_that_changes_something_makes_or_releases_one_kind() {
        for action in Action::ALL.iter().copied().filter(|action| action.changes()) {
            let makes = is_listed(action, |kind| kind.made_by);
            let releases = is_listed(action, |kind| kind.released_by);
            assert!(makes != releases, "{action:?} makes: {makes}, releases: {releases}");
        }
    }

    #[test]
    fn what_makes_cannot_release_and_what_releases_cannot_make() {
        for kind in KINDS {
            assert!(!kind.made_by.is_empty() && !kind.released_by.is_empty(), "{}", kind.name);
            for action in kind.made_by {
                assert!(action.changes(), "{action:?}");
                assert!(!action.purposes().contains(&Purpose::Release), "{action:?}");
            }
            for action in kind.released_by {
                assert!(action.changes(), "{action:?}");
                assert!(!action.purposes().contains(&Purpose::Create), "{action:?}");
            }
        }
    }

    #[test]
    fn every_action_that_changes_something_of_ec2_is_listed() {
        let changing = |action: &&Action| action.changes() && action.name().starts_with("ec2:");
        assert_eq!(Action::ALL.iter().filter(changing).count(), 10);
    }
}
