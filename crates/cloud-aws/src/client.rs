// SPDX-License-Identifier: Apache-2.0
//! Clients by account, region, purpose and job, each with credentials of its own.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_sts::config::{Credentials, SharedCredentialsProvider};
use snapscan_cloud::{AccountId, Clock, Error, Purpose, Region, Scope, SnapshotId};

use crate::metadata::Metadata;
use crate::{classify, policy};

/// A session of a target account is renewed when it is this old: role chaining allows an hour.
const RENEW_AFTER: Duration = Duration::from_secs(45 * 60);
/// Sessions that are kept; older ones are assumed again.
const MOST_SESSIONS: usize = 4_096;

/// How a target account is entered.
#[derive(Clone)]
pub struct Role {
    /// The role's name.
    pub name: String,
    /// Its external id.
    pub external_id: String,
}

/// What the cloud is made of.
#[derive(Clone)]
pub struct Settings {
    /// The deployment's name, which session policies are bound to.
    pub deployment: String,
    /// The scanner's own account; entered without a role.
    pub account: AccountId,
    /// The region of queue, outbox and table.
    pub region: Region,
    /// Another endpoint for all services, for tests.
    pub endpoint: Option<String>,
    /// The URL of the queue of jobs.
    pub queue: String,
    /// The URL of the dead-letter queue.
    pub dead: String,
    /// The bucket of the outbox.
    pub bucket: String,
    /// The conditional table, with the keys `family` and `row`.
    pub table: String,
    /// The clock: AWS's own time, or that of a stand-in that is in a hurry.
    pub clock: Clock,
    /// Where attached volumes appear by serial, where a stand-in has no NVMe devices.
    pub devices: Option<String>,
    /// Target accounts.
    pub roles: BTreeMap<AccountId, Role>,
}

/// What tells one session from another: account, purpose, job, and the snapshot that a [`Purpose::Borrow`] is for.
type Session = (AccountId, Purpose, String, Option<SnapshotId>);

/// AWS.
pub struct Aws {
    pub(crate) settings: Settings,
    pub(crate) metadata: Metadata,
    base: SdkConfig,
    sessions: Mutex<BTreeMap<Session, (Instant, Credentials)>>,
}

impl Aws {
    /// Connects with the credentials of the environment: the instance's role, or what the SDK finds.
    pub async fn connect(settings: Settings) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(5))
            .read_timeout(Duration::from_secs(25))
            .operation_attempt_timeout(Duration::from_secs(30))
            .operation_timeout(Duration::from_secs(30));
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .region(aws_config::Region::new(settings.region.to_string()))
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts.build());
        if let Some(endpoint) = &settings.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        let metadata = Metadata::new(None);
        Self { settings, metadata, base: loader.load().await, sessions: Mutex::default() }
    }

    /// The scanner's own credentials in the scanner's own region.
    pub(crate) fn home(&self) -> &SdkConfig {
        &self.base
    }

    /// The configuration of clients for a scope.
    ///
    /// # Errors
    /// What assuming the role met; `AccessDenied` for an account that is not configured.
    pub(crate) async fn session(&self, scope: &Scope) -> Result<SdkConfig, Error> {
        self.session_on(scope, None).await
    }

    /// The same, of a session that may read this snapshot, where the scope is for one that is not ours.
    ///
    /// # Errors
    /// As above.
    pub(crate) async fn session_on(
        &self,
        scope: &Scope,
        snapshot: Option<&SnapshotId>,
    ) -> Result<SdkConfig, Error> {
        let region = aws_config::Region::new(scope.region.to_string());
        if scope.account == self.settings.account {
            return Ok(self.base.to_builder().region(region).build());
        }
        let borrowed = snapshot.filter(|_| scope.purpose == Purpose::Borrow);
        let key = (scope.account.clone(), scope.purpose, scope.job.clone(), borrowed.cloned());
        let known = self.sessions().get(&key).filter(|(since, _)| since.elapsed() < RENEW_AFTER).cloned();
        let credentials = match known {
            Some((_, credentials)) => credentials,
            None => {
                let fresh = self.assume(scope, borrowed, true).await?;
                let mut sessions = self.sessions();
                sessions.retain(|_, (since, _)| since.elapsed() < RENEW_AFTER);
                if sessions.len() >= MOST_SESSIONS {
                    sessions.clear();
                }
                sessions.insert(key, (Instant::now(), fresh.clone()));
                fresh
            }
        };
        let provider = SharedCredentialsProvider::new(credentials);
        Ok(self.base.to_builder().region(region).credentials_provider(provider).build())
    }

    /// Assumes the role of a target account, for one purpose and one job.
    ///
    /// # Errors
    /// What STS answers; `AccessDenied` for an account that is not configured.
    pub(crate) async fn assume(
        &self,
        scope: &Scope,
        borrowed: Option<&SnapshotId>,
        with_external_id: bool,
    ) -> Result<Credentials, Error> {
        let action = "sts:AssumeRole";
        let denied = || {
            let said = format!("account {} is not among those that are configured", scope.account);
            Error::of(action, "AccessDenied", said)
        };
        let role = self.settings.roles.get(&scope.account).ok_or_else(denied)?;
        let regional =
            self.base.to_builder().region(aws_config::Region::new(scope.region.to_string())).build();
        let mut request = aws_sdk_sts::Client::new(&regional)
            .assume_role()
            .role_arn(format!("arn:aws:iam::{}:role/{}", scope.account, role.name))
            .role_session_name(session_name(&scope.job))
            .duration_seconds(3_600);
        let ours = policy::Ours { deployment: &self.settings.deployment, account: &self.settings.account };
        if let Some(policy) = policy::session(scope, &ours, borrowed) {
            request = request.policy(policy);
        }
        if with_external_id {
            request = request.external_id(&role.external_id);
        }
        let answer = request.send().await.map_err(|error| classify::error(action, false, &error))?;
        let credentials = answer.credentials.ok_or_else(|| classify::missing(action, "credentials"))?;
        Ok(Credentials::new(
            credentials.access_key_id,
            credentials.secret_access_key,
            Some(credentials.session_token),
            None,
            "AssumeRole",
        ))
    }

    fn sessions(&self) -> std::sync::MutexGuard<'_, BTreeMap<Session, (Instant, Credentials)>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The session's name in the customer's log: 2 to 64 of `[\w+=,.@-]`.
fn session_name(job: &str) -> String {
    let job: String = job.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(50).collect();
    if job.is_empty() { "snapscan-agent".to_owned() } else { format!("snapscan-{job}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sessions_name_has_only_what_sts_allows() {
        assert_eq!(session_name("job 1/../x"), "snapscan-job1x");
        assert_eq!(session_name(""), "snapscan-agent");
        assert!(session_name(&"a".repeat(200)).len() <= 64);
    }
}
