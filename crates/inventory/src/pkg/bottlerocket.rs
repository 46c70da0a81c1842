// SPDX-License-Identifier: Apache-2.0
//! Bottlerocket's application inventory.

use crate::{Extractor, Profile};

/// Bottlerocket's application inventory.
pub const BOTTLEROCKET: Extractor = Extractor {
    name: "bottlerocket",
    ecosystem: Some("bottlerocket"),
    title: "Bottlerocket's application inventory",
    profile: Profile::Os,
    wants: &["usr/share/bottlerocket/application-inventory.json"],
    max_bytes: 64 << 20,
    run: |_, _, _| {},
    walk: None,
};
