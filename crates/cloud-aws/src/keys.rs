// SPDX-License-Identifier: Apache-2.0
//! Keys, and whose credentials are used.

use snapscan_cloud::ec2::{DescribeKey, Key};
use snapscan_cloud::identity::{Caller, WhoAmI};
use snapscan_cloud::{AccountId, Error, Scope};

use crate::{Aws, classify};

impl Aws {
    pub(crate) async fn describe_key(&self, scope: &Scope, request: DescribeKey) -> Result<Key, Error> {
        let action = "kms:DescribeKey";
        let client = aws_sdk_kms::Client::new(&self.session(scope).await?);
        let answer = client.describe_key().key_id(&request.key).send().await;
        let answer = answer.map_err(|error| classify::error(action, false, &error))?;
        let key = answer.key_metadata.ok_or_else(|| classify::missing(action, "key"))?;
        Ok(Key {
            arn: key.arn.unwrap_or(request.key),
            is_aws_managed: key.key_manager.is_some_and(|manager| manager.as_str() == "AWS"),
            state: key.key_state.map(|state| state.as_str().to_owned()).unwrap_or_default(),
            origin: key.origin.map(|origin| origin.as_str().to_owned()).unwrap_or_default(),
        })
    }

    pub(crate) async fn who_am_i(&self, scope: &Scope, request: WhoAmI) -> Result<Caller, Error> {
        let action = "sts:GetCallerIdentity";
        if request.without_external_id && scope.account != self.settings.account {
            self.assume(scope, false).await?;
        }
        let client = aws_sdk_sts::Client::new(&self.session(scope).await?);
        let answer = client.get_caller_identity().send().await;
        let answer = answer.map_err(|error| classify::error(action, false, &error))?;
        let account = answer.account().and_then(AccountId::parse);
        Ok(Caller {
            account: account.ok_or_else(|| classify::missing(action, "account"))?,
            arn: answer.arn().unwrap_or_default().to_owned(),
        })
    }
}
