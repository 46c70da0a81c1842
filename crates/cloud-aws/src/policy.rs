// SPDX-License-Identifier: Apache-2.0
//! What a session may do at most: a policy by purpose, bound to our tag.
//!
//! A session has the rights that both its role and this policy give, so what reads cannot create and what creates cannot
//! delete, whatever the role allows. What only looks is taken from the table of calls, action by action. Blocks are read
//! of snapshots with our tag; those of a snapshot that somebody else made by a session for that one snapshot.
//! Sources: AWS Service Authorization Reference for EC2, EBS and KMS; Amazon EBS User Guide, "Control access to EBS direct
//! APIs using IAM".

use serde_json::{Value, json};
use snapscan_cloud::{AccountId, Action, Purpose, Scope, SnapshotId, owned};

/// Whose sessions these are.
pub(crate) struct Ours<'a> {
    /// The deployment, which our tag names.
    pub(crate) deployment: &'a str,
    /// The account that snapshots are shared with.
    pub(crate) account: &'a AccountId,
}

/// The session policy of a scope, as JSON of at most 2,048 characters; none where the role itself is the limit. `borrowed`
/// is the snapshot that a [`Purpose::Borrow`] is for: without one it may do nothing.
pub(crate) fn session(scope: &Scope, ours: &Ours<'_>, borrowed: Option<&SnapshotId>) -> Option<String> {
    let deployment = ours.deployment;
    let tag = format!("aws:ResourceTag/{}", owned::TAG_DEPLOYMENT);
    let request_tag = format!("aws:RequestTag/{}", owned::TAG_DEPLOYMENT);
    let look = json!({"Effect": "Allow", "Action": looks(scope.purpose), "Resource": "*"});
    let has_tag = json!({"StringEquals": {(tag.clone()): deployment}});
    let snapshots = "arn:aws:ec2:*::snapshot/*";
    let blocks = json!(["ebs:ListSnapshotBlocks", "ebs:GetSnapshotBlock"]);
    // Which key a snapshot has is not known here; the key's own policy and the role's say which may be used.
    let decrypt = json!({"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"});
    let statements = match scope.purpose {
        Purpose::Scanner => return None,
        Purpose::Read => vec![
            look,
            json!({"Effect": "Allow", "Action": blocks, "Resource": snapshots, "Condition": has_tag}),
            decrypt,
        ],
        Purpose::Borrow => match borrowed {
            Some(snapshot) => {
                let arn = format!("arn:aws:ec2:{}::snapshot/{snapshot}", scope.region);
                vec![json!({"Effect": "Allow", "Action": blocks, "Resource": arn}), decrypt]
            }
            None => vec![json!({"Effect": "Deny", "Action": "*", "Resource": "*"})],
        },
        Purpose::Create => vec![
            look,
            json!({"Effect": "Allow", "Action": ["ec2:CreateSnapshot", "ec2:CreateSnapshots", "ec2:CopySnapshot"],
                   "Resource": ["arn:aws:ec2:*:*:instance/*", "arn:aws:ec2:*:*:volume/*"]}),
            json!({"Effect": "Allow", "Action": ["ec2:CreateSnapshot", "ec2:CreateSnapshots", "ec2:CopySnapshot"],
                   "Resource": snapshots, "Condition": {"StringEquals": {(request_tag): deployment}}}),
            json!({"Effect": "Allow", "Action": "ec2:CopySnapshot", "Resource": "arn:aws:ec2:*::snapshot/snap-*"}),
            json!({"Effect": "Allow", "Action": "ec2:CreateTags", "Resource": snapshots,
                   "Condition": {"StringEquals":
                       {"ec2:CreateAction": ["CreateSnapshot", "CreateSnapshots", "CopySnapshot"]}}}),
            json!({"Effect": "Allow",
                   "Action": ["kms:CreateGrant", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKeyWithoutPlaintext"],
                   "Resource": "*"}),
        ],
        Purpose::Release => vec![
            look,
            json!({"Effect": "Allow", "Action": ["ec2:DeleteSnapshot", "ec2:ModifySnapshotAttribute"],
                   "Resource": snapshots, "Condition": has_tag}),
        ],
        Purpose::Share => vec![
            look,
            json!({"Effect": "Allow", "Action": "ec2:ModifySnapshotAttribute", "Resource": snapshots,
                   "Condition": {"StringEquals": {(tag): deployment, "ec2:Add/userId": ours.account.as_str()}}}),
        ],
    };
    let policy: Value = json!({"Version": "2012-10-17", "Statement": statements});
    Some(policy.to_string())
}

/// What a purpose may look at: the table's actions of EC2 and KMS that change nothing.
fn looks(purpose: Purpose) -> Vec<&'static str> {
    let is_look = |name: &&str| name.starts_with("ec2:Describe") || name.starts_with("kms:Describe");
    let may = Action::ALL.iter().filter(|action| !action.changes() && action.purposes().contains(&purpose));
    may.map(|action| action.name()).filter(is_look).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use snapscan_cloud::Region;

    const MAKERS: [Purpose; 5] =
        [Purpose::Read, Purpose::Borrow, Purpose::Create, Purpose::Release, Purpose::Share];

    /// The policy of a purpose as STS would read it: its text, and its statements.
    fn policy(purpose: Purpose, deployment: &str, borrowed: Option<&str>) -> (String, Vec<Value>) {
        let account = AccountId::parse("111122223333").unwrap();
        let region = Region::parse("ap-southeast-1").unwrap();
        let scope = Scope { account: account.clone(), region, purpose, job: "j".to_owned() };
        let borrowed = borrowed.map(|id| SnapshotId::parse(id).unwrap());
        let text = session(&scope, &Ours { deployment, account: &account }, borrowed.as_ref()).unwrap();
        let parsed: Value = serde_json::from_str(&text).unwrap();
        let statements = parsed["Statement"].as_array().unwrap().clone();
        (text, statements)
    }

    /// The statements that allow an action.
    fn allowing<'a>(statements: &'a [Value], action: &str) -> Vec<&'a Value> {
        let names = |one: &Value| match &one["Action"] {
            Value::Array(all) => all.iter().any(|name| name == action),
            name => name == action,
        };
        statements.iter().filter(|one| one["Effect"] == "Allow" && names(one)).collect()
    }

    #[test]
    fn every_policy_fits_what_sts_takes_and_no_reader_can_change() {
        let long = "d".repeat(160);
        for purpose in MAKERS {
            let (text, _) = policy(purpose, &long, Some("snap-0123456789abcdef0"));
            assert!(text.len() <= 2_048, "{purpose:?}: {}", text.len());
        }
        for purpose in [Purpose::Read, Purpose::Borrow] {
            let (text, _) = policy(purpose, "d", Some("snap-0a"));
            assert!(
                !text.contains("Create") && !text.contains("Delete") && !text.contains("Modify"),
                "{text}"
            );
        }
        let (create, _) = policy(Purpose::Create, "d", None);
        assert!(!create.contains("Delete") && !create.contains("ebs:Get"));
    }

    #[test]
    fn actions_have_their_whole_names_but_for_one_of_kms() {
        for purpose in MAKERS {
            let (text, statements) = policy(purpose, "d", Some("snap-0a"));
            assert!(!text.contains("ebs:*") && !text.contains("Describe*"), "{text}");
            for one in statements.iter().filter(|one| one["Resource"] == "*") {
                let names = one["Action"].to_string();
                let only_looks_or_keys = !names.contains("ebs:")
                    && names.split(',').all(|name| name.contains("Describe") || name.contains("kms:"));
                assert!(only_looks_or_keys, "{purpose:?} on everything: {names}");
            }
        }
    }

    #[test]
    fn blocks_are_read_of_snapshots_with_our_tag_only() {
        let (_, statements) = policy(Purpose::Read, "prod", None);
        for action in ["ebs:ListSnapshotBlocks", "ebs:GetSnapshotBlock"] {
            let [one] = allowing(&statements, action)[..] else { panic!("{statements:?}") };
            assert_eq!(one["Resource"], "arn:aws:ec2:*::snapshot/*");
            assert_eq!(one["Condition"], json!({"StringEquals": {"aws:ResourceTag/snapscan": "prod"}}));
        }
        let looks =
            ["ec2:DescribeInstances", "ec2:DescribeVolumes", "ec2:DescribeSnapshots", "ec2:DescribeImages"];
        assert!(looks.iter().all(|action| allowing(&statements, action).len() == 1), "{statements:?}");
    }

    #[test]
    fn a_borrowed_snapshot_is_read_by_its_very_arn_and_nothing_else_is() {
        let (_, statements) = policy(Purpose::Borrow, "prod", Some("snap-0123456789abcdef0"));
        for action in ["ebs:ListSnapshotBlocks", "ebs:GetSnapshotBlock"] {
            let [one] = allowing(&statements, action)[..] else { panic!("{statements:?}") };
            assert_eq!(one["Resource"], "arn:aws:ec2:ap-southeast-1::snapshot/snap-0123456789abcdef0");
        }
        assert_eq!(statements.len(), 2, "blocks and their key");
    }

    #[test]
    fn a_session_for_a_borrowed_snapshot_without_one_may_do_nothing() {
        let (_, statements) = policy(Purpose::Borrow, "prod", None);
        assert_eq!(statements, [json!({"Effect": "Deny", "Action": "*", "Resource": "*"})]);
    }

    #[test]
    fn what_releases_and_shares_is_bound_to_our_tag() {
        let tag = |one: &Value| one["Condition"]["StringEquals"]["aws:ResourceTag/snapscan"] == "prod";
        let (_, release) = policy(Purpose::Release, "prod", None);
        let (_, share) = policy(Purpose::Share, "prod", None);
        for (statements, action) in [
            (&release, "ec2:DeleteSnapshot"),
            (&release, "ec2:ModifySnapshotAttribute"),
            (&share, "ec2:ModifySnapshotAttribute"),
        ] {
            let found = allowing(statements, action);
            assert!(found.len() == 1 && tag(found[0]), "{action}: {found:?}");
        }
        let [sharing] = allowing(&share, "ec2:ModifySnapshotAttribute")[..] else { panic!("{share:?}") };
        assert_eq!(sharing["Condition"]["StringEquals"]["ec2:Add/userId"], "111122223333");
    }
}
