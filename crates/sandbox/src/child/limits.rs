// SPDX-License-Identifier: Apache-2.0
//! What a worker may use, how long it may live, and its threads.
#![expect(unsafe_code, reason = "mallopt(3) has no safe wrapper")]

use nix::sys::prctl::{set_dumpable, set_no_new_privs, set_pdeathsig};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::getppid;

use super::plan::Plan;
use crate::policy::{ADDRESS_BYTES, ARENAS, BASE_BYTES, DESCRIPTORS, STACK_BYTES};

/// No process of the same user may look into this one.
pub(super) fn undumpable() -> Result<(), String> {
    set_dumpable(false).map_err(|errno| format!("prctl: {errno}"))
}

/// Is killed when the thread ends that started it.
pub(super) fn end_with_parent() -> Result<(), String> {
    set_pdeathsig(Signal::SIGKILL).map_err(|errno| format!("prctl: {errno}"))
}

/// The parent may have ended before it could be asked for.
pub(super) fn parent_lives(parent: u32) -> Result<(), String> {
    let now = getppid().as_raw();
    if i64::from(now) == i64::from(parent) { Ok(()) } else { Err("the parent has ended".to_owned()) }
}

/// Memory, processor time, descriptors; no file grows, no core is left.
///
/// `DATA` counts what is written to and is the bound that is meant; `AS` also counts what is only reserved.
pub(super) fn bound(plan: &Plan) -> Result<(), String> {
    let stacks = STACK_BYTES.saturating_mul(plan.threads as u64);
    let data = plan.memory.saturating_add(stacks).saturating_add(BASE_BYTES);
    let limits = [
        (Resource::RLIMIT_DATA, data),
        (Resource::RLIMIT_AS, data.saturating_add(ADDRESS_BYTES)),
        (Resource::RLIMIT_CPU, plan.cpu),
        (Resource::RLIMIT_NOFILE, DESCRIPTORS),
        (Resource::RLIMIT_FSIZE, 0),
        (Resource::RLIMIT_CORE, 0),
    ];
    limits.into_iter().try_for_each(|(resource, limit)| lower(resource, limit))
}

/// Lowers a limit for good; one that is lower already stays.
fn lower(resource: Resource, limit: u64) -> Result<(), String> {
    let failed = |errno| format!("{resource:?}: {errno}");
    let (_, hard) = getrlimit(resource).map_err(failed)?;
    let limit = limit.min(hard);
    setrlimit(resource, limit, limit).map_err(failed)
}

/// Nothing that is executed gives more than there is.
pub(super) fn no_new_privileges() -> Result<(), String> {
    set_no_new_privs().map_err(|errno| format!("prctl: {errno}"))
}

/// All threads that will do work.
pub(super) fn pool(threads: usize) -> Result<rayon::ThreadPool, String> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .stack_size(STACK_BYTES as usize)
        .build()
        .map_err(|error| format!("{threads} threads: {error}"))
}

/// Without it each thread's arena reserves 64 MiB of addresses; the environment that could say it is empty.
pub(super) fn limit_arenas() {
    #[cfg(target_env = "gnu")]
    // SAFETY: called while there is one thread; it sets a number.
    let _set = unsafe { nix::libc::mallopt(nix::libc::M_ARENA_MAX, ARENAS) };
}

/// No process nor thread more than there are.
pub(super) fn no_processes() -> Result<(), String> {
    lower(Resource::RLIMIT_NPROC, 0)
}
