// SPDX-License-Identifier: Apache-2.0
//! What is there before the agent comes: accounts, an instance with a disk, queues, outbox, table, secrets.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::http::Message;
use super::moto::{HOME, Moto, signed};
use crate::steps;

/// Bytes of a block.
const BLOCK: usize = 512 * 1024;
/// The target account.
pub(super) const TARGET: &str = "222222222222";
/// The service account: the one of every key that moto does not know.
pub(super) const SERVICE: &str = "123456789012";

/// An instance whose root volume has a fixture on it.
pub(super) struct Machine {
    /// The instance.
    pub(super) instance: String,
    /// Its root volume.
    pub(super) volume: String,
    /// The snapshot that holds the bytes.
    pub(super) holds: String,
}

/// Unpacks a fixture.
pub(super) fn unpack(fixture: &str, to: &Path) -> Result<()> {
    let from = format!("fixtures/{fixture}.img.zst");
    steps::output(Command::new("zstd").args(["-dqf", &from, "-o"]).arg(to))?;
    Ok(())
}

/// A key of the target account, had by its role.
pub(super) fn enter_target(moto: &Moto) -> Result<String> {
    let form = format!(
        "Action=AssumeRole&RoleArn=arn:aws:iam::{TARGET}:role/world&RoleSessionName=world&ExternalId=x"
    );
    moto.one(HOME, "sts", &form, "AccessKeyId")
}

/// Makes an instance in the account of `key`, and a snapshot with the bytes of `image`.
pub(super) fn machine(moto: &Moto, key: &str, image: &Path) -> Result<Machine> {
    let run = "Action=RunInstances&ImageId=ami-12c6146b&MinCount=1&MaxCount=1&InstanceType=t3.micro";
    let instance =
        moto.one(key, "ec2", &format!("{run}&Placement.AvailabilityZone=eu-west-1a"), "instanceId")?;
    let form = format!("Action=DescribeInstances&InstanceId.1={instance}");
    let volume = moto.one(key, "ec2", &form, "volumeId")?;
    Ok(Machine { holds: fill(moto, key, image)?, instance, volume })
}

/// Makes a snapshot that holds the bytes of an image, by the direct interface.
fn fill(moto: &Moto, key: &str, image: &Path) -> Result<String> {
    let bytes = fs::read(image)?;
    let ask = |request: Message| -> Result<Message> {
        let answer = signed(request, key, "ebs").send(moto.address)?;
        ensure!((200..300).contains(&answer.status()), "moto answers {}: {}", answer.status(), answer.text());
        Ok(answer)
    };
    let gib = bytes.len().div_ceil(1 << 30);
    let start = ask(Message::request("POST", "/snapshots").body(json!({"VolumeSize": gib}).to_string()))?;
    let start: serde_json::Value = serde_json::from_slice(&start.body)?;
    let snapshot = start["SnapshotId"].as_str().context("a snapshot has an id")?.to_owned();
    let mut changed = 0;
    for (index, block) in
        bytes.chunks(BLOCK).enumerate().filter(|(_, block)| block.iter().any(|byte| *byte != 0))
    {
        let mut whole = block.to_vec();
        whole.resize(BLOCK, 0);
        let request = Message::request("PUT", &format!("/snapshots/{snapshot}/blocks/{index}"))
            .with("x-amz-data-length", BLOCK.to_string())
            .with("x-amz-checksum", STANDARD.encode(Sha256::digest(&whole)))
            .with("x-amz-checksum-algorithm", "SHA256");
        ask(request.body(whole))?;
        changed += 1;
    }
    let path = format!("/snapshots/completion/{snapshot}");
    ask(Message::request("POST", &path).with("x-amz-changedblockscount", changed.to_string()))?;
    Ok(snapshot)
}

/// Makes queues, bucket, table and secrets in the service account; answers the queues' URLs.
pub(super) fn services(moto: &Moto) -> Result<(String, String)> {
    let queue = |name: &str| -> Result<String> {
        let answer = moto.json("sqs", "AmazonSQS.CreateQueue", &json!({"QueueName": name}))?;
        Ok(answer["QueueUrl"].as_str().context("a queue has a URL")?.to_owned())
    };
    let urls = (queue("jobs")?, queue("dead")?);
    let bucket = "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                  <LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>";
    let made = signed(Message::request("PUT", "/outbox"), HOME, "s3").body(bucket).send(moto.address)?;
    ensure!(made.status() == 200, "the bucket: {}", made.text());
    moto.json(
        "dynamodb",
        "DynamoDB_20120810.CreateTable",
        &json!({
            "TableName": "rows", "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "family", "AttributeType": "S"},
                                     {"AttributeName": "row", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "family", "KeyType": "HASH"}, {"AttributeName": "row", "KeyType": "RANGE"}],
        }),
    )?;
    for (name, value) in
        [("external-id", "0123456789abcdef0123456789abcdef"), ("user", "u"), ("password", "p")]
    {
        let secret =
            json!({"Name": name, "SecretString": value, "ClientRequestToken": format!("{name:0>32}")});
        moto.json("secretsmanager", "secretsmanager.CreateSecret", &secret)?;
    }
    Ok(urls)
}
