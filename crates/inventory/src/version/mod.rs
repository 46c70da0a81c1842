// SPDX-License-Identifier: Apache-2.0
//! Which of two versions is newer, by each ecosystem's own rule.

pub mod apk;
pub mod deb;
pub mod rpm;
