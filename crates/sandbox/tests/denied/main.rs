// SPDX-License-Identifier: Apache-2.0
//! Each barrier of the sandbox, attacked from inside a worker, as an ordinary user and as root.
//!
//! This program is its own worker, so it has no test harness: `main` turns to `child::entry_with` as `snapscan` does.
//! Started by root it runs all as an ordinary user too, and as root only if `SNAPSCAN_ROOT_TESTS=1`.
#![expect(unsafe_code, reason = "attacks are system calls that no safe wrapper makes")]
#![expect(clippy::unwrap_used, reason = "a test that panics is a test that failed")]

mod attacks;
mod inside;
mod life;
mod outside;

use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

/// What this program is told by the one of root that starts it as somebody else.
const AS_USER: &str = "--as-ordinary-user";
/// The user "nobody" of all distributions.
const NOBODY: u32 = 65534;

fn main() -> ExitCode {
    if let Some(code) = snapscan_sandbox::child::entry_with(inside::run) {
        return code;
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let Some(code) = life::helper(&args) {
        return code;
    }
    if args.iter().any(|arg| arg == "--list") {
        return ExitCode::SUCCESS;
    }
    let root = nix::unistd::geteuid().is_root();
    let wanted = std::env::var_os("SNAPSCAN_ROOT_TESTS").is_some_and(|value| value == "1");
    assert!(root || !wanted || args.iter().any(|arg| arg == AS_USER), "SNAPSCAN_ROOT_TESTS=1 wants root");
    // A name among the arguments picks what has it in its own.
    let filter = args.iter().find(|arg| !arg.starts_with('-')).cloned().unwrap_or_default();
    let mut well = true;
    if !root || wanted {
        well &= outside::all(if root { "root" } else { "user" }, &filter);
    } else {
        println!("as root: not run, since SNAPSCAN_ROOT_TESTS=1 is not set");
    }
    if root {
        let mut again = Command::new("/proc/self/exe");
        again.args([AS_USER, &filter]).uid(NOBODY).gid(NOBODY);
        well &= again.status().unwrap().success();
    }
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
