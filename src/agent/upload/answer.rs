// SPDX-License-Identifier: Apache-2.0
//! What an answer of the connector sync call means.
//!
//! Source: Qualys, "Generic API Webhook Connector"; what is not documented there is decided here and said so.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;

use super::pace;

/// What is to be done after an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Taken, but for these: native key and text.
    Accepted(Vec<(String, String)>),
    /// The token is no longer good.
    Renew,
    /// The same again after this time; not counted as a failure.
    Wait(Duration),
    /// Too large or not understood: in halves.
    Halve(String),
    /// The same again, later.
    Again(String),
    /// Nothing more until a person has done something.
    Stop(String),
}

/// An answer as it came.
pub(super) struct Answer {
    /// Its status.
    pub(super) status: StatusCode,
    /// Its headers.
    pub(super) headers: HeaderMap,
    /// Its body.
    pub(super) body: String,
}

impl Answer {
    /// What it means for a request about these native keys.
    pub(super) fn verdict(&self, natives: &[&str]) -> Verdict {
        let said = || format!("{}: {}", self.status.as_u16(), excerpt(&self.body));
        match self.status.as_u16() {
            200 | 201 | 202 | 207 => self.accepted(natives),
            401 => Verdict::Renew,
            429 => Verdict::Wait(pace::asked(&self.headers, &self.body)),
            409 if self.is_limit() => Verdict::Wait(pace::asked(&self.headers, &self.body)),
            400 | 413 | 422 => Verdict::Halve(said()),
            403 => Verdict::Stop(format!(
                "the user may not send assets ({}); check its API access, and the modules CSAM and ETM of the subscription",
                said()
            )),
            404 => Verdict::Stop(format!(
                "there is no such connector or interface ({}); check the connector's UUID and the platform",
                said()
            )),
            408 | 409 | 425 | 500..=599 => Verdict::Again(said()),
            _ => Verdict::Stop(format!(
                "an answer that the interface does not have ({}); check the gateway's URL",
                said()
            )),
        }
    }

    /// True if a 409 speaks of limits: by a header, or by one of the two codes.
    fn is_limit(&self) -> bool {
        pace::speaks_of_limits(&self.headers) || self.body.contains("1960") || self.body.contains("1965")
    }

    fn accepted(&self, natives: &[&str]) -> Verdict {
        let Ok(Value::Object(body)) = serde_json::from_str(&self.body) else {
            // A proxy's page: nobody took anything.
            return Verdict::Again(format!("{} without JSON: {}", self.status.as_u16(), excerpt(&self.body)));
        };
        let errors = body.get("assetsError").unwrap_or(&Value::Null);
        let code = body.get("responseCode").and_then(Value::as_str);
        if code
            .is_some_and(|code| code != "SUCCESSFULLY_PUBLISHED" && self.status != StatusCode::MULTI_STATUS)
            || (code.is_none() && !body.contains_key("assetsError"))
        {
            return Verdict::Again(format!("{}: {}", self.status.as_u16(), excerpt(&self.body)));
        }
        let mut refused = Vec::new();
        collect(errors, natives, &mut refused);
        if refused.is_empty() && !is_empty(errors) {
            // Somebody was refused and we cannot tell who: one by one we can.
            return match natives {
                [one] => Verdict::Accepted(vec![((*one).to_owned(), excerpt(&errors.to_string()))]),
                _ => Verdict::Halve(excerpt(&errors.to_string())),
            };
        }
        Verdict::Accepted(refused)
    }
}

/// Finds refused assets in whatever form they are named: by key, or as objects with `sourceNativeKey`.
fn collect(errors: &Value, natives: &[&str], refused: &mut Vec<(String, String)>) {
    match errors {
        Value::Array(items) => items.iter().for_each(|item| collect(item, natives, refused)),
        Value::Object(fields) => {
            let named = fields.get("sourceNativeKey").and_then(Value::as_str);
            if let Some(named) = named.filter(|named| natives.contains(named)) {
                return refused.push((named.to_owned(), excerpt(&errors.to_string())));
            }
            for (key, value) in fields {
                if natives.contains(&key.as_str()) {
                    refused.push((key.clone(), excerpt(&value.to_string())));
                } else {
                    collect(value, natives, refused);
                }
            }
        }
        _ => {}
    }
}

fn is_empty(errors: &Value) -> bool {
    match errors {
        Value::Null => true,
        Value::Object(fields) => fields.values().all(is_empty),
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

/// As much of an answer as a log line or a mark holds, on one line.
pub(super) fn excerpt(text: &str) -> String {
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut short: String = clean.take(500).collect();
    if short.len() < text.len() && text.chars().nth(500).is_some() {
        short.push('…');
    }
    short.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Verdict {
        let headers =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let answer = Answer { status: StatusCode::from_u16(status).unwrap(), headers, body: body.to_owned() };
        answer.verdict(&["arn:a", "arn:b"])
    }

    const TAKEN: &str = r#"{"message":"ok","responseCode":"SUCCESSFULLY_PUBLISHED","assetsError":{}}"#;

    #[test]
    fn only_json_that_says_so_is_taken_as_delivered() {
        assert_eq!(verdict(200, &[], TAKEN), Verdict::Accepted(vec![]));
        for body in
            ["<html>welcome</html>", "", "{\"responseCode\":", "[]", "{}", r#"{"responseCode":"FAILED"}"#]
        {
            assert!(matches!(verdict(200, &[], body), Verdict::Again(_)), "{body}");
        }
    }

    #[test]
    fn a_refused_asset_is_found_in_every_form_that_clients_have_seen() {
        for errors in [
            r#"{"arn:b":"bad"}"#,
            r#"{"failed":[{"sourceNativeKey":"arn:b","message":"bad"}]}"#,
            r#"{"errors":[{"sourceNativeKey":"arn:b","message":"bad"}]}"#,
            r#"{"rejected":{"arn:b":{"message":"bad"}}}"#,
            r#"[{"sourceNativeKey":"arn:b","message":"bad"}]"#,
        ] {
            for status in [200, 207] {
                let body = format!(r#"{{"responseCode":"SUCCESSFULLY_PUBLISHED","assetsError":{errors}}}"#);
                let Verdict::Accepted(refused) = verdict(status, &[], &body) else { panic!("{errors}") };
                assert!(
                    matches!(&refused[..], [(key, text)] if key == "arn:b" && text.contains("bad")),
                    "{errors}"
                );
            }
        }
    }

    #[test]
    fn a_refusal_that_names_nobody_is_halved_until_it_must_be_that_one() {
        let body = r#"{"responseCode":"SUCCESSFULLY_PUBLISHED","assetsError":{"failed":["one of them"]}}"#;
        assert!(matches!(verdict(207, &[], body), Verdict::Halve(_)));
        let answer = Answer { status: StatusCode::OK, headers: HeaderMap::new(), body: body.to_owned() };
        assert!(matches!(answer.verdict(&["arn:a"]), Verdict::Accepted(refused) if refused.len() == 1));
    }

    #[test]
    fn a_conflict_is_a_limit_only_if_it_says_so() {
        let wait = |seconds| Verdict::Wait(Duration::from_secs(seconds));
        assert_eq!(verdict(409, &[("x-ratelimit-towait-sec", "7")], ""), wait(7));
        assert_eq!(verdict(409, &[], "<CODE>1965</CODE>"), wait(60));
        assert_eq!(verdict(409, &[], "<CODE>1960</CODE>"), wait(10));
        assert_eq!(verdict(429, &[], ""), wait(60));
        assert!(matches!(verdict(409, &[], "conflict"), Verdict::Again(_)));
    }
}
