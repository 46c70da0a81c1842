// SPDX-License-Identifier: Apache-2.0
//! The cloud as a scanner meets it: served from this process, with decoys that appear beside what is made, and an eye on
//! every call that would change one.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use snapscan_cloud::ec2::{CopySnapshot, CreateSnapshot, CreateVolume, Tags};
use snapscan_cloud::sim::{Plan, Settings, Sim};
use snapscan_cloud::{Answer, Call, Cloud, Error, InstanceId, Purpose, Request, Scope, Service, remote};

use super::world::{DECOYS, FOREIGN_SNAPSHOT, FOREIGN_VOLUME, HOSTS, World, id};

/// What was seen over a whole round.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Decoys that were made during the round: id and account.
    pub(super) decoys: Vec<(String, String)>,
    /// Calls that would change a decoy, whatever the answer was.
    pub(super) attempts: Vec<String>,
}

/// What is seen, shared by all who serve.
pub(super) type Book = Arc<Mutex<Seen>>;

/// A cloud that is served to each scanner at a socket of its own, until it is dropped.
pub(super) struct Served {
    /// Where each scanner finds it.
    pub(super) sockets: Vec<PathBuf>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Served {
    /// Serves the world as its clock is now.
    pub(super) fn begin(world: &World, scanners: usize, plan: &Plan, book: &Book) -> Result<Self> {
        let cloud = world.open()?;
        let mut served = Self { sockets: Vec::new(), tasks: Vec::new() };
        for (nth, host) in HOSTS.iter().enumerate().take(scanners) {
            let eye = Eye { cloud: cloud.clone(), host: id(host)?, book: Arc::clone(book) };
            let eye = Cloud { service: Arc::new(eye), clock: cloud.clock };
            let sim = Sim::new(eye, Settings { plan: plan.clone(), ..Settings::default() }).cloud();
            let socket = world.path().join(format!("cloud-{nth}.socket"));
            if socket.exists() {
                std::fs::remove_file(&socket)?;
            }
            let (at, clock) = (socket.clone(), cloud.clock);
            served.tasks.push(world.handle().spawn(async move {
                if let Err(error) = remote::serve(&at, sim.service, clock).await {
                    eprintln!("the cloud is not served any more: {error}");
                }
            }));
            while !socket.exists() {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            served.sockets.push(socket);
        }
        Ok(served)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// One scanner's view of the cloud.
struct Eye {
    cloud: Cloud,
    host: InstanceId,
    book: Book,
}

impl Eye {
    fn look(&self, call: &Call) {
        if !call.action().changes() {
            return;
        }
        // Whatever names a decoy in a call that changes something is an attempt, in whichever part of the call.
        let text = serde_json::to_string(call).unwrap_or_default();
        let mut seen = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let Seen { decoys, attempts } = &mut *seen;
        let fixed = DECOYS.iter().map(|(id, _)| *id);
        for id in fixed.chain(decoys.iter().map(|(id, _)| id.as_str())) {
            if text.contains(&format!("\"{id}\"")) {
                attempts.push(format!("{} on {id}", call.action().name()));
            }
        }
    }

    /// Makes what looks like the thing that was just made, of something that is not the job's.
    async fn copycat(&self, scope: &Scope, imitated: Imitated) {
        let scope = Scope { purpose: Purpose::Create, job: "decoy".to_owned(), ..scope.clone() };
        match imitated {
            Imitated::Set(tags, description) => {
                // The same marks on another volume, and on a copy, whose volume is nobody's.
                let Ok(volume) = id(FOREIGN_VOLUME) else { return };
                let call = CreateSnapshot { volume, description: description.clone(), tags: tags.clone() };
                let made = self.cloud.ask(&scope, call).await;
                self.note(&scope, made.map(|one| one.id.to_string()));
                self.copy(&scope, tags, description).await;
            }
            // A copy shows no source, so that the same description too would claim to be the very same thing.
            Imitated::Copy(tags) => self.copy(&scope, tags, "a copy of something else".to_owned()).await,
            Imitated::Volume(call, tags) => {
                let Ok(snapshot) = id("snap-0d") else { return };
                let token = format!("decoy-{}", call.token.get(..16).unwrap_or_default());
                let call = CreateVolume { snapshot, token, tags, key: None, ..call };
                let made = self.cloud.ask(&scope, call).await;
                self.note(&scope, made.map(|id| id.to_string()));
            }
        }
    }

    async fn copy(&self, scope: &Scope, tags: Tags, description: String) {
        let Ok(source) = id(FOREIGN_SNAPSHOT) else { return };
        let source_region = scope.region.clone();
        let call = CopySnapshot { source, source_region, key: None, encrypted: false, description, tags };
        let made = self.cloud.ask(scope, call).await;
        self.note(scope, made.map(|id| id.to_string()));
    }

    /// One that could not be made is not missed.
    fn note(&self, scope: &Scope, made: Result<String, Error>) {
        let Ok(id) = made else { return };
        let mut seen = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        seen.decoys.push((id, scope.account.to_string()));
    }
}

/// What is made by a call, with its marks.
enum Imitated {
    Set(Tags, String),
    Copy(Tags),
    Volume(CreateVolume, Tags),
}

impl Imitated {
    fn of(call: &Call) -> Option<Self> {
        match call {
            Call::CreateSnapshots(call) => Some(Self::Set(call.tags.clone(), call.description.clone())),
            Call::CopySnapshot(call) => Some(Self::Copy(call.tags.clone())),
            Call::CreateVolume(call) => Some(Self::Volume(call.clone(), call.tags.clone())),
            _ => None,
        }
    }
}

#[async_trait::async_trait]
impl Service for Eye {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, Error> {
        self.look(&call);
        let imitated = Imitated::of(&call);
        let mut answer = self.cloud.service.call(scope, call).await?;
        if let Answer::Describe(host) = &mut answer {
            host.instance = self.host.clone();
        }
        if let Some(imitated) = imitated {
            self.copycat(scope, imitated).await;
        }
        Ok(answer)
    }
}

/// Asks in the harness's own name.
pub(super) fn ask<R: Request>(world: &World, cloud: &Cloud, scope: &Scope, request: R) -> Result<R::Answer> {
    Ok(world.handle().block_on(cloud.ask(scope, request))?)
}
