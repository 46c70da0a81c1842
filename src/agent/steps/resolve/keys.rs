// SPDX-License-Identifier: Apache-2.0
//! Keys: can the one that a volume is encrypted with be used at all, and can it be shared?
//!
//! | key | what follows |
//! |---|---|
//! | enabled | read; share |
//! | of AWS (`aws/ebs`) | read; cannot be shared, so attaching from another account needs a copy |
//! | disabled, to be deleted, waits for its import | `KMS_KEY_UNUSABLE`, permanent: the detail has ARN and state |
//! | its store is away (`Unavailable`) | the job comes again |
//! | may not be looked at | unknown, and no failure: the default key of another account never may |
//!
//! Source: AWS KMS Developer Guide, "Key states of AWS KMS keys"; DescribeKey.

use std::collections::BTreeMap;
use std::time::Duration;

use snapscan_cloud::ec2::{DescribeKey, Key};
use snapscan_cloud::{Class, Purpose};
use snapscan_schema::Reason;

use crate::agent::context::Context;
use crate::agent::resources::Place;
use crate::agent::stop::Stop;
use crate::agent::work::Disk;

/// Looks at each key once, and notes what it means for its volumes.
///
/// # Errors
/// A key that cannot be used.
pub(super) async fn check(context: &Context, place: &Place, disks: &mut [Disk]) -> Result<(), Stop> {
    let mut known: BTreeMap<String, Option<Key>> = BTreeMap::new();
    for disk in disks.iter_mut().filter(|disk| disk.encrypted) {
        let Some(arn) = disk.key.clone() else { continue };
        if !known.contains_key(&arn) {
            known.insert(arn.clone(), look(context, place, &arn).await?);
        }
        let Some(Some(key)) = known.get(&arn) else { continue };
        disk.default_key = key.is_aws_managed;
        usable(&disk.name, key)?;
    }
    Ok(())
}

/// A key; `None` if it may not be looked at.
async fn look(context: &Context, place: &Place, arn: &str) -> Result<Option<Key>, Stop> {
    let asked = context.cloud.ask(&place.scope(Purpose::Read), DescribeKey { key: arn.to_owned() }).await;
    match asked {
        Ok(key) => Ok(Some(key)),
        Err(error) if error.class == Class::Denied => {
            tracing::info!(job = place.job, key = arn, "key_unknown");
            Ok(None)
        }
        Err(error) if error.class == Class::NotFound => {
            let detail = format!("the key {arn} does not exist");
            Err(Stop::permanent(Reason::KmsKeyUnusable, detail))
        }
        Err(error) => Err(Stop::call(&format!("looking at the key {arn}"), &error)),
    }
}

fn usable(name: &str, key: &Key) -> Result<(), Stop> {
    let detail = format!("{name} is encrypted with {}, which is {}", key.arn, key.state);
    match key.state.as_str() {
        "Enabled" | "Creating" | "Updating" => Ok(()),
        "Unavailable" => Err(Stop::retry(Reason::KmsKeyUnusable, Duration::from_secs(900), detail)),
        _ => Err(Stop::permanent(Reason::KmsKeyUnusable, detail)),
    }
}
