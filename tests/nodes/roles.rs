//! What the processes do: work on what is due, or issue as fast as they can. They say it on their standard output.

use std::io::Read;
use std::time::Duration;

use chancery::engine::{Engine, Outcome};

use crate::office::{Office, Orders};

/// How many items a worker takes on at once.
const ITEMS: usize = 50;
/// How often a process tries to open the store.
const ATTEMPTS: usize = 50;
/// How many callers issue at once.
const CALLERS: usize = 8;

/// Plays a role until the process is killed.
pub(crate) fn play(role: &str, orders: &str) {
    // Whoever started this holds its standard input: when that ends, so does this.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(1);
    });
    let orders: Orders = serde_json::from_str(orders).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let engine = open(&orders).await;
        match role {
            "worker" => work(&engine).await,
            "issuer" => issue(&engine, &orders.name).await,
            _ => panic!("no role is called {role}"),
        }
    });
}

/// The engine on the store, which others may lock or restart meanwhile.
async fn open(orders: &Orders) -> Engine {
    for _ in 0..ATTEMPTS {
        let opened = match orders.open().await {
            Ok(store) => orders.builder(store, true).build().await,
            Err(error) => Err(error.into()),
        };
        match opened {
            Ok(engine) => return engine,
            Err(error) => println!("error {error}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("the store does not open");
}

/// Does due work, round after round, and says what became of each.
async fn work(engine: &Engine) {
    loop {
        let pause = match engine.run_due(ITEMS).await {
            Ok(report) => {
                let renewed = report.renewed + report.issued;
                println!("end {renewed} {} {}", report.taken_by_others, report.total() - report.sealed);
                if report.done() == 0 { Duration::from_millis(100) } else { Duration::ZERO }
            }
            Err(error) => {
                println!("error {error}");
                Duration::from_millis(200)
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Issues from many callers at once, and says `issued` once the answer is there.
async fn issue(engine: &Engine, name: &str) {
    let office = Office::enter(engine).await;
    let caller = |caller: usize| {
        let office = &office;
        async move {
            for at in 0.. {
                let dns = format!("host-{name}-{caller}-{at}.example.com");
                match office.session.submit(&office.enrollment(at * 5, &dns)).await {
                    Ok(Outcome::Issued(issued)) => println!("issued {}", issued.record.id),
                    other => panic!("not issued: {other:?}"),
                }
            }
        }
    };
    futures_util::future::join_all((0..CALLERS).map(caller)).await;
}
