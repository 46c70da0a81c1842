// SPDX-License-Identifier: Apache-2.0
//! A job: the message on the queue that names what is to be scanned.
//!
//! A message is not trusted. It names no role and no external id; those come from the agent's configuration. Every
//! version ever written parses for ever; a field that is not known is ignored with a note, an unknown version or kind of
//! target is an error.

mod parse;
mod words;

pub use parse::{JOB_BYTES, JobError};
pub use words::{TargetError, targets};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Time;

/// The version of the format that this program writes.
pub const JOB_VERSION: u32 = 1;

/// One job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Job {
    /// Always 1 here.
    pub schema_version: u32,
    /// Its id: 1 to 64 letters, digits and dashes. A retry keeps it.
    pub id: String,
    /// What is to be scanned.
    pub target: JobTarget,
    /// The account that holds it; absent for local targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The region that holds it; absent for local targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// `os` or `full`.
    pub profile: String,
    /// Volumes that carry one of these tags are left out, beside those that the configuration leaves out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude_volume_tags: Vec<String>,
    /// Limits below those of the configuration.
    #[serde(default)]
    pub limits: JobLimits,
    /// How the volumes are read.
    #[serde(default)]
    pub method: Method,
    /// Who reads filesystems; the configuration's choice if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reader: Option<JobReader>,
    /// How often the target was touched before.
    #[serde(default)]
    pub attempt: u32,
    /// Not before this instant: who receives it early puts it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Time>,
}

/// What a job names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum JobTarget {
    /// All volumes of an instance.
    Instance {
        /// `i-…`
        id: String,
    },
    /// One volume.
    Volume {
        /// `vol-…`
        id: String,
    },
    /// A snapshot that somebody else made and keeps.
    Snapshot {
        /// `snap-…`
        id: String,
    },
    /// The snapshots of an image that somebody else made and keeps.
    Ami {
        /// `ami-…`
        id: String,
    },
    /// Images in a folder of the scanner; only on a local queue.
    Image {
        /// Paths beneath the queue's configured root, the disks of one machine.
        paths: Vec<String>,
    },
    /// A folder of the scanner; only on a local queue.
    Directory {
        /// Its path beneath the queue's configured root.
        path: String,
    },
}

/// How the volumes are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The better one by the agent's estimate.
    #[default]
    Auto,
    /// Blocks of the snapshot, one by one.
    Direct,
    /// A volume of the snapshot, attached to the scanner.
    Attach,
}

/// Who reads filesystems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobReader {
    /// Our readers, in the confined worker.
    Own,
    /// The kernel, by a read-only mount.
    Kernel,
}

/// Limits of a job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobLimits {
    /// Distinct blocks of 512 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<u64>,
    /// Seconds in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
}

impl JobTarget {
    /// How a person would name it: the id, or the paths.
    pub fn name(&self) -> String {
        match self {
            JobTarget::Instance { id }
            | JobTarget::Volume { id }
            | JobTarget::Snapshot { id }
            | JobTarget::Ami { id } => id.clone(),
            JobTarget::Image { paths } => paths.join(" "),
            JobTarget::Directory { path } => path.clone(),
        }
    }

    /// True for images and folders of the scanner itself.
    pub fn is_local(&self) -> bool {
        matches!(self, JobTarget::Image { .. } | JobTarget::Directory { .. })
    }
}

impl Job {
    /// The same job to be done again: not before `not_before`, and counted if the target was touched.
    #[must_use]
    pub fn again(&self, touched: bool, not_before: Option<Time>) -> Job {
        Job { attempt: self.attempt.saturating_add(u32::from(touched)), not_before, ..self.clone() }
    }

    /// What makes two messages with one id the same job: target, account, region and profile.
    pub fn identity(&self) -> String {
        let account = self.account.as_deref().unwrap_or("-");
        let region = self.region.as_deref().unwrap_or("-");
        let kind = match &self.target {
            JobTarget::Instance { .. } => "instance",
            JobTarget::Volume { .. } => "volume",
            JobTarget::Snapshot { .. } => "snapshot",
            JobTarget::Ami { .. } => "ami",
            JobTarget::Image { .. } => "image",
            JobTarget::Directory { .. } => "directory",
        };
        format!("{account} {region} {} {kind} {}", self.profile, self.target.name())
    }
}
