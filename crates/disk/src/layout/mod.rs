// SPDX-License-Identifier: Apache-2.0
//! What lies on a source: a partition table, a volume group's member, a filesystem, or something else with a name.
//!
//! Nothing is chosen by a whitelist of names or types: content decides, a partition's type only where content is
//! unknown.

mod ends;
#[cfg(test)]
pub(crate) mod flips;
pub(crate) mod gpt;
pub mod lvm;
pub(crate) mod mbr;
pub mod probe;
pub mod table;

pub use probe::{Class, Content, Signature};
pub use table::{Partition, PartitionType, Scheme, Table, TableNote};

#[cfg(test)]
mod tests;
