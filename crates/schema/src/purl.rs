// SPDX-License-Identifier: Apache-2.0
//! Package URLs, by which other tools recognize a package.

use crate::{Package, System};

/// The package URL of a package on a system; `None` where its ecosystem has no type of purl.
pub fn purl(_package: &Package, _system: Option<&System>) -> Option<String> {
    None
}
