// SPDX-License-Identifier: Apache-2.0
//! Cron jobs.

use crate::{Extractor, Profile};

/// Cron jobs.
pub const CRON: Extractor = Extractor {
    name: "cron",
    ecosystem: None,
    title: "cron jobs",
    profile: Profile::Os,
    wants: &["etc/crontab"],
    max_bytes: 64 << 20,
    run: |_, _, _| {},
    walk: None,
};
