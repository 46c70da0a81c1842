// SPDX-License-Identifier: Apache-2.0
//! What the program works with: every value present, checked, and with its default where nothing was written.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use snapscan_cloud::{AccountId, Region};

/// The effective configuration.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// The name of this deployment, which every thing we make carries.
    pub(crate) deployment: String,
    /// The folder of ledger, spool, lock, ballast and (where nothing else is configured) the deployment's key.
    pub(crate) state: PathBuf,
    /// Where the deployment's key comes from.
    pub(crate) key: SecretFrom,
    /// The cloud.
    pub(crate) cloud: CloudChoice,
    /// The accounts that may be scanned, and how each is entered.
    pub(crate) accounts: BTreeMap<AccountId, Account>,
    /// A job's life.
    pub(crate) agent: AgentSettings,
    /// The confined worker.
    pub(crate) sandbox: SandboxSettings,
    /// What may be spent.
    pub(crate) limits: Limits,
    /// Where findings go.
    pub(crate) sinks: Vec<Sink>,
    /// How long a report stays in the outbox when every sink has taken it.
    pub(crate) keep: Duration,
    /// What things cost.
    pub(crate) prices: Prices,
}

/// Which cloud there is.
#[derive(Debug, Clone)]
pub(crate) enum CloudChoice {
    /// A folder.
    Local {
        /// The folder.
        folder: PathBuf,
    },
    /// A cloud in another process, behind a Unix socket.
    Remote {
        /// The socket.
        socket: PathBuf,
    },
    /// AWS.
    #[cfg_attr(not(feature = "aws"), expect(dead_code, reason = "only the SDK is told"))]
    Aws {
        /// The region of queue, outbox and table; the host's own if none is named.
        region: Option<Region>,
        /// Another endpoint for all services, for tests.
        endpoint: Option<String>,
        /// The URL of the queue of jobs.
        queue: String,
        /// The URL of the dead-letter queue.
        dead: String,
        /// The bucket of the outbox.
        bucket: String,
        /// The conditional table.
        table: String,
        /// What a stand-in for AWS cannot do by itself; only with an endpoint of its own.
        stand_in: StandIn,
    },
}

/// What a stand-in for AWS cannot do by itself.
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "aws"), expect(dead_code, reason = "only the SDK is told"))]
pub(crate) struct StandIn {
    /// How many seconds of the agent's clock pass in one of the wall's.
    pub(crate) speed: u32,
    /// A folder where attached volumes appear by serial, in place of NVMe devices.
    pub(crate) devices: Option<PathBuf>,
}

/// How an account is entered.
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "aws"), expect(dead_code, reason = "only the SDK is told"))]
pub(crate) struct Account {
    /// The name of the role; never from a message.
    pub(crate) role: String,
    /// The external id, 128 bits or more.
    pub(crate) external_id: SecretFrom,
    /// A customer key of this account that copies are made with, where a snapshot's own key cannot be shared.
    pub(crate) copy_key: Option<String>,
}

/// Where a secret is fetched when it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SecretFrom {
    /// Secrets Manager, by name or ARN.
    Manager(String),
    /// A systemd credential, by name: a file in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
    /// An environment variable.
    Environment(String),
    /// A file that only its owner can read.
    File(PathBuf),
}

impl fmt::Display for SecretFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretFrom::Manager(name) => write!(f, "Secrets Manager, {name}"),
            SecretFrom::Credential(name) => write!(f, "systemd credential {name}"),
            SecretFrom::Environment(name) => write!(f, "environment {name}"),
            SecretFrom::File(path) => write!(f, "file {}", path.display()),
        }
    }
}

/// How an agent works.
#[derive(Debug, Clone)]
pub(crate) struct AgentSettings {
    /// Jobs that may wait for snapshots.
    pub(crate) pending: usize,
    /// Jobs that are read at once.
    pub(crate) inspect: usize,
    /// How long a message is hidden at a time.
    pub(crate) lease: Duration,
    /// What is held back of a lease: beyond it the lease counts as lost.
    pub(crate) margin: Duration,
    /// How long running jobs may go on after a stop was asked for.
    pub(crate) drain: Duration,
    /// A job's time in all, below the queue's 12 hours.
    pub(crate) deadline: Duration,
    /// Bytes that the largest report may take; reserved before a lease.
    pub(crate) report_room: u64,
    /// The method where a job says `auto`.
    pub(crate) method: MethodChoice,
    /// Whose readers are used where a job does not say.
    pub(crate) reader: Reader,
    /// Read with the kernel where our readers answer `Unsupported`.
    pub(crate) kernel_fallback: bool,
    /// The folder beneath which a local queue may name images and folders.
    pub(crate) local_root: Option<PathBuf>,
    /// Instances and volumes that carry one of these tags are left alone.
    pub(crate) exclude_tags: Vec<String>,
    /// Where Prometheus text is written; nowhere if absent.
    pub(crate) metrics: Option<PathBuf>,
    /// Scanners that share the customer's quotas.
    pub(crate) scanners: u32,
}

/// How a job's volumes are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MethodChoice {
    /// The cheaper one by the estimate.
    Auto,
    /// Blocks of the snapshot, by the EBS direct interface.
    Direct,
    /// A volume of the snapshot, attached.
    Attach,
}

/// Who reads filesystems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Our readers, in the worker.
    Own,
    /// The kernel, by a read-only mount in a namespace of its own.
    Kernel,
}

/// The confined worker.
#[derive(Debug, Clone)]
pub(crate) struct SandboxSettings {
    /// Work only with every barrier in force?
    pub(crate) require_full: bool,
    /// Bytes of memory of a worker.
    pub(crate) memory: u64,
    /// Threads of a worker; 0 means one a core.
    pub(crate) threads: usize,
}

/// What may be spent.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// Distinct blocks of 512 KiB for a job of profile `os`.
    pub(crate) blocks_os: u64,
    /// The same for profile `full`; absent: the allocated blocks.
    pub(crate) blocks_full: Option<u64>,
    /// Millionths of a dollar per account and day.
    pub(crate) microdollars_a_day: u64,
}

/// Where findings go.
#[derive(Debug, Clone)]
pub(crate) enum Sink {
    /// A folder: reports, SBOMs, and a manifest of digests.
    Dir {
        /// Its name in the configuration.
        name: String,
        /// The folder.
        folder: PathBuf,
    },
    /// Qualys, by the documented connector sync call of CSAM.
    Csam(Box<Csam>),
}

/// How Qualys is reached.
#[derive(Debug, Clone)]
pub(crate) struct Csam {
    /// The name of the subscription: one uploader at a time for each.
    pub(crate) subscription: String,
    /// The gateway, such as `https://gateway.qg1.apps.qualys.com`.
    pub(crate) gateway: String,
    /// The connector's UUID.
    pub(crate) connector: String,
    /// How a token is had.
    pub(crate) login: Login,
    /// Assets in a call at most.
    pub(crate) batch_assets: usize,
    /// Bytes in a call at most.
    pub(crate) batch_bytes: usize,
}

/// How a token is had.
#[derive(Debug, Clone)]
pub(crate) enum Login {
    /// `/auth` with a user's name and password.
    Password {
        /// The user's name.
        user: SecretFrom,
        /// The password.
        password: SecretFrom,
    },
    /// `/auth/oidc` with a client.
    Client {
        /// The client's id.
        id: SecretFrom,
        /// The client's secret.
        secret: SecretFrom,
    },
    /// A token that was given.
    Token(SecretFrom),
}

/// What things cost, with the day that this was true.
#[derive(Debug, Clone)]
pub(crate) struct Prices {
    /// The day, `2026-11-21`.
    pub(crate) dated: String,
    /// Millionths of a dollar for 1,000 `GetSnapshotBlock`.
    pub(crate) get_block_1000: u64,
    /// Millionths of a dollar for 1,000 `ListSnapshotBlocks`.
    pub(crate) list_blocks_1000: u64,
    /// Millionths of a dollar for a GiB of snapshot and month.
    pub(crate) snapshot_gib_month: u64,
    /// Millionths of a dollar for a GiB of gp3 volume and month.
    pub(crate) volume_gib_month: u64,
}

impl Default for Prices {
    /// AWS's example region, from the EBS pricing page.
    fn default() -> Self {
        Self {
            dated: "2026-11-21".to_owned(),
            get_block_1000: 3_000,
            list_blocks_1000: 600,
            snapshot_gib_month: 50_000,
            volume_gib_month: 80_000,
        }
    }
}

impl Default for AgentSettings {
    fn default() -> Self {
        Self {
            pending: 200,
            inspect: 2,
            lease: Duration::from_secs(300),
            margin: Duration::from_secs(30),
            drain: Duration::from_secs(90),
            deadline: Duration::from_secs(11 * 3600),
            report_room: 256 << 20,
            method: MethodChoice::Auto,
            reader: Reader::Own,
            kernel_fallback: false,
            local_root: None,
            exclude_tags: vec!["snapscan:exclude".to_owned()],
            metrics: None,
            scanners: 1,
        }
    }
}

impl Default for SandboxSettings {
    fn default() -> Self {
        Self { require_full: true, memory: 256 << 20, threads: 0 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { blocks_os: 4_000, blocks_full: None, microdollars_a_day: 10_000_000 }
    }
}
