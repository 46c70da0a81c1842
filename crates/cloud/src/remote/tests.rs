// SPDX-License-Identifier: Apache-2.0
//! Whether a cloud behind a socket answers as it would without, and what a client makes of a cut connection.

use std::time::Duration;

use tokio::task::JoinHandle;

use super::*;
use crate::ebs::{BLOCK_BYTES, Block, GetSnapshotBlock};
use crate::queue::{CountMessages, Receive};
use crate::{AccountId, Class, Purpose, Region, SnapshotId};

/// Answers blocks of its own; never has a message, however long one waits, and never counts any.
struct Echo {
    waiting: Arc<Mutex<u32>>,
}

struct Waits(Arc<Mutex<u32>>);

impl Drop for Waits {
    fn drop(&mut self) {
        *self.0.lock().expect("a lock") -= 1;
    }
}

#[async_trait::async_trait]
impl Service for Echo {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, Error> {
        match call {
            Call::GetSnapshotBlock(get) => {
                let bytes = vec![u8::try_from(get.index).expect("a byte"); BLOCK_BYTES];
                Ok(Answer::GetSnapshotBlock(Block { bytes, checksum: scope.job.clone() }))
            }
            Call::Receive(_) => {
                *self.waiting.lock().expect("a lock") += 1;
                let _waits = Waits(Arc::clone(&self.waiting));
                std::future::pending().await
            }
            other => Err(Error::of(other.action().name(), "OverLimit", "no")),
        }
    }
}

fn scope() -> Scope {
    Scope {
        account: AccountId::parse("111111111111").expect("an account"),
        region: Region::parse("eu-west-1").expect("a region"),
        purpose: Purpose::Read,
        job: "job-1".to_owned(),
    }
}

fn get(index: u64) -> GetSnapshotBlock {
    let snapshot = SnapshotId::parse("snap-0a").expect("an id");
    GetSnapshotBlock { snapshot, index, token: "t".to_owned() }
}

/// A server at a socket of its own, and how many calls wait in it.
async fn server(socket: &Path) -> (JoinHandle<io::Result<()>>, Arc<Mutex<u32>>) {
    let waiting = Arc::new(Mutex::new(0));
    let service = Arc::new(Echo { waiting: Arc::clone(&waiting) });
    let (path, clock) = (socket.to_owned(), Clock::fast(1_800_000_000_000, 600));
    let server = tokio::spawn(async move { serve(&path, service, clock).await });
    while UnixStream::connect(socket).await.is_err() {
        tokio::task::yield_now().await;
    }
    (server, waiting)
}

#[tokio::test]
async fn calls_are_answered_at_the_same_time_and_errors_come_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("cloud");
    let (_server, _) = server(&socket).await;
    let cloud = Remote::connect(&socket).await.expect("a connection");
    assert_eq!(cloud.clock.speed(), 600);
    let scope = scope();
    let (one, two) = tokio::join!(cloud.ask(&scope, get(1)), cloud.ask(&scope, get(2)));
    assert_eq!(one.expect("a block").bytes, vec![1; BLOCK_BYTES]);
    assert_eq!(two.expect("a block").checksum, "job-1");
    let error = cloud.ask(&scope, CountMessages {}).await.expect_err("it is refused");
    assert_eq!(error, Error::of("sqs:GetQueueAttributes", "OverLimit", "no"));
}

#[tokio::test]
async fn a_cut_connection_is_unknown_a_refused_one_transient_and_the_next_call_connects_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("cloud");
    let (first, waiting) = server(&socket).await;
    let cloud = Remote::connect(&socket).await.expect("a connection");
    let receive = Receive { most: 1, wait: Duration::from_secs(20), lease: Duration::from_secs(30) };
    let waits = tokio::spawn({
        let cloud = cloud.clone();
        async move { cloud.ask(&scope(), receive).await }
    });
    while *waiting.lock().expect("a lock") == 0 {
        tokio::task::yield_now().await;
    }
    first.abort();
    let cut = waits.await.expect("it ends").expect_err("it is cut");
    assert_eq!((cut.class, cut.code.as_str()), (Class::Unknown, "ConnectionLost"));
    let _ = first.await;
    let refused = cloud.ask(&scope(), get(1)).await.expect_err("nobody is there");
    assert_eq!((refused.class, refused.code.as_str()), (Class::Transient, "Unreachable"));
    let (_second, _) = server(&socket).await;
    cloud.ask(&scope(), get(1)).await.expect("a socket that was left behind is replaced");
}

#[tokio::test]
async fn nobody_waits_for_messages_in_the_name_of_a_client_that_has_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("cloud");
    let (_server, waiting) = server(&socket).await;
    let cloud = Remote::connect(&socket).await.expect("a connection");
    let receive = Receive { most: 1, wait: Duration::from_secs(20), lease: Duration::from_secs(30) };
    let waits = tokio::spawn(async move { cloud.ask(&scope(), receive).await });
    while *waiting.lock().expect("a lock") == 0 {
        tokio::task::yield_now().await;
    }
    waits.abort();
    while *waiting.lock().expect("a lock") > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_frame_longer_than_allowed_is_refused_before_it_is_read() {
    let mut frame = u32::MAX.to_le_bytes().to_vec();
    frame.extend([0; 16]);
    let error = receive::<Hello>(&mut frame.as_slice()).await.expect_err("it is refused");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}
