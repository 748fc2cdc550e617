//! Mail by SMTP.

use std::time::{Duration as StdDuration, SystemTime};

use async_trait::async_trait;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use time::Duration;

use super::{Destination, Message, Notifier, NotifyError};
use crate::sealer::Secret;

/// Which server takes the mail, and how.
#[derive(Debug)]
pub struct SmtpSettings {
    /// The server's name; its certificate must be for it.
    pub host: String,
    /// The port: usually 587 for STARTTLS, 465 for TLS.
    pub port: u16,
    /// How the connection is protected.
    pub security: SmtpSecurity,
    /// User and password, if the server wants them.
    pub credentials: Option<(String, Secret)>,
    /// Who the mail is from: `certs@example.com`.
    pub from: String,
    /// How long each step of the conversation may take.
    pub timeout: Duration,
    /// Root certificates that are trusted beside those of the platform, DER.
    pub extra_roots: Vec<Vec<u8>>,
}

impl SmtpSettings {
    /// STARTTLS on port 587 without credentials, ten seconds for each step.
    pub fn new(host: &str, from: &str) -> Self {
        Self {
            host: host.to_owned(),
            port: 587,
            security: SmtpSecurity::StartTls,
            credentials: None,
            from: from.to_owned(),
            timeout: Duration::seconds(10),
            extra_roots: Vec::new(),
        }
    }
}

/// How a connection to a mail server is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// STARTTLS, which the server must offer (RFC 3207).
    #[default]
    StartTls,
    /// TLS from the first octet (RFC 8314).
    Tls,
    /// Not at all: for a relay on the same machine.
    Plain,
}

/// Settings that no mail can be sent with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no mail can be sent: {reason}")]
pub struct SmtpError {
    /// Why.
    pub reason: String,
}

/// Sends each message as one plain-text mail to all addresses of its channel. The Message-ID is made of the message's id, so
/// that one that is sent again is known. Needs a tokio runtime when it is used.
#[derive(Clone, Debug)]
pub struct SmtpNotifier {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl SmtpNotifier {
    /// A notifier that mails by way of a server. Nothing is sent yet.
    ///
    /// # Errors
    /// A sender that is no address, or a root certificate that can not be read.
    pub fn new(settings: SmtpSettings) -> Result<Self, SmtpError> {
        let address: Address = settings.from.parse().map_err(failed)?;
        let tls = match settings.security {
            SmtpSecurity::Plain => Tls::None,
            SmtpSecurity::StartTls => Tls::Required(tls_parameters(&settings)?),
            SmtpSecurity::Tls => Tls::Wrapper(tls_parameters(&settings)?),
        };
        let timeout = StdDuration::try_from(settings.timeout).ok();
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(settings.host)
            .port(settings.port)
            .tls(tls)
            .timeout(timeout);
        if let Some((user, password)) = settings.credentials {
            builder = builder.credentials(Credentials::new(user, password.expose_text().to_owned()));
        }
        Ok(Self { transport: builder.build(), from: Mailbox::new(None, address) })
    }

    fn mail(&self, to: &[String], message: &Message) -> Result<lettre::Message, NotifyError> {
        let refused = |error: String| NotifyError::Refused { reason: error };
        let printable = |text: &str| text.replace(char::is_control, " ");
        let id = format!("<{}@{}>", message.id, self.from.email.domain());
        let seconds = u64::try_from(message.time.unix_timestamp()).unwrap_or_default();
        let mut builder: MessageBuilder = lettre::Message::builder()
            .from(self.from.clone())
            .subject(printable(&message.summary))
            .message_id(Some(id))
            .date(SystemTime::UNIX_EPOCH + StdDuration::from_secs(seconds))
            .header(ContentType::TEXT_PLAIN);
        for address in to {
            let address: Address = address.parse().map_err(|_| refused(format!("`{address}` is no address")))?;
            builder = builder.to(Mailbox::new(None, address));
        }
        builder.body(message.text()).map_err(|error| refused(error.to_string()))
    }
}

fn tls_parameters(settings: &SmtpSettings) -> Result<TlsParameters, SmtpError> {
    let mut builder = TlsParameters::builder(settings.host.clone());
    for root in &settings.extra_roots {
        builder = builder.add_root_certificate(Certificate::from_der(root.clone()).map_err(failed)?);
    }
    builder.build_rustls().map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> SmtpError {
    SmtpError { reason: error.to_string() }
}

#[async_trait]
impl Notifier for SmtpNotifier {
    async fn notify(&self, to: &Destination, message: &Message) -> Result<(), NotifyError> {
        let Destination::Email { to } = to else { return Err(NotifyError::other_kind("mail")) };
        let mail = self.mail(to, message)?;
        match self.transport.send(mail).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_permanent() => Err(NotifyError::Refused { reason: error.to_string() }),
            // The server may have taken the mail before it fell silent.
            Err(error) if error.is_timeout() => Err(NotifyError::Unknown),
            Err(error) => Err(NotifyError::Unavailable { reason: error.to_string(), retry_after: None }),
        }
    }
}
