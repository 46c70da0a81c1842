// SPDX-License-Identifier: Apache-2.0
//! The call first and the ledger after it: a fault that the crash test plants, and must notice.

use snapscan_cloud::service::Purpose;
use snapscan_cloud::{IntentId, Request, Timestamp};

use super::make::{CALL, LATE, SKEW};
use super::{Error, Place, Resources};
use crate::agent::ledger::{self, Event, Intent, NewIntent, State};

impl Resources {
    /// As `make`, in the wrong order.
    pub(super) async fn make_unwritten<R: Request>(
        &self,
        at: &Place,
        purpose: Purpose,
        new: NewIntent,
        request: impl FnOnce(&Intent) -> R,
        ids: impl FnOnce(&R::Answer) -> Vec<String>,
    ) -> Result<R::Answer, Error> {
        let (kind, now) = (new.kind, self.cloud.clock.now());
        let unwritten = self.sketch(&new, now)?;
        let answer = self.cloud.ask(&at.scope(purpose), request(&unwritten)).await;
        let answer = answer.map_err(|error| Error::Refused { kind, error })?;
        let intent = self.ledger.plan_as(unwritten.id.as_str(), new, now).await?;
        let deadline = now.plus(CALL);
        let from = Timestamp(now.0 - i64::try_from(SKEW.as_secs()).unwrap_or(0));
        let called = Event::Called { from, until: deadline.plus(LATE), deadline };
        self.ledger.advance(&intent.id, called).await?;
        self.ledger.advance(&intent.id, Event::Bound(ids(&answer))).await?;
        Ok(answer)
    }

    /// An intent that is in no ledger.
    fn sketch(&self, new: &NewIntent, now: Timestamp) -> Result<Intent, Error> {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let id = IntentId::parse(&id).ok_or_else(|| ledger::Error::NoRow(id))?;
        Ok(Intent {
            seq: 0,
            id,
            kind: new.kind,
            account: new.account.clone(),
            region: new.region.clone(),
            job: new.job.clone(),
            sources: new.sources.clone(),
            about: new.about.clone(),
            expected: new.expected,
            state: State::Planned,
            boot: String::new(),
            epoch: self.ledger.epoch(),
            planned: now,
            from: now,
            until: now,
            deadline: now,
            lookups: 0,
            looks: None,
            trouble: None,
            why: String::new(),
            made: Vec::new(),
        })
    }
}
