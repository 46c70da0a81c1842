// SPDX-License-Identifier: Apache-2.0
//! The words of snapscan: what leaves the program, and nothing that happens inside it.
//!
//! No input, no output, no clock. Everything here is plain data with a JSON form; the JSON Schema is generated from it
//! and committed under `crates/schema/json`.
//!
//! | module | answers |
//! |---|---|
//! | [`report`] | what does a report look like as a whole, and its header? |
//! | [`finding`] | what is a package, a key, a fact? |
//! | [`evidence`] | where was it seen? |
//! | [`coverage`] | what was read, what not, and how do parents follow from children? |
//! | [`job`] | what does a message on the queue say? |
//! | [`disposition`] | how does a job end? |
//! | [`outcome`] | what is handed over when it has ended? |
//! | [`reason`] | which codes are there, what do they mean, what can be done? |
//! | [`purl`] | by which URL do other tools know this package? |
//! | [`text`] | how do bytes that are not UTF-8 get into JSON and back? |
//! | [`time`] | how are instants written? |
#![forbid(unsafe_code)]

pub mod coverage;
pub mod disposition;
pub mod evidence;
pub mod finding;
pub mod job;
pub mod outcome;
pub mod purl;
pub mod reason;
pub mod report;
pub mod text;
pub mod time;

pub use coverage::{Coverage, Level, Note, Status, Weight};
pub use disposition::{Disposition, Fate};
pub use evidence::Evidence;
pub use finding::{Fact, Finding, Package, Value};
pub use job::{JOB_VERSION, Job, JobError, JobLimits, JobReader, JobTarget, Method};
pub use outcome::{Delivery, InstanceFacts, OUTCOME_VERSION, Outcome, Parcel};
pub use reason::Reason;
pub use report::{
    Cost, Header, Kernel, MethodChoice, MethodEstimate, Read, Report, Run, SCHEMA_VERSION, System, Target,
    Tool,
};
pub use text::Text;
pub use time::Time;
