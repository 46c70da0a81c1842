// SPDX-License-Identifier: Apache-2.0
//! Gentoo packages.

use crate::{Extractor, Profile};

/// Gentoo packages.
pub const PORTAGE: Extractor = Extractor {
    name: "portage",
    ecosystem: Some("portage"),
    title: "Gentoo packages",
    profile: Profile::Os,
    wants: &["var/db/pkg/*/*"],
    max_bytes: 64 << 20,
    run: |_, _, _| {},
    walk: None,
};
