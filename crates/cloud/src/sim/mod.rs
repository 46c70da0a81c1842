// SPDX-License-Identifier: Apache-2.0
//! Latency, quotas, late ids, old states and faults around any cloud.
//!
//! [`Sim`] waits by its cloud's clock, so that under paused time hours pass at once. All that it makes up comes from one
//! seed, by action and number of the call, so that what other tasks do meanwhile changes nothing. A [`Plan`] of faults
//! prints as text and is read back from it, so that a failure can be made again.
//!
//! | module | answers |
//! |---|---|
//! | `service` | in which order does a call meet all this? |
//! | `latency` | how long does an action take? |
//! | `quota` | when is a call refused, and with which code? |
//! | `late` | which ids does the cloud not know yet? |
//! | `stale` | which states are older than what was shown before? |
//! | `fault` | which call fails, before or after it took effect? |
//! | `dice` | which number comes next? |

mod dice;
mod fault;
mod late;
mod latency;
mod quota;
mod service;
mod stale;
#[cfg(test)]
mod tests;

pub use dice::Dice;
pub use fault::{Fault, Nth, Plan, When};
pub use latency::Latency;
pub use quota::Quotas;
pub use service::{Settings, Sim};
