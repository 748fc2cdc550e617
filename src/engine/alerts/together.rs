//! Waiting for several futures at once, without a runtime: none holds up the others.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// A future, and its output once it has one.
type Running<F> = (Pin<Box<F>>, Option<<F as Future>::Output>);

/// The outputs of all futures, in their order. Each is polled whenever one of them wakes the task: meant for few.
pub(in crate::engine) async fn together<F: Future>(futures: Vec<F>) -> Vec<F::Output>
where
    F::Output: Unpin,
{
    let mut running: Vec<Running<F>> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
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
    use super::*;

    #[tokio::test]
    async fn all_at_once_and_in_their_order() {
        // One after another, the first would wait for ever.
        let barrier = tokio::sync::Barrier::new(3);
        let waits = [1, 2, 3].map(|number| {
            let barrier = &barrier;
            async move {
                barrier.wait().await;
                number
            }
        });
        assert_eq!(together(waits.into_iter().collect()).await, vec![1, 2, 3]);
        assert!(together(Vec::<std::future::Ready<u8>>::new()).await.is_empty());
    }
}
