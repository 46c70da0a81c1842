// SPDX-License-Identifier: Apache-2.0
//! How long a lease is believed in.

use async_trait::async_trait;
use snapscan_cloud::{AccountId, Answer, Call, Error, Purpose, Region, Service, Timestamp};

use super::*;

/// A queue that answers extensions as it is told.
struct Queue(Mutex<Vec<Result<(), &'static str>>>);

#[async_trait]
impl Service for Queue {
    async fn call(&self, _: &Scope, call: Call) -> Result<Answer, Error> {
        let mut answers = self.0.lock().unwrap();
        let next = if answers.is_empty() { Err("ServiceUnavailable") } else { answers.remove(0) };
        match next {
            Ok(()) => Ok(Answer::ExtendLease(())),
            Err(code) => Err(Error::of(call.action().name(), code, "words")),
        }
    }
}

const TERMS: Terms = Terms { lease: Duration::from_secs(300), margin: Duration::from_secs(30) };

fn lease(answers: Vec<Result<(), &'static str>>) -> (Lease, Clock) {
    let clock = Clock::from(Timestamp(1_800_000_000));
    let cloud = Cloud { service: Arc::new(Queue(Mutex::new(answers))), clock };
    let scope = Scope {
        account: AccountId::parse("111111111111").unwrap(),
        region: Region::parse("eu-west-1").unwrap(),
        purpose: Purpose::Scanner,
        job: "job-1".to_owned(),
    };
    let sent = Ticks { clock }.now();
    (Lease::keep(&cloud, scope, TERMS, "receipt".to_owned(), sent), clock)
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_cannot_be_extended_is_lost_a_margin_before_the_queue_ends_it() {
    let (lease, clock) = lease(Vec::new());
    let begun = clock.now();
    lease.lost().await;
    let took = clock.now().since(begun).as_secs();
    assert!((269..=270).contains(&took), "{took} s");
    assert!(lease.is_lost() && lease.left().is_zero());
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_extended_is_ours_so_much_longer() {
    let (lease, clock) = lease(vec![Ok(()), Ok(())]);
    let begun = clock.now();
    lease.lost().await;
    let took = clock.now().since(begun).as_secs();
    // The second extension is sent after 200 s, and is good for 270 s.
    assert!((469..=470).contains(&took), "{took} s");
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_took_the_message_back_ends_the_lease_at_once() {
    let (lease, clock) = lease(vec![Err("MessageNotInflight")]);
    let begun = clock.now();
    lease.lost().await;
    assert_eq!(clock.now().since(begun).as_secs(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_receipt_that_was_adopted_is_the_one_that_counts() {
    let (lease, _) = lease(vec![Ok(())]);
    let sent = lease.shared.time.now();
    lease.handle().adopt("newer".to_owned(), sent, TERMS);
    assert_eq!(lease.receipt(), "newer");
}
