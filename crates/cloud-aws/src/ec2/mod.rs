// SPDX-License-Identifier: Apache-2.0
//! Instances, volumes and snapshots: EC2.

mod change;
mod describe;
mod rehearse;
mod shape;
