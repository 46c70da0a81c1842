// SPDX-License-Identifier: Apache-2.0
//! Architecture, from the machine's own programs.

use crate::{Extractor, Profile};

/// Architecture, from the machine's own programs.
pub const ARCHITECTURE: Extractor = Extractor {
    name: "architecture",
    ecosystem: None,
    title: "architecture, from the machine's own programs",
    profile: Profile::Os,
    wants: &["bin/sh"],
    max_bytes: 64 << 20,
    run: |_, _, _| {},
    walk: None,
};
