// SPDX-License-Identifier: Apache-2.0
//! The served volumes of one job, through all of its children.

use std::fs::File;
use std::sync::Arc;

use super::serve::Broker;
use super::spawn::Worker;
use crate::blocks::Fetch;
use crate::target::Bytes;
use crate::{Error, Options, Target};

/// Who brings the blocks, and where they lie.
pub(crate) struct Served {
    pub(crate) broker: Broker,
    /// The caches, read-only, in the order of the volumes.
    pub(crate) files: Vec<File>,
}

impl Served {
    /// A broker for a target with served volumes; `None` for one without.
    ///
    /// # Errors
    /// `Worker` if some volumes are files and others are served, or nobody fetches, or the caches cannot be made.
    pub(crate) fn of(
        target: &Target,
        options: &Options,
        fetch: Option<Arc<dyn Fetch>>,
    ) -> Result<Option<Served>, Error> {
        let Target::Disks(volumes) = target else { return Ok(None) };
        let lens = volumes.iter().filter_map(|volume| match volume.bytes {
            Bytes::Served { len, .. } => Some(len),
            Bytes::File(_) => None,
        });
        let lens: Vec<u64> = lens.collect();
        if lens.is_empty() {
            return Ok(None);
        }
        let failed = |why: String| Error::Worker { doing: "serving blocks", why };
        // A block is named by the number of its volume among all.
        if lens.len() != volumes.len() {
            return Err(failed("some volumes are files and others are not".to_owned()));
        }
        let fetch = fetch.ok_or_else(|| failed("nobody fetches them".to_owned()))?;
        let made = Broker::new(&lens, options.limits.budget, fetch)
            .and_then(|broker| Ok(Served { files: broker.files()?, broker }));
        made.map(Some).map_err(|error| failed(error.to_string()))
    }

    /// Serves a child until it ends.
    ///
    /// # Errors
    /// In words, if it said what it may not; it has been killed then.
    pub(crate) fn serve(&self, worker: &Worker) -> Result<(), String> {
        let socket = worker.blocks.try_clone().map_err(|error| error.to_string());
        let served = socket.and_then(|socket| {
            self.broker.serve(socket).map_err(|lie| format!("it lied about blocks: {}", lie.0))
        });
        if served.is_err() {
            worker.kill();
        }
        served
    }

    /// Refuses all further blocks.
    pub(crate) fn cancel(&self) {
        self.broker.cancel();
    }
}
