// SPDX-License-Identifier: Apache-2.0
//! The scanner's own host, by its metadata service (IMDSv2), and its Auto Scaling group.

use serde_json::Value;
use snapscan_cloud::host::{HostFacts, Notice, Protect};
use snapscan_cloud::{AccountId, Error, InstanceId, Region, Timestamp};

use crate::{Aws, classify};

/// Where the identity of the instance is told.
const IDENTITY: &str = "/latest/dynamic/instance-identity/document";
/// The name of the group, where tags are told at all.
const GROUP: &str = "/latest/meta-data/tags/instance/aws:autoscaling:groupName";
/// Whether a spot instance is about to end; 404 otherwise.
const SPOT: &str = "/latest/meta-data/spot/instance-action";
/// What the group means to do with the instance.
const LIFECYCLE: &str = "/latest/meta-data/autoscaling/target-lifecycle-state";

impl Aws {
    pub(crate) async fn describe_host(&self) -> Result<HostFacts, Error> {
        let action = "imds:Describe";
        let document = self
            .metadata
            .get(action, IDENTITY)
            .await?
            .ok_or_else(|| classify::missing(action, "identity document"))?;
        let document: Value = serde_json::from_str(&document).map_err(|error| {
            Error::of(action, "MalformedAnswer", format!("the identity document: {error}"))
        })?;
        let text = |name: &str| document[name].as_str().unwrap_or_default().to_owned();
        let missing = |what: &str| classify::missing(action, what);
        Ok(HostFacts {
            account: AccountId::parse(&text("accountId")).ok_or_else(|| missing("account"))?,
            region: Region::parse(&text("region")).ok_or_else(|| missing("region"))?,
            zone: text("availabilityZone"),
            instance: InstanceId::parse(&text("instanceId")).ok_or_else(|| missing("instance"))?,
            kind: text("instanceType"),
            group: self.metadata.get(action, GROUP).await?,
            devices: self.settings.devices.clone(),
        })
    }

    pub(crate) async fn watch_host(&self) -> Result<Notice, Error> {
        let action = "imds:Watch";
        let interruption = self.metadata.get(action, SPOT).await?.and_then(|said| time_of(&said));
        let terminating = self
            .metadata
            .get(action, LIFECYCLE)
            .await?
            .is_some_and(|state| state.trim().starts_with("Terminated"));
        Ok(Notice { interruption, terminating })
    }

    pub(crate) async fn protect(&self, request: Protect) -> Result<(), Error> {
        let client = aws_sdk_autoscaling::Client::new(self.home());
        let ask = client.set_instance_protection().auto_scaling_group_name(request.group);
        let answer =
            ask.instance_ids(request.instance.as_str()).protected_from_scale_in(request.protect).send().await;
        answer.map(drop).map_err(|error| classify::error("autoscaling:SetInstanceProtection", false, &error))
    }
}

/// The time in `{"action":"terminate","time":"2026-11-21T13:30:00Z"}`.
fn time_of(said: &str) -> Option<Timestamp> {
    let said: Value = serde_json::from_str(said).ok()?;
    let time = aws_sdk_sts::primitives::DateTime::from_str(
        said["time"].as_str()?,
        aws_sdk_sts::primitives::DateTimeFormat::DateTime,
    );
    time.ok().map(|time| Timestamp(time.secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spot_notice_tells_its_time() {
        let said = r#"{"action": "terminate", "time": "2017-09-18T08:22:00Z"}"#;
        assert_eq!(time_of(said), Some(Timestamp(1_505_722_920)));
        assert_eq!(time_of("gone"), None);
    }
}
