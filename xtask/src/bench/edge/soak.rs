//! Charges for a long time at a rate that the edge can bear, and what its process has in memory meanwhile.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Result;

use super::stand::{Load, Stand, Target, Timing};

/// More than ever wait at once, fewer than postrust has for them all at once.
const CLIENTS: u64 = 32;
const GLANCE: Duration = Duration::from_millis(500);

/// How it went.
pub(crate) struct Soak {
    pub(crate) timing: Timing,
    /// KiB, every half second; empty where the machine does not tell.
    pub(crate) memory: Vec<f64>,
}

pub(crate) fn run(stand: &mut Stand, seconds: u64, per_second: f64) -> Result<Soak> {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rates and lengths of a run are small and not negative"
    )]
    let count = (per_second * seconds as f64).ceil() as u64;
    let load = Load { way: "charge", clients: CLIENTS, count, per_second: Some(per_second) };
    let (id, is_over) = (stand.edge_id(), AtomicBool::new(false));
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut memory = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                memory.extend(resident(id));
                thread::sleep(GLANCE);
            }
            memory
        });
        let timing = stand.ask(Target::Edge, load);
        is_over.store(true, Ordering::Relaxed);
        let memory = watcher.join().unwrap_or_default();
        Ok(Soak { timing: timing?, memory })
    })
}

/// What a process has in memory, in KiB (proc(5), `VmRSS`).
fn resident(id: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

impl Soak {
    /// The means of the first and of the last third of the time, in KiB.
    pub(crate) fn thirds(&self) -> Option<(f64, f64)> {
        let third = self.memory.len() / 3;
        let mean = |samples: &[f64]| {
            #[expect(clippy::cast_precision_loss, reason = "there are thousands at most")]
            let count = samples.len() as f64;
            samples.iter().sum::<f64>() / count
        };
        let last = self.memory.len().checked_sub(third)?;
        (third > 0).then(|| (mean(&self.memory[..third]), mean(&self.memory[last..])))
    }
}

#[cfg(test)]
mod tests {
    use super::{Soak, Timing};

    #[test]
    fn the_thirds_are_the_first_and_the_last() {
        let timing =
            Timing { answered: 0, per_second: 0.0, median: 0.0, p99: 0.0, longest: 0.0, processor: None };
        let soak = |memory| Soak { timing, memory };
        assert_eq!(soak(vec![1.0, 3.0, 9.0, 9.0, 9.0, 5.0, 7.0]).thirds(), Some((2.0, 6.0)));
        assert_eq!(soak(vec![1.0, 2.0]).thirds(), None);
    }
}
