// SPDX-License-Identifier: Apache-2.0
//! The worker's half: how this process gives up all it can before it reads a byte of a target.
//!
//! [`arrive`] then [`confine`] are the order of the steps, to be read from the top. A step that fails is told to the
//! parent, which decides: the child cannot know what is demanded of it. `entry` is where `main` turns to first.

pub(crate) mod blocks;
mod caps;
mod course;
mod cover;
mod entry;
mod files;
mod inspect;
mod landlock;
mod limits;
mod look;
mod mountable;
mod open;
pub(crate) mod plan;
pub(crate) mod report;
mod seat;
mod seccomp;
pub mod serve;
mod spaces;
#[doc(hidden)]
pub mod unconfined;
mod voice;

#[doc(hidden)]
pub use course::Trap;
pub use entry::{entry, entry_with};
pub use seat::Seat;

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use rayon::ThreadPool;

use crate::policy::{Barrier, Name, Need, State};
use blocks::Blocks;
use files::Handed;
use plan::Plan;

/// What came with exec: only what was agreed stays.
///
/// # Errors
/// If the agreed descriptors are not there.
fn arrive(plan: &Plan, raised: &mut Raised) -> Result<Handed, String> {
    raised.step(Name::Environment, entry::environment);
    raised.step(Name::Session, spaces::session);
    raised.step(Name::Descriptors, files::close_others);
    files::take(plan.directory)
}

/// Gives up all else there is to give up.
///
/// # Errors
/// Where there is nothing to go on with: no parent, no threads.
fn confine(
    plan: &Plan,
    blocks: UnixStream,
    folder: Option<&OwnedFd>,
    raised: &mut Raised,
) -> Result<(Blocks, ThreadPool), String> {
    // Namespaces, while there are capabilities to make them with; an ordinary user gets those from a user namespace.
    let user_namespace = spaces::user();
    raised.step(Name::Network, || spaces::network(&user_namespace));
    raised.step(Name::Ipc, || spaces::ipc(&user_namespace));
    raised.step(Name::Mounts, || spaces::mounts(&user_namespace));
    let mounts = raised.stands(Name::Mounts);
    raised.step(Name::EmptyRoot, || spaces::empty_root(mounts));
    // Bounding set, groups and user, while there are capabilities to change them with; then the capabilities.
    let keep = plan.directory && raised.root;
    let bounded = caps::bound();
    raised.step(Name::Groups, caps::leave_groups);
    raised.step(Name::User, || caps::change_user(keep));
    raised.step(Name::Capabilities, || bounded.and(caps::drop_all(keep)));
    // Only now: changing the user sets and clears these.
    raised.step(Name::Undumpable, limits::undumpable);
    raised.step(Name::ParentDeath, limits::end_with_parent);
    limits::parent_lives(plan.parent)?;
    raised.step(Name::Limits, || limits::bound(plan));
    raised.step(Name::NoNewPrivileges, limits::no_new_privileges);
    raised.step(Name::Landlock, || landlock::files(folder));
    raised.step(Name::LandlockScopes, landlock::scopes);
    // All threads there will ever be, then the door is shut behind them.
    limits::limit_arenas();
    let blocks = Blocks::start(blocks).map_err(|error| format!("the thread that reads blocks: {error}"))?;
    let pool = limits::pool(plan.threads)?;
    raised.step(Name::Processes, limits::no_processes);
    raised.step(Name::SystemCalls, || seccomp::shut(plan.directory));
    Ok((blocks, pool))
}

/// What became of each barrier so far.
struct Raised {
    root: bool,
    without: u32,
    barriers: Vec<Barrier>,
}

impl Raised {
    fn new(without: u32) -> Self {
        Raised { root: nix::unistd::geteuid().is_root(), without, barriers: Vec::new() }
    }

    fn step(&mut self, name: Name, raise: impl FnOnce() -> Result<(), String>) {
        let state = match name.rule().need(self.root) {
            _ if plan::left_out(self.without, name) => State::NotApplied("left out for a test".to_owned()),
            Need::Pointless(why) => State::NotApplied(why.to_owned()),
            Need::Demanded | Need::Welcome => match raise() {
                Ok(()) => State::InForce,
                Err(why) => State::NotApplied(why),
            },
        };
        self.barriers.push(Barrier { name, state });
    }

    fn stands(&self, name: Name) -> bool {
        self.barriers.iter().any(|barrier| barrier.name == name && barrier.in_force())
    }
}
