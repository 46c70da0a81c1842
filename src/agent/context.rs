// SPDX-License-Identifier: Apache-2.0
//! What all jobs of an agent share, made once at the start.

use std::sync::Arc;

use snapscan_cloud::host::{Describe, HostFacts};
use snapscan_cloud::local::Local;
use snapscan_cloud::remote::Remote;
use snapscan_cloud::{AccountId, Cloud, Purpose, Region, Scope};

use crate::agent::boundary;
use crate::config::Config;
use crate::config::effective::CloudChoice;
use crate::error::Failure;

/// What all jobs of an agent share.
pub(crate) struct Context {
    /// The effective configuration.
    pub(crate) config: Config,
    /// The cloud, and the time in it.
    pub(crate) cloud: Cloud,
    /// What the scanner's own host is.
    pub(crate) host: HostFacts,
}

impl Context {
    /// In the scanner's own name: queue, outbox, table, host.
    pub(crate) fn own(&self, job: &str) -> Scope {
        Scope {
            account: self.host.account.clone(),
            region: self.host.region.clone(),
            purpose: Purpose::Scanner,
            job: job.to_owned(),
        }
    }

    /// In a target account's name, for looking; `Scope::to` gives the other purposes.
    pub(crate) fn there(&self, account: &AccountId, region: &Region, job: &str) -> Scope {
        Scope {
            account: account.clone(),
            region: region.clone(),
            purpose: Purpose::Read,
            job: job.to_owned(),
        }
    }

    /// True if the queue is a folder of this very machine, so that its messages may name images and folders.
    pub(crate) fn is_local(&self) -> bool {
        !matches!(self.config.cloud, CloudChoice::Aws { .. })
    }
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
async fn aws(_: &Config) -> Result<Cloud, Failure> {
    Err(Failure::new(
        "the configuration names AWS, and this program cannot speak to it yet",
        "configure a local cloud",
    ))
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
