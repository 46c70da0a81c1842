// SPDX-License-Identifier: Apache-2.0
//! What is made is taken away, wherever a process dies and whatever a cloud answers.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// Where a process dies: at the n-th boundary that it passes.
#[derive(Default)]
pub(crate) struct Halt {
    at: Option<usize>,
    passed: Mutex<Vec<String>>,
    died: Notify,
}

impl Halt {
    /// Passes a boundary, or never comes back from it.
    pub(crate) async fn pass(&self, name: &str) {
        let number = {
            let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
            passed.push(name.to_owned());
            passed.len()
        };
        if self.at == Some(number) {
            self.died.notify_one();
            std::future::pending::<()>().await;
        }
    }
}
