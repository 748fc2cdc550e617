//! How many connections a listener has at once, and how long one waits for who does not read.

use std::future::{Ready, ready};
use std::io;
use std::num::NonZeroU16;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::middleware::AddExtension;
use axum_server::accept::Accept;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;
use tower::Layer;

/// Takes so many connections at once; one more is closed at once.
#[derive(Clone, Debug)]
pub(crate) struct Bounded {
    free: Arc<Semaphore>,
    send_timeout: Duration,
}

/// One of the connections that there may be. The connection's service holds it, and each request under way.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    _permit: Arc<OwnedSemaphorePermit>,
}

impl Bounded {
    pub(crate) fn new(most: NonZeroU16, send_timeout: Duration) -> Self {
        Self { free: Arc::new(Semaphore::new(usize::from(most.get()))), send_timeout }
    }
}

impl<S> Accept<TcpStream, S> for Bounded {
    type Stream = Pin<Box<TimeoutStream<TcpStream>>>;
    type Service = AddExtension<S, Taken>;
    type Future = Ready<io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() else {
            metrics::counter!("chancery_server_connections_refused_total").increment(1);
            return ready(Err(io::Error::other("there are as many connections as there may be")));
        };
        let is_prompt = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.send_timeout));
        let service = Extension(Taken { _permit: Arc::new(permit) }).layer(service);
        ready(is_prompt.and(Ok((Box::pin(stream), service))))
    }
}
