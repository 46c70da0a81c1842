// SPDX-License-Identifier: Apache-2.0
//! What is done with hostile bytes: one plain function a target, which fuzzing and the replay of corpora share.

pub mod disk;
pub mod inventory;
pub mod sandbox;
