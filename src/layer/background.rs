use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

/// Something that is done even if nobody waits for it: dropped unfinished, it goes on in a task of its own.
///
/// Outside a Tokio runtime, or in one that shuts down, it is dropped indeed.
pub(super) struct InBackground(Option<Pin<Box<dyn Future<Output = ()> + Send>>>);

impl InBackground {
    pub(super) fn new(future: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(Some(Box::pin(future)))
    }
}

impl Future for InBackground {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(future) = &mut self.0 else { return Poll::Ready(()) };
        ready!(future.as_mut().poll(cx));
        self.0 = None;
        Poll::Ready(())
    }
}

impl Drop for InBackground {
    fn drop(&mut self) {
        if let (Some(future), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(future);
        }
    }
}

/// Has a store do something that nobody waits for: at once if it can, and then this is its answer; otherwise in the background.
pub(super) fn without_waiting<F: Future + Unpin + Send + 'static>(mut asked: F) -> Option<F::Output> {
    match poll_once(&mut asked) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => {
            drop(InBackground::new(async move { drop(asked.await) }));
            None
        }
    }
}

/// Polls without a waker: stores in memory answer at once.
pub(super) fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}
