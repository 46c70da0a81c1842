// SPDX-License-Identifier: Apache-2.0
//! The metadata service of an instance, by IMDSv2: a token first, then what is asked with it.
//!
//! One client is kept, and with it its token, which lives for hours. The SDK asks again with the same token when that is
//! refused, so here a refusal costs a new client, which fetches a new one.
//! Source: EC2 User Guide, "How Instance Metadata Service Version 2 works".

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_config::imds::client::error::ImdsError;
use aws_config::imds::client::{Builder, Client};
use snapscan_cloud::Error;

use crate::classify;

/// It is on the same machine: who waits longer for it waits for nobody.
const PATIENCE: Duration = Duration::from_secs(2);

/// The metadata service.
pub(crate) struct Metadata {
    endpoint: Option<String>,
    /// Made at the first question: to make one may read files.
    client: Mutex<Option<Client>>,
}

impl Metadata {
    /// The service at its own address, or where the environment says; or at another endpoint.
    pub(crate) fn new(endpoint: Option<String>) -> Self {
        Self { endpoint, client: Mutex::new(None) }
    }

    /// The text at a path; none where the service has nothing there.
    ///
    /// # Errors
    /// `Unreachable` where no answer came, or one that says nothing.
    pub(crate) async fn get(&self, action: &str, path: &str) -> Result<Option<String>, Error> {
        match self.ask(action, path).await? {
            Err(error) if status(&error) == Some(401) => {
                *self.kept() = None;
                told(action, path, self.ask(action, path).await?)
            }
            answer => told(action, path, answer),
        }
    }

    /// Asks once.
    async fn ask(&self, action: &str, path: &str) -> Result<Result<String, ImdsError>, Error> {
        let client = self.client(action)?;
        Ok(client.get(path).await.map(String::from))
    }

    fn client(&self, action: &str) -> Result<Client, Error> {
        let mut kept = self.kept();
        if let Some(client) = &*kept {
            return Ok(client.clone());
        }
        let builder: Builder = Client::builder()
            .max_attempts(1)
            .connect_timeout(PATIENCE)
            .read_timeout(PATIENCE)
            .operation_attempt_timeout(PATIENCE)
            .operation_timeout(PATIENCE * 2);
        let builder = match &self.endpoint {
            Some(endpoint) => builder.endpoint(endpoint).map_err(|error| {
                Error::of(action, "Construction", format!("the metadata service at {endpoint}: {error}"))
            })?,
            None => builder,
        };
        Ok(kept.insert(builder.build()).clone())
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Option<Client>> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn status(error: &ImdsError) -> Option<u16> {
    match error {
        ImdsError::ErrorResponse(error) => Some(error.response().status().as_u16()),
        _ => None,
    }
}

fn told(action: &str, path: &str, answer: Result<String, ImdsError>) -> Result<Option<String>, Error> {
    match answer {
        Ok(text) => Ok(Some(text)),
        Err(error) if status(&error) == Some(404) => Ok(None),
        Err(error) => {
            let said = classify::chain(&error);
            Err(Error::of(action, "Unreachable", format!("the metadata service at {path}: {said}")))
        }
    }
}

#[cfg(test)]
mod tests;
