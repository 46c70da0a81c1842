// SPDX-License-Identifier: Apache-2.0
//! `agent` and `jobs`: whole jobs over a cloud in a folder, from the command line to the report.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use snapscan_cloud::local::{
    Account, Builder, InstanceRecord, KeyRecord, Settings, VolumeRecord, events, spans,
};
use snapscan_cloud::{AccountId, InstanceId, VolumeId};

use crate::disk::{Images, fixture};
use crate::run::{Ran, command, ran, snapscan};

const ACCOUNT: &str = "222222222222";
/// The key of EBS itself in that account.
const OF_EBS: &str = "arn:aws:kms:eu-west-1:222222222222:key/00000000-0000-0000-0000-00000000000a";
/// A key of that account which the scanner may use.
const COPIES: &str = "arn:aws:kms:eu-west-1:222222222222:key/00000000-0000-0000-0000-00000000000b";

/// A cloud with one instance of these disks, whose clock runs fast.
struct Cloud {
    images: Images,
    folder: PathBuf,
    account: String,
}

impl Cloud {
    fn new(disks: &[(&str, &str, &str)]) -> Self {
        Self::of(&AccountId::parse(ACCOUNT).unwrap(), None, disks)
    }

    /// The same in any account, its volumes encrypted with a key.
    fn of(account: &AccountId, key: Option<&str>, disks: &[(&str, &str, &str)]) -> Self {
        let images = Images::new();
        let folder = images.path("cloud");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let epoch = u64::try_from(now.as_millis()).unwrap();
        let mut builder = Builder::new()
            .settings(Settings { epoch, speed: 20, ..Settings::default() })
            .account(Account::new(account.clone()));
        for (arn, managed) in [(OF_EBS, true), (COPIES, false)] {
            builder = builder.key(KeyRecord {
                arn: arn.to_owned(),
                account: account.clone(),
                managed,
                state: "Enabled".to_owned(),
                origin: "AWS_KMS".to_owned(),
                users: [Settings::default().host.account].into_iter().filter(|_| !managed).collect(),
                denied: BTreeSet::new(),
            });
        }
        let mut instance =
            InstanceRecord::new(InstanceId::parse("i-0a").unwrap(), account.clone(), "eu-west-1a");
        for (device, id, name) in disks {
            let id = VolumeId::parse(id).unwrap();
            let image = images.write(id.as_str(), &fixture(name));
            // A volume has whole GiB; so has the file that is scanned.
            fs::OpenOptions::new().write(true).open(&image).unwrap().set_len(1 << 30).unwrap();
            instance.disks.insert((*device).to_owned(), id.clone());
            let volume = VolumeRecord::new(id, account.clone(), "eu-west-1a");
            builder = builder.volume(VolumeRecord { key: key.map(str::to_owned), ..volume }, &image);
        }
        builder.instance(instance).write(&folder).unwrap();
        Self { images, folder, account: account.to_string() }
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let state = self.images.path("state");
        let none = self.images.path("no-config");
        fs::create_dir_all(&none).unwrap();
        let mut command = command();
        command.args(arguments).arg("--config").arg(none);
        for (key, value) in [
            ("cloud.folder", self.folder.to_str().unwrap()),
            ("state", state.to_str().unwrap()),
            ("sandbox.require", "possible"),
            ("agent.report_room", "1MiB"),
        ] {
            command.arg("--set").arg(format!("{key}={value}"));
        }
        let secret = "env:SNAPSCAN_TEST_EXTERNAL_ID";
        for (key, value) in [("role", "snapscan"), ("external_id", secret), ("copy_key", COPIES)] {
            command.arg("--set").arg(format!("accounts.{}.{key}={value}", self.account));
        }
        ran(&mut command)
    }

    /// What `scan` says of plain files with the names and bytes of the volumes, without what differs from run to run.
    fn plain(&self, disks: &[(&str, &str, &str)]) -> Value {
        let images = disks.iter().map(|(_, id, _)| self.images.path(id).into_os_string());
        let scanned = snapscan(["scan", "--json"].into_iter().map(Into::into).chain(images));
        let mut plain: Value = serde_json::from_slice(&scanned.out).unwrap();
        plain["header"]["run"] = Value::Null;
        plain
    }

    /// Asserts that nothing that was made is left, by the ledger and by the cloud's own log.
    #[track_caller]
    fn assert_nothing_left(&self) {
        let ledger = self.run(&["ledger", "--json", "--all"]);
        let ledger: Value = serde_json::from_slice(&ledger.out).unwrap();
        assert_eq!(ledger["sums"]["held"], 0, "{ledger}");
        let spans = spans(&events(&self.folder).unwrap());
        let left: Vec<_> = spans.iter().filter(|span| span.gone.is_none()).map(|span| &span.id).collect();
        assert_eq!((spans.is_empty(), left), (false, vec![]));
    }

    /// The one report in the outbox.
    fn report(&self) -> Value {
        let mut found = Vec::new();
        files(&self.folder.join("outbox/reports"), &mut found);
        let mut without = Vec::new();
        files(&self.folder.join("outbox/outcomes"), &mut without);
        let without: String = without.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        assert_eq!(found.len(), 1, "{found:?} {without}");
        serde_json::from_slice::<Value>(&fs::read(&found[0]).unwrap()).unwrap()["report"].clone()
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

#[test]
fn a_job_by_the_direct_method_finds_what_scan_finds_and_leaves_nothing() {
    for disks in [
        &[("/dev/xvda", "vol-0a", "debian-ext4-gpt")][..],
        &[("/dev/xvda", "vol-0a", "rocky-xfs-lvm-gpt")],
        &[("/dev/xvda", "vol-0a", "two-disks-root"), ("/dev/sdf", "vol-0b", "two-disks-var")],
    ] {
        let cloud = Cloud::new(disks);
        let submitted = cloud.run(&["jobs", "submit", "i-0a"]);
        assert_eq!(submitted.code, 0, "{}", submitted.err);
        let agent = cloud.run(&["agent", "--until-idle"]);
        assert_eq!(agent.code, 0, "{}", agent.err);
        let mut report = cloud.report();
        let run = &report["header"]["run"];
        let choice = &run["choice"];
        assert_eq!((&run["method"], &choice["method"]), (&"direct".into(), &"direct".into()), "{disks:?}");
        assert_eq!(
            (&choice["direct"]["slots"], &choice["attach"]["slots"]),
            (&0.into(), &disks.len().into())
        );
        assert!(choice["why"].as_str().is_some_and(|why| !why.is_empty()), "{choice}");
        report["header"]["run"] = Value::Null;
        assert_eq!(report, cloud.plain(disks), "{disks:?}");
        cloud.assert_nothing_left();
        let listed = cloud.run(&["jobs", "list"]);
        assert!(listed.text().contains("complete"), "{}", listed.err);
    }
}

#[test]
fn an_attached_volume_is_shared_or_copied_first_where_it_must_be_and_nothing_is_left() {
    const DISKS: &[(&str, &str, &str)] = &[("/dev/xvda", "vol-0a", "debian-ext4-gpt")];
    let (own, other) = (Settings::default().host.account, AccountId::parse(ACCOUNT).unwrap());
    let (share, copy) = ("ec2:ModifySnapshotAttribute", "ec2:CopySnapshot");
    for (account, key, shared, copied) in [
        (&own, None, 0, 0),
        (&own, Some(OF_EBS), 0, 0),
        (&other, None, 1, 0),
        (&other, Some(COPIES), 1, 0),
        (&other, Some(OF_EBS), 1, 1),
    ] {
        let cloud = Cloud::of(account, key, DISKS);
        let submit = ["jobs", "submit", "i-0a", "--method", "attach", "--account", account.as_str()];
        let submitted = cloud.run(&submit);
        assert_eq!(submitted.code, 0, "{}", submitted.err);
        let agent = cloud.run(&["agent", "--until-idle"]);
        assert_eq!(agent.code, 0, "{}", agent.err);
        let mut report = cloud.report();
        let run = &report["header"]["run"];
        let calls = |action: &str| run["cost"]["calls"][action].as_u64().unwrap_or(0);
        assert_eq!(run["method"], "attach");
        assert_eq!((calls(share), calls(copy)), (shared, copied), "{account} {key:?}: {run}");
        assert_eq!((calls("ec2:AttachVolume"), calls("ebs:GetSnapshotBlock")), (1, 0));
        report["header"]["run"] = Value::Null;
        assert_eq!(report, cloud.plain(DISKS), "{account} {key:?}");
        cloud.assert_nothing_left();
    }
}

#[test]
fn a_word_that_is_neither_id_nor_path_is_refused_with_both_ways_to_write_it() {
    let cloud = Cloud::new(&[("/dev/xvda", "vol-0a", "alpine")]);
    let submitted = cloud.run(&["jobs", "submit", "i-nope"]);
    assert_eq!(submitted.code, 2);
    assert!(submitted.err.contains("./i-nope"), "{}", submitted.err);
}
