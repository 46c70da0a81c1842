// SPDX-License-Identifier: Apache-2.0
//! Container-Optimized OS packages.

use crate::{Extractor, Profile};

/// Container-Optimized OS packages.
pub const COS: Extractor = Extractor {
    name: "cos",
    ecosystem: Some("cos"),
    title: "Container-Optimized OS packages",
    profile: Profile::Os,
    wants: &["etc/cos-package-info.json"],
    max_bytes: 64 << 20,
    run: |_, _, _| {},
    walk: None,
};
