// SPDX-License-Identifier: Apache-2.0
//! The filters made of the table of system calls, for all threads.

use std::collections::BTreeMap;

use nix::libc::{EPERM, c_long};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter_all_threads,
};

use crate::policy::calls::{ALLOWED, FATAL, When};

/// Rules by number; an empty list of rules lets all arguments match.
type Rules = BTreeMap<c_long, Vec<SeccompRule>>;

/// Applies both filters to all threads. Of two answers the kernel takes the stricter.
pub(super) fn shut(folder: bool) -> Result<(), String> {
    let fatal: Rules = FATAL.iter().map(|number| (*number, Vec::new())).collect();
    let fatal = compile(fatal, SeccompAction::Allow, SeccompAction::KillProcess)?;
    let allowed =
        compile(allowed(folder)?, SeccompAction::Errno(EPERM.unsigned_abs()), SeccompAction::Allow)?;
    for filter in [fatal, allowed] {
        apply_filter_all_threads(&filter).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn compile(rules: Rules, otherwise: SeccompAction, on_match: SeccompAction) -> Result<BpfProgram, String> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(|error| error.to_string())?;
    SeccompFilter::new(rules, otherwise, on_match, arch)
        .and_then(BpfProgram::try_from)
        .map_err(|error| error.to_string())
}

fn allowed(folder: bool) -> Result<Rules, String> {
    let mut rules = Rules::new();
    for call in ALLOWED {
        let conditions = match call.when {
            When::Folder if !folder => continue,
            When::Always | When::Folder => Vec::new(),
            When::Clear(argument, bits) => vec![only(argument, SeccompCmpOp::MaskedEq(wide(bits)), 0)?],
            When::OneOf(argument, values) => values
                .iter()
                .map(|value| only(argument, SeccompCmpOp::Eq, wide(*value)))
                .collect::<Result<_, _>>()?,
            When::Own(argument) => {
                vec![only(argument, SeccompCmpOp::Eq, u64::from(std::process::id()))?]
            }
        };
        rules.insert(call.number, conditions);
    }
    Ok(rules)
}

fn only(argument: u8, how: SeccompCmpOp, value: u64) -> Result<SeccompRule, String> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, how, value)
        .and_then(|condition| SeccompRule::new(vec![condition]))
        .map_err(|error| error.to_string())
}

fn wide(value: i32) -> u64 {
    u64::from(value.unsigned_abs())
}
