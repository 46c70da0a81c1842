// SPDX-License-Identifier: Apache-2.0
//! OpenWrt and embedded packages.

use crate::{Extractor, Profile};

/// OpenWrt and embedded packages.
pub const OPKG: Extractor = Extractor {
    name: "opkg",
    ecosystem: Some("opkg"),
    title: "OpenWrt and embedded packages",
    profile: Profile::Os,
    wants: &["usr/lib/opkg/status"],
    max_bytes: 64 << 20,
    run: |_, _, _| {},
    walk: None,
};
