// SPDX-License-Identifier: Apache-2.0
//! A cloud that costs no more than was said: each call is counted at its worst before it is made.
//!
//! What a refused call would have cost is given back, since it had no effect; what became of one without an answer is not
//! known, so it stays counted. What takes away is counted and never refused.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::prices::{is_release, worst};
use crate::ec2::{DescribeSnapshots, DescribeVolumes, Find, Volume};
use crate::{Answer, Call, Class, Cloud, Error, Scope, Service, SnapshotId};

/// Billionths in a millionth.
const NANOS: u64 = 1_000;
/// GiB of the largest volume there is. Source: Amazon EBS User Guide, "gp3": 64 TiB.
const LARGEST: u64 = 64 << 10;

/// The code of the error that the cap is.
pub const CAP: &str = "DollarCap";

/// A cloud behind a cap.
pub(super) struct Capped {
    inner: Cloud,
    /// Billionths of a dollar.
    cap: u64,
    book: Mutex<Book>,
}

/// What was done so far.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// Billionths of a dollar that were counted.
    nanos: u64,
    /// Calls that were refused because of the cap.
    pub(super) refused: u64,
    /// A call that makes something had no answer: what it made may show late.
    pub(super) is_uncertain: bool,
    /// Everything is allowed, so that what was made is found and taken away.
    is_open: bool,
    /// Sizes in GiB of snapshots that an answer named.
    sizes: BTreeMap<SnapshotId, u64>,
}

impl Capped {
    /// The same cloud, and it may cost so many millionths of a dollar.
    pub(super) fn around(cloud: &Cloud, microdollars: u64) -> Arc<Self> {
        let cap = microdollars.saturating_mul(NANOS);
        Arc::new(Self { inner: cloud.clone(), cap, book: Mutex::default() })
    }

    /// From now on nothing is refused: what is left to do is to take away.
    pub(super) fn open(&self) {
        self.book().is_open = true;
    }

    /// Millionths of a dollar that were counted, rounded up.
    pub(super) fn microdollars(&self) -> u64 {
        self.book().nanos.div_ceil(NANOS)
    }

    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call; refuses it if that would be too much.
    fn count(&self, call: &Call, price: u64) -> Result<(), Error> {
        let mut book = self.book();
        let sum = book.nanos.saturating_add(price);
        let is_free = price == 0 || book.is_open || is_release(call.action());
        if sum > self.cap && !is_free {
            book.refused = book.refused.saturating_add(1);
            let (price, spent, cap) = (dollars(price), dollars(book.nanos), dollars(self.cap));
            return Err(Error {
                class: Class::Quota,
                action: call.action().name().to_owned(),
                code: CAP.to_owned(),
                message: format!("it may cost {price}, and {spent} of {cap} are counted already"),
                after: None,
            });
        }
        book.nanos = sum;
        Ok(())
    }

    /// GiB of what a call makes something of.
    async fn gib(&self, scope: &Scope, call: &Call) -> Result<u64, Error> {
        match call {
            Call::CreateSnapshots(set) => self.volumes(scope, Find::AttachedTo(set.instance.clone())).await,
            Call::CreateSnapshot(one) => self.volumes(scope, Find::Ids(vec![one.volume.clone()])).await,
            Call::CopySnapshot(copy) => self.snapshot(scope, &copy.source).await,
            Call::CreateVolume(volume) => self.snapshot(scope, &volume.snapshot).await,
            _ => Ok(0),
        }
    }

    async fn volumes(&self, scope: &Scope, find: Find<crate::VolumeId>) -> Result<u64, Error> {
        let (mut sum, mut token) = (0_u64, None);
        loop {
            let page = self.inner.ask(scope, DescribeVolumes { find: find.clone(), token }).await?;
            let sizes = page.items.iter().map(|volume: &Volume| volume.size_gib);
            sum = sizes.fold(sum, u64::saturating_add);
            token = page.token;
            if token.is_none() {
                // A volume that is not listed is one of unknown size.
                return Ok(if sum == 0 { LARGEST } else { sum });
            }
        }
    }

    async fn snapshot(&self, scope: &Scope, id: &SnapshotId) -> Result<u64, Error> {
        if let Some(gib) = self.book().sizes.get(id) {
            return Ok(*gib);
        }
        let mut token = None;
        loop {
            let find = Find::Ids(vec![id.clone()]);
            let page = self.inner.ask(scope, DescribeSnapshots { find, token }).await?;
            if let Some(found) = page.items.iter().find(|one| one.id == *id) {
                return Ok(found.size_gib);
            }
            token = page.token;
            if token.is_none() {
                return Ok(LARGEST);
            }
        }
    }

    /// Notes what an answer says of sizes, or that there was none.
    fn note(&self, call: Made, answer: &Result<Answer, Error>, price: u64) {
        let mut book = self.book();
        match answer {
            Ok(Answer::CreateSnapshots(set)) => {
                book.sizes.extend(set.iter().map(|one| (one.id.clone(), one.size_gib)));
            }
            Ok(Answer::CreateSnapshot(one)) => {
                book.sizes.insert(one.id.clone(), one.size_gib);
            }
            Ok(_) => {}
            Err(error) if matches!(error.class, Class::Transient | Class::Unknown) => {
                book.is_uncertain |= call.makes;
            }
            Err(_) => book.nanos = book.nanos.saturating_sub(price),
        }
    }
}

/// What is kept of a call when it is made.
#[derive(Clone, Copy)]
struct Made {
    makes: bool,
}

#[async_trait::async_trait]
impl Service for Capped {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, Error> {
        let price = worst(&scope.region, &call, self.gib(scope, &call).await?);
        self.count(&call, price)?;
        let made = Made { makes: call.action().changes() && !is_release(call.action()) };
        let answer = self.inner.service.call(scope, call).await;
        self.note(made, &answer, price);
        answer
    }
}

/// Billionths as dollars.
fn dollars(nanos: u64) -> String {
    let micros = nanos.div_ceil(NANOS);
    format!("${}.{:06}", micros / 1_000_000, micros % 1_000_000)
}
