// SPDX-License-Identifier: Apache-2.0
//! One job on its way: what is known of it so far, and whether it may go on.

use std::fs::File;
use std::future::Future;
use std::os::fd::OwnedFd;
use std::time::Duration;

use snapscan_cloud::ec2::{Instance, Snapshot};
use snapscan_cloud::{SnapshotId, Timestamp, VolumeId};
use snapscan_schema::{Disposition, Job, MethodChoice, Parcel, Reason, Report, Time};

use crate::agent::context::Context;
use crate::agent::drain::Stage;
use crate::agent::lease::Lease;
use crate::agent::pool::{Pool, Seat, Taken};
use crate::agent::resources::{self, Place};
use crate::agent::spool::sha256;
use crate::agent::stop::Stop;
use crate::config::effective::Reader;

/// One job on its way.
pub(crate) struct Work {
    /// What its message says.
    pub(crate) job: Job,
    /// Its message.
    pub(crate) lease: Lease,
    /// Where it stands in the pools.
    pub(crate) seat: Seat,
    /// When it was leased.
    pub(crate) begun: Timestamp,
    /// True once something was made in the target's account, or may have been.
    pub(crate) touched: bool,
    /// What is to be read, and how: from `resolve` on.
    pub(crate) plan: Option<Plan>,
    /// Names under which volumes are attached: from `open` until they are released.
    pub(crate) slots: Option<Taken>,
    /// What can be read: from `open` until `inspect`.
    pub(crate) opened: Option<Opened>,
    /// What was found: from `inspect` until `spool`.
    pub(crate) report: Option<Report>,
    /// What lies in the spool: from the point of no return on.
    pub(crate) spooled: Option<Spooled>,
}

/// What is to be read, and how.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// In whose name the target is looked at; absent for local targets.
    pub(crate) place: Option<Place>,
    /// The instance, where the target is one.
    pub(crate) instance: Option<Instance>,
    /// The target's volumes, root first, then by device name.
    pub(crate) disks: Vec<Disk>,
    /// Volumes that are left out: name, and which tag says so.
    pub(crate) excluded: Vec<(String, String)>,
    /// The folder, where the target is one.
    pub(crate) folder: Option<String>,
    /// How the bytes are had.
    pub(crate) way: Way,
    /// Why this way, with the figures where there was a choice.
    pub(crate) why: String,
    /// How the way was chosen, for the report; absent for local targets.
    pub(crate) choice: Option<MethodChoice>,
    /// Whose readers are used.
    pub(crate) reader: Reader,
}

/// How the bytes are had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Blocks of the snapshot.
    Direct,
    /// A volume of the snapshot, attached.
    Attach,
    /// Files of the scanner itself.
    File,
}

impl Way {
    /// As `header.run.method` has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Way::Direct => "direct",
            Way::Attach => "attach",
            Way::File => "file",
        }
    }
}

/// One volume of a target.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    /// The name that coverage and evidence give it.
    pub(crate) name: String,
    /// What it is.
    pub(crate) is: DiskIs,
    /// Its size in bytes; 0 for a file, which says so itself.
    pub(crate) bytes: u64,
    /// True for the root's.
    pub(crate) is_root: bool,
    /// The ARN of its key, if it is encrypted with one that is known.
    pub(crate) key: Option<String>,
    /// Is it encrypted?
    pub(crate) encrypted: bool,
    /// True if AWS manages its key.
    pub(crate) default_key: bool,
    /// A marketplace's code.
    pub(crate) product_code: Option<String>,
    /// The snapshot that is read: from `snapshot` on, for one that is borrowed from `resolve` on.
    pub(crate) snapshot: Option<Snapshot>,
    /// The snapshot that a volume is made of: from `transfer` on.
    pub(crate) usable: Option<Snapshot>,
}

/// What a disk is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DiskIs {
    /// A volume: we make the snapshot, and release it.
    Volume(VolumeId),
    /// A snapshot that somebody else made and keeps. No release takes it.
    Borrowed(SnapshotId),
    /// An image beneath the configured folder.
    File(String),
}

/// What can be read.
pub(crate) enum Opened {
    /// Files and devices, each with its name.
    Files(Vec<(String, File)>),
    /// Snapshots, block by block.
    Served(Vec<ServedDisk>),
    /// A folder.
    Folder {
        /// Its name.
        name: String,
        /// The folder.
        folder: OwnedFd,
    },
}

/// A snapshot that is read block by block.
#[derive(Debug, Clone)]
pub(crate) struct ServedDisk {
    /// The name that coverage and evidence give it.
    pub(crate) name: String,
    /// The snapshot.
    pub(crate) snapshot: SnapshotId,
    /// True if somebody else made it: then a session for it alone reads it.
    pub(crate) borrowed: bool,
    /// The volume's size in bytes.
    pub(crate) bytes: u64,
}

/// What lies in the spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spooled {
    /// SHA-256 of the parcel.
    pub(crate) digest: String,
    /// Its name in the outbox.
    pub(crate) key: String,
    /// How the job ends with it.
    pub(crate) ends: Disposition,
    /// When the oldest snapshot was begun.
    pub(crate) started: Option<Time>,
}

impl Spooled {
    /// What a parcel from the spool says of itself.
    ///
    /// # Errors
    /// Why it is no parcel.
    pub(crate) fn of(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let parcel: Parcel = serde_json::from_slice(bytes)?;
        // The day is the report's own, so that the name is the same after a restart.
        let day = parcel.report.header.run.started.unwrap_or(Time(0));
        Ok(Self {
            digest: sha256(bytes),
            key: parcel.delivery.key(day),
            ends: Disposition::of(&parcel.report),
            started: parcel.delivery.snapshot_started,
        })
    }
}

impl Work {
    /// Notes that a call made something, or may have: then the attempt counts.
    pub(crate) fn note<T>(&mut self, made: &Result<T, resources::Error>) {
        self.touched |= made.as_ref().err().is_none_or(|error| !error.is_without_effect());
    }

    /// A job that was just leased.
    pub(crate) fn new(job: Job, lease: Lease, seat: Seat, begun: Timestamp) -> Self {
        Self {
            job,
            lease,
            seat,
            begun,
            touched: false,
            plan: None,
            slots: None,
            opened: None,
            report: None,
            spooled: None,
        }
    }

    /// The plan.
    ///
    /// # Errors
    /// A fault of this program: a step that needs it ran before `resolve`.
    pub(crate) fn plan(&self) -> Result<&Plan, Stop> {
        self.plan.as_ref().ok_or_else(|| Stop::fault("following the plan", "there is none yet"))
    }

    /// The plan, to be added to.
    ///
    /// # Errors
    /// As [`Work::plan`].
    pub(crate) fn plan_mut(&mut self) -> Result<&mut Plan, Stop> {
        self.plan.as_mut().ok_or_else(|| Stop::fault("following the plan", "there is none yet"))
    }

    /// True from the point of no return on.
    pub(crate) fn is_committed(&self) -> bool {
        self.spooled.is_some()
    }

    /// May a job before the point of no return go on?
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn may_go_on(&self, context: &Context) -> Result<(), Stop> {
        let stage = context.drain.stage();
        let waits = self.seat.pool == Some(Pool::Pending);
        if self.lease.is_lost() {
            Err(Stop::LeaseLost)
        } else if stage == Stage::Over || (stage == Stage::Asked && waits) {
            Err(Stop::Drained)
        } else if self.time_left(context).is_zero() {
            Err(deadline())
        } else {
            Ok(())
        }
    }

    /// How much of the job's time is left.
    fn time_left(&self, context: &Context) -> Duration {
        let wanted = self.job.limits.seconds.map_or(Duration::MAX, Duration::from_secs);
        let whole = context.config.agent.deadline.min(wanted);
        whole.saturating_sub(context.cloud.clock.now().since(self.begun))
    }

    /// Waits for something that may be given up at any instant, as long as the job may go on.
    ///
    /// # Errors
    /// Why it may not go on.
    pub(crate) async fn wait<T>(
        &self,
        context: &Context,
        what: impl Future<Output = T> + Send,
    ) -> Result<T, Stop> {
        self.may_go_on(context)?;
        let stage = if self.seat.pool == Some(Pool::Pending) { Stage::Asked } else { Stage::Over };
        tokio::select! {
            done = what => Ok(done),
            () = self.lease.lost() => Err(Stop::LeaseLost),
            () = context.drain.reached(stage) => Err(Stop::Drained),
            () = context.cloud.clock.sleep(self.time_left(context)) => Err(deadline()),
        }
    }
}

fn deadline() -> Stop {
    Stop::retry(Reason::DeadlineReached, Duration::from_secs(300), "the job's time in all is used up")
}
