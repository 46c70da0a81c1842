// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask crash`: kills the agent at every boundary, and asks the cloud what was left, lost or touched.
//!
//! | module | answers |
//! |---|---|
//! | `world` | what is in the cloud of a round? |
//! | `serve` | how does the agent meet it, and who watches its calls? |
//! | `scanner` | how is the program run and killed? |
//! | `power` | what does a power cut leave? |
//! | `rounds` | what happens in a round? |
//! | `points` | where is it killed? |
//! | `plan` | which rounds are there? |
//! | `random` | which rounds does chance make, and how is one done again? |
//! | `judge` | what came of it? |
//! | `delivery` | where did findings go, and how often? |
//! | `sabotage` | would it be noticed? |

mod delivery;
mod judge;
mod plan;
mod points;
mod power;
mod random;
mod rounds;
mod sabotage;
mod scanner;
mod serve;
#[expect(dead_code, clippy::unwrap_used, reason = "made for tests, which use more of it")]
#[path = "../../../../tests/standin/mod.rs"]
mod standin;
mod world;

pub(crate) use plan::{Arguments, run};
