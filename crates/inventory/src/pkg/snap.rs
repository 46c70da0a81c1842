// SPDX-License-Identifier: Apache-2.0
//! Snaps.

use crate::{Extractor, Profile};

/// Snaps.
pub const SNAP: Extractor = Extractor {
    name: "snap",
    ecosystem: Some("snap"),
    title: "snaps",
    profile: Profile::Os,
    wants: &["snap/*/*/meta/snap.yaml"],
    max_bytes: 64 << 20,
    run: |_, _, _| {},
    walk: None,
};
