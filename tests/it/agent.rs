// SPDX-License-Identifier: Apache-2.0
//! `agent` and `jobs`: whole jobs over a cloud in a folder, from the command line to the report.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use snapscan_cloud::local::{Account, Builder, InstanceRecord, Settings, VolumeRecord};
use snapscan_cloud::{AccountId, InstanceId, VolumeId};

use crate::disk::{Images, fixture};
use crate::run::{Ran, command, ran, snapscan};

const ACCOUNT: &str = "222222222222";

/// A cloud with one instance of these disks, whose clock runs fast.
struct Cloud {
    images: Images,
    folder: PathBuf,
}

impl Cloud {
    fn new(disks: &[(&str, &str, &str)]) -> Self {
        let images = Images::new();
        let folder = images.path("cloud");
        let account = AccountId::parse(ACCOUNT).unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let epoch = u64::try_from(now.as_millis()).unwrap();
        let mut builder = Builder::new()
            .settings(Settings { epoch, speed: 20, ..Settings::default() })
            .account(Account::new(account.clone()));
        let mut instance =
            InstanceRecord::new(InstanceId::parse("i-0a").unwrap(), account.clone(), "eu-west-1a");
        for (device, id, name) in disks {
            let id = VolumeId::parse(id).unwrap();
            let image = images.write(id.as_str(), &fixture(name));
            // A volume has whole GiB; so has the file that is scanned.
            fs::OpenOptions::new().write(true).open(&image).unwrap().set_len(1 << 30).unwrap();
            instance.disks.insert((*device).to_owned(), id.clone());
            builder = builder.volume(VolumeRecord::new(id, account.clone(), "eu-west-1a"), &image);
        }
        builder.instance(instance).write(&folder).unwrap();
        Self { images, folder }
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
            ("accounts.222222222222.role", "snapscan"),
            ("accounts.222222222222.external_id", "env:SNAPSCAN_TEST_EXTERNAL_ID"),
        ] {
            command.arg("--set").arg(format!("{key}={value}"));
        }
        ran(&mut command)
    }

    /// The one report in the outbox.
    fn report(&self) -> Value {
        let mut found = Vec::new();
        files(&self.folder.join("outbox/reports"), &mut found);
        assert_eq!(found.len(), 1, "{found:?}");
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
        assert_eq!((&choice["direct"]["slots"], &choice["attach"]["slots"]), (&0.into(), &disks.len().into()));
        assert!(choice["why"].as_str().is_some_and(|why| !why.is_empty()), "{choice}");
        let images: Vec<_> = disks.iter().map(|(_, id, _)| cloud.images.path(id)).collect();
        let scan = ["scan", "--json"].into_iter().map(Into::into);
        let scanned = snapscan(scan.chain(images.iter().map(|image| image.clone().into_os_string())));
        let mut plain: Value = serde_json::from_slice(&scanned.out).unwrap();
        for report in [&mut report, &mut plain] {
            report["header"]["run"] = Value::Null;
        }
        assert_eq!(report, plain, "{disks:?}");
        let ledger = cloud.run(&["ledger", "--json", "--all"]);
        let ledger: Value = serde_json::from_slice(&ledger.out).unwrap();
        assert_eq!(ledger["sums"]["held"], 0, "{ledger}");
        let listed = cloud.run(&["jobs", "list"]);
        assert!(listed.text().contains("complete"), "{}", listed.err);
    }
}

#[test]
fn a_word_that_is_neither_id_nor_path_is_refused_with_both_ways_to_write_it() {
    let cloud = Cloud::new(&[("/dev/xvda", "vol-0a", "alpine")]);
    let submitted = cloud.run(&["jobs", "submit", "i-nope"]);
    assert_eq!(submitted.code, 2);
    assert!(submitted.err.contains("./i-nope"), "{}", submitted.err);
}
