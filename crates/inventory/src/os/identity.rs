// SPDX-License-Identifier: Apache-2.0
//! Hostname and machine id.

use crate::{Extractor, Profile};

/// Hostname and machine id.
pub const IDENTITY: Extractor = Extractor {
    name: "identity",
    ecosystem: None,
    title: "hostname and machine id",
    profile: Profile::Os,
    wants: &["etc/hostname", "etc/machine-id"],
    max_bytes: 64 << 20,
    run: |_, _, _| {},
    walk: None,
};
