// SPDX-License-Identifier: Apache-2.0
//! What a session may do at most: a policy by purpose, bound to our tag.
//!
//! A session has the rights that both its role and this policy give, so what reads cannot create and what creates cannot
//! delete, whatever the role allows. Source: AWS Service Authorization Reference for EC2, EBS and KMS.

use serde_json::{Value, json};
use snapscan_cloud::{AccountId, Purpose, owned};

/// The session policy of a purpose, as JSON of at most 2,048 characters; none where the role itself is the limit.
pub(crate) fn session(purpose: Purpose, deployment: &str, service_account: &AccountId) -> Option<String> {
    let tag = format!("aws:ResourceTag/{}", owned::TAG_DEPLOYMENT);
    let request_tag = format!("aws:RequestTag/{}", owned::TAG_DEPLOYMENT);
    let look = json!({"Effect": "Allow", "Action": ["ec2:Describe*", "kms:DescribeKey"], "Resource": "*"});
    let ours = json!({"StringEquals": {(tag.clone()): deployment}});
    let statements = match purpose {
        Purpose::Scanner => return None,
        Purpose::Read => vec![
            look,
            json!({"Effect": "Allow", "Action": ["ebs:ListSnapshotBlocks", "ebs:GetSnapshotBlock", "kms:Decrypt"],
                   "Resource": "*"}),
        ],
        Purpose::Create => vec![
            look,
            json!({"Effect": "Allow", "Action": ["ec2:CreateSnapshot", "ec2:CreateSnapshots", "ec2:CopySnapshot"],
                   "Resource": ["arn:aws:ec2:*:*:instance/*", "arn:aws:ec2:*:*:volume/*"]}),
            json!({"Effect": "Allow", "Action": ["ec2:CreateSnapshot", "ec2:CreateSnapshots", "ec2:CopySnapshot"],
                   "Resource": "arn:aws:ec2:*::snapshot/*",
                   "Condition": {"StringEquals": {(request_tag): deployment}}}),
            json!({"Effect": "Allow", "Action": "ec2:CopySnapshot", "Resource": "arn:aws:ec2:*::snapshot/snap-*"}),
            json!({"Effect": "Allow", "Action": "ec2:CreateTags", "Resource": "arn:aws:ec2:*::snapshot/*",
                   "Condition": {"StringEquals":
                       {"ec2:CreateAction": ["CreateSnapshot", "CreateSnapshots", "CopySnapshot"]}}}),
            json!({"Effect": "Allow",
                   "Action": ["kms:CreateGrant", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKeyWithoutPlaintext"],
                   "Resource": "*"}),
        ],
        Purpose::Release => vec![
            look,
            json!({"Effect": "Allow", "Action": ["ec2:DeleteSnapshot", "ec2:ModifySnapshotAttribute"],
                   "Resource": "arn:aws:ec2:*::snapshot/*", "Condition": ours}),
        ],
        Purpose::Share => vec![
            look,
            json!({"Effect": "Allow", "Action": "ec2:ModifySnapshotAttribute", "Resource": "arn:aws:ec2:*::snapshot/*",
                   "Condition": {"StringEquals": {(tag): deployment, "ec2:Add/userId": service_account.as_str()}}}),
        ],
    };
    let policy: Value = json!({"Version": "2012-10-17", "Statement": statements});
    Some(policy.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_fits_what_sts_takes_and_no_reader_can_change() {
        let account = AccountId::parse("111122223333").unwrap();
        for purpose in [Purpose::Read, Purpose::Create, Purpose::Release, Purpose::Share] {
            let policy = session(purpose, &"d".repeat(64), &account).unwrap();
            assert!(policy.len() <= 2_048, "{purpose:?}: {}", policy.len());
        }
        let read = session(Purpose::Read, "d", &account).unwrap();
        assert!(!read.contains("Create") && !read.contains("Delete") && !read.contains("Modify"));
        let create = session(Purpose::Create, "d", &account).unwrap();
        assert!(!create.contains("Delete") && !create.contains("ebs:Get"));
    }
}
