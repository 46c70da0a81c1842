// SPDX-License-Identifier: Apache-2.0
//! How the queue leases, delays and buries messages.

use std::time::Duration;

use super::case::{Cases, Failure, ensure, refused, same};
use super::stage::Stage;
use crate::queue::{Bury, CountMessages, DeleteMessage, ExtendLease, Message, Receive, Send};
use crate::{Class, Purpose};

/// How long messages are hidden here.
const LEASE: Duration = Duration::from_secs(30);

pub(super) async fn run(stage: &Stage<'_>, cases: &mut Cases) {
    cases.add("a message is hidden while it is leased", "1.7", leased(stage).await);
    cases.add("a lease can be extended", "1.7", extended(stage).await);
    cases.add("a lease of nothing shows the message at once", "1.7", shown(stage).await);
    cases.add("an old receipt is worth nothing", "1.7", old_receipt(stage).await);
    cases.add("a delayed message is not seen before its time", "1.7", delayed(stage).await);
    cases.add("what is buried is counted as dead", "1.7", buried(stage).await);
}

async fn send(stage: &Stage<'_>, body: &str, delay: u64) -> Result<(), Failure> {
    let send = Send { body: body.to_owned(), delay: Duration::from_secs(delay) };
    Ok(stage.ask(&stage.service(Purpose::Scanner), send).await?)
}

async fn receive(stage: &Stage<'_>, wait: u64) -> Result<Vec<Message>, Failure> {
    let wait = Duration::from_secs(wait);
    Ok(stage.ask(&stage.service(Purpose::Scanner), Receive { most: 10, wait, lease: LEASE }).await?)
}

async fn one(stage: &Stage<'_>, body: &str) -> Result<Message, Failure> {
    stage
        .until(&format!("received {body:?}"), async || {
            Ok(receive(stage, 20).await?.into_iter().find(|message| message.body == body))
        })
        .await
}

async fn extend(stage: &Stage<'_>, message: &Message, seconds: u64) -> Result<(), crate::Error> {
    let lease = Duration::from_secs(seconds);
    stage.ask(&stage.service(Purpose::Scanner), ExtendLease { receipt: message.receipt.clone(), lease }).await
}

async fn delete(stage: &Stage<'_>, message: &Message) -> Result<(), crate::Error> {
    let receipt = message.receipt.clone();
    stage.ask(&stage.service(Purpose::Scanner), DeleteMessage { receipt }).await
}

async fn nothing(stage: &Stage<'_>, body: &str) -> Result<(), Failure> {
    let found = receive(stage, 0).await?;
    ensure(found.iter().all(|message| message.body != body), || format!("{body:?} was delivered"))
}

async fn leased(stage: &Stage<'_>) -> Result<(), Failure> {
    send(stage, "leased", 0).await?;
    let first = one(stage, "leased").await?;
    same(first.deliveries, 1)?;
    nothing(stage, "leased").await?;
    stage.cloud.clock.sleep(LEASE + Duration::from_secs(1)).await;
    let second = one(stage, "leased").await?;
    same((&second.id, second.deliveries), (&first.id, 2))?;
    delete(stage, &second).await?;
    stage.cloud.clock.sleep(LEASE + Duration::from_secs(1)).await;
    nothing(stage, "leased").await
}

async fn extended(stage: &Stage<'_>) -> Result<(), Failure> {
    send(stage, "extended", 0).await?;
    let message = one(stage, "extended").await?;
    extend(stage, &message, 120).await?;
    stage.cloud.clock.sleep(LEASE + Duration::from_secs(1)).await;
    nothing(stage, "extended").await?;
    Ok(delete(stage, &message).await?)
}

async fn shown(stage: &Stage<'_>) -> Result<(), Failure> {
    send(stage, "shown", 0).await?;
    let message = one(stage, "shown").await?;
    extend(stage, &message, 0).await?;
    let again = one(stage, "shown").await?;
    same((&again.id, again.deliveries), (&message.id, 2))?;
    Ok(delete(stage, &again).await?)
}

async fn old_receipt(stage: &Stage<'_>) -> Result<(), Failure> {
    send(stage, "old", 0).await?;
    let first = one(stage, "old").await?;
    extend(stage, &first, 0).await?;
    let second = one(stage, "old").await?;
    // SQS may accept the old receipt and delete nothing, or refuse it: the message must still be there.
    if let Err(error) = delete(stage, &first).await {
        refused::<()>(Err(error), Class::LeaseLost, None)?;
    }
    extend(stage, &second, 60).await?;
    delete(stage, &second).await?;
    refused(extend(stage, &second, 60).await, Class::LeaseLost, None)
}

async fn delayed(stage: &Stage<'_>) -> Result<(), Failure> {
    send(stage, "delayed", 60).await?;
    nothing(stage, "delayed").await?;
    stage.cloud.clock.sleep(Duration::from_secs(61)).await;
    let message = one(stage, "delayed").await?;
    Ok(delete(stage, &message).await?)
}

async fn buried(stage: &Stage<'_>) -> Result<(), Failure> {
    let scope = stage.service(Purpose::Scanner);
    let before = stage.ask(&scope, CountMessages {}).await?;
    let bury = Bury { body: "buried".to_owned(), reason: "conformance".to_owned() };
    stage.ask(&scope, bury).await?;
    stage
        .until("counted", async || {
            let now = stage.ask(&scope, CountMessages {}).await?;
            Ok((now.dead > before.dead).then_some(()))
        })
        .await
}
