// SPDX-License-Identifier: Apache-2.0
//! Operating system: os-release and the older release files.

use crate::{Extractor, Profile};

/// Operating system: os-release and the older release files.
pub const RELEASE: Extractor = Extractor {
    name: "os-release",
    ecosystem: None,
    title: "operating system: os-release and the older release files",
    profile: Profile::Os,
    wants: &["etc/os-release", "usr/lib/os-release"],
    max_bytes: 64 << 20,
    run: |_, _, _| {},
    walk: None,
};
