// SPDX-License-Identifier: Apache-2.0
//! Rpm packages: SQLite, NDB and Berkeley DB databases.

use crate::{Extractor, Profile};

/// Rpm packages: SQLite, NDB and Berkeley DB databases.
pub const RPM: Extractor = Extractor {
    name: "rpm",
    ecosystem: Some("rpm"),
    title: "rpm packages: SQLite, NDB and Berkeley DB databases",
    profile: Profile::Os,
    wants: &["var/lib/rpm/rpmdb.sqlite"],
    max_bytes: 64 << 20,
    run: |_, _, _| {},
    walk: None,
};
