// SPDX-License-Identifier: Apache-2.0
//! Accounts and groups.

use crate::{Extractor, Profile};

/// Accounts and groups.
pub const ACCOUNTS: Extractor = Extractor {
    name: "accounts",
    ecosystem: None,
    title: "accounts and groups",
    profile: Profile::Os,
    wants: &["etc/passwd", "etc/shadow", "etc/group"],
    max_bytes: 64 << 20,
    run: |_, _, _| {},
    walk: None,
};
