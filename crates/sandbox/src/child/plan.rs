// SPDX-License-Identifier: Apache-2.0
//! The plain values that reach a worker: its arguments, since its environment is empty.

use std::ffi::OsString;

use crate::policy::Name;

/// The name, in place of the program's, by which a process knows that it is a worker.
pub(crate) const WORKER: &str = "snapscan-worker";

/// What a worker is told before it reads anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The parent's process number, to see whether it still lives.
    pub(crate) parent: u32,
    /// Threads of the pool.
    pub(crate) threads: usize,
    /// Bytes of memory.
    pub(crate) memory: u64,
    /// Seconds of processor time.
    pub(crate) cpu: u64,
    /// True if a folder was handed over.
    pub(crate) directory: bool,
    /// Barriers that are left out, a bit each: for tests that show what holds without them.
    pub(crate) without: u32,
}

impl Plan {
    /// As arguments.
    pub(crate) fn args(&self) -> [String; 6] {
        [
            self.parent.to_string(),
            self.threads.to_string(),
            self.memory.to_string(),
            self.cpu.to_string(),
            u8::from(self.directory).to_string(),
            self.without.to_string(),
        ]
    }

    /// From arguments, without the program's name; `None` if they are not those of a worker.
    pub(crate) fn parse(args: impl Iterator<Item = OsString>) -> Option<Plan> {
        let args: Vec<String> = args.map(OsString::into_string).collect::<Result<_, _>>().ok()?;
        let [parent, threads, memory, cpu, directory, without] = args.as_slice() else { return None };
        Some(Plan {
            parent: parent.parse().ok()?,
            threads: threads.parse().ok()?,
            memory: memory.parse().ok()?,
            cpu: cpu.parse().ok()?,
            directory: directory.parse::<u8>().ok()? == 1,
            without: without.parse().ok()?,
        })
    }
}

/// The bits for [`Plan::without`].
pub(crate) fn leaving_out(names: &[Name]) -> u32 {
    names.iter().fold(0, |bits, name| bits | 1 << *name as u32)
}

/// True if this barrier is left out.
pub(crate) fn left_out(bits: u32, name: Name) -> bool {
    bits & 1 << name as u32 != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plan_comes_back_from_its_arguments() {
        let without = leaving_out(&[Name::Landlock, Name::SystemCalls]);
        let plan = Plan { parent: 7, threads: 16, memory: 1 << 28, cpu: 60, directory: true, without };
        assert_eq!(Plan::parse(plan.args().into_iter().map(OsString::from)), Some(plan));
        assert!(left_out(without, Name::Landlock) && !left_out(without, Name::Network));
        assert_eq!(Plan::parse(["scan".into()].into_iter()), None);
    }
}
