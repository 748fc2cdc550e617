//! Our operations against the physical limit or a peer, each pair measured in turn in the same run, on one thread but
//! for the row of many callers.
//!
//! `cargo bench --bench limits --features sqlite` prints one table; with `-- --full`, due work is measured among 1,000,000
//! certificates and not among 100,000, which takes minutes and some gigabytes. What was found while profiling stands in
//! `benches/FINDINGS.md`.

#![allow(clippy::unwrap_used, reason = "a bench that can not go on shall stop")]

mod bench;
mod due;
mod issuing;
mod recorder;
mod status;

use bench::Bench;

fn main() {
    let is_full = std::env::args().any(|word| word == "--full");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    println!("{:<46} {:>15} {:>34} {:>15} {:>7} {:>8}", "what", "ours", "the limit", "", "ratio", "target");
    runtime.block_on(async {
        let memory = Bench::new(chancery::store::MemoryStore::new()).await;
        issuing::against_crypto(&memory).await;
        issuing::against_rcgen(&memory).await;
        issuing::managed(&memory).await;
        issuing::judging();
        due::eligible(&memory).await;
        status::ocsp().await;
        status::crl().await;
        due::among(if is_full { 1_000_000 } else { 100_000 }).await;
    });
    // Callers are many here, and so are the threads that serve them.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(issuing::durable());
}
