// SPDX-License-Identifier: Apache-2.0
//! Alpine packages.

use crate::{Extractor, Profile};

/// Alpine packages.
pub const APK: Extractor = Extractor {
    name: "apk",
    ecosystem: Some("apk"),
    title: "Alpine packages",
    profile: Profile::Os,
    wants: &["lib/apk/db/installed", "usr/lib/apk/db/installed"],
    max_bytes: 64 << 20,
    run: |_, _, _| {},
    walk: None,
};
