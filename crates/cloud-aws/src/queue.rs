// SPDX-License-Identifier: Apache-2.0
//! The queue of jobs: SQS.

use std::time::Duration;

use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};
use snapscan_cloud::queue::{Backlog, Bury, DeleteMessage, ExtendLease, Message, Receive, Send};
use snapscan_cloud::{Clock, Error, Timestamp};

use crate::{Aws, classify};

impl Aws {
    fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(self.home())
    }

    pub(crate) async fn receive(&self, request: Receive) -> Result<Vec<Message>, Error> {
        let action = "sqs:ReceiveMessage";
        let ask = self.sqs().receive_message().queue_url(&self.settings.queue);
        let ask = ask.max_number_of_messages(i32::try_from(request.most.clamp(1, 10)).unwrap_or(1));
        let ask = ask
            .wait_time_seconds(seconds(&self.settings.clock, request.wait, 20))
            .visibility_timeout(seconds(&self.settings.clock, request.lease, 43_200));
        let ask = ask
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp);
        let answer = ask.send().await.map_err(|error| classify::error(action, false, &error))?;
        let message = |message: &aws_sdk_sqs::types::Message| {
            let number = |name: MessageSystemAttributeName| -> Option<i64> {
                message.attributes()?.get(&name)?.parse().ok()
            };
            let deliveries = number(MessageSystemAttributeName::ApproximateReceiveCount).unwrap_or(1);
            Ok(Message {
                id: message.message_id().unwrap_or_default().to_owned(),
                receipt: message
                    .receipt_handle()
                    .ok_or_else(|| classify::missing(action, "receipt"))?
                    .to_owned(),
                body: message.body().unwrap_or_default().to_owned(),
                deliveries: u32::try_from(deliveries).unwrap_or(u32::MAX),
                sent: Timestamp(number(MessageSystemAttributeName::SentTimestamp).unwrap_or(0) / 1000),
            })
        };
        answer.messages().iter().map(message).collect()
    }

    pub(crate) async fn extend(&self, request: ExtendLease) -> Result<(), Error> {
        let ask = self.sqs().change_message_visibility().queue_url(&self.settings.queue);
        let ask = ask.receipt_handle(request.receipt).visibility_timeout(seconds(
            &self.settings.clock,
            request.lease,
            43_200,
        ));
        let answer = ask.send().await;
        answer.map(drop).map_err(|error| classify::error("sqs:ChangeMessageVisibility", false, &error))
    }

    pub(crate) async fn delete_message(&self, request: DeleteMessage) -> Result<(), Error> {
        let ask = self.sqs().delete_message().queue_url(&self.settings.queue).receipt_handle(request.receipt);
        ask.send().await.map(drop).map_err(|error| classify::error("sqs:DeleteMessage", false, &error))
    }

    pub(crate) async fn send(&self, request: Send) -> Result<(), Error> {
        let ask = self.sqs().send_message().queue_url(&self.settings.queue);
        let ask =
            ask.message_body(request.body).delay_seconds(seconds(&self.settings.clock, request.delay, 900));
        ask.send().await.map(drop).map_err(|error| classify::error("sqs:SendMessage", false, &error))
    }

    pub(crate) async fn bury(&self, request: Bury) -> Result<(), Error> {
        let action = "sqs:SendMessage";
        // An attribute holds no control characters, and the reason quotes what somebody else sent.
        let reason: String = request.reason.chars().filter(|c| !c.is_control()).take(1_000).collect();
        let reason =
            aws_sdk_sqs::types::MessageAttributeValue::builder().data_type("String").string_value(reason);
        let reason = reason.build().map_err(|error| Error::of(action, "Construction", error.to_string()))?;
        let ask = self.sqs().send_message().queue_url(&self.settings.dead).message_body(request.body);
        let answer = ask.message_attributes("reason", reason).send().await;
        answer.map(drop).map_err(|error| classify::error(action, false, &error))
    }

    pub(crate) async fn count_messages(&self) -> Result<Backlog, Error> {
        let [visible, leased, delayed] = self.count(&self.settings.queue).await?;
        let [dead, ..] = self.count(&self.settings.dead).await?;
        Ok(Backlog { visible, leased, delayed, dead })
    }

    async fn count(&self, queue: &str) -> Result<[u64; 3], Error> {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ];
        let ask =
            self.sqs().get_queue_attributes().queue_url(queue).set_attribute_names(Some(names.to_vec()));
        let answer =
            ask.send().await.map_err(|error| classify::error("sqs:GetQueueAttributes", false, &error))?;
        let number =
            |name: &QueueAttributeName| -> Option<u64> { answer.attributes()?.get(name)?.parse().ok() };
        Ok(names.each_ref().map(|name| number(name).unwrap_or(0)))
    }
}

/// A duration as the service takes it, in whole seconds of the wall's clock.
fn seconds(clock: &Clock, duration: Duration, most: u64) -> i32 {
    let duration = clock.real_duration(duration);
    // A wait that is asked for is never none at all.
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    i32::try_from(seconds.min(most)).unwrap_or(0)
}
