// SPDX-License-Identifier: Apache-2.0
//! What all jobs of an agent share, made once at the start.

use std::collections::BTreeSet;
use std::sync::Arc;

use snapscan_cloud::ec2::{DescribeInstanceTypes, DescribeVolumes, Find};
use snapscan_cloud::host::{Describe, HostFacts};
use snapscan_cloud::local::Local;
use snapscan_cloud::pace::{Paced, Shares};
use snapscan_cloud::remote::Remote;
use snapscan_cloud::{AccountId, Cloud, Owner, Purpose, Region, Scope};

use crate::agent::boundary;
use crate::agent::cost::{Costs, counted};
use crate::agent::drain::Drain;
use crate::agent::inspector::Inspector;
use crate::agent::lease::Terms;
use crate::agent::ledger::{Ledger, Opening};
use crate::agent::leftovers::Leftovers;
use crate::agent::metrics::Metrics;
use crate::agent::pool::{Pools, Slots, memory};
use crate::agent::resources::Resources;
use crate::agent::running::Running;
use crate::agent::spool::Spool;
use crate::config::Config;
use crate::config::effective::CloudChoice;
use crate::config::key::deployment_key;
use crate::error::Failure;
use crate::secret::Vault;

/// What all jobs of an agent share.
pub(crate) struct Context {
    /// The effective configuration.
    pub(crate) config: Config,
    /// The cloud, and the time in it.
    pub(crate) cloud: Cloud,
    /// What the scanner's own host is.
    pub(crate) host: HostFacts,
    /// The memory across crashes.
    pub(crate) ledger: Ledger,
    /// Whatever is made in a cloud.
    pub(crate) resources: Resources,
    /// Reports that are not handed over yet.
    pub(crate) spool: Spool,
    /// Seats for jobs.
    pub(crate) pools: Pools,
    /// Names for attached volumes.
    pub(crate) slots: Slots,
    /// The stop.
    pub(crate) drain: Drain,
    /// Jobs that run.
    pub(crate) running: Running,
    /// Jobs that ended and left something.
    pub(crate) leftovers: Leftovers,
    /// What is counted.
    pub(crate) metrics: Arc<Metrics>,
    /// What jobs cost.
    pub(crate) costs: Arc<Costs>,
    /// Who reads.
    pub(crate) inspector: Arc<dyn Inspector>,
}

impl Context {
    /// Opens all that jobs share. Whoever calls holds the state folder's lock.
    ///
    /// # Errors
    /// What stands in the way, for a person.
    pub(crate) async fn open(
        config: Config,
        cloud: Cloud,
        inspector: Arc<dyn Inspector>,
    ) -> Result<Self, Failure> {
        let metrics = Metrics::new();
        let is_simulated = !matches!(config.cloud, CloudChoice::Aws { .. });
        let costs = Costs::new(config.prices.clone(), is_simulated, cloud.clock, Arc::clone(&metrics));
        let cloud = counted(cloud, Arc::clone(&costs));
        // Outermost: what waits for its turn and is given up was no request.
        let cloud = paced(&cloud, &config);
        let host = host(&cloud).await?;
        let scope = own(&host, "");
        let vault = Vault::here(Some((cloud.clone(), scope.clone())));
        let key = deployment_key(&config, &vault).await?;
        let owner = Arc::new(Owner::new(config.deployment.clone(), *key));
        let folder = |error: &dyn std::fmt::Display| {
            let what = format!("cannot use the state folder `{}`: {error}", config.state.display());
            Failure::new(what, "check its disk and who may write there, or set `state`")
        };
        let ledger = Ledger::open(&config.state, Opening::Agent).map_err(|error| folder(&error))?;
        let pools = Pools::new(&config, memory());
        let room =
            config.agent.report_room.saturating_mul(u64::try_from(pools.readers()).unwrap_or(u64::MAX));
        let spool = Spool::open(&config.state, room).map_err(|error| folder(&error))?;
        let slots = slots(&cloud, &scope, &host).await?;
        let resources = Resources::new(cloud.clone(), owner, ledger.clone(), host.clone());
        Ok(Self {
            pools,
            spool,
            slots,
            resources,
            ledger,
            host,
            cloud,
            config,
            inspector,
            metrics,
            costs,
            drain: Drain::new(),
            running: Running::default(),
            leftovers: Leftovers::default(),
        })
    }

    /// In the scanner's own name: queue, outbox, table, host.
    pub(crate) fn own(&self, job: &str) -> Scope {
        own(&self.host, job)
    }

    /// How leases are kept.
    pub(crate) fn terms(&self) -> Terms {
        Terms { lease: self.config.agent.lease, margin: self.config.agent.margin }
    }

    /// True if the queue is a folder of this very machine, so that its messages may name images and folders.
    pub(crate) fn is_local(&self) -> bool {
        !matches!(self.config.cloud, CloudChoice::Aws { .. })
    }
}

/// The same cloud, asked no faster than leaves the customer most of its quotas.
pub(crate) fn paced(cloud: &Cloud, config: &Config) -> Cloud {
    let shares = Shares { scanners: config.agent.scanners, ..Shares::default() };
    Cloud { service: Arc::new(Paced::new(cloud, shares)), clock: cloud.clock }
}

/// In the scanner's own name.
pub(crate) fn own(host: &HostFacts, job: &str) -> Scope {
    Scope {
        account: host.account.clone(),
        region: host.region.clone(),
        purpose: Purpose::Scanner,
        job: job.to_owned(),
    }
}

/// Slots as AWS answers, not as somebody remembers: what the type takes, less what is attached.
async fn slots(cloud: &Cloud, scope: &Scope, host: &HostFacts) -> Result<Slots, Failure> {
    let failed = |error: snapscan_cloud::Error| {
        let what = format!("cannot learn how many volumes this host takes: {error}");
        Failure::new(what, "`snapscan doctor` says which permission is missing")
    };
    let kinds = DescribeInstanceTypes { kinds: vec![host.kind.clone()] };
    let kinds = cloud.ask(scope, kinds).await.map_err(failed)?;
    let mut in_use = BTreeSet::new();
    let mut token = None;
    loop {
        let find = Find::AttachedTo(host.instance.clone());
        let page = cloud.ask(scope, DescribeVolumes { find, token }).await.map_err(failed)?;
        let attached = page.items.into_iter().flat_map(|volume| volume.attachments);
        in_use.extend(attached.filter(|one| one.instance == host.instance).map(|one| one.device));
        token = page.token;
        if token.is_none() {
            break;
        }
    }
    // Where network cards and disks of the instance count too, one card is there for certain.
    let total = kinds.into_iter().find(|kind| kind.kind == host.kind).map_or(0, |kind| {
        let others = if kind.shared { kind.instance_disks.saturating_add(1) } else { 0 };
        kind.attachments.saturating_sub(others)
    });
    let total = usize::try_from(total).unwrap_or(usize::MAX);
    Ok(Slots::new(total.saturating_sub(in_use.len()), &in_use))
}

/// Opens the cloud that the configuration names, with the boundaries of the crash test around it.
///
/// # Errors
/// What stands in the way, for a person.
pub(crate) async fn open_cloud(config: &Config) -> Result<Cloud, Failure> {
    let cloud = match &config.cloud {
        CloudChoice::Local { folder } => {
            let local = Local::open(folder).map_err(|error| {
                Failure::new(
                    format!("cannot open the cloud in `{}`: {error}", folder.display()),
                    "check the folder and who may write there",
                )
            })?;
            let clock = local.clock();
            Cloud { service: Arc::new(local), clock }
        }
        CloudChoice::Remote { socket } => Remote::connect(socket).await.map_err(|error| {
            Failure::new(
                format!("cannot reach the cloud behind `{}`: {error}", socket.display()),
                "start the process that serves it, or check the path",
            )
        })?,
        CloudChoice::Aws { .. } => aws(config).await?,
    };
    Ok(boundary::watched(cloud))
}

#[cfg(not(feature = "aws"))]
async fn aws(_: &Config) -> Result<Cloud, Failure> {
    Err(Failure::new(
        "the configuration names AWS, and this program was built without it",
        "build with `--features aws`, or configure a local cloud",
    ))
}

#[cfg(feature = "aws")]
async fn aws(config: &Config) -> Result<Cloud, Failure> {
    super::aws::open(config).await
}

/// Asks the cloud what this host is.
///
/// # Errors
/// What the cloud answers, for a person.
pub(crate) async fn host(cloud: &Cloud) -> Result<HostFacts, Failure> {
    // Nothing is known of the host yet; its metadata service needs no account.
    let nobody = AccountId::parse("000000000000").ok_or("000000000000");
    let nowhere = Region::parse("local").ok_or("local");
    let (Ok(account), Ok(region)) = (nobody, nowhere) else {
        return Err(Failure::new("the scanner's first scope is malformed", "please report this"));
    };
    let scope = Scope { account, region, purpose: Purpose::Scanner, job: String::new() };
    cloud.ask(&scope, Describe {}).await.map_err(|error| {
        Failure::new(
            format!("cannot learn what host this is: {error}"),
            "on an instance check that IMDSv2 answers; `snapscan doctor` says more",
        )
    })
}
