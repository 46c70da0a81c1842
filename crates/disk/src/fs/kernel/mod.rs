// SPDX-License-Identifier: Apache-2.0
//! Whatever the host's kernel shows beneath one open directory.
//!
//! For `snapscan scan DIR` and for mounts that somebody else made. It has one descriptor and no path of the host: each
//! open starts at that descriptor by openat2(2), which cannot leave it and follows no symbolic link (`place`). Nodes
//! are names in a bounded table (`names`), since the kernel opens by name and not by inode. The directory may change
//! meanwhile: what vanished is an error of that node. Mounts below are entered where they are filesystems of disks,
//! and listed where they are not (`crossing`).

mod crossing;
mod file;
mod names;
mod place;
mod reader;

#[cfg(test)]
mod tests;

pub use reader::KernelFs;
