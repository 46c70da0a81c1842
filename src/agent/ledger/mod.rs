// SPDX-License-Identifier: Apache-2.0
//! The agent's memory across crashes.
