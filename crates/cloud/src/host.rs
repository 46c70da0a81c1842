// SPDX-License-Identifier: Apache-2.0
//! The scanner's own host: what it is, and whether it is about to be taken away.

use serde::{Deserialize, Serialize};

use crate::{AccountId, InstanceId, Region, Timestamp};

/// Asks what the host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Describe {}

/// What the host is, by its metadata service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFacts {
    /// Its account: the service account.
    pub account: AccountId,
    /// Its region.
    pub region: Region,
    /// Its zone, such as `eu-west-1a`.
    pub zone: String,
    /// Its id.
    pub instance: InstanceId,
    /// Its type, such as `c7i.large`.
    pub kind: String,
    /// The Auto Scaling group, where it is in one.
    pub group: Option<String>,
    /// Where attached volumes appear: a folder with one entry per serial for a local cloud, absent for NVMe devices.
    pub devices: Option<String>,
}

/// Asks whether the host is about to be taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {}

/// Whether the host is about to be taken away.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// When the spot instance is stopped or terminated.
    pub interruption: Option<Timestamp>,
    /// True if the Auto Scaling group means to terminate it.
    pub terminating: bool,
}

/// Keeps the group from taking this instance away while it works, or allows it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protect {
    /// The group.
    pub group: String,
    /// The instance.
    pub instance: InstanceId,
    /// Keep it?
    pub protect: bool,
}
