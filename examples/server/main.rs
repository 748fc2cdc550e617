//! A complete server on one SQLite file: the JSON API and the console over TLS whose certificate it issues itself, CRLs and OCSP, health and
//! metrics; declared in one TOML file.
//!
//! `cargo run --release --example server --features server -- --config examples/chancery.toml`

mod acme;
mod applications;
mod apply;
mod beside;
mod check;
mod configuration;
mod connections;
mod data;
mod fault;
mod listeners;
mod observe;
mod office;
mod tls;
mod token;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use configuration::Configuration;
use data::Data;
use fault::Fault;
use listeners::{Bound, STATUS, Serving};
use office::Office;
use token::Wanted;

const USAGE: &str = "usage: server --config FILE [--check] [--new-token]

  --config FILE  what is declared; see examples/chancery.toml
  --check        says whether the file can be meant, and does nothing
  --new-token    shows another token of the first administrator's, as the first start did";

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Debug)]
struct Arguments {
    config: PathBuf,
    token: Wanted,
    does: Does,
}

#[derive(Debug, PartialEq, Eq)]
enum Does {
    Check,
    Serve,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match read_arguments(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("{error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn read_arguments(mut given: impl Iterator<Item = String>) -> Result<Arguments> {
    let (mut config, mut token, mut does) = (None, Wanted::Once, Does::Serve);
    while let Some(flag) = given.next() {
        match flag.as_str() {
            "--config" => config = Some(PathBuf::from(given.next().ok_or("--config needs a value")?)),
            "--new-token" => token = Wanted::Now,
            "--check" => does = Does::Check,
            unknown => return Err(format!("unknown argument {unknown}").into()),
        }
    }
    Ok(Arguments { config: config.ok_or("--config is needed")?, token, does })
}

async fn run(arguments: &Arguments) -> Result<()> {
    let file = &arguments.config;
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let configuration = configuration::read(file, &text)?;
    if arguments.does == Does::Check {
        return Ok(());
    }
    observe::log(configuration.log);
    let metrics = observe::metrics()?;
    let bound = Bound::take(&configuration.listen)?;
    let mut stop = Stop::new()?;
    let data = Data::open(&configuration.data)?;
    let office = Office::open(&configuration, &data).await?;
    let changes =
        bring_in_line(&office, &configuration, &data).await.map_err(|faults| fault::told(file, &text, &faults))?;
    changes.iter().for_each(|change| tracing::info!("{change}"));
    let acme = acme::front(&office.engine, &configuration, bound.service.address)?;
    let directories = acme::directories(&office, acme.as_ref(), &configuration).await?;
    let ready = ready(&bound, &configuration, &data, (&changes, &directories));

    let mut serving = Serving::new(&configuration.listen);
    let (engine, listen) = (&office.engine, &configuration.listen);
    serving.serve(bound.service, listeners::service(engine, &configuration, acme), listen, office.listener.config())?;
    serving.serve(bound.status, listeners::status(engine), listen, None)?;
    serving.serve(bound.operations, listeners::operations(engine, metrics.clone()), listen, None)?;
    let upkeep = tokio::spawn(observe::upkeep(metrics));
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let worker = engine.worker(tokio::time::sleep).longest_pause(Duration::from_secs(5));
    let worker = tokio::spawn(worker.run(async { drop(ended.await) }));

    token::show(engine, &configuration, &data, arguments.token).await?;
    say(&ready);
    stop.told().await;
    tracing::info!("draining");
    drop(end);
    serving.drain().await?;
    worker.await?;
    upkeep.abort();
    Ok(())
}

/// What is declared, and the server's own certificate.
async fn bring_in_line(
    office: &Office,
    configuration: &Configuration,
    data: &Data,
) -> std::result::Result<Vec<String>, Vec<Fault>> {
    let mut changes = apply::apply(office, configuration).await?;
    if let Some(tls) = &configuration.tls {
        changes.extend(tls::certify(office, tls, configuration, data).await?);
    }
    Ok(changes)
}

fn ready(
    bound: &Bound,
    configuration: &Configuration,
    data: &Data,
    (changes, directories): (&[String], &BTreeMap<String, String>),
) -> Value {
    let scheme = if configuration.tls.is_some() { "https" } else { "http" };
    let service = format!("{scheme}://{}", bound.service.address);
    json!({
        "event": "ready",
        "service": service,
        "api": format!("{service}{}", chancery::front::api::PREFIX),
        "console": format!("{service}{}", chancery::front::console::PREFIX),
        "status": format!("http://{}{STATUS}", bound.status.address),
        "operations": format!("http://{}", bound.operations.address),
        "root": configuration.tls.is_some().then(|| path_text(&data.root())),
        "data": path_text(data.path()),
        "acme": directories,
        "changes": changes,
    })
}

fn path_text(path: &Path) -> String {
    path.display().to_string()
}

/// One line of JSON on standard output. Who started the server may have stopped listening.
fn say(line: &Value) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// SIGTERM and SIGINT.
struct Stop {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Stop {
    fn new() -> Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn told(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
