// SPDX-License-Identifier: Apache-2.0
//! A cloud in another process, behind a Unix socket.

use std::path::Path;
use std::sync::Arc;

use crate::{Answer, Call, Clock, Cloud, Error, Scope, Service};

/// Answers the calls that come in at `socket` from `service`, until the task is dropped.
///
/// # Errors
/// What the system answers about the socket.
pub async fn serve(_socket: &Path, _service: Arc<dyn Service>, _clock: Clock) -> std::io::Result<()> {
    todo!()
}

/// The client's half.
pub struct Remote {}

impl Remote {
    /// Connects; the answer carries the clock of the cloud.
    ///
    /// # Errors
    /// What the system answers about the socket.
    pub async fn connect(_socket: &Path) -> std::io::Result<Cloud> {
        todo!()
    }
}

#[async_trait::async_trait]
impl Service for Remote {
    async fn call(&self, _scope: &Scope, _call: Call) -> Result<Answer, Error> {
        todo!()
    }
}
