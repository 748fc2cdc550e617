//! OCSP over HTTP (RFC 6960 appendix A.1): questions in the body of a POST, or base64 in the path of a GET.

use axum::extract::{Path, Request, State};
use axum::response::Response;
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, StatusCode};

use super::{Engined, counted, is_kept, reply};
use crate::engine::Engine;

const MEDIA: &str = "application/ocsp-response";

/// The longest question, in bytes: a hundred certificates' worth.
const MOST_BYTES: usize = 16 * 1024;

/// With or without the padding, which clients leave out when they write it into a URL.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(super) async fn posted(State(engine): Engined, request: Request) -> Response {
    counted("ocsp", &engine, async {
        let (parts, body) = request.into_parts();
        if !is_question(&parts.headers) {
            let said = "the body must be declared as application/ocsp-request\n";
            return reply::failed(StatusCode::UNSUPPORTED_MEDIA_TYPE, said);
        }
        match axum::body::to_bytes(body, MOST_BYTES).await {
            Ok(question) => answer(&engine, &question, (&parts.method, &parts.headers)).await,
            Err(_) => reply::failed(StatusCode::PAYLOAD_TOO_LARGE, "at most 16384 bytes are accepted\n"),
        }
    })
    .await
}

pub(super) async fn in_path(
    State(engine): Engined,
    Path(question): Path<String>,
    method: Method,
    asked: HeaderMap,
) -> Response {
    counted("ocsp", &engine, async {
        if question.len() > MOST_BYTES {
            return reply::failed(StatusCode::URI_TOO_LONG, "longer questions are to be posted\n");
        }
        // What is no base64 is no request either, and the engine says so in its own words.
        let question = BASE64.decode(question.trim()).unwrap_or_default();
        answer(&engine, &question, (&method, &asked)).await
    })
    .await
}

async fn answer(engine: &Engine, question: &[u8], (method, asked): (&Method, &HeaderMap)) -> Response {
    let answer = engine.ocsp(question).await;
    match answer.updates.filter(|_| is_kept(method)) {
        Some(updates) => {
            let tag = reply::tag_of(&answer.der);
            reply::kept(MEDIA, answer.der.into(), (tag, updates), (asked, engine.now()))
        }
        None => reply::own(MEDIA, answer.der),
    }
}

fn is_question(headers: &HeaderMap) -> bool {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = text.split(';').next().unwrap_or_default();
    media.trim().eq_ignore_ascii_case("application/ocsp-request")
}
