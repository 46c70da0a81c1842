// SPDX-License-Identifier: Apache-2.0
//! Errors of the SDK in the words of `snapscan-cloud`.

use aws_sdk_ebs::error::ProvideErrorMetadata;
use aws_sdk_ebs::operation::get_snapshot_block::GetSnapshotBlockError;
use aws_sdk_ebs::operation::list_snapshot_blocks::ListSnapshotBlocksError;
use aws_sdk_sts::config::http::HttpResponse;
use aws_sdk_sts::error::SdkError;
use snapscan_cloud::{Class, Error};

/// Words of a service that are kept.
const MOST_WORDS: usize = 400;

/// An error of a call to `action`; `changes` says whether the call may have left something behind.
pub(crate) fn error<E: ProvideErrorMetadata>(
    action: &str,
    changes: bool,
    error: &SdkError<E, HttpResponse>,
) -> Error {
    match error {
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            answered(action, changes, status, answer.err().code(), answer.err().message())
        }
        SdkError::ResponseError(answer) => {
            let status = answer.raw().status().as_u16();
            answered(action, changes, status, None, Some("the answer could not be understood"))
        }
        SdkError::TimeoutError(_) => lost(action, changes, "Timeout", "no answer within the time limit"),
        SdkError::DispatchFailure(why) => {
            let said = why.as_connector_error().map(ToString::to_string).unwrap_or_default();
            // Where not even a connection came about nothing was asked.
            let refused = said.contains("connect error") || said.contains("dns error");
            let changes = changes && !refused;
            lost(action, changes, if why.is_timeout() { "Timeout" } else { "ConnectionLost" }, &said)
        }
        other => Error::of(action, "Construction", cut(&other.to_string())),
    }
}

fn lost(action: &str, changes: bool, code: &str, said: &str) -> Error {
    if changes {
        Error::of(action, code, cut(said))
    } else {
        Error { class: Class::Transient, ..Error::of(action, code, cut(said)) }
    }
}

fn answered(action: &str, changes: bool, status: u16, code: Option<&str>, message: Option<&str>) -> Error {
    let fallback = match status {
        429 => "Throttling",
        503 => "Unavailable",
        500..=599 => "InternalError",
        404 => "NotFoundException",
        401 | 403 => "AccessDenied",
        412 => "PreconditionFailed",
        _ => "Unrecognized",
    };
    let code = code.filter(|code| !code.is_empty()).unwrap_or(fallback);
    let mut error = Error::of(action, code, cut(message.unwrap_or_default()));
    // A failure within the service may have come after the effect.
    if changes && error.class == Class::Transient && status == 500 {
        error.class = Class::Unknown;
    }
    error
}

fn cut(said: &str) -> String {
    said.chars().take(MOST_WORDS).collect()
}

/// What an error says, and what it says of its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(one) = cause {
        said.push_str(": ");
        said.push_str(&one.to_string());
        cause = one.source();
    }
    cut(&said)
}

/// An answer that lacks what it must have.
pub(crate) fn missing(action: &str, what: &str) -> Error {
    Error::of(action, "MalformedAnswer", format!("the answer has no {what}"))
}

/// The same as [`error`] with the reason that the EBS service gives beside its code.
pub(crate) trait WithReason: ProvideErrorMetadata {
    /// The reason, such as `INVALID_BLOCK_TOKEN`.
    fn reason(&self) -> Option<String>;
}

macro_rules! with_reason {
    ($error:ident) => {
        impl WithReason for $error {
            fn reason(&self) -> Option<String> {
                match self {
                    Self::ValidationException(e) => e.reason().map(|r| r.as_str().to_owned()),
                    Self::AccessDeniedException(e) => Some(e.reason().as_str().to_owned()),
                    Self::ResourceNotFoundException(e) => e.reason().map(|r| r.as_str().to_owned()),
                    Self::RequestThrottledException(e) => e.reason().map(|r| r.as_str().to_owned()),
                    Self::ServiceQuotaExceededException(e) => e.reason().map(|r| r.as_str().to_owned()),
                    _ => None,
                }
            }
        }
    };
}

with_reason!(GetSnapshotBlockError);
with_reason!(ListSnapshotBlocksError);

/// An error of the EBS service.
pub(crate) fn ebs<E: WithReason>(action: &str, error: &SdkError<E, HttpResponse>) -> Error {
    let plain = self::error(action, false, error);
    let SdkError::ServiceError(answer) = error else { return plain };
    match answer.err().reason() {
        Some(reason) => Error {
            after: plain.after,
            ..Error::of(action, &format!("{}/{reason}", plain.code), plain.message)
        },
        None => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_within_the_service_may_have_come_after_the_effect() {
        let of = |changes, status, code| answered("ec2:CreateSnapshots", changes, status, code, None).class;
        assert_eq!(of(true, 500, Some("InternalError")), Class::Unknown);
        assert_eq!(of(true, 503, Some("Unavailable")), Class::Transient);
        assert_eq!(of(false, 500, None), Class::Transient);
        assert_eq!(of(true, 400, Some("RequestLimitExceeded")), Class::Throttled);
        assert_eq!(lost("ec2:CreateVolume", true, "Timeout", "").class, Class::Unknown);
        assert_eq!(lost("ec2:DescribeVolumes", false, "Timeout", "").class, Class::Transient);
    }
}
