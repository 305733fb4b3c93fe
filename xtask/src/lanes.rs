//! Two pieces of work at the same time.

use std::thread;

use anyhow::{Result, anyhow};

/// Does both to their ends; the first error of the two is the answer.
pub(crate) fn beside(
    one: impl FnOnce() -> Result<()> + Send,
    other: impl FnOnce() -> Result<()>,
) -> Result<()> {
    thread::scope(|scope| {
        let beside = scope.spawn(one);
        let here = other();
        beside.join().map_err(|_| anyhow!("a thread panicked"))?.and(here)
    })
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::beside;

    #[test]
    fn both_are_done() -> anyhow::Result<()> {
        let (mut one, mut other) = (0, 0);
        beside(
            || {
                one += 1;
                Ok(())
            },
            || {
                other += 1;
                Ok(())
            },
        )?;
        assert_eq!((one, other), (1, 1));
        Ok(())
    }

    #[test]
    fn the_one_that_fails_is_the_answer() {
        for (one, other) in [(true, false), (false, true)] {
            let work = |fails: bool| if fails { bail!("no tool") } else { Ok(()) };
            let error = beside(|| work(one), || work(other)).err().map(|error| error.to_string());
            assert_eq!(error.as_deref(), Some("no tool"));
        }
    }
}
