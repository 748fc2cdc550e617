//! The administrator's token: made at the first start, shown once, and made anew if nobody can have seen it.

use chancery::domain::{Actor, Principal, TokenSpec};
use chancery::engine::Engine;
use serde_json::json;

use crate::Result;
use crate::configuration::Configuration;
use crate::data::{self, Data};

const NAME: &str = "first start";

/// Shows a token of the first administrator's if none was shown yet, or if another is wanted. That it was shown is written
/// down afterwards: who was cut off between is shown another, and the one that may be lost is revoked.
pub(crate) async fn show(engine: &Engine, configuration: &Configuration, data: &Data, wanted: Wanted) -> Result<()> {
    let was_shown = data.shown().exists();
    if was_shown && wanted == Wanted::Once {
        return Ok(());
    }
    let Some(administrator) = configuration.administrators.first() else { return Ok(()) };
    let session = engine.acting_as(Actor::new(administrator.clone())?);
    if !was_shown {
        for token in session.tokens(Some(administrator), None).await?.items {
            if token.name == NAME {
                session.revoke_token(token.id).await?;
            }
        }
    }
    let name = if was_shown { "shown on demand" } else { NAME };
    let (token, text) = session.create_token(TokenSpec::new(name, administrator.clone())).await?;
    say(administrator, text.expose_text(), &token.expires_at);
    data::write(&data.shown(), format!("{}\n", token.id).as_bytes(), 0o600)
}

/// When a token is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// At the first start.
    Once,
    /// At this start, too.
    Now,
}

fn say(administrator: &Principal, token: &str, expires_at: &time::OffsetDateTime) {
    let expires_at = expires_at.format(&time::format_description::well_known::Rfc3339).unwrap_or_default();
    crate::say(
        &json!({ "event": "administrator", "principal": administrator, "token": token, "expiresAt": expires_at }),
    );
}
