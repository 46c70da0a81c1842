// SPDX-License-Identifier: Apache-2.0
//! A recording proxy before moto: it makes up for what moto lacks, checks what it would not, and drops answers.
//!
//! moto's EC2 snapshots hold no bytes, so reads of a snapshot that the agent made go to the one that holds the bytes of
//! its volume. Roles are entered whoever asks, so a missing external id is refused here.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::Result;
use serde_json::Value;

use super::http::{Message, elements, field};
use super::qualys::Qualys;

/// The tags that every snapshot and volume must carry when it is made.
const TAGS: [&str; 4] = ["snapscan", "snapscan:job", "snapscan:intent", "snapscan:mac"];

/// What the proxy knows and has seen.
#[derive(Default)]
pub(super) struct Seen {
    /// How often each action was asked for.
    pub(super) asked: BTreeMap<String, u32>,
    /// What must not be.
    pub(super) problems: Vec<String>,
    /// Answers to drop after their effect: action and which of its calls, counted from 1.
    pub(super) drop: Vec<(String, u32)>,
    /// Answers that were dropped.
    pub(super) dropped: Vec<String>,
    /// The snapshot that holds the bytes of a volume.
    pub(super) holds: BTreeMap<String, String>,
    /// The volume that a snapshot of the agent was made of.
    made_of: BTreeMap<String, String>,
    /// The identity document of the host.
    pub(super) identity: String,
    /// Qualys.
    pub(super) qualys: Qualys,
    /// The folder where devices appear by serial, and the device that stands for any volume.
    pub(super) device: Option<(PathBuf, PathBuf)>,
}

/// A proxy that runs until the process ends.
#[derive(Clone)]
pub(super) struct Proxy {
    /// Where it listens.
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

impl Proxy {
    /// Starts a proxy before the server at `behind`.
    pub(super) fn start(behind: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let proxy = Self { address: listener.local_addr()?, seen: Arc::default() };
        let here = proxy.clone();
        thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let here = here.clone();
                thread::spawn(move || {
                    if let Err(error) = here.serve(stream, behind) {
                        here.seen().problems.push(format!("a connection failed: {error:#}"));
                    }
                });
            }
        });
        Ok(proxy)
    }

    /// What was seen so far.
    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, mut stream: TcpStream, behind: SocketAddr) -> Result<()> {
        let mut from = BufReader::new(stream.try_clone()?);
        // Whoever closes a connection that it keeps open for later does nothing wrong.
        while let Some(request) = Message::read(&mut from).unwrap_or(None) {
            let Some(answer) = self.answer(request, behind)? else { return Ok(()) };
            if answer.write(&mut stream).is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The answer; none where the connection is to be cut instead.
    fn answer(&self, mut request: Message, behind: SocketAddr) -> Result<Option<Message>> {
        let path = request.path().to_owned();
        if path.starts_with("/latest/") {
            return Ok(Some(self.metadata(&path)));
        }
        if path.starts_with("/auth") || path.starts_with("/rest/") {
            return Ok(self.seen().qualys.answer(&request));
        }
        let action = action(&request);
        let nth = {
            let mut seen = self.seen();
            let asked = seen.asked.entry(action.clone()).or_default();
            *asked += 1;
            let nth = *asked;
            let problems = check(&action, &request);
            seen.problems.extend(problems);
            nth
        };
        if action == "AssumeRole" && field(&request.text(), "ExternalId").is_none() {
            let said = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no external id</Message></Error></ErrorResponse>";
            return Ok(Some(Message::answer(403, said).with("content-type", "text/xml")));
        }
        if action == "ListSnapshotBlocks" || action == "GetSnapshotBlock" {
            request.first = self.redirect(&request.first);
        }
        let mut answer = request.clone().send(behind)?;
        answer.headers.retain(|(name, _)| name != "connection" && name != "transfer-encoding");
        if action == "ListSnapshotBlocks" && answer.status() == 200 {
            answer.body = from_start(&path, &answer.body)?;
        }
        let mut seen = self.seen();
        if let Some((folder, device)) = seen.device.as_ref().filter(|_| answer.status() == 200) {
            let volume = field(&request.text(), "VolumeId").unwrap_or_default().replacen('-', "", 1);
            match action.as_str() {
                "AttachVolume" => symlink(device, folder.join(volume))?,
                "DetachVolume" => std::fs::remove_file(folder.join(volume))?,
                _ => {}
            }
        }
        if answer.status() == 200 && (action == "CreateSnapshots" || action == "CreateSnapshot") {
            let text = answer.text();
            let volumes = elements(&text, "volumeId");
            seen.made_of.extend(elements(&text, "snapshotId").into_iter().zip(volumes));
        }
        if seen.drop.contains(&(action.clone(), nth)) {
            seen.dropped.push(format!("{action} #{nth}"));
            return Ok(None);
        }
        Ok(Some(answer))
    }

    /// The first line of a read, of the snapshot that holds the bytes.
    fn redirect(&self, first: &str) -> String {
        let mut seen = self.seen();
        let asked = first.split('/').nth(2).unwrap_or_default().to_owned();
        let holds = seen.made_of.get(&asked).and_then(|volume| seen.holds.get(volume)).cloned();
        match holds {
            Some(holds) => first.replace(&asked, &holds),
            None => {
                seen.problems.push(format!("a read of {asked}, which nobody made"));
                first.to_owned()
            }
        }
    }

    /// The metadata service, version 2.
    fn metadata(&self, path: &str) -> Message {
        match path {
            "/latest/api/token" => {
                Message::answer(200, "token").with("x-aws-ec2-metadata-token-ttl-seconds", "21600")
            }
            "/latest/dynamic/instance-identity/document" => {
                Message::answer(200, self.seen().identity.clone())
            }
            _ => Message::answer(404, ""),
        }
    }
}

/// A list of blocks from the index that was asked for: moto heeds none.
fn from_start(path: &str, body: &[u8]) -> Result<Vec<u8>> {
    let start =
        path.split_once("startingBlockIndex=").map_or("0", |(_, rest)| rest.split('&').next().unwrap_or("0"));
    let start: u64 = start.parse()?;
    let mut list: Value = serde_json::from_slice(body)?;
    if let Some(blocks) = list["Blocks"].as_array_mut() {
        blocks.retain(|block| block["BlockIndex"].as_u64().is_some_and(|index| index >= start));
    }
    Ok(list.to_string().into_bytes())
}

/// What a request asks for.
fn action(request: &Message) -> String {
    if let Some(target) = request.header("x-amz-target") {
        return target.rsplit('.').next().unwrap_or_default().to_owned();
    }
    let path = request.path();
    if path.starts_with("/snapshots/") {
        let parts = path.split('?').next().unwrap_or_default().split('/').count();
        return if parts > 4 { "GetSnapshotBlock" } else { "ListSnapshotBlocks" }.to_owned();
    }
    field(&request.text(), "Action").unwrap_or_else(|| format!("S3{}", request.method()))
}

/// What is wrong with a request although moto answers it.
fn check(action: &str, request: &Message) -> Vec<String> {
    let form = request.text();
    let mut problems = Vec::new();
    let pages = ["DescribeInstances", "DescribeVolumes", "DescribeSnapshots"];
    if pages.contains(&action) {
        if field(&form, "MaxResults").is_none() {
            problems.push(format!("{action} without MaxResults: {form}"));
        }
        if field(&form, "Filter.1.Name").is_none() {
            problems.push(format!("{action} without a filter: {form}"));
        }
    }
    if ["CreateSnapshots", "CreateSnapshot", "CreateVolume", "CopySnapshot"].contains(&action) {
        let keys: Vec<String> =
            (1..=50).filter_map(|n| field(&form, &format!("TagSpecification.1.Tag.{n}.Key"))).collect();
        let missing = TAGS.iter().filter(|tag| !keys.iter().any(|key| key == *tag));
        problems.extend(missing.map(|tag| format!("{action} without the tag {tag}")));
    }
    if action == "CreateVolume" && field(&form, "ClientToken").is_none() {
        problems.push("CreateVolume without a client token".to_owned());
    }
    if action == "DetachVolume" && field(&form, "InstanceId").is_none() {
        problems.push("DetachVolume without its instance".to_owned());
    }
    if action == "ModifySnapshotAttribute" && form.contains("UserGroup") {
        problems.push("a share with a group".to_owned());
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_told_from_each_other() {
        let of = |request: Message| action(&request);
        assert_eq!(
            of(Message::request("GET", "/snapshots/snap-1/blocks?maxResults=100")),
            "ListSnapshotBlocks"
        );
        assert_eq!(
            of(Message::request("GET", "/snapshots/snap-1/blocks/7?blockToken=x")),
            "GetSnapshotBlock"
        );
        assert_eq!(
            of(Message::request("POST", "/").with("x-amz-target", "AmazonSQS.DeleteMessage")),
            "DeleteMessage"
        );
        assert_eq!(of(Message::request("POST", "/").body("Action=CreateVolume&X=1")), "CreateVolume");
    }

    #[test]
    fn a_list_begins_where_it_was_asked_to() {
        let body = br#"{"Blocks":[{"BlockIndex":0},{"BlockIndex":7},{"BlockIndex":9}],"BlockSize":524288}"#;
        let list = from_start("/snapshots/snap-1/blocks?maxResults=100&startingBlockIndex=7", body).unwrap();
        let list: Value = serde_json::from_slice(&list).unwrap();
        assert_eq!(list["Blocks"].as_array().map(Vec::len), Some(2));
        assert_eq!(from_start("/snapshots/snap-1/blocks", body).unwrap().len(), body.len());
    }

    #[test]
    fn what_moto_would_let_pass_is_a_problem() {
        let untagged = Message::request("POST", "/")
            .body("Action=CreateSnapshots&TagSpecification.1.Tag.1.Key=snapscan");
        assert_eq!(check("CreateSnapshots", &untagged).len(), 3);
        let unpaged = Message::request("POST", "/").body("Action=DescribeVolumes&VolumeId.1=vol-1");
        assert_eq!(check("DescribeVolumes", &unpaged).len(), 2);
    }
}
