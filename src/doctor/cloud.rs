// SPDX-License-Identifier: Apache-2.0
//! The cloud: queue, outbox, table, and what each session may do, asked without changing anything.
//!
//! What only reads is asked for things that do not exist: "no such thing" proves the permission, "denied" its absence.
//! What changes something is not tried; that its session exists is.

use snapscan_cloud::ebs::ListSnapshotBlocks;
use snapscan_cloud::ec2::{
    DescribeImages, DescribeInstances, DescribeShares, DescribeSnapshots, DescribeVolumes, Find,
};
use snapscan_cloud::identity::WhoAmI;
use snapscan_cloud::outbox::ListObjects;
use snapscan_cloud::queue::CountMessages;
use snapscan_cloud::table::GetRow;
use snapscan_cloud::{Action, Call, Class, Cloud, Error, ImageId, InstanceId, Purpose, Scope, SnapshotId};

use super::{Check, State};
use crate::config::Config;

/// The sessions of a target account.
const SESSIONS: [Purpose; 4] = [Purpose::Create, Purpose::Read, Purpose::Release, Purpose::Share];

/// Everything that the cloud can say of itself and of us.
pub(super) async fn checks(cloud: &Cloud, own: &Scope, config: &Config) -> Vec<Check> {
    let mut checks = vec![queue(cloud, own).await];
    let list = ListObjects { prefix: "reports/".to_owned(), after: None, most: 1 };
    checks.push(answered("outbox", cloud.ask(own, list).await.map(|_| ())));
    let row = GetRow { key: "uploader/doctor".to_owned() };
    checks.push(answered("table", cloud.ask(own, row).await.map(|_| ())));
    for account in config.accounts.keys() {
        let there = Scope { account: account.clone(), purpose: Purpose::Read, ..own.clone() };
        checks.push(without_external_id(cloud, &there).await);
        for purpose in SESSIONS {
            checks.extend(session(cloud, &there.to(purpose)).await);
        }
    }
    if config.accounts.is_empty() {
        checks.push(Check::new(
            "accounts",
            "none",
            State::Note,
            "no account is configured: nothing in a cloud can be a target",
        ));
    }
    checks
}

async fn queue(cloud: &Cloud, own: &Scope) -> Check {
    match cloud.ask(own, CountMessages {}).await {
        Ok(backlog) => {
            let detail = format!(
                "{} waiting, {} at work, {} later, {} dead",
                backlog.visible, backlog.leased, backlog.delayed, backlog.dead
            );
            // Only messages that nobody can use are put there: each wants a person.
            let state = if backlog.dead > 0 { State::Note } else { State::Good };
            Check::new("cloud", "queue", state, detail)
        }
        Err(error) => failed("cloud", "queue", &error),
    }
}

fn answered(subject: &str, answer: Result<(), Error>) -> Check {
    match answer {
        Ok(()) => Check::new("cloud", subject, State::Good, "answers"),
        Err(error) => failed("cloud", subject, &error),
    }
}

/// A role that opens without its external id opens for everybody who can name it.
async fn without_external_id(cloud: &Cloud, there: &Scope) -> Check {
    let subject = format!("{} without external id", there.account);
    match cloud.ask(there, WhoAmI { without_external_id: true }).await {
        Err(error) if error.class == Class::Denied => {
            Check::new("accounts", subject, State::Good, "refused, as it must be")
        }
        Err(error) => {
            let detail = format!("cannot be told: {error}");
            Check::new("accounts", subject, State::Note, detail)
        }
        Ok(_) => {
            let detail = "the role opens without its external id: add the condition sts:ExternalId to its trust policy";
            Check::new("accounts", subject, State::Bad, detail)
        }
    }
}

/// Whether a session opens, and each action that it needs for looking.
async fn session(cloud: &Cloud, there: &Scope) -> Vec<Check> {
    let name = format!("{} {:?}", there.account, there.purpose).to_lowercase();
    match cloud.ask(there, WhoAmI { without_external_id: false }).await {
        Ok(caller) if caller.account == there.account => {}
        Ok(caller) => {
            let detail = format!(
                "opens account {} instead; check the role in accounts.{}",
                caller.account, there.account
            );
            return vec![Check::new("accounts", name, State::Bad, detail)];
        }
        Err(error) => return vec![failed("accounts", &name, &error)],
    }
    let (mut checks, mut allowed, mut untried) = (Vec::new(), vec!["sts:AssumeRole"], Vec::new());
    for action in Action::ALL.iter().filter(|action| action.purposes().contains(&there.purpose)) {
        let Some(probe) = probe(*action) else {
            if action.changes() {
                untried.push(action.name());
            }
            continue;
        };
        match cloud.service.call(there, probe).await {
            Ok(_) => allowed.push(action.name()),
            // It was looked for, so looking is allowed.
            Err(error) if matches!(error.class, Class::NotFound | Class::State | Class::Permanent) => {
                allowed.push(action.name());
            }
            Err(error) => checks.push(failed("accounts", &format!("{name} {}", action.name()), &error)),
        }
    }
    let mut detail = format!("may {}", allowed.join(", "));
    if !untried.is_empty() {
        detail.push_str(&format!("; not tried, since it changes something: {}", untried.join(", ")));
    }
    checks.insert(0, Check::new("accounts", name, State::Good, detail));
    checks
}

/// A request that asks for nothing that exists.
fn probe(action: Action) -> Option<Call> {
    let snapshot = SnapshotId::parse("snap-00000000000000000")?;
    let instance = InstanceId::parse("i-00000000000000000")?;
    Some(match action {
        Action::DescribeInstances => DescribeInstances { ids: vec![instance], token: None }.into(),
        Action::DescribeVolumes => DescribeVolumes { find: Find::AttachedTo(instance), token: None }.into(),
        Action::DescribeSnapshots => {
            DescribeSnapshots { find: Find::Ids(vec![snapshot]), token: None }.into()
        }
        Action::DescribeImages => {
            DescribeImages { ids: vec![ImageId::parse("ami-00000000000000000")?] }.into()
        }
        Action::DescribeShares => DescribeShares { snapshot }.into(),
        Action::ListSnapshotBlocks => {
            ListSnapshotBlocks { snapshot, start: 0, token: None, most: 100 }.into()
        }
        _ => return None,
    })
}

fn failed(topic: &'static str, subject: &str, error: &Error) -> Check {
    let help = match error.class {
        Class::Denied => "; add it to the policy of this session's role",
        Class::Throttled | Class::Transient | Class::Unknown => "; try again",
        _ => "",
    };
    Check::new(topic, subject, State::Bad, format!("{error}{help}"))
}
