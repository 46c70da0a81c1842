// SPDX-License-Identifier: Apache-2.0
//! The outbox: S3, with writes that never replace an object.

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::primitives::ByteStream;
use snapscan_cloud::outbox::{DeleteObject, GetObject, ListObjects, Object, Objects, PutObject};
use snapscan_cloud::{Class, Error, Timestamp};

use crate::{Aws, classify};

impl Aws {
    fn s3(&self) -> aws_sdk_s3::Client {
        // A stand-in has one host name for all buckets.
        let config = aws_sdk_s3::config::Builder::from(self.home());
        aws_sdk_s3::Client::from_conf(config.force_path_style(self.settings.endpoint.is_some()).build())
    }

    pub(crate) async fn put_object(&self, request: PutObject) -> Result<bool, Error> {
        let ask = self.s3().put_object().bucket(&self.settings.bucket).key(request.key).if_none_match("*");
        match ask.body(ByteStream::from(request.bytes)).send().await {
            Ok(_) => Ok(true),
            Err(error) => match classify::error("s3:PutObject", true, &error) {
                error if error.code == "PreconditionFailed" => Ok(false),
                error => Err(error),
            },
        }
    }

    pub(crate) async fn get_object(&self, request: GetObject) -> Result<Option<Vec<u8>>, Error> {
        let action = "s3:GetObject";
        let answer = match self.s3().get_object().bucket(&self.settings.bucket).key(request.key).send().await
        {
            Ok(answer) => answer,
            Err(SdkError::ServiceError(error)) if error.err().is_no_such_key() => return Ok(None),
            Err(error) => return Err(classify::error(action, false, &error)),
        };
        let bytes = answer.body.collect().await;
        let bytes = bytes
            .map_err(|error| Error::of(action, "Unreachable", format!("the answer was cut: {error}")))?;
        Ok(Some(bytes.to_vec()))
    }

    pub(crate) async fn list_objects(&self, request: ListObjects) -> Result<Objects, Error> {
        let ask = self.s3().list_objects_v2().bucket(&self.settings.bucket).prefix(request.prefix);
        let ask = ask.max_keys(i32::try_from(request.most.clamp(1, 1_000)).unwrap_or(1_000));
        let answer = ask.set_start_after(request.after).send().await;
        let answer = answer.map_err(|error| classify::error("s3:ListBucket", false, &error))?;
        let object = |object: &aws_sdk_s3::types::Object| {
            Some(Object {
                key: object.key()?.to_owned(),
                size: object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
                stored: Timestamp(object.last_modified().map_or(0, |time| time.secs())),
            })
        };
        Ok(Objects {
            objects: answer.contents().iter().filter_map(object).collect(),
            more: answer.is_truncated().unwrap_or(false),
        })
    }

    pub(crate) async fn delete_object(&self, request: DeleteObject) -> Result<(), Error> {
        let answer = self.s3().delete_object().bucket(&self.settings.bucket).key(request.key).send().await;
        match answer.map_err(|error| classify::error("s3:DeleteObject", false, &error)) {
            Err(error) if error.class == Class::NotFound => Ok(()),
            other => other.map(drop),
        }
    }
}
