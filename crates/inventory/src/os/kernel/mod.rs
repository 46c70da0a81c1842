// SPDX-License-Identifier: Apache-2.0
//! Installed kernels and the one that boots.

use crate::{Extractor, Profile};

/// Installed kernels and the one that boots.
pub const KERNELS: Extractor = Extractor {
    name: "kernels",
    ecosystem: None,
    title: "installed kernels and the one that boots",
    profile: Profile::Os,
    wants: &["boot/vmlinuz-*"],
    max_bytes: 64 << 20,
    run: |_, _, _| {},
    walk: None,
};
