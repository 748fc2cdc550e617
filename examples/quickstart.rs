//! From nothing to certificates that strangers accept, on one SQLite file.
//!
//! `cargo run --release --example quickstart --features sqlite -- --out out --name api.example.com`

use std::error::Error;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chancery::domain::{
    Actor, Application, ApplicationSpec, Enrollment, IssuerSpec, Methods, Preset, Profile, Slug, Span,
};
use chancery::engine::{CertificateQuery, Engine, Error as EngineError, Issued, Outcome, Root, Session};
use chancery::sealer::AeadSealer;
use chancery::store::sqlite::SqliteStore;
use chancery::x509::{Csr, KeyAlgorithm, MAX_CSR_BYTES};

const USAGE: &str = "usage: quickstart --out DIR [--data FILE] [--csr FILE]... [--name DNS]... [--key-algorithm NAME]

  --out DIR             where certificates and keys are written
  --data FILE           the SQLite file: made if it does not exist, reopened if it does; a temporary one without it
  --csr FILE            a certificate request, PEM or DER, to issue on; may be repeated
  --name DNS            a name to issue a certificate with a managed key for; may be repeated
  --key-algorithm NAME  of managed keys: RSA_2048, RSA_3072, RSA_4096, EC_prime256v1, EC_secp384r1, EC_secp521r1,
                        Ed25519, ML-DSA-44, ML-DSA-65 or ML-DSA-87";

const ROOT_FILE: &str = "root.pem";
/// Most characters of a common name (RFC 5280 appendix A.1).
const MAX_COMMON_NAME: usize = 64;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[derive(Default)]
struct Arguments {
    out: PathBuf,
    data: Option<PathBuf>,
    csrs: Vec<PathBuf>,
    names: Vec<String>,
    key_algorithm: Option<KeyAlgorithm>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = match read_arguments(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("{error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&arguments).await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(refused) => {
            eprintln!("{refused} refused");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn read_arguments(mut given: impl Iterator<Item = String>) -> Result<Arguments> {
    let mut arguments = Arguments::default();
    while let Some(flag) = given.next() {
        let mut value = || given.next().ok_or_else(|| format!("{flag} needs a value"));
        match flag.as_str() {
            "--out" => arguments.out = value()?.into(),
            "--data" => arguments.data = Some(value()?.into()),
            "--csr" => arguments.csrs.push(value()?.into()),
            "--name" => arguments.names.push(value()?),
            "--key-algorithm" => arguments.key_algorithm = Some(value()?.parse()?),
            unknown => return Err(format!("unknown argument {unknown}").into()),
        }
    }
    if arguments.out.as_os_str().is_empty() {
        return Err("--out is needed".into());
    }
    Ok(arguments)
}

/// Does all that was asked; answers how many requests were refused.
async fn run(arguments: &Arguments) -> Result<usize> {
    let scratch = tempfile::tempdir()?;
    let data = arguments.data.clone().unwrap_or_else(|| scratch.path().join("quickstart.db"));
    let is_new = !data.exists();
    let admin = open(&data).await?;
    let (application, profile) = set_up(&admin).await?;
    println!("{} {}", if is_new { "created" } else { "reopened" }, data.display());

    let mut refused = 0;
    for name in &arguments.names {
        let algorithm = arguments.key_algorithm.unwrap_or(KeyAlgorithm::P256);
        let mut enrollment = Enrollment::managed(application.id, profile.id).dns(name);
        // A DNS name may be longer than a common name; relying parties look at the DNS name only.
        if name.chars().count() <= MAX_COMMON_NAME {
            enrollment = enrollment.common_name(name);
        }
        refused += issue(&admin, name, &enrollment.key_algorithm(algorithm), &arguments.out).await?;
    }
    for path in &arguments.csrs {
        let label = path.display().to_string();
        match read_csr(path) {
            Ok(csr) => {
                let enrollment = Enrollment::csr(application.id, profile.id, csr);
                refused += issue(&admin, &label, &enrollment, &arguments.out).await?;
            }
            Err(reasons) => {
                refused += 1;
                println!("\n{label} refused:");
                reasons.iter().for_each(|reason| println!("  - {reason}"));
            }
        }
    }
    show_inventory(&admin).await?;
    Ok(refused)
}

/// A certificate request, or every reason why there is none. Of a file that never ends no more is read than is looked at.
fn read_csr(path: &Path) -> std::result::Result<Csr, Vec<String>> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|error| vec![error.to_string()])?;
    file.take(MAX_CSR_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(|error| vec![error.to_string()])?;
    Csr::parse(&bytes).map_err(|error| error.reasons.iter().map(ToString::to_string).collect())
}

/// Opens the store and the key that seals private keys, which stands beside it.
async fn open(data: &Path) -> Result<Session> {
    let key = sealing_key(&data.with_extension("sealing-key"))?;
    let administrator = Actor::user("quickstart")?;
    let engine = Engine::builder()
        .store(SqliteStore::open(data)?)
        .sealer(AeadSealer::new(&key))
        .administrator(administrator.principal().clone())
        .build()
        .await?;
    Ok(engine.acting_as(administrator))
}

fn sealing_key(path: &Path) -> Result<[u8; 32]> {
    if path.exists() {
        return fs::read(path)?.try_into().map_err(|_| format!("{} is no key of 32 bytes", path.display()).into());
    }
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| error.to_string())?;
    write_private(path, &key)?;
    Ok(key)
}

/// Root, intermediate, policy, profile and Application: made once, found again later.
async fn set_up(admin: &Session) -> Result<(Application, Profile)> {
    let slug = |name: &str| name.parse::<Slug>();
    if let Err(EngineError::NotFound { .. }) = admin.issuer_named(&slug("intermediate")?).await {
        let root = match admin.issuer_named(&slug("root")?).await {
            Ok(root) => root,
            Err(_) => admin.create_root(IssuerSpec::new(slug("root")?, "Quickstart Root")).await?,
        };
        let mut intermediate = IssuerSpec::new(slug("intermediate")?, "Quickstart Intermediate");
        intermediate.path_length = Some(0);
        intermediate.ttl = Span::days(1825);
        admin.create_intermediate(intermediate, root.id).await?;
        println!("made the issuers `root` and `intermediate`");
    }
    admin.save_policy(Preset::TlsServer.policy(slug("tls-server")?)).await?;
    let profile = Preset::TlsServer.profile(slug("tls-server")?, slug("intermediate")?, slug("tls-server")?);
    let profile = admin.save_profile(profile).await?;
    let name = slug("quickstart")?;
    let application = match admin.application_named(&name).await {
        Ok(application) => application,
        Err(_) => {
            let spec = ApplicationSpec::new(name).attach(profile.name.clone(), Methods::api());
            admin.create_application(spec).await?
        }
    };
    Ok((application, profile))
}

async fn issue(admin: &Session, label: &str, enrollment: &Enrollment, out: &Path) -> Result<usize> {
    match admin.submit(enrollment).await? {
        Outcome::Issued(issued) => {
            let folder = write(&issued, out)?;
            println!("issued {label}: serial {}, in {}", issued.record.serial, folder.display());
            for extension in &issued.ignored_extensions {
                println!("  not copied from the request: extension {}", extension.oid);
            }
            Ok(0)
        }
        Outcome::Pending(pending) => {
            println!("{label} waits: {}", pending.id);
            Ok(0)
        }
        Outcome::Refused(refusal) => {
            println!("\n{label} {refusal}");
            Ok(1)
        }
    }
}

fn write(issued: &Issued, out: &Path) -> Result<PathBuf> {
    let name = issued.record.subject.common_name().filter(|name| is_folder_name(name));
    let folder = out.join(name.map_or_else(|| issued.record.serial.to_string(), str::to_owned));
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("cert.pem"), issued.certificate().pem())?;
    fs::write(folder.join("chain.pem"), issued.chain.pem(Root::Exclude))?;
    match &issued.private_key {
        Some(key) => write_private(&folder.join("key.pem"), key.pem().expose())?,
        // A key of an earlier certificate of that name would not fit.
        None => drop(fs::remove_file(folder.join("key.pem"))),
    }
    if let Some(root) = issued.chain.root() {
        fs::write(out.join(ROOT_FILE), root.pem())?;
    }
    Ok(folder)
}

/// Whether a common name, which a stranger may have chosen, names a folder that stays where it is made.
fn is_folder_name(name: &str) -> bool {
    let is_plain = !name.starts_with('.') && !name.contains(['/', '\\', ':', '*']);
    is_plain && (1..=200).contains(&name.len()) && !name.eq_ignore_ascii_case(ROOT_FILE)
}

/// Writes a file that only its owner may read; it never exists with other permissions.
fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    if path.exists() {
        fs::remove_file(path)?;
    }
    options.open(path)?.write_all(bytes)?;
    Ok(())
}

async fn show_inventory(admin: &Session) -> Result<()> {
    println!("\n{:<8} {:<42} {:<20} subject", "status", "serial", "not after");
    let mut page = None;
    loop {
        let found = admin.certificates(&CertificateQuery::default(), page.as_ref()).await?;
        for record in &found.items {
            let status = record.status_at(time::OffsetDateTime::now_utc());
            let not_after = record.validity.not_after().date();
            println!("{:<8} {:<42} {not_after:<20} {}", status.to_string(), record.serial.to_string(), record.subject);
        }
        match found.next {
            Some(next) => page = Some(next),
            None => return Ok(()),
        }
    }
}
