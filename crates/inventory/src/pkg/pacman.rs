// SPDX-License-Identifier: Apache-2.0
//! Arch packages.

use crate::{Extractor, Profile};

/// Arch packages.
pub const PACMAN: Extractor = Extractor {
    name: "pacman",
    ecosystem: Some("alpm"),
    title: "Arch packages",
    profile: Profile::Os,
    wants: &["var/lib/pacman/local/*/desc"],
    max_bytes: 64 << 20,
    run: |_, _, _| {},
    walk: None,
};
