// SPDX-License-Identifier: Apache-2.0
//! The way to AWS: from the configuration to a cloud.

use std::sync::Arc;

use snapscan_cloud::host::{Describe, HostFacts};
use snapscan_cloud::{AccountId, Clock, Cloud, Purpose, Region, Scope};
use snapscan_cloud_aws::{Aws, Role, Settings};

use crate::config::Config;
use crate::config::effective::CloudChoice;
use crate::error::Failure;
use crate::secret::Vault;

/// Connects with the credentials of the environment, fetches each account's external id, and connects again with them.
///
/// # Errors
/// A host that cannot be told, a secret that cannot be had.
pub(crate) async fn open(config: &Config) -> Result<Cloud, Failure> {
    let CloudChoice::Aws { region, endpoint, queue, dead, bucket, table, stand_in } = &config.cloud else {
        return Err(Failure::new("the configuration does not name AWS", "please report this"));
    };
    let malformed = || Failure::new("the scanner's first scope is malformed", "please report this");
    let clock = match stand_in.speed {
        0 | 1 => Clock::real(),
        speed => Clock::fast(Clock::real().milliseconds(), speed),
    };
    let mut settings = Settings {
        clock,
        deployment: config.deployment.clone(),
        account: AccountId::parse("000000000000").ok_or_else(malformed)?,
        region: region.clone().or_else(|| Region::parse("us-east-1")).ok_or_else(malformed)?,
        endpoint: endpoint.clone(),
        queue: queue.clone(),
        dead: dead.clone(),
        bucket: bucket.clone(),
        table: table.clone(),
        devices: stand_in.devices.as_ref().map(|folder| folder.display().to_string()),
        roles: std::collections::BTreeMap::new(),
    };
    let first = connect(settings.clone()).await;
    let scope = Scope {
        account: settings.account.clone(),
        region: settings.region.clone(),
        purpose: Purpose::Scanner,
        job: String::new(),
    };
    let host: HostFacts = first.ask(&scope, Describe {}).await.map_err(|error| {
        let help = "run this on an instance whose metadata service (IMDSv2) answers";
        Failure::new(format!("cannot learn what host this is: {error}"), help)
    })?;
    settings.account = host.account.clone();
    settings.region = region.clone().unwrap_or(host.region);
    let scope = Scope { account: host.account, region: settings.region.clone(), ..scope };
    let vault = Vault::here(Some((connect(settings.clone()).await, scope)));
    for (account, entry) in &config.accounts {
        let external_id = vault.fetch(&entry.external_id).await?.reveal().to_owned();
        settings.roles.insert(account.clone(), Role { name: entry.role.clone(), external_id });
    }
    Ok(connect(settings).await)
}

async fn connect(settings: Settings) -> Cloud {
    let clock = settings.clock;
    Cloud { service: Arc::new(Aws::connect(settings).await), clock }
}
