// SPDX-License-Identifier: Apache-2.0
//! SUID and SGID files, file capabilities, world-writable files.

use crate::{Extractor, Profile};

/// SUID and SGID files, file capabilities, world-writable files.
pub const MODES: Extractor = Extractor {
    name: "modes",
    ecosystem: None,
    title: "SUID and SGID files, file capabilities, world-writable files",
    profile: Profile::Full,
    wants: &[],
    max_bytes: 64 << 20,
    run: |_, _, _| {},
    walk: None,
};
