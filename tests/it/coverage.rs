// SPDX-License-Identifier: Apache-2.0
//! The coverage table of the architecture, one test a row: what is met on a disk, its exact line, the exit code.

mod filesystems;
mod groups;
mod mounts;
mod mutation;
mod partitions;
mod systems;
