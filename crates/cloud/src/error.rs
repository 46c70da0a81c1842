// SPDX-License-Identifier: Apache-2.0
//! What went wrong with a call, classified once.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What an error means for whoever made the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Class {
    /// Too many requests: wait, then the same again.
    Throttled,
    /// A quota is used up: this job waits, others go on.
    Quota,
    /// No such thing, or not yet: proves nothing for a young id.
    NotFound,
    /// Not allowed.
    Denied,
    /// The key cannot be used.
    Key,
    /// The thing is in a state that does not allow this yet.
    State,
    /// It was there already, or a condition did not hold: conditional writes, an attachment that exists.
    Conflict,
    /// The queue has taken the message back.
    LeaseLost,
    /// It failed without effect for now: 5xx, connection refused.
    Transient,
    /// No answer came: whether the call took effect is unknown.
    Unknown,
    /// It will never work like this.
    Permanent,
}

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{action}: {code}: {message}")]
pub struct Error {
    /// What it means.
    pub class: Class,
    /// The call's action, such as `ec2:CreateSnapshots`.
    pub action: String,
    /// The service's own code, such as `InvalidSnapshot.NotFound`; for EBS with its reason, `ValidationException/INVALID_BLOCK_TOKEN`.
    pub code: String,
    /// The service's own words; never a secret.
    pub message: String,
    /// How long to wait at least, where the service said so.
    pub after: Option<Duration>,
}

impl Error {
    /// An error by its code; the class comes from the table.
    pub fn of(action: &str, code: &str, message: impl Into<String>) -> Self {
        Self {
            class: classify(code),
            action: action.to_owned(),
            code: code.to_owned(),
            message: message.into(),
            after: None,
        }
    }
}

/// The class of a code: the one table (AWS: "Error codes for the Amazon EC2 API", EBS direct APIs, SQS, STS, KMS).
pub fn classify(code: &str) -> Class {
    let (code, reason) = code.split_once('/').unwrap_or((code, ""));
    match (code, reason) {
        ("ServiceQuotaExceededException", _) => Class::Quota,
        ("AccessDeniedException", "DEPENDENCY_ACCESS_DENIED") => Class::Key,
        ("ValidationException", "INVALID_CUSTOMER_KEY") => Class::Key,
        ("ValidationException", "INVALID_BLOCK_TOKEN" | "INVALID_PAGE_TOKEN") => Class::State,
        ("ResourceNotFoundException", _) => Class::NotFound,
        _ => classify_plain(code),
    }
}

fn classify_plain(code: &str) -> Class {
    match code {
        "RequestLimitExceeded"
        | "Throttling"
        | "ThrottlingException"
        | "RequestThrottledException"
        | "RequestThrottled"
        | "KmsThrottled"
        | "SnapshotCreationPerVolumeRateExceeded"
        | "SlowDown"
        | "TooManyRequestsException"
        | "ProvisionedThroughputExceededException"
        | "OverLimit" => Class::Throttled,
        "ConcurrentSnapshotLimitExceeded"
        | "PendingSnapshotLimitExceeded"
        | "ResourceLimitExceeded"
        | "AttachmentLimitExceeded"
        | "CardAttachmentLimitExceeded"
        | "VolumeLimitExceeded"
        | "SnapshotLimitExceeded"
        | "CopyVolumesLimitExceeded"
        | "ConcurrentLimitExceededException"
        | "LimitExceededException" => Class::Quota,
        "IncorrectState"
        | "InvalidState"
        | "VolumeInUse"
        | "ConcurrentTagAccess"
        | "InvalidSnapshot.InUse" => Class::State,
        "UnauthorizedOperation"
        | "AccessDenied"
        | "AccessDeniedException"
        | "OperationNotPermitted"
        | "AuthFailure"
        | "InvalidClientTokenId"
        | "RegionDisabledException" => Class::Denied,
        "CustomerKeyHasBeenRevoked"
        | "EncryptedVolumesNotSupported"
        | "KMSInvalidStateException"
        | "DisabledException"
        | "InvalidCustomerKey" => Class::Key,
        "ConditionalCheckFailedException" | "PreconditionFailed" | "ConditionalRequestConflict" => {
            Class::Conflict
        }
        "MessageNotInflight" | "ReceiptHandleIsInvalid" | "InvalidParameterValue.ReceiptHandle" => {
            Class::LeaseLost
        }
        "InternalError"
        | "InternalServerException"
        | "InternalFailure"
        | "ServiceUnavailable"
        | "Unavailable"
        | "InvalidSignatureException"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "Unreachable" => Class::Transient,
        "Timeout" | "ConnectionLost" => Class::Unknown,
        "NoSuchKey" | "NoSuchBucket" => Class::NotFound,
        _ if code.ends_with(".NotFound") || code.ends_with("NotFoundException") => Class::NotFound,
        _ => Class::Permanent,
    }
}
