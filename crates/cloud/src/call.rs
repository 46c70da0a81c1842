// SPDX-License-Identifier: Apache-2.0
//! The one list of calls: what each is named, for which purposes it is allowed, and what it answers.

use serde::{Deserialize, Serialize};

use crate::Purpose;
use crate::dry_run::DryRun;
use crate::ebs::{Block, BlockPage, GetSnapshotBlock, ListSnapshotBlocks};
use crate::ec2::{
    AttachVolume, CopySnapshot, CreateSnapshot, CreateSnapshots, CreateVolume, DeleteSnapshot, DeleteVolume,
    DescribeImages, DescribeInstanceTypes, DescribeInstances, DescribeKey, DescribeShares, DescribeSnapshots,
    DescribeVolumes, DetachVolume, Image, Instance, InstanceType, Key, Page, ShareSnapshot, Snapshot,
    UnshareSnapshot, Volume,
};
use crate::host::{Describe, HostFacts, Notice, Protect, Watch};
use crate::identity::{Caller, WhoAmI};
use crate::outbox::{DeleteObject, GetObject, ListObjects, Objects, PutObject};
use crate::queue::{Backlog, Bury, CountMessages, DeleteMessage, ExtendLease, Message, Receive, Send};
use crate::secrets::{GetSecret, Secret};
use crate::table::{DeleteRow, GetRow, ListRows, PutRow, Row};
use crate::{AccountId, SnapshotId, VolumeId};

/// A request that has an answer of its own.
pub trait Request: Into<Call> {
    /// What it answers.
    type Answer;
    /// What it is.
    const ACTION: Action;
    /// The answer, if it is one to this request.
    fn answer(answer: Answer) -> Option<Self::Answer>;
}

macro_rules! calls {
    ($($(#[$doc:meta])* $name:ident -> $answer:ty, $action:literal, $changes:literal, [$($purpose:ident),*];)*) => {
        /// Any request.
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[expect(missing_docs, reason = "each variant is the request of the same name, documented there")]
        pub enum Call { $($name($name),)* }

        /// The answer to a request of the same name.
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[expect(missing_docs, reason = "each variant is the answer to the request of the same name")]
        pub enum Answer { $($name($answer),)* }

        /// What a call does, by name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Action { $($(#[$doc])* $name,)* }

        impl Action {
            /// All there are.
            pub const ALL: &'static [Action] = &[$(Action::$name,)*];

            /// As AWS names it in policies, such as `ec2:CreateSnapshots`.
            pub fn name(self) -> &'static str {
                match self { $(Action::$name => $action,)* }
            }

            /// True if it changes something that costs money or that somebody else owns.
            pub fn changes(self) -> bool {
                match self { $(Action::$name => $changes,)* }
            }

            /// The sessions that may make it.
            pub fn purposes(self) -> &'static [Purpose] {
                match self { $(Action::$name => &[$(Purpose::$purpose),*],)* }
            }
        }

        impl Call {
            /// What it does.
            pub fn action(&self) -> Action {
                match self { $(Call::$name(_) => Action::$name,)* }
            }
        }

        $(impl From<$name> for Call {
            fn from(request: $name) -> Call { Call::$name(request) }
        }

        impl Request for $name {
            type Answer = $answer;
            const ACTION: Action = Action::$name;
            fn answer(answer: Answer) -> Option<$answer> {
                match answer { Answer::$name(answer) => Some(answer), _ => None }
            }
        })*
    };
}

calls! {
    /// Instances by id.
    DescribeInstances -> Page<Instance>, "ec2:DescribeInstances", false, [Scanner, Create, Read, Release, Share];
    /// Volumes by id, intent, deployment or the instance that holds them.
    DescribeVolumes -> Page<Volume>, "ec2:DescribeVolumes", false, [Scanner, Create, Read, Release, Share];
    /// Snapshots by id, intent or deployment, never public ones.
    DescribeSnapshots -> Page<Snapshot>, "ec2:DescribeSnapshots", false, [Scanner, Create, Read, Release, Share];
    /// Images by id.
    DescribeImages -> Page<Image>, "ec2:DescribeImages", false, [Create, Read];
    /// How many volumes a type of instance takes.
    DescribeInstanceTypes -> Vec<InstanceType>, "ec2:DescribeInstanceTypes", false, [Scanner];
    /// With whom a snapshot is shared.
    DescribeShares -> Vec<AccountId>, "ec2:DescribeSnapshotAttribute", false, [Share, Release];
    /// A key's state and kind.
    DescribeKey -> Key, "kms:DescribeKey", false, [Scanner, Create, Read, Share];
    /// One crash-consistent set of snapshots of an instance's volumes.
    CreateSnapshots -> Vec<Snapshot>, "ec2:CreateSnapshots", true, [Create];
    /// A snapshot of one volume.
    CreateSnapshot -> Snapshot, "ec2:CreateSnapshot", true, [Create];
    /// A copy of a snapshot, with a key of its own.
    CopySnapshot -> SnapshotId, "ec2:CopySnapshot", true, [Create];
    /// Lets another account make volumes of a snapshot of ours.
    ShareSnapshot -> (), "ec2:ModifySnapshotAttribute", true, [Share];
    /// Takes that back.
    UnshareSnapshot -> (), "ec2:ModifySnapshotAttribute", true, [Release, Share];
    /// Deletes a snapshot of ours.
    DeleteSnapshot -> (), "ec2:DeleteSnapshot", true, [Release];
    /// A volume of a snapshot.
    CreateVolume -> VolumeId, "ec2:CreateVolume", true, [Create];
    /// Attaches a volume to an instance.
    AttachVolume -> (), "ec2:AttachVolume", true, [Create];
    /// Detaches a volume of ours.
    DetachVolume -> (), "ec2:DetachVolume", true, [Release];
    /// Deletes a volume of ours.
    DeleteVolume -> (), "ec2:DeleteVolume", true, [Release];
    /// Which blocks a snapshot has.
    ListSnapshotBlocks -> BlockPage, "ebs:ListSnapshotBlocks", false, [Read, Borrow];
    /// One block of a snapshot.
    GetSnapshotBlock -> Block, "ebs:GetSnapshotBlock", false, [Read, Borrow];
    /// Whose credentials these are.
    WhoAmI -> Caller, "sts:GetCallerIdentity", false, [Scanner, Create, Read, Release, Share];
    /// Waits for messages.
    Receive -> Vec<Message>, "sqs:ReceiveMessage", false, [Scanner];
    /// Keeps a message hidden for longer, or shows it at once (zero).
    ExtendLease -> (), "sqs:ChangeMessageVisibility", false, [Scanner];
    /// Takes a message off the queue for good.
    DeleteMessage -> (), "sqs:DeleteMessage", false, [Scanner];
    /// Puts a message on the queue.
    Send -> (), "sqs:SendMessage", false, [Scanner];
    /// Puts a message on the dead-letter queue, with a reason.
    Bury -> (), "sqs:SendMessage", false, [Scanner];
    /// How many messages wait.
    CountMessages -> Backlog, "sqs:GetQueueAttributes", false, [Scanner];
    /// A secret's value.
    GetSecret -> Secret, "secretsmanager:GetSecretValue", false, [Scanner];
    /// Stores an object, if there is none of that name.
    PutObject -> bool, "s3:PutObject", false, [Scanner];
    /// An object's bytes.
    GetObject -> Option<Vec<u8>>, "s3:GetObject", false, [Scanner];
    /// Names of objects.
    ListObjects -> Objects, "s3:ListBucket", false, [Scanner];
    /// Removes an object.
    DeleteObject -> (), "s3:DeleteObject", false, [Scanner];
    /// One row of the conditional table.
    GetRow -> Option<Row>, "dynamodb:GetItem", false, [Scanner];
    /// Writes a row, if it is at the version that the writer saw.
    PutRow -> bool, "dynamodb:PutItem", false, [Scanner];
    /// Removes a row, if it is at that version.
    DeleteRow -> bool, "dynamodb:DeleteItem", false, [Scanner];
    /// Rows whose key begins so.
    ListRows -> Page<Row>, "dynamodb:Query", false, [Scanner];
    /// What the scanner's own host is.
    Describe -> HostFacts, "imds:Describe", false, [Scanner];
    /// Whether the host is about to be taken away.
    Watch -> Notice, "imds:Watch", false, [Scanner];
    /// Keeps the group from taking this instance away, or allows it again.
    Protect -> (), "autoscaling:SetInstanceProtection", false, [Scanner];
    /// Whether something may be done; the purposes of what would be done decide.
    DryRun -> (), "ec2:DryRun", false, [Create, Release, Share];
}

impl Call {
    /// What has to be permitted, and whose rate it counts against: for a dry run what would be done.
    pub fn permission(&self) -> Action {
        match self {
            Call::DryRun(dry) => dry.of(),
            call => call.action(),
        }
    }
}
