//! Three listeners: the service over TLS, certificate status, and operations; each with its bounds, stopped together.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use chancery::domain::Span;
use chancery::engine::Engine;
use chancery::front::acme::Acme;
use chancery::front::api::{self, Api};
use chancery::front::console::{self, ClientAddress, Console, Transport};
use chancery::front::status::Status;
use chancery::front::{BearerTokens, Health, Limits, Rate};
use http::StatusCode;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::task::JoinSet;

use crate::acme::ACME;
use crate::configuration::{Configuration, Listen, Rates};
use crate::connections::Bounded;
use crate::{Result, observe};

/// Where certificate status is served below its listener.
pub(crate) const STATUS: &str = "/pki";

/// What people and programs talk to. A further front is one line here.
pub(crate) fn service(engine: &Engine, configuration: &Configuration, acme: Option<Acme>) -> Router {
    let limits = limits(&configuration.limits);
    let api = Api::new(engine, BearerTokens::of(engine)).limits(limits);
    let transport = if configuration.tls.is_some() { Transport::Tls } else { Transport::LoopbackHttp };
    let console = Console::new(engine).transport(transport).limits(Limits { page: 50, ..limits });
    let console = console.router().layer(from_fn(addressed));
    let router = Router::new().nest(api::PREFIX, api.router()).nest(console::PREFIX, console);
    acme.into_iter().fold(router, |router, acme| router.nest(ACME, acme.router()))
}

/// Tells the console where a request came from: attempts to sign in are counted for each address.
async fn addressed(ConnectInfo(address): ConnectInfo<SocketAddr>, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(ClientAddress(address.ip()));
    next.run(request).await
}

/// What relying parties ask for.
pub(crate) fn status(engine: &Engine) -> Router {
    Router::new().nest(STATUS, Status::new(engine).router())
}

/// What operators ask for.
pub(crate) fn operations(engine: &Engine, metrics: PrometheusHandle) -> Router {
    Health::new(engine, tokio::time::sleep).router().merge(observe::router(metrics))
}

/// 0 is no bound; a quarter of a minute's share may come at once.
pub(crate) fn rate(per_minute: u32) -> Rate {
    match per_minute {
        0 => Rate::UNBOUNDED,
        per_minute => Rate { per_minute, burst: (per_minute / 4).max(1) },
    }
}

fn limits(rates: &Rates) -> Limits {
    Limits { reads: rate(rates.reads_per_minute), writes: rate(rates.writes_per_minute), ..Limits::default() }
}

/// Listeners that hold their addresses, and serve once they are told what.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) service: Socket,
    pub(crate) status: Socket,
    pub(crate) operations: Socket,
}

/// A listener with its address.
#[derive(Debug)]
pub(crate) struct Socket {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
}

impl Bound {
    /// Takes the addresses before anything is changed: a second server on them ends here.
    pub(crate) fn take(listen: &Listen) -> Result<Self> {
        let [service, status, operations] =
            [("service", listen.service), ("status", listen.status), ("operations", listen.operations)].map(bind);
        Ok(Self { service: service?, status: status?, operations: operations? })
    }
}

fn bind((field, address): (&str, SocketAddr)) -> Result<Socket> {
    let listener = TcpListener::bind(address).map_err(|error| format!("listen.{field}: {address}: {error}"))?;
    let address = listener.local_addr()?;
    Ok(Socket { listener, address })
}

/// Everything that is served.
#[derive(Debug)]
pub(crate) struct Serving {
    handle: Handle<SocketAddr>,
    tasks: JoinSet<std::io::Result<()>>,
    drain: Duration,
}

impl Serving {
    pub(crate) fn new(listen: &Listen) -> Self {
        Self { handle: Handle::new(), tasks: JoinSet::new(), drain: length(listen.drain_timeout) }
    }

    /// Serves a router on a listener; over TLS if there is a certificate.
    pub(crate) fn serve(
        &mut self,
        socket: Socket,
        router: Router,
        listen: &Listen,
        tls: Option<RustlsConfig>,
    ) -> Result<()> {
        let most = length(listen.request_timeout);
        let router = router.layer(from_fn(move |request, next| bounded(most, request, next)));
        let head = length(listen.head_timeout);
        let mut server =
            axum_server::from_tcp(socket.listener)?.handle(self.handle.clone()).first_request_timeout(head);
        server.http_builder().http1().header_read_timeout(head).max_headers(100);
        server.http_builder().http2().max_concurrent_streams(100).keep_alive_interval(head).keep_alive_timeout(head);
        let bounded = Bounded::new(listen.connections, length(listen.send_timeout));
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        match tls {
            Some(config) => {
                let tls = RustlsAcceptor::new(config).handshake_timeout(head).acceptor(bounded);
                self.tasks.spawn(server.acceptor(tls).serve(service));
            }
            None => drop(self.tasks.spawn(server.acceptor(bounded).serve(service))),
        }
        Ok(())
    }

    /// Accepts nothing more, and waits for what is under way; not for ever.
    pub(crate) async fn drain(mut self) -> Result<()> {
        self.handle.graceful_shutdown(Some(self.drain));
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        Ok(())
    }
}

fn length(span: Span) -> Duration {
    Duration::from_secs(span.as_seconds())
}

/// A request that does not end in time is dropped: a verb has then happened entirely, or not at all.
async fn bounded(most: Duration, request: Request, next: Next) -> Response {
    match tokio::time::timeout(most, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            (StatusCode::REQUEST_TIMEOUT, [("connection", "close")], "the request took too long\n").into_response()
        }
    }
}
