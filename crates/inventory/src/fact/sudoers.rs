// SPDX-License-Identifier: Apache-2.0
//! Sudo rules.

use crate::{Extractor, Profile};

/// Sudo rules.
pub const SUDOERS: Extractor = Extractor {
    name: "sudoers",
    ecosystem: None,
    title: "sudo rules",
    profile: Profile::Os,
    wants: &["etc/sudoers", "etc/sudoers.d/*"],
    max_bytes: 64 << 20,
    run: |_, _, _| {},
    walk: None,
};
