// SPDX-License-Identifier: Apache-2.0
//! What a target looks like decides how its job ends, each time with its own code and with nothing made.

use std::sync::Arc;

use snapscan_cloud::local::{Account, Builder, InstanceRecord, KeyRecord, VolumeRecord};
use snapscan_schema::Disposition;

use super::*;
use crate::agent::tests::{Canned, TARGET, World, instance, message, until_idle, volume};

const KEY: &str = "arn:aws:kms:eu-west-1:222222222222:key/1";

type Change = fn(&mut InstanceRecord, &mut VolumeRecord, &mut VolumeRecord);

/// The code of the outcome, or none if there is a report; nothing is held either way.
async fn ended(
    change: Change,
    build: impl FnOnce(Builder) -> Builder,
    message: String,
) -> (Option<Reason>, World, Arc<Context>) {
    let (mut target, mut root, mut data) = (instance(), volume("vol-0a"), volume("vol-0b"));
    change(&mut target, &mut root, &mut data);
    let world = World::with(target, root, data, build);
    let context = world.agent_with(world.config(), Arc::new(Canned::default()), Box::new(|_| None)).await;
    world.send(&context, &message).await;
    until_idle(&context).await;
    world.assert_clean(&context, &message).await;
    let code = match world.outcomes(&context).await.as_slice() {
        [] => None,
        [outcome] => match outcome.ended {
            Disposition::Permanent { code } => Some(code),
            ref other => panic!("{other:?}"),
        },
        several => panic!("{} outcomes", several.len()),
    };
    assert_eq!(world.reports(&context).await.len(), usize::from(code.is_none()));
    (code, world, context)
}

fn same(builder: Builder) -> Builder {
    builder
}

fn tagged(tag: &str) -> snapscan_cloud::ec2::Tags {
    let (key, value) = tag.split_once('=').unwrap_or((tag, ""));
    [(key.to_owned(), value.to_owned())].into()
}

#[tokio::test(start_paused = true)]
async fn a_target_that_may_not_or_cannot_be_read_ends_with_its_own_code() {
    let with = |field: &str, value: &str| {
        message("job-1").replace("\"profile\"", &format!("\"{field}\":{value},\"profile\""))
    };
    let rows: [(&str, Change, String, Option<Reason>); 9] = [
        (
            "no such instance",
            |_, _, _| {},
            message("job-1").replace("i-0a", "i-0f"),
            Some(Reason::TargetGone),
        ),
        (
            "terminated",
            |i, _, _| i.state = "terminated".to_owned(),
            message("job-1"),
            Some(Reason::TargetGone),
        ),
        (
            "instance tagged",
            |i, _, _| i.tags = tagged("snapscan:exclude"),
            message("job-1"),
            Some(Reason::TagExcluded),
        ),
        (
            "owner's wish",
            |i, _, _| i.tags = tagged("QualysDoNotTouch=true"),
            message("job-1"),
            Some(Reason::TagExcluded),
        ),
        (
            "each volume tagged",
            |_, r, d| (r.tags, d.tags) = (tagged("stage=x"), tagged("stage=x")),
            with("exclude_volume_tags", "[\"stage=x\"]"),
            Some(Reason::TagExcluded),
        ),
        ("no volume", |i, _, _| i.disks.clear(), message("job-1"), Some(Reason::NoEbs)),
        (
            "marketplace, to be attached",
            |_, r, _| r.product_codes = vec!["abc".to_owned()],
            with("method", "\"attach\""),
            Some(Reason::MarketplaceCode),
        ),
        ("marketplace", |_, r, _| r.product_codes = vec!["abc".to_owned()], message("job-1"), None),
        ("another tag", |i, _, _| i.tags = tagged("stage=x"), message("job-1"), None),
    ];
    for (what, change, message, expected) in rows {
        let (code, _, context) = ended(change, same, message).await;
        assert_eq!(code, expected, "{what}");
        assert_eq!(context.ledger.tally().await.unwrap().made > 0, expected.is_none(), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_cannot_be_used_ends_the_job_before_anything_is_made() {
    let key = |state: &str, managed: bool| {
        let mut key = KeyRecord::new(KEY, AccountId::parse(TARGET).unwrap());
        key.state = state.to_owned();
        key.managed = managed;
        key
    };
    let encrypted: Change = |_, root, _| root.key = Some(KEY.to_owned());
    let attach = message("job-1").replace("\"profile\"", "\"method\":\"attach\",\"profile\"");
    let rows = [
        (key("Enabled", false), message("job-1"), None),
        (key("Disabled", false), message("job-1"), Some(Reason::KmsKeyUnusable)),
        (key("PendingDeletion", false), message("job-1"), Some(Reason::KmsKeyUnusable)),
        (key("Enabled", true), attach, Some(Reason::KmsKeyNotShareable)),
        (key("Enabled", true), message("job-1"), None),
    ];
    for (key, message, expected) in rows {
        let what = format!("{} {} {message}", key.state, key.managed);
        let (code, _, context) = ended(encrypted, |builder| builder.key(key), message).await;
        assert_eq!(code, expected, "{what}");
        assert_eq!(context.ledger.tally().await.unwrap().made > 0, expected.is_none(), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_that_denies_ends_the_job_with_the_action_that_it_denies() {
    for action in ["ec2:DescribeInstances", "ec2:CreateSnapshots"] {
        let deny = |builder: Builder| {
            let mut account = Account::new(AccountId::parse(TARGET).unwrap());
            account.denied.insert(action.to_owned());
            builder.account(account)
        };
        let (code, world, context) = ended(|_, _, _| {}, deny, message("job-1")).await;
        assert_eq!(code, Some(Reason::AccessDenied), "{action}");
        let detail = &world.outcomes(&context).await[0].detail;
        assert!(detail.contains(action), "{detail}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_excluded_volume_is_left_out_and_named_in_the_report() {
    let change: Change = |_, _, data| data.tags = tagged("snapscan:exclude=yes");
    let (code, world, context) = ended(change, same, message("job-1")).await;
    assert_eq!(code, None);
    let reports = world.reports(&context).await;
    let lines = reports[0].report.coverage.lines();
    let line = lines.iter().find(|line| line.code == Some(Reason::ByChoice)).unwrap();
    assert_eq!(line.name.to_json(), "vol-0b");
    assert!(!reports[0].report.coverage.is_incomplete());
    assert_eq!(context.ledger.tally().await.unwrap().made, 1);
}

#[tokio::test(start_paused = true)]
async fn a_volume_is_read_by_a_snapshot_of_its_own() {
    let volume = message("job-1")
        .replace("\"kind\":\"instance\",\"id\":\"i-0a\"", "\"kind\":\"volume\",\"id\":\"vol-0b\"");
    let (code, _, context) = ended(|_, _, _| {}, same, volume).await;
    assert_eq!(code, None);
    assert_eq!(context.ledger.tally().await.unwrap().made, 1);
}
