// SPDX-License-Identifier: Apache-2.0
//! The cloud: clock, queue, outbox, table, the scanner's own role, and which sessions open, asked without a change.

use snapscan_cloud::ec2::{DescribeInstanceTypes, DescribeVolumes, Find};
use snapscan_cloud::host::{HostFacts, Watch};
use snapscan_cloud::identity::WhoAmI;
use snapscan_cloud::outbox::{GetObject, ListObjects};
use snapscan_cloud::queue::CountMessages;
use snapscan_cloud::table::{GetRow, ListRows};
use snapscan_cloud::{Class, Cloud, Error, Purpose, Scope, Timestamp};

use super::permissions::{Asker, Session};
use super::{Check, State};
use crate::config::Config;

/// The sessions of a target account.
const SESSIONS: [Purpose; 4] = [Purpose::Create, Purpose::Read, Purpose::Release, Purpose::Share];

/// Everything that the cloud can say of itself and of us.
pub(super) async fn checks(cloud: &Cloud, own: &Scope, host: &HostFacts, config: &Config) -> Vec<Check> {
    let mut checks = vec![clock(cloud, own).await, queue(cloud, own).await];
    let list = ListObjects { prefix: "reports/".to_owned(), after: None, most: 1 };
    checks.push(answered("outbox", cloud.ask(own, list).await.map(|_| ())));
    let row = GetRow { key: "uploader/doctor".to_owned() };
    checks.push(answered("table", cloud.ask(own, row).await.map(|_| ())));
    checks.extend(own_role(cloud, own, host).await);
    let asker = Asker { cloud, config, host };
    for account in config.accounts.keys() {
        let there = Scope { account: account.clone(), purpose: Purpose::Read, ..own.clone() };
        checks.push(without_external_id(cloud, &there).await);
        let mut sessions = Vec::new();
        for purpose in SESSIONS {
            match opens(cloud, there.to(purpose), config).await {
                Ok(session) => sessions.push(session),
                Err(check) => checks.push(check),
            }
        }
        checks.extend(asker.ask(&sessions).await);
    }
    // Volumes are made and attached in the scanner's own account.
    let home = [Purpose::Create, Purpose::Release].map(|purpose| Session {
        name: format!("own {purpose:?}").to_lowercase(),
        scope: own.to(purpose),
        home: true,
    });
    checks.extend(asker.ask(&home).await);
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

/// A clock that goes wrong by more makes AWS refuse what we sign, and leases and ages wrong.
/// Source: AWS Signature Version 4, requests are good for five minutes.
const WRONG: u64 = 300;
/// More than a slow answer explains.
const NOTED: u64 = 10;

/// Our clock against the `Date` of an answer.
async fn clock(cloud: &Cloud, own: &Scope) -> Check {
    let before = cloud.clock.now();
    let answer = cloud.ask(own, WhoAmI { without_external_id: false }).await;
    let after = cloud.clock.now();
    match answer {
        Ok(caller) => match caller.date {
            Some(date) => skew(before, date, after),
            None => Check::new("cloud", "clock", State::Note, "cannot be told: the answer had no date"),
        },
        Err(error) => {
            let help = "; where the code speaks of a signature or of time, set the clock first";
            Check::new("cloud", "clock", State::Bad, format!("cannot be told: {error}{help}"))
        }
    }
}

/// How far the service's `date` lies outside of the time in which it was asked.
pub(super) fn skew(before: Timestamp, date: Timestamp, after: Timestamp) -> Check {
    let (ahead, behind) = (before.since(date).as_secs(), date.since(after).as_secs());
    let (seconds, how) = if ahead > 0 { (ahead, "ahead of") } else { (behind, "behind") };
    let state = match seconds {
        _ if seconds > WRONG => State::Bad,
        _ if seconds > NOTED => State::Note,
        _ => State::Good,
    };
    let detail = match state {
        State::Good => "as the cloud's, within some seconds".to_owned(),
        _ => format!(
            "{seconds} s {how} the cloud's; see that the time is synchronised (chronyc tracking, timedatectl)"
        ),
    };
    Check::new("cloud", "clock", state, detail)
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

/// The session, if it opens; what is wrong otherwise.
async fn opens(cloud: &Cloud, scope: Scope, config: &Config) -> Result<Session, Check> {
    let name = format!("{} {:?}", scope.account, scope.purpose).to_lowercase();
    match cloud.ask(&scope, WhoAmI { without_external_id: false }).await {
        Ok(caller) if caller.account == scope.account => Ok(Session { name, scope, home: false }),
        Ok(caller) => {
            let detail = format!(
                "opens account {} instead; check the role in accounts.{}",
                caller.account, scope.account
            );
            Err(Check::new("accounts", name, State::Bad, detail))
        }
        Err(error) => {
            let role = config.accounts.get(&scope.account).map_or("", |entry| entry.role.as_str());
            let detail = format!(
                "does not open: {error}; the role {role} must trust the scanner's role, with the external id of \
                 accounts.{}, and the scanner's role must be allowed to sts:AssumeRole it",
                scope.account
            );
            Err(Check::new("accounts", name, State::Bad, detail))
        }
    }
}

/// The scanner's own actions that are asked for nothing, and why.
const UNTRIED: [(&str, &str); 4] = [
    ("it would take a message from the queue, or put one there", "sqs:ReceiveMessage, sqs:SendMessage"),
    ("it needs a message that is leased", "sqs:ChangeMessageVisibility, sqs:DeleteMessage"),
    (
        "it would write",
        "s3:PutObject, s3:DeleteObject, dynamodb:PutItem, dynamodb:DeleteItem, autoscaling:SetInstanceProtection",
    ),
    ("each secret is fetched, see below", "secretsmanager:GetSecretValue"),
];

/// What the scanner's own role reads, and what it is not asked for.
async fn own_role(cloud: &Cloud, own: &Scope, host: &HostFacts) -> Vec<Check> {
    let find = || Find::AttachedTo(host.instance.clone());
    let asked = [
        ("ec2:DescribeInstanceTypes", {
            let kinds = vec![host.kind.clone()];
            cloud.ask(own, DescribeInstanceTypes { kinds }).await.map(|_| ())
        }),
        ("ec2:DescribeVolumes", {
            cloud.ask(own, DescribeVolumes { find: find(), token: None }).await.map(|_| ())
        }),
        ("s3:GetObject", {
            let key = "doctor/nothing".to_owned();
            cloud.ask(own, GetObject { key }).await.map(|_| ())
        }),
        ("dynamodb:Query", {
            let (prefix, token) = ("doctor/".to_owned(), None);
            cloud.ask(own, ListRows { prefix, token }).await.map(|_| ())
        }),
        ("imds:Watch", cloud.ask(own, Watch {}).await.map(|_| ())),
    ];
    let mut may = vec!["sqs:GetQueueAttributes", "s3:ListBucket", "dynamodb:GetItem"];
    let mut checks = Vec::new();
    for (name, answer) in asked {
        match answer {
            Ok(()) => may.push(name),
            Err(error) => checks.push(failed("cloud", &format!("own role {name}"), &error)),
        }
    }
    let mut detail = format!("may {}", may.join(", "));
    for (why, names) in UNTRIED {
        detail.push_str(&format!("; not tried, because {why}: {names}"));
    }
    checks.insert(0, Check::new("cloud", "own role", State::Good, detail));
    checks
}

fn failed(topic: &'static str, subject: &str, error: &Error) -> Check {
    let help = match error.class {
        Class::Denied => "; add it to the policy of this session's role",
        Class::Throttled | Class::Transient | Class::Unknown => "; try again",
        _ => "",
    };
    Check::new(topic, subject, State::Bad, format!("{error}{help}"))
}
