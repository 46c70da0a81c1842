// SPDX-License-Identifier: Apache-2.0
//! Rates per signing account, region and action, so that a scanner never uses up what belongs to the customer.
//!
//! [`Paced`] wraps a cloud and lets each call wait until it may be made. It never repeats one.
//!
//! | module | answers |
//! |---|---|
//! | `rates` | which quotas does a call use, and how large are they? |
//! | `bucket` | how much of one quota is left? |
//! | `order` | whose turn is it among the jobs that wait for one action in one account? |
//! | `scheduler` | which of all calls that wait may be made now, and when may the next one? |
//! | `paced` | how does a call wait? |

pub(crate) mod bucket;
mod order;
mod paced;
pub(crate) mod rates;
mod scheduler;
#[cfg(test)]
mod tests;

pub use paced::Paced;
pub use rates::Shares;
