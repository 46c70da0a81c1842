// SPDX-License-Identifier: Apache-2.0
//! A folder as a cloud: honest, durable, and the default where nothing is configured.

use std::path::Path;

use crate::{Answer, Call, Clock, Error, Scope, Service};

/// A folder as a cloud.
pub struct Local {}

impl Local {
    /// Opens the cloud in `folder`; makes an empty one if there is none.
    ///
    /// # Errors
    /// What the system answers, in words.
    pub fn open(_folder: &Path) -> Result<Self, Error> {
        todo!()
    }

    /// The clock that all processes with this cloud share.
    pub fn clock(&self) -> Clock {
        todo!()
    }
}

#[async_trait::async_trait]
impl Service for Local {
    async fn call(&self, _scope: &Scope, _call: Call) -> Result<Answer, Error> {
        todo!()
    }
}
