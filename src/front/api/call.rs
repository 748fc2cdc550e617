//! A request on its way to a handler: path, query and body read into what the handler takes.

use std::str::FromStr;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::objects::Objects;
use super::openapi::{QueryParameter, Schemas};
use crate::engine::{Engine, PageToken, Session};
use crate::front::{Code, Fault, Limits, Problem};

/// A request whose sender is known, as it came.
pub(super) struct Arrival {
    pub(super) engine: Engine,
    pub(super) session: Session,
    pub(super) limits: Limits,
    /// The values of the path's placeholders, in order.
    pub(super) params: Vec<String>,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// A request with nothing but a path.
pub(super) type At<P> = Call<P, Nothing, ()>;
/// A request with a body.
pub(super) type With<P, T> = Call<P, Nothing, Json<T>>;
/// A request with a query.
pub(super) type Asking<P, Q> = Call<P, Q, ()>;

/// What a handler gets.
pub(super) struct Call<P, Q, B> {
    pub(super) engine: Engine,
    pub(super) session: Session,
    pub(super) limits: Limits,
    pub(super) path: P,
    pub(super) query: Q,
    pub(super) body: B,
    pub(super) idempotency_key: Option<String>,
}

impl<P: Params, Q: Query, B: Body> Call<P, Q, B> {
    pub(super) fn read(arrival: Arrival) -> Result<Self, Problem> {
        let Arrival { engine, session, limits, params, query, headers, body } = arrival;
        let path = P::read(&params).ok_or_else(|| Problem::new(Code::NotFound, "no such thing has such an id"))?;
        let (query, body) = (read_query(&query)?, B::read(&headers, &body)?);
        let idempotency_key = idempotency_key(&headers)?;
        Ok(Self { engine, session, limits, path, query, body, idempotency_key })
    }
}

impl<P, Q, B> Call<P, Q, B> {
    /// The size of a page: as asked, but never more than the front gives.
    pub(super) fn page_size(&self, asked: Option<usize>) -> Result<usize, Problem> {
        let most = self.limits.page;
        match asked {
            None => Ok(most),
            Some(limit) if (1..=most).contains(&limit) => Ok(limit),
            Some(limit) => {
                let fault = Fault {
                    allowed: vec![format!("1 to {most}")],
                    ..Fault::said("limit", "out_of_range", limit.to_string())
                };
                Err(Problem::new(Code::InvalidRequest, format!("a page has 1 to {most} entries")).with([fault]))
            }
        }
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().map_err(|_| Problem::new(Code::IdempotencyKey, "it is not plain text"))?;
    // The draft of the header field writes it as a structured string, in quotes; clients mostly do not.
    let text = text.trim();
    let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    Ok(Some(bare.to_owned()))
}

/// What stands in a path.
pub(super) trait Params: Sized + Send {
    fn read(params: &[String]) -> Option<Self>;
    fn schemas(schemas: &mut Schemas) -> Vec<Schema>;
}

impl Params for () {
    fn read(_: &[String]) -> Option<Self> {
        Some(())
    }

    fn schemas(_: &mut Schemas) -> Vec<Schema> {
        Vec::new()
    }
}

macro_rules! params {
    ($($part:ident = $at:tt),*) => {
        impl<$($part: FromStr + JsonSchema + Send),*> Params for ($($part,)*) {
            fn read(params: &[String]) -> Option<Self> {
                // A host may have mounted the router below placeholders of its own.
                const COUNT: usize = [$($at),*].len();
                let own = params.get(params.len().checked_sub(COUNT)?..)?;
                Some(($(own.get($at)?.parse::<$part>().ok()?,)*))
            }

            fn schemas(schemas: &mut Schemas) -> Vec<Schema> {
                vec![$(schemas.input::<$part>()),*]
            }
        }
    };
}

params!(A = 0);
params!(A = 0, B = 1);
params!(A = 0, B = 1, C = 2);

/// What stands behind the question mark.
pub(super) trait Query: DeserializeOwned + Send {
    fn outline(schemas: &mut Schemas) -> Vec<QueryParameter>;
}

impl<T: DeserializeOwned + JsonSchema + Send> Query for T {
    fn outline(schemas: &mut Schemas) -> Vec<QueryParameter> {
        schemas.query::<T>()
    }
}

/// No query, or a body without anything.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// Where a list goes on.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Paging {
    /// The `next` of the page before.
    pub(super) after: Option<String>,
}

impl Paging {
    pub(super) fn token(&self) -> Option<PageToken> {
        self.after.as_deref().map(PageToken::new)
    }
}

fn read_query<Q: Query>(query: &str) -> Result<Q, Problem> {
    let parts = serde_urlencoded::Deserializer::new(form(query));
    serde_path_to_error::deserialize(parts).map_err(|error| {
        let (field, said) = (field_of(error.path()), error.inner().to_string());
        Problem::new(Code::InvalidRequest, format!("the query can not be read: {}", shown(&field, &said)))
            .with([Fault::said(field, "invalid", said)])
    })
}

fn form(query: &str) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(query.as_bytes())
}

/// A body.
pub(super) trait Body: Sized + Send {
    fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, Problem>;
    fn schema(schemas: &mut Schemas) -> Option<Schema>;
}

impl Body for () {
    /// Clients that always send JSON send an empty object.
    fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, Problem> {
        match body {
            [] => Ok(()),
            body => Json::<Nothing>::read(headers, body).map(drop),
        }
    }

    fn schema(_: &mut Schemas) -> Option<Schema> {
        None
    }
}

/// A JSON body.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned + JsonSchema + Send> Body for Json<T> {
    fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, Problem> {
        if !is_json(headers) {
            return Err(Problem::new(Code::UnsupportedMediaType, "the body must be declared as `application/json`"));
        }
        read_json(body).map(Self)
    }

    fn schema(schemas: &mut Schemas) -> Option<Schema> {
        Some(schemas.input::<T>())
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(text) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let (media, parameters) = text.split_once(';').unwrap_or((text, ""));
    let charset = parameters.trim().to_ascii_lowercase();
    let is_utf8 = charset.is_empty() || charset.replace('"', "") == "charset=utf-8";
    media.trim().eq_ignore_ascii_case("application/json") && is_utf8
}

/// Reads one JSON value and nothing after it.
pub(super) fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(Objects(&mut reader)).map_err(|error| {
        let field = field_of(error.path());
        unreadable(field, error.inner())
    })?;
    reader.end().map_err(|error| unreadable(String::new(), &error))?;
    Ok(value)
}

fn unreadable(field: String, error: &serde_json::Error) -> Problem {
    let said = error.to_string();
    match error.classify() {
        Category::Data => {
            Problem::new(Code::InvalidRequest, shown(&field, &said)).with([Fault::said(field, "invalid", said)])
        }
        Category::Io | Category::Syntax | Category::Eof => Problem::new(Code::Malformed, said),
    }
}

fn shown(field: &str, said: &str) -> String {
    if field.is_empty() { said.to_owned() } else { format!("{field}: {said}") }
}

fn field_of(path: &serde_path_to_error::Path) -> String {
    Some(path.to_string()).filter(|path| path != ".").unwrap_or_default()
}
