//! Waiting for several futures at once, without a runtime: none holds up the others.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// The outputs of all futures, in their order. Each is polled whenever one of them wakes the task: meant for few.
pub(in crate::engine) async fn together<F: Future>(futures: Vec<F>) -> Vec<F::Output>
where
    F::Output: Unpin,
{
    let mut running: Vec<(Pin<Box<F>>, Option<F::Output>)> =
        futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    poll_fn(|context| {
        let mut is_done = true;
        for (future, output) in running.iter_mut().filter(|(_, output)| output.is_none()) {
            match future.as_mut().poll(context) {
                Poll::Ready(ready) => *output = Some(ready),
                Poll::Pending => is_done = false,
            }
        }
        if is_done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    running.into_iter().filter_map(|(_, output)| output).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn all_at_once_and_in_their_order() {
        let begun = tokio::time::Instant::now();
        let slow = [30_u64, 10, 20].map(|ms| async move {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            ms
        });
        assert_eq!(together(slow.into_iter().collect()).await, [30, 10, 20]);
        assert!(begun.elapsed() < Duration::from_millis(55));
        assert_eq!(together(Vec::<std::future::Ready<u8>>::new()).await, []);
    }
}
