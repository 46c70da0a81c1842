// SPDX-License-Identifier: Apache-2.0
//! The ssh server's configuration.

use crate::{Extractor, Profile};

/// The ssh server's configuration.
pub const SSHD: Extractor = Extractor {
    name: "sshd",
    ecosystem: None,
    title: "the ssh server's configuration",
    profile: Profile::Os,
    wants: &["etc/ssh/sshd_config"],
    max_bytes: 64 << 20,
    run: |_, _, _| {},
    walk: None,
};
