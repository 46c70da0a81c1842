// SPDX-License-Identifier: Apache-2.0
//! A stand-in for Qualys: a list of answers, each given once, then the good one for ever.

use std::collections::VecDeque;

use serde_json::Value;

use super::http::Message;

/// One answer of the stand-in.
pub(super) enum Answer {
    /// A status with a body.
    Status(u16, &'static str),
    /// The same with a header.
    Header(u16, &'static str, (&'static str, &'static str)),
    /// The connection is cut without an answer.
    Cut,
}

/// What was sent, and what is still to be answered.
#[derive(Default)]
pub(super) struct Qualys {
    /// Answers to the sync call before the good ones begin.
    pub(super) script: VecDeque<Answer>,
    /// Bodies of the sync calls, in their order.
    pub(super) calls: Vec<String>,
    /// Native keys of the assets that were accepted.
    pub(super) accepted: Vec<String>,
    /// Tokens given.
    pub(super) tokens: u32,
}

/// Every answer of the documented interface that a client must live with, in a single delivery.
pub(super) fn everything() -> VecDeque<Answer> {
    VecDeque::from([
        Answer::Status(401, "expired"),
        Answer::Header(429, "", ("X-RateLimit-ToWait-Sec", "7")),
        Answer::Header(409, "1960", ("X-Concurrency-Limit-Limit", "2")),
        Answer::Status(500, ""),
        Answer::Status(502, ""),
        Answer::Status(503, ""),
        Answer::Status(504, ""),
        Answer::Status(200, "<html>a proxy</html>"),
        Answer::Cut,
    ])
}

impl Qualys {
    /// The answer to a request; none where the connection is cut.
    pub(super) fn answer(&mut self, request: &Message) -> Option<Message> {
        if request.path().starts_with("/auth") {
            self.tokens += 1;
            return Some(Message::answer(201, format!("header.e30.{}", self.tokens)));
        }
        self.calls.push(request.text());
        match self.script.pop_front() {
            Some(Answer::Cut) => None,
            Some(Answer::Status(status, body)) => Some(Message::answer(status, body)),
            Some(Answer::Header(status, body, (name, value))) => {
                Some(Message::answer(status, body).with(name, value))
            }
            None => {
                self.accepted.extend(assets(&request.text()));
                let said = r#"{"message":"ok","responseCode":"SUCCESSFULLY_PUBLISHED","assetsError":{}}"#;
                Some(Message::answer(200, said).with("content-type", "application/json"))
            }
        }
    }

    /// The ids of the requests, in their order.
    pub(super) fn request_ids(&self) -> Vec<String> {
        let id = |call: &String| {
            serde_json::from_str::<Value>(call).ok()?["connectorMetaData"]["requestId"]
                .as_str()
                .map(str::to_owned)
        };
        self.calls.iter().filter_map(id).collect()
    }
}

fn assets(body: &str) -> Vec<String> {
    let Ok(body) = serde_json::from_str::<Value>(body) else { return Vec::new() };
    let assets = body["assetData"].as_array().cloned().unwrap_or_default();
    let key = |asset: &Value| asset["identityAttributes"]["sourceNativeKey"].as_str().map(str::to_owned);
    assets.iter().filter_map(key).collect()
}
