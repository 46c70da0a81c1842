// SPDX-License-Identifier: Apache-2.0
//! What must be true afterwards, by what moto says and not by what the agent says.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::http::{Message, elements};
use super::moto::{HOME, Moto, signed};
use super::proxy::Proxy;
use super::world::Machine;
use crate::steps;

/// All snapshots and volumes of an account.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Account {
    snapshots: BTreeSet<String>,
    volumes: BTreeSet<String>,
}

impl Account {
    /// Asks moto.
    pub(super) fn of(moto: &Moto, key: &str) -> Result<Self> {
        let snapshots = moto.query(key, "ec2", "Action=DescribeSnapshots&Owner.1=self")?;
        let volumes = moto.query(key, "ec2", "Action=DescribeVolumes")?;
        Ok(Self {
            snapshots: elements(&snapshots, "snapshotId").into_iter().collect(),
            volumes: elements(&volumes, "volumeId").into_iter().collect(),
        })
    }
}

/// A loop device that shows the image; detached with this value.
pub(super) struct Loop(String);

impl Drop for Loop {
    fn drop(&mut self) {
        // The agent set it read-only, and a loop device keeps that for whoever takes it next. If one of these fails there
        // is nothing to be done about it here.
        let _writable = Command::new("blockdev").args(["--setrw", &self.0]).status();
        let _detached = Command::new("losetup").args(["-d", &self.0]).status();
    }
}

/// A loop device in place of the NVMe device of whatever volume is attached.
pub(super) fn devices(folder: &Path, proxy: &Proxy, image: &Path) -> Result<Loop> {
    let shown = steps::output(Command::new("losetup").args(["-f", "--show"]).arg(image))?;
    let device = Loop(shown.trim().to_owned());
    proxy.seen().device = Some((folder.join("devices"), device.0.clone().into()));
    Ok(device)
}

/// Nothing waits on the queue, and nobody holds a message of it.
pub(super) fn is_empty(moto: &Moto, queue: &str) -> Result<()> {
    let names = [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
    ];
    let ask = json!({"QueueUrl": queue, "AttributeNames": names});
    let answer = moto.json("sqs", "AmazonSQS.GetQueueAttributes", &ask)?;
    for name in names {
        ensure!(answer["Attributes"][name] == "0", "{queue}: {name} is {}", answer["Attributes"][name]);
    }
    Ok(())
}

/// The outbox holds one report, equal to that of the image itself but for the run.
pub(super) fn report(
    moto: &Moto,
    program: &Path,
    folder: &Path,
    machine: &Machine,
    image: &Path,
) -> Result<()> {
    let list = signed(Message::request("GET", "/outbox?list-type=2&prefix=reports/"), HOME, "s3")
        .send(moto.address)?;
    let keys = elements(&list.text(), "Key");
    ensure!(keys.len() == 1, "the outbox has {} reports: {}", keys.len(), list.text());
    let parcel =
        signed(Message::request("GET", &format!("/outbox/{}", keys[0])), HOME, "s3").send(moto.address)?;
    let parcel: Value = serde_json::from_slice(&parcel.body).context("the report in the outbox")?;
    // The plain file gets the volume's name, since evidence names it.
    let named = folder.join(&machine.volume);
    fs::copy(image, &named)?;
    let scan = Command::new(program).args(["scan", "--format", "json"]).arg(&named).output()?;
    let scan: Value = serde_json::from_slice(&scan.stdout).context("the report of the plain file")?;
    for part in ["findings", "coverage"] {
        ensure!(parcel["report"][part] == scan[part], "{part} differ from those of the plain file");
    }
    ensure!(scan["findings"].as_array().is_some_and(|findings| !findings.is_empty()), "no findings at all");
    Ok(())
}

/// Qualys accepted this machine once, and every repeat of a request carried the same id.
pub(super) fn delivered(proxy: &Proxy, account: &str, machine: &Machine) -> Result<()> {
    let seen = proxy.seen();
    let native = format!("arn:aws:ec2:eu-west-1:{account}:instance/{}", machine.instance);
    ensure!(seen.qualys.accepted == [native], "Qualys accepted {:?}", seen.qualys.accepted);
    ensure!(seen.qualys.script.is_empty(), "{} answers of Qualys were never met", seen.qualys.script.len());
    let ids: BTreeSet<String> = seen.qualys.request_ids().into_iter().collect();
    ensure!(ids.len() == 1, "one batch had {} request ids", ids.len());
    Ok(())
}
