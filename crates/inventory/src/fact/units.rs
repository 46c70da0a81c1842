// SPDX-License-Identifier: Apache-2.0
//! Systemd units that are enabled.

use crate::{Extractor, Profile};

/// Systemd units that are enabled.
pub const UNITS: Extractor = Extractor {
    name: "units",
    ecosystem: None,
    title: "systemd units that are enabled",
    profile: Profile::Os,
    wants: &["etc/systemd/system"],
    max_bytes: 64 << 20,
    run: |_, _, _| {},
    walk: None,
};
