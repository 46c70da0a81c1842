// SPDX-License-Identifier: Apache-2.0
//! What a worker may do with files by landlock: nothing, or read below one folder.

use std::os::fd::OwnedFd;

use landlock::{
    ABI, Access, AccessFs, AccessNet, PathBeneath, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus,
    Scope,
};

/// The newest version whose rights are asked for; older kernels know fewer, and are taken as they are.
const NEWEST: ABI = ABI::V6;

/// No right to any file; if there is a folder, reading of what lies below it.
pub(super) fn files(folder: Option<&OwnedFd>) -> Result<(), String> {
    let rules = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))
        .and_then(Ruleset::create)
        .map_err(|error| error.to_string())?;
    let rules = match folder {
        Some(folder) => rules
            .add_rule(PathBeneath::new(folder, AccessFs::ReadFile | AccessFs::ReadDir))
            .map_err(|error| error.to_string())?,
        None => rules,
    };
    match rules.restrict_self().map_err(|error| error.to_string())?.ruleset {
        // An older version lacks rights that need a file to be opened first.
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
        RulesetStatus::NotEnforced => Err("this kernel has no landlock".to_owned()),
    }
}

/// No TCP, no abstract sockets and no signals out of here.
pub(super) fn scopes() -> Result<(), String> {
    let status = Ruleset::default()
        .handle_access(AccessNet::from_all(NEWEST))
        .and_then(|rules| rules.scope(Scope::from_all(NEWEST)))
        .and_then(Ruleset::create)
        .and_then(|rules| rules.restrict_self())
        .map_err(|error| error.to_string())?;
    match status.ruleset {
        RulesetStatus::FullyEnforced => Ok(()),
        RulesetStatus::PartiallyEnforced => Err("this kernel's landlock knows them in part".to_owned()),
        RulesetStatus::NotEnforced => Err("this kernel's landlock does not know them".to_owned()),
    }
}
