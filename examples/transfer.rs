//! Backup and move: an SQLite file to JSON Lines, JSON Lines to an SQLite file, or one SQLite file to another.
//!
//! `cargo run --release --example transfer --features sqlite -- --from chancery.db --to backup.jsonl`

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chancery::clock::SystemClock;
use chancery::engine::transfer::{Check, Export, Import, Progress, Summary};
use chancery::store::sqlite::SqliteStore;
use indicatif::{ProgressBar, ProgressStyle};

const USAGE: &str = "usage: transfer --from FILE --to FILE

  --from FILE   what is moved: JSON Lines if it ends in .jsonl, an SQLite file otherwise
  --to FILE     where to: the same. What was interrupted goes on when it is run again";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [from_flag, from, to_flag, to] = words.as_slice() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    if (from_flag.as_str(), to_flag.as_str()) != ("--from", "--to") {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    }
    match transfer(&PathBuf::from(from), &PathBuf::from(to)).await {
        Ok(Summary { documents, kinds, exact, digest, .. }) => {
            let state = if exact { "the state of one moment" } else { "from several moments, or in several runs" };
            println!("{documents} documents of {} kinds, {state}\n{digest}", kinds.len());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn transfer(from: &Path, to: &Path) -> Result<Summary> {
    if !from.exists() {
        return Err(format!("there is no {}", from.display()).into());
    }
    match (is_stream(from), is_stream(to)) {
        (false, true) => export(from, to).await,
        (true, false) => import(from, to).await,
        (false, false) => pass_on(from, to).await,
        (true, true) => Err("to copy a stream needs no transfer".into()),
    }
}

fn is_stream(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "jsonl")
}

/// Writes the stream, behind what an earlier run wrote of it.
async fn export(from: &Path, to: &Path) -> Result<Summary> {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(to)?;
    let given = read(&mut file)?;
    if given.has_ended() {
        return Ok(given.finish()?);
    }
    file.set_len(given.whole_octets())?;
    file.seek(SeekFrom::End(0))?;
    let store = SqliteStore::open(from)?;
    let mut export = match given.whole_octets() {
        0 => Export::begin(store, &SystemClock).await?,
        _ => Export::resume(store, given).await?,
    };
    let bar = bar();
    while let Some(piece) = export.next().await? {
        file.write_all(&piece)?;
        show(&bar, &export.progress());
    }
    file.sync_all()?;
    bar.finish();
    // What is on the disk is what counts.
    Ok(read(&mut File::open(to)?)?.finish()?)
}

/// What an earlier run wrote, as far as it is whole.
fn read(file: &mut File) -> Result<Check> {
    let mut check = Check::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(check);
        }
        check.push(&buffer[..count])?;
    }
}

async fn import(from: &Path, to: &Path) -> Result<Summary> {
    let (mut file, mut import) = (File::open(from)?, Import::begin(SqliteStore::open(to)?).await?);
    let (bar, mut buffer) = (bar(), vec![0; 1 << 20]);
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        import.push(&buffer[..count]).await?;
        show(&bar, &import.progress());
    }
    bar.finish();
    Ok(import.finish().await?)
}

async fn pass_on(from: &Path, to: &Path) -> Result<Summary> {
    let mut export = Export::begin(SqliteStore::open(from)?, &SystemClock).await?;
    let mut import = Import::begin(SqliteStore::open(to)?).await?;
    let bar = bar();
    while let Some(piece) = export.next().await? {
        import.push(&piece).await?;
        show(&bar, &export.progress());
    }
    bar.finish();
    Ok(import.finish().await?)
}

fn bar() -> ProgressBar {
    let style = "{bar:40} kinds {pos}/{len} {msg} {elapsed}";
    ProgressBar::new(1).with_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn show(bar: &ProgressBar, progress: &Progress) {
    bar.set_length(progress.kinds.1 as u64);
    bar.set_position(progress.kinds.0 as u64);
    bar.set_message(format!("{} documents, {} KiB", progress.documents, progress.octets / 1024));
}
