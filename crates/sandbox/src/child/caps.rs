// SPDX-License-Identifier: Apache-2.0
//! What a worker may do because of who it is: nothing.

use nix::sys::prctl::set_keepcaps;
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, remove_capability_from_bounding_set,
    set_capabilities,
};

use crate::policy::WORKER_ID;

/// Numbers that a capability can have: a mask of 64 bits.
const NUMBERS: u32 = 64;

/// Takes all capabilities out of what can ever be had again.
pub(super) fn bound() -> Result<(), String> {
    for number in 0..NUMBERS {
        match remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << number)) {
            Ok(()) => {}
            // The kernel knows no more.
            Err(Errno::INVAL) => break,
            Err(errno) => return Err(format!("bounding set: {errno}")),
        }
    }
    clear_ambient_capability_set().map_err(|errno| format!("ambient set: {errno}"))
}

/// Leaves all groups but the first.
pub(super) fn leave_groups() -> Result<(), String> {
    setgroups(&[]).map_err(|errno| format!("setgroups: {errno}"))
}

/// Becomes the user that owns nothing, for good. What can be kept past that is `keep`.
pub(super) fn change_user(keep: bool) -> Result<(), String> {
    set_keepcaps(keep).map_err(|errno| format!("keeping capabilities: {errno}"))?;
    let (user, group) = (Uid::from_raw(WORKER_ID), Gid::from_raw(WORKER_ID));
    setresgid(group, group, group).map_err(|errno| format!("setresgid: {errno}"))?;
    setresuid(user, user, user).map_err(|errno| format!("setresuid: {errno}"))
}

/// Drops all capabilities; `keep`: but the one to read past permissions, for a folder that root reads.
pub(super) fn drop_all(keep: bool) -> Result<(), String> {
    let kept = if keep { CapabilitySet::DAC_READ_SEARCH } else { CapabilitySet::empty() };
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).map_err(|errno| format!("capset: {errno}"))?;
    set_keepcaps(false).map_err(|errno| format!("keeping capabilities: {errno}"))
}
