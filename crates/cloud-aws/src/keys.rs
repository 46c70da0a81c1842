// SPDX-License-Identifier: Apache-2.0
//! Keys, and whose credentials are used.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_sts::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_sts::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_sts::error::BoxError;
use aws_sdk_sts::primitives::{DateTime, DateTimeFormat};
use snapscan_cloud::ec2::{DescribeKey, Key};
use snapscan_cloud::identity::{Caller, WhoAmI};
use snapscan_cloud::{AccountId, Error, Scope, Timestamp};

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
            self.assume(scope, None, false).await?;
        }
        let client = aws_sdk_sts::Client::new(&self.session(scope).await?);
        let date = Date::default();
        let ask = client.get_caller_identity().customize().interceptor(date.clone());
        let answer = ask.send().await.map_err(|error| classify::error(action, false, &error))?;
        let account = answer.account().and_then(AccountId::parse);
        Ok(Caller {
            account: account.ok_or_else(|| classify::missing(action, "account"))?,
            arn: answer.arn().unwrap_or_default().to_owned(),
            date: date.seen().map(|date| self.settings.clock.told(date)),
        })
    }
}

/// The `Date` of an answer, which no output of the SDK has.
#[derive(Debug, Clone, Default)]
struct Date(Arc<Mutex<Option<Timestamp>>>);

impl Date {
    fn seen(&self) -> Option<Timestamp> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for Date {
    fn name(&self) -> &'static str {
        "date"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            context.response().headers().get("date").and_then(date_of);
        Ok(())
    }
}

/// The time in `Tue, 15 Nov 1994 08:12:31 GMT`. Source: RFC 9110, section 5.6.7.
fn date_of(said: &str) -> Option<Timestamp> {
    DateTime::from_str(said, DateTimeFormat::HttpDate).ok().map(|date| Timestamp(date.secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_an_answer_is_a_time_and_another_text_is_none() {
        // The example of RFC 9110, and its seconds by `date -d`.
        assert_eq!(date_of("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Timestamp(784_111_777)));
        assert_eq!(date_of("yesterday"), None);
    }
}
