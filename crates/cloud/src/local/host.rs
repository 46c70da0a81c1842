// SPDX-License-Identifier: Apache-2.0
//! How the scanner's own host answers, and who the caller is.

use rusqlite::params;

use super::call::{Said, Turn, refuse};
use super::events::EventKind;
use crate::host::{HostFacts, Notice, Protect};
use crate::identity::{Caller, WhoAmI};
use crate::secrets::{GetSecret, Secret};
use crate::{Purpose, Timestamp};

impl Turn<'_> {
    pub(super) fn describe_host(&self) -> HostFacts {
        let settings = &self.world.settings;
        HostFacts {
            account: settings.host.account.clone(),
            region: settings.region.clone(),
            zone: settings.host.zone.clone(),
            instance: settings.host.instance.clone(),
            kind: settings.host.kind.clone(),
            group: settings.host.group.clone(),
            devices: Some(self.folder.join("devices").to_string_lossy().into_owned()),
        }
    }

    pub(super) fn watch_host(&self) -> Notice {
        let host = &self.world.host;
        Notice { interruption: host.interruption.map(Timestamp), terminating: host.terminating }
    }

    pub(super) fn protect_host(&mut self, call: &Protect) -> Said<()> {
        if self.world.settings.host.group.as_ref() != Some(&call.group) {
            return refuse("ValidationError", format!("The group {} does not exist", call.group));
        }
        if self.world.settings.host.instance != call.instance {
            return refuse(
                "ValidationError",
                format!("The instance {} is not part of {}", call.instance, call.group),
            );
        }
        self.tx.execute(
            "INSERT OR REPLACE INTO protected VALUES(?1, ?2)",
            params![call.instance.as_str(), call.protect],
        )?;
        self.note(EventKind::Changed, call.instance.as_str(), 0);
        Ok(())
    }

    /// A role is assumed in any account by any session but the scanner's own; without the external id it is refused.
    pub(super) fn who_am_i(&self, call: WhoAmI) -> Said<Caller> {
        let account = &self.scope.account;
        let own = *account == self.world.settings.host.account && self.scope.purpose == Purpose::Scanner;
        let open = self.world.account(account).is_some_and(|account| account.open);
        if call.without_external_id && !own && !open {
            return refuse(
                "AccessDenied",
                format!("the role in account {account} is not assumed without its external id"),
            );
        }
        let role = if own { "scanner".to_owned() } else { format!("target/snapscan-{}", self.scope.job) };
        let arn = format!("arn:aws:sts::{account}:assumed-role/{role}");
        Ok(Caller { account: account.clone(), arn, date: Some(self.seconds()) })
    }

    pub(super) fn get_secret(&self, call: &GetSecret) -> Said<Secret> {
        match self.world.secrets.get(&call.name) {
            Some(value) => Ok(Secret::new(value.clone())),
            None => refuse(
                "ResourceNotFoundException",
                format!("Secrets Manager can't find the secret {}", call.name),
            ),
        }
    }
}
