//! Where the server is: a connection URL, with the meaning that `sslmode` has here.

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use super::super::StoreError;
use super::PostgresOptions;

/// A parsed URL.
pub(super) struct Address(Config);

impl Address {
    /// Reads a URL. Without `sslmode`, a server on the network must prove who it is.
    pub(super) fn parse(url: &str) -> Result<Self, StoreError> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(invalid("it begins with neither postgres:// nor postgresql://"));
        }
        let (rest, mode) = take_mode(url);
        let mut config: Config =
            rest.parse().map_err(|error: tokio_postgres::Error| invalid(&super::failure::describe(&error)))?;
        config.ssl_mode(ssl_mode(mode.as_deref(), &config)?);
        if config.get_target_session_attrs() == TargetSessionAttrs::Any {
            // Of several servers, the one that takes writes: reads must see what was answered.
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        Ok(Self(config))
    }

    /// What the driver is given.
    pub(super) fn config(self, options: &PostgresOptions) -> Config {
        let mut config = self.0;
        config.connect_timeout(options.connect_timeout);
        config.tcp_user_timeout(options.statement_timeout);
        config.keepalives_idle(options.statement_timeout);
        config.application_name(options.application_name.clone());
        config
    }
}

/// The URL without `sslmode`, whose stricter values the driver does not know, and its value.
fn take_mode(url: &str) -> (String, Option<String>) {
    let Some((base, query)) = url.split_once('?') else { return (url.to_owned(), None) };
    let (modes, others): (Vec<&str>, Vec<&str>) = query.split('&').partition(|pair| pair.starts_with("sslmode="));
    let mode = modes.last().map(|pair| pair.trim_start_matches("sslmode=").to_owned());
    (if others.is_empty() { base.to_owned() } else { format!("{base}?{}", others.join("&")) }, mode)
}

fn ssl_mode(mode: Option<&str>, config: &Config) -> Result<SslMode, StoreError> {
    let is_local = !config.get_hosts().is_empty() && config.get_hosts().iter().all(is_socket);
    match mode {
        // Nobody but the machine's own root reads a Unix socket, and PostgreSQL has no TLS there.
        _ if is_local => Ok(SslMode::Disable),
        Some("disable") => Ok(SslMode::Disable),
        Some("require" | "verify-full") | None => Ok(SslMode::Require),
        Some(other) => Err(invalid(&format!("sslmode={other}; there are disable, require and verify-full"))),
    }
}

fn is_socket(host: &Host) -> bool {
    match host {
        Host::Tcp(_) => false,
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

fn invalid(reason: &str) -> StoreError {
    // The URL itself holds the password.
    StoreError::Invalid { reason: format!("the database's URL: {reason}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> Option<SslMode> {
        Address::parse(url).ok().map(|address| address.0.get_ssl_mode())
    }

    #[test]
    fn a_server_on_the_network_proves_who_it_is_unless_told_otherwise() {
        for (url, expected) in [
            ("postgres://db.example.com/pki", Some(SslMode::Require)),
            ("postgresql://db/pki?sslmode=require&keepalives=1", Some(SslMode::Require)),
            ("postgres://db/pki?sslmode=verify-full", Some(SslMode::Require)),
            ("postgres://db/pki?connect_timeout=3&sslmode=disable", Some(SslMode::Disable)),
            ("postgres://u@%2Frun%2Fpostgresql/pki", Some(SslMode::Disable)),
            ("postgres:///pki?host=/run/postgresql", Some(SslMode::Disable)),
            ("postgres://db/pki?sslmode=prefer", None),
            ("postgres://db/pki?sslmode=verify-ca", None),
            ("host=db dbname=pki", None),
            ("mysql://db/pki", None),
        ] {
            assert_eq!(mode(url), expected, "{url}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        let error = Address::parse("postgres://u:secret@db:notaport/pki").err().map(|error| error.to_string());
        assert!(error.is_some_and(|error| !error.contains("secret")));
    }
}
