// SPDX-License-Identifier: Apache-2.0
//! The examination: host first, then cloud, then sinks; what one step cannot find out the next ones do without.

use snapscan_cloud::host::HostFacts;
use snapscan_cloud::{Clock, Cloud};

use super::{Check, State, cloud, held, host, qualys, settings};
use crate::agent::context;
use crate::config::effective::CloudChoice;
use crate::config::{Config, Origins};
use crate::secret::Vault;

/// Looks at everything that an agent with this configuration needs.
pub(crate) async fn examine(config: &Config, origins: &Origins) -> Vec<Check> {
    let mut checks = host::checks(config);
    let reached = match reach(config, &mut checks).await {
        Some((cloud, host)) => {
            let scope = context::own(&host, "");
            checks.extend(cloud::checks(&cloud, &scope, &host, config).await);
            Some((cloud, scope))
        }
        None => None,
    };
    let clock = reached.as_ref().map_or_else(Clock::real, |(cloud, _)| cloud.clock);
    checks.push(held::check(config, clock.now()).await);
    let vault = Vault::here(reached.clone());
    checks.extend(settings::checks(config, origins, &vault).await);
    checks.extend(qualys::checks(config, reached.as_ref()).await);
    checks
}

/// The cloud, if it can be reached without making one.
async fn reach(config: &Config, checks: &mut Vec<Check>) -> Option<(Cloud, HostFacts)> {
    if let CloudChoice::Local { folder } = &config.cloud
        && !folder.is_dir()
    {
        let detail = format!("a folder, `{}`: not there yet, the agent makes it", folder.display());
        checks.push(Check::new("cloud", "local", State::Note, detail));
        return None;
    }
    let opened = async {
        // At the rates of an agent: the quotas are the customer's here too.
        let cloud = context::paced(&context::open_cloud(config).await?, config);
        let host = context::host(&cloud).await?;
        Ok::<_, crate::error::Failure>((cloud, host))
    };
    match opened.await {
        Ok((cloud, host)) => {
            let detail =
                format!("{} in {}, account {}, {}", host.instance, host.zone, host.account, host.kind);
            checks.push(Check::new("cloud", "this host", State::Good, detail));
            Some((cloud, host))
        }
        Err(failure) => {
            checks.push(Check::new(
                "cloud",
                "reach",
                State::Bad,
                format!("{}; {}", failure.what, failure.help),
            ));
            None
        }
    }
}
