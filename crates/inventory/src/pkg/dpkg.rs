// SPDX-License-Identifier: Apache-2.0
//! Debian packages: status, status.d, updates.

use crate::{Extractor, Profile};

/// Debian packages: status, status.d, updates.
pub const DPKG: Extractor = Extractor {
    name: "dpkg",
    ecosystem: Some("deb"),
    title: "Debian packages: status, status.d, updates",
    profile: Profile::Os,
    wants: &["var/lib/dpkg/status"],
    max_bytes: 64 << 20,
    run: |_, _, _| {},
    walk: None,
};
