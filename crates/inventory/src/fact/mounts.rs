// SPDX-License-Identifier: Apache-2.0
//! Mount options from fstab.

use crate::{Extractor, Profile};

/// Mount options from fstab.
pub const MOUNTS: Extractor = Extractor {
    name: "mounts",
    ecosystem: None,
    title: "mount options from fstab",
    profile: Profile::Os,
    wants: &["etc/fstab"],
    max_bytes: 64 << 20,
    run: |_, _, _| {},
    walk: None,
};
