// SPDX-License-Identifier: Apache-2.0
//! Journals made by hand, and journals that mkfs, the kernel and debugfs made.

mod made;
mod maker;
mod real;
