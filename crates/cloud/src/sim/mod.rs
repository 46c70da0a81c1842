// SPDX-License-Identifier: Apache-2.0
//! Latency, quotas, late ids and faults around any cloud.
