//! A request of somebody who is signed in, on its way to a page.

use std::str::FromStr;

use super::form::Form;
use super::layout::Site;
use crate::engine::{Engine, Error, PageToken, Session};
use crate::front::{Code, Limits, Problem};

/// What a page gets.
pub(super) struct Call {
    pub(super) engine: Engine,
    pub(super) session: Session,
    pub(super) limits: Limits,
    pub(super) site: Site,
    /// The values of the path's placeholders, in order.
    pub(super) params: Vec<String>,
    pub(super) query: Form,
    pub(super) form: Form,
}

impl Call {
    /// The id at the end of the path. What is none looks like one of something that is not there.
    pub(super) fn id<T: FromStr>(&self) -> Result<T, Problem> {
        // A host may have mounted the router below placeholders of its own.
        self.params.last().and_then(|id| id.parse().ok()).ok_or_else(nowhere)
    }

    /// Where a list goes on.
    pub(super) fn after(&self) -> Option<PageToken> {
        self.query.get("after").map(PageToken::new)
    }
}

/// There is no such thing, or none to be seen.
pub(super) fn nowhere() -> Problem {
    Problem::new(Code::NotFound, "")
}

/// Something that the visitor may not see is left out of a page.
pub(super) fn if_allowed<T>(found: Result<T, Error>) -> Result<Option<T>, Problem> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound { .. } | Error::Forbidden { .. } | Error::NotAdministrator { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
