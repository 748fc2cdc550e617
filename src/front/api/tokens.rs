//! Tokens of access, and who the caller is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::{Answer, Done, PageView};
use super::call::{Asking, At, Call, Json, With};
use super::endpoint::{Endpoint, Needs, delete, get, post};
use super::wire::{Moment, SecretText};
use crate::domain::{Action, ApplicationId, Principal, Scope, Span, Token, TokenId, TokenSpec};
use crate::engine::PageToken;
use crate::front::Problem;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get(("/whoami", "whoAmI"), Needs::Known, who).says("Says as whom the caller is known."),
        get(("/tokens", "listTokens"), Needs::Known, list)
            .says("Lists valid tokens: for product administrators those of everybody, for others their own."),
        post(("/tokens", "createToken"), Needs::Known, create).says(
            "Makes a token: for product administrators for anybody, for others for themselves. Its text is shown once.",
        ),
        delete(("/tokens/{tokenId}", "revokeToken"), Needs::Known, revoke)
            .says("Revokes a token, from the next request on."),
    ]
}

/// Who somebody is.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct WhoAnswer {
    /// The user or machine.
    principal: Principal,
    /// The groups that it belongs to.
    groups: Vec<Principal>,
    /// What its token reaches, if it came with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<ScopeBody>,
    /// When its token ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Moment>,
}

async fn who(call: At<()>) -> Result<Answer<WhoAnswer>, Problem> {
    let actor = call.session.actor();
    Ok(Answer::new(WhoAnswer {
        principal: actor.principal().clone(),
        groups: actor.principals().skip(1).cloned().collect(),
        scope: actor.access().map(|access| access.scope.clone().into()),
        expires_at: actor.access().map(|access| access.ends_at.into()),
    }))
}

/// What a token reaches of all that its principal may do; an absent list bounds nothing.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct ScopeBody {
    /// These Applications.
    #[serde(skip_serializing_if = "Option::is_none")]
    application_ids: Option<Vec<ApplicationId>>,
    /// These actions.
    #[serde(skip_serializing_if = "Option::is_none")]
    actions: Option<Vec<Action>>,
}

impl From<Scope> for ScopeBody {
    fn from(scope: Scope) -> Self {
        Self { application_ids: scope.applications, actions: scope.actions }
    }
}

/// A token to be made.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TokenBody {
    /// What it is for.
    name: String,
    /// In whose name it acts; the caller's if absent.
    #[serde(default)]
    principal: Option<Principal>,
    /// The groups that it stands for.
    #[serde(default)]
    groups: Vec<Principal>,
    /// What it reaches.
    #[serde(default)]
    scope: ScopeBody,
    /// How long it is valid: 1 minute to 366 days, 90 days if absent.
    #[serde(default)]
    ttl: Option<Span>,
}

/// A token.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct TokenView {
    /// Its id.
    id: TokenId,
    /// What it is for.
    name: String,
    /// In whose name it acts.
    principal: Principal,
    /// The groups that it stands for.
    groups: Vec<Principal>,
    /// What it reaches.
    scope: ScopeBody,
    /// Who made it.
    made_by: Principal,
    /// When it was made.
    created_at: Moment,
    /// When it ends.
    expires_at: Moment,
}

impl From<Token> for TokenView {
    fn from(token: Token) -> Self {
        let Token { id, name, principal, groups, scope, made_by, created_at, expires_at } = token;
        let (created_at, expires_at) = (created_at.into(), expires_at.into());
        Self { id, name, principal, groups, scope: scope.into(), made_by, created_at, expires_at }
    }
}

/// A new token.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct TokenAnswer {
    /// What to send as `Authorization: Bearer`: in this answer and no other.
    access_token: SecretText,
    /// The token.
    token: TokenView,
}

/// Which tokens to list.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct TokenFilter {
    /// Those of one principal.
    principal: Option<Principal>,
    /// The `next` of the page before.
    after: Option<String>,
}

async fn list(call: Asking<(), TokenFilter>) -> Result<Answer<PageView<TokenView>>, Problem> {
    let after = call.query.after.as_deref().map(PageToken::new);
    let page = call.session.tokens(call.query.principal.as_ref(), after.as_ref()).await?;
    Ok(Answer::new(PageView::of(page, Into::into)))
}

async fn create(call: With<(), TokenBody>) -> Result<Answer<TokenAnswer>, Problem> {
    let Call { session, body: Json(body), .. } = call;
    let principal = body.principal.unwrap_or_else(|| session.actor().principal().clone());
    let plain = TokenSpec::new(body.name, principal);
    let ScopeBody { application_ids, actions } = body.scope;
    let scope = Scope { applications: application_ids, actions };
    let spec = TokenSpec { groups: body.groups, scope, ttl: body.ttl.unwrap_or(plain.ttl), ..plain };
    let made = session.create_token(spec).await;
    let (token, text) = made.map_err(|error| Problem::from(error).spelled(scope_field))?;
    Ok(Answer::new(TokenAnswer { access_token: SecretText(text), token: token.into() }))
}

fn scope_field(field: &str) -> String {
    field.replace("scope.applications", "scope.applicationIds")
}

async fn revoke(call: At<(TokenId,)>) -> Result<Done, Problem> {
    call.session.revoke_token(call.path.0).await?;
    Ok(Done)
}
