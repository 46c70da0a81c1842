// SPDX-License-Identifier: Apache-2.0
//! Runs the conformance suite over AWS's own client, one line a case: `name<TAB>ok` or `name<TAB>why not`.
//!
//! `aws-conformance ENDPOINT QUEUE DEAD INSTANCE ROOT DATA SCANNER` runs it against a stand-in at ENDPOINT. With `-` for
//! ENDPOINT it is AWS itself: then it makes a few snapshots and volumes of the instance and takes them away again, which
//! costs cents.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use snapscan_cloud::conformance::{self, World};
use snapscan_cloud::{AccountId, Clock, Cloud, InstanceId, Owner, Region, VolumeId};
use snapscan_cloud_aws::{Aws, Role, Settings};

fn main() -> ExitCode {
    let Some((settings, world)) = arguments() else {
        eprintln!("usage: aws-conformance ENDPOINT|- QUEUE DEAD INSTANCE ROOT DATA SCANNER");
        return ExitCode::from(2);
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let cases = runtime.block_on(async {
        let clock = settings.clock;
        let service = Arc::new(Aws::connect(settings).await);
        conformance::run(&Cloud { service, clock }, &world).await
    });
    for case in &cases {
        println!("{}\t{}", case.name, case.result.as_ref().err().map_or("ok", String::as_str));
    }
    ExitCode::SUCCESS
}

fn arguments() -> Option<(Settings, World)> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [endpoint, queue, dead, instance, root, data, scanner] = words.as_slice() else { return None };
    let variable = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let account = |name: &str, default: &str| AccountId::parse(&variable(name, default));
    let (service, target) =
        (account("SERVICE_ACCOUNT", "123456789012")?, account("TARGET_ACCOUNT", "222222222222")?);
    let region = Region::parse(&variable("AWS_REGION", "eu-west-1"))?;
    let role = Role {
        name: variable("TARGET_ROLE", "snapscan-target"),
        external_id: variable("EXTERNAL_ID", "0123456789abcdef0123456789abcdef"),
    };
    let settings = Settings {
        deployment: "conformance".to_owned(),
        account: service.clone(),
        region: region.clone(),
        endpoint: (endpoint != "-").then(|| endpoint.clone()),
        queue: queue.clone(),
        dead: dead.clone(),
        bucket: variable("BUCKET", "outbox"),
        table: variable("TABLE", "rows"),
        // A stand-in changes nothing while one waits for it.
        clock: if endpoint == "-" { Clock::real() } else { Clock::fast(Clock::real().milliseconds(), 10) },
        devices: None,
        roles: BTreeMap::from([(target.clone(), role)]),
    };
    let world = World {
        zone: variable("ZONE", &format!("{region}a")),
        region,
        account: target,
        instance: InstanceId::parse(instance)?,
        root: VolumeId::parse(root)?,
        data: VolumeId::parse(data)?,
        service,
        scanner: InstanceId::parse(scanner)?,
        other: account("OTHER_ACCOUNT", "333333333333")?,
        owner: Owner::new("conformance".to_owned(), [3; 32]),
        patience: Duration::from_secs(600),
    };
    Some((settings, world))
}
