//! One endpoint: where it is, what it needs, what it takes and answers. Router and document are made from the same list.

use std::future::Future;
use std::pin::Pin;

use axum::response::Response;
use http::Method;

use super::answer::Reply;
use super::call::{Arrival, Body, Call, Params, Query};
use super::openapi::{Outline, Schemas};
use crate::domain::Action;
use crate::front::Problem;

/// What somebody must be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// A row of the permission matrix.
    Action(Action),
    /// To be an administrator of the product.
    Product,
    /// To be known.
    Known,
}

impl From<Action> for Needs {
    fn from(action: Action) -> Self {
        Self::Action(action)
    }
}

type Work = Box<dyn Fn(Arrival) -> Pin<Box<dyn Future<Output = Result<Response, Problem>> + Send>> + Send + Sync>;

/// One endpoint.
pub(super) struct Endpoint {
    pub(super) method: Method,
    pub(super) path: &'static str,
    /// Its name in the document, in logs and metrics.
    pub(super) id: &'static str,
    pub(super) needs: Needs,
    pub(super) summary: &'static str,
    /// Whether repetitions with an `Idempotency-Key` are recognised.
    pub(super) is_repeatable: bool,
    pub(super) outline: fn(&mut Schemas) -> Outline,
    pub(super) work: Work,
}

impl Endpoint {
    /// Says what it does.
    pub(super) fn says(self, summary: &'static str) -> Self {
        Self { summary, ..self }
    }

    /// Takes an `Idempotency-Key`.
    pub(super) fn repeatable(self) -> Self {
        Self { is_repeatable: true, ..self }
    }
}

/// An endpoint whose handler's type says what it takes and answers.
pub(super) fn endpoint<P, Q, B, R, H, F>(
    method: Method,
    (path, id): (&'static str, &'static str),
    needs: impl Into<Needs>,
    handler: H,
) -> Endpoint
where
    P: Params,
    Q: Query,
    B: Body,
    R: Reply,
    H: Fn(Call<P, Q, B>) -> F + Copy + Send + Sync + 'static,
    F: Future<Output = Result<R, Problem>> + Send + 'static,
{
    let work: Work = Box::new(move |arrival| {
        Box::pin(async move {
            let reply = handler(Call::read(arrival)?).await?;
            Ok(reply.into_response())
        })
    });
    let (summary, needs) = ("", needs.into());
    Endpoint { method, path, id, needs, summary, is_repeatable: false, outline: outline::<P, Q, B, R>, work }
}

fn outline<P: Params, Q: Query, B: Body, R: Reply>(schemas: &mut Schemas) -> Outline {
    Outline {
        path: P::schemas(schemas),
        query: Q::outline(schemas),
        body: B::schema(schemas),
        reply: R::outline(schemas),
    }
}

macro_rules! methods {
    ($($name:ident = $method:ident;)*) => {$(
        pub(super) fn $name<P, Q, B, R, H, F>(
            at: (&'static str, &'static str),
            needs: impl Into<Needs>,
            handler: H,
        ) -> Endpoint
        where
            P: Params,
            Q: Query,
            B: Body,
            R: Reply,
            H: Fn(Call<P, Q, B>) -> F + Copy + Send + Sync + 'static,
            F: Future<Output = Result<R, Problem>> + Send + 'static,
        {
            endpoint(Method::$method, at, needs, handler)
        }
    )*};
}

methods! {
    get = GET;
    post = POST;
    put = PUT;
    patch = PATCH;
    delete = DELETE;
}
