//! What the server says of itself: a log on standard error, and metrics in the text format of Prometheus.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::header::CONTENT_TYPE;
use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::Result;
use crate::configuration::Log;

/// Seconds; from an answer out of memory to one that waited for a disk.
const BUCKETS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

pub(crate) fn log(log: Log) {
    let level = match log {
        Log::Error => LevelFilter::ERROR,
        Log::Warn => LevelFilter::WARN,
        Log::Info => LevelFilter::INFO,
        Log::Debug => LevelFilter::DEBUG,
    };
    // That a verb was refused is its caller's to hear; what goes wrong in here is told by others, too.
    let verbs = if level < LevelFilter::DEBUG { LevelFilter::OFF } else { level };
    let wanted = Targets::new().with_default(level).with_target("chancery::engine::session", verbs);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    tracing_subscriber::registry().with(lines.with_filter(wanted)).init();
}

/// Records from here on.
pub(crate) fn metrics() -> Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new().set_buckets(&BUCKETS)?.install_recorder()?;
    describe_counter!("chancery_api_requests_total", "Requests to the JSON API, by endpoint, method and status");
    describe_histogram!("chancery_api_request_seconds", "How long requests to the JSON API took, by endpoint");
    describe_counter!("chancery_api_rate_limited_total", "Requests to the JSON API that came too often");
    describe_counter!("chancery_status_requests_total", "Requests for CRLs, OCSP and issuers' certificates");
    describe_histogram!("chancery_status_request_seconds", "How long requests for certificate status took");
    describe_counter!("chancery_verbs_total", "What was asked of the engine, by verb and outcome");
    describe_counter!("chancery_due_items_total", "Items of due work that were done");
    describe_gauge!("chancery_ready", "Whether the store answered when it was last looked at");
    Ok(handle)
}

/// Without it, what is recorded would be kept until somebody asks for it.
pub(crate) async fn upkeep(handle: PrometheusHandle) {
    loop {
        tokio::time::sleep(Duration::from_secs(5)).await;
        handle.run_upkeep();
    }
}

pub(crate) fn router(handle: PrometheusHandle) -> Router {
    let render = move || async move { ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], handle.render()) };
    Router::new().route("/metrics", get(render))
}
