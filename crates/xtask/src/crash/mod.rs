// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask crash`: kills the agent at every boundary, and asks the cloud what was left, lost or touched.
//!
//! | module | answers |
//! |---|---|
//! | `world` | what is in the cloud of a round? |
//! | `serve` | how does the agent meet it, and who watches its calls? |
//! | `scanner` | how is the program run, killed, and cut from power? |
//! | `rounds` | what happens in a round? |
//! | `points` | where is it killed? |
//! | `plan` | which rounds are there? |
//! | `judge` | what came of it? |
//! | `sabotage` | would it be noticed? |

mod judge;
mod plan;
mod points;
mod rounds;
mod sabotage;
mod scanner;
mod serve;
mod world;

pub(crate) use plan::{Arguments, run};
