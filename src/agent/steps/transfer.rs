// SPDX-License-Identifier: Apache-2.0
//! Transfer: a snapshot becomes one that the scanner's account can make a volume of.
//!
//! | snapshot | what is done |
//! |---|---|
//! | read directly, or of the scanner's own account | nothing |
//! | not encrypted, or under a customer key | it is shared with the scanner's account |
//! | under the default key `aws/ebs` | a copy under the account's configured key is made in the target account, and shared |
//! | somebody else's, in another account | a copy is made there, and shared: what is not ours is never shared |

use std::time::Duration;

use snapscan_cloud::ec2::Snapshot;
use snapscan_schema::Reason;

use crate::agent::context::Context;
use crate::agent::job::{Doing, Next};
use crate::agent::resources::{CopyOf, Place};
use crate::agent::stop::Stop;
use crate::agent::work::{Disk, DiskIs, Way, Work};

/// A copy under another key copies every block.
const LIMIT: Duration = Duration::from_secs(8 * 3600);

/// Shares, or copies and shares, where the method needs it.
pub(crate) fn run<'a>(context: &'a Context, work: &'a mut Work) -> Doing<'a, Result<Next, Stop>> {
    Box::pin(async move {
        let plan = work.plan()?;
        let (way, place, disks) = (plan.way, plan.place.clone(), plan.disks.clone());
        let Some(place) = place.filter(|_| way == Way::Attach) else { return Ok(Next::On) };
        let mut usable = Vec::new();
        for disk in &disks {
            usable.push(transfer(context, work, &place, disk).await?);
        }
        for (disk, usable) in work.plan_mut()?.disks.iter_mut().zip(usable) {
            disk.usable = Some(usable);
        }
        Ok(Next::On)
    })
}

async fn transfer(context: &Context, work: &mut Work, place: &Place, disk: &Disk) -> Result<Snapshot, Stop> {
    let doing = format!("making {} usable here", disk.name);
    let snapshot = disk.snapshot.clone().ok_or_else(|| Stop::fault(&doing, "it has no snapshot"))?;
    if place.account == context.host.account {
        return Ok(snapshot);
    }
    let is_borrowed = matches!(disk.is, DiskIs::Borrowed(_));
    let ours = if disk.default_key || is_borrowed {
        copy(context, work, place, disk, &snapshot).await?
    } else {
        snapshot
    };
    let shared = context.resources.share(place, &ours.id, &context.host.account).await;
    work.note(&shared);
    shared.map_err(|error| Stop::resources(&doing, &error))?;
    Ok(ours)
}

async fn copy(
    context: &Context,
    work: &mut Work,
    place: &Place,
    disk: &Disk,
    source: &Snapshot,
) -> Result<Snapshot, Stop> {
    let doing = format!("copying the snapshot of {}", disk.name);
    let account = context.config.accounts.get(&place.account);
    let key = account.and_then(|account| account.copy_key.as_deref());
    if disk.encrypted && key.is_none() {
        let detail = format!("{doing}: the account has no `copy_key`");
        return Err(Stop::permanent(Reason::KmsKeyNotShareable, detail));
    }
    let key = key.filter(|_| disk.encrypted);
    let copy = CopyOf { source: &source.id, region: &place.region, key };
    let id = context.resources.copy(place, &copy).await;
    work.note(&id);
    let id = id.map_err(|error| Stop::resources(&doing, &error))?;
    let ids = [id];
    let waited = work.wait(context, context.resources.wait_completed(place, &ids, LIMIT)).await?;
    let done = waited.map_err(|error| Stop::resources(&doing, &error))?;
    done.into_iter().next().ok_or_else(|| Stop::fault(&doing, "the list is empty"))
}
