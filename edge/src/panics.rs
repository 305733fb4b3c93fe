//! A panic ends its own request and no other: where the build unwinds, it becomes an error here.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// The work panicked; the panic hook has written where.
pub(crate) struct Panicked;

/// Does the work; it is not polled again after a panic.
pub(crate) async fn caught<F: Future>(work: F) -> Result<F::Output, Panicked> {
    let mut work = pin!(work);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(_) => Poll::Ready(Err(Panicked)),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_and_what_does_not_panic_is_itself() {
        assert!(caught(async { panic!("here") }).await.is_err());
        let after_waiting = async {
            tokio::task::yield_now().await;
            panic!("later")
        };
        assert!(caught(after_waiting).await.is_err());
        assert_eq!(caught(async { 7 }).await.ok(), Some(7));
    }
}
