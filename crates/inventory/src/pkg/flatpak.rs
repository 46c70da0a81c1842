// SPDX-License-Identifier: Apache-2.0
//! Flatpak applications and runtimes.

use crate::{Extractor, Profile};

/// Flatpak applications and runtimes.
pub const FLATPAK: Extractor = Extractor {
    name: "flatpak",
    ecosystem: Some("flatpak"),
    title: "Flatpak applications and runtimes",
    profile: Profile::Os,
    wants: &["var/lib/flatpak/app/*"],
    max_bytes: 64 << 20,
    run: |_, _, _| {},
    walk: None,
};
