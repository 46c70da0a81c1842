// SPDX-License-Identifier: Apache-2.0
//! Somebody between an agent and its cloud: writes down each call, and damages blocks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use snapscan_cloud::local::Local;
use snapscan_cloud::{Answer, Call, Cloud, Error, Scope, Service, remote};

use crate::cloud::Stage;
use crate::run::Ran;

/// Which blocks are damaged, by the number of the answer.
pub(crate) type Damage = fn(u64) -> bool;

struct Between {
    cloud: Cloud,
    calls: Mutex<Vec<(Scope, Call)>>,
    blocks: AtomicU64,
    damage: Damage,
}

#[async_trait::async_trait]
impl Service for Between {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, Error> {
        self.calls.lock().unwrap().push((scope.clone(), call.clone()));
        let mut answer = self.cloud.service.call(scope, call).await?;
        if let Answer::GetSnapshotBlock(block) = &mut answer {
            let nth = self.blocks.fetch_add(1, Ordering::Relaxed);
            if (self.damage)(nth) {
                // One bit, and the checksum stays that of the true bytes.
                block.bytes[1100] ^= 4;
            }
        }
        Ok(answer)
    }
}

/// Runs the agent of a stage with somebody between it and its cloud; answers the calls that it made.
pub(crate) fn agent(stage: &Stage, damage: Damage) -> (Ran, Vec<(Scope, Call)>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let _inside = runtime.enter();
    let local = Local::open(&stage.cloud()).unwrap();
    let clock = local.clock();
    let cloud = Cloud { service: Arc::new(local), clock };
    let (calls, blocks) = (Mutex::new(Vec::new()), AtomicU64::new(0));
    let between = Arc::new(Between { cloud, calls, blocks, damage });
    let (socket, service) = (stage.path("socket"), Arc::clone(&between));
    let at = socket.clone();
    runtime.spawn(async move { remote::serve(&at, service, clock).await });
    while !socket.exists() {
        std::thread::yield_now();
    }
    let ran = stage.agent_at(&["cloud.kind=remote", &format!("cloud.socket={}", socket.display())]);
    let calls = between.calls.lock().unwrap().clone();
    (ran, calls)
}
