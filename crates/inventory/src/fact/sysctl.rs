// SPDX-License-Identifier: Apache-2.0
//! Kernel parameters.

use crate::{Extractor, Profile};

/// Kernel parameters.
pub const SYSCTL: Extractor = Extractor {
    name: "sysctl",
    ecosystem: None,
    title: "kernel parameters",
    profile: Profile::Os,
    wants: &["etc/sysctl.conf", "etc/sysctl.d/*.conf"],
    max_bytes: 64 << 20,
    run: |_, _, _| {},
    walk: None,
};
