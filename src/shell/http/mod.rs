//! HTTP: the wallboard, the verbs of the admin socket as `POST /api/<verb>`, facts as they happen,
//! and figures for Prometheus.
//!
//! In: requests with a user's token (`Authorization: Bearer …`, or `?token=` for what a browser
//! opens). Without any user who has a token, whoever reaches this machine's own address looks, and
//! sees no caller's number. Clients are bounded, and one that does not read is dropped.

mod line;
mod stream;

use super::admin::{Api, Fault, Peer};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use line::Door;
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// Octets of one request.
const BODY_MAX: usize = 64 << 10;
/// What a wrong token costs.
const PENALTY: Duration = Duration::from_secs(1);
const WALLBOARD: &str = include_str!("wallboard.html");

#[derive(Clone)]
struct Served {
    api: Arc<Api>,
    /// Bound to this machine alone.
    is_local: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    token: Option<String>,
    from: Option<u64>,
}

/// Binds the address, or says in one sentence why not.
pub fn bind(at: SocketAddr) -> Result<std::net::TcpListener, String> {
    let bound = std::net::TcpListener::bind(at).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    bound.map_err(|e| format!("http {at}: {e}; [admin] http says another address, \"\" is off"))
}

/// Serves until the runtime ends. To be called inside of it.
pub fn start(listener: std::net::TcpListener, api: Arc<Api>) -> Result<(), String> {
    let is_local = listener.local_addr().is_ok_and(|at| at.ip().is_loopback());
    let door = Door::new(listener).map_err(|e| format!("http: {e}"))?;
    let app = Router::new()
        .route("/", get(wallboard))
        .route("/metrics", get(metrics))
        .route("/wallboard", get(stream::wallboard))
        .route("/facts", get(stream::facts))
        .route("/api", get(verbs))
        .route("/api/{verb}", post(act))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(Served { api, is_local });
    tokio::spawn(async move {
        if let Err(error) = axum::serve(door, app).await {
            tracing::error!("http has ended: {error}");
        }
    });
    Ok(())
}

impl Served {
    /// Who asks, by the token that they show.
    async fn peer(&self, headers: &HeaderMap, asked: &Asked) -> Result<Peer, Response> {
        if self.is_local && !names_this_machine(headers) {
            // A page from elsewhere whose name was made to lead here.
            let why = "this address is for this machine alone: ask for http://127.0.0.1";
            return Err(refused(StatusCode::FORBIDDEN, why));
        }
        let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer "));
        let shown = bearer.or(asked.token.as_deref());
        // Every user is compared, so that the time says nothing.
        let (any, found) = self.api.board.with(|board| {
            let mut found = None;
            let with_token = board.users().iter().filter_map(|u| Some((u, u.token.as_ref()?)));
            let mut any = false;
            for (user, token) in with_token {
                any = true;
                let same =
                    shown.is_some_and(|shown| token.0.as_bytes().ct_eq(shown.as_bytes()).into());
                if same {
                    found = Some(user.name.clone());
                }
            }
            (any, found)
        });
        match (found, shown) {
            (Some(name), _) => Ok(Peer::User(name)),
            (None, None) if !any && self.is_local => Ok(Peer::Anybody),
            (None, None) => Err(refused(StatusCode::UNAUTHORIZED, "show a user's token")),
            (None, Some(_)) => {
                tokio::time::sleep(PENALTY).await;
                tracing::warn!("http: a token that is no user's");
                Err(refused(StatusCode::UNAUTHORIZED, "this token is no user's"))
            }
        }
    }
}

fn names_this_machine(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    matches!(name, "127.0.0.1" | "localhost" | "[::1]" | "[:")
}

async fn wallboard(
    State(served): State<Served>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    match served.peer(&headers, &asked).await {
        Ok(_) => (
            [
                (header::CACHE_CONTROL, "no-store"),
                (header::REFERRER_POLICY, "no-referrer"),
                (
                    header::CONTENT_SECURITY_POLICY,
                    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                     connect-src 'self'",
                ),
            ],
            Html(WALLBOARD),
        )
            .into_response(),
        Err(response) => response,
    }
}

async fn metrics(
    State(served): State<Served>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let text = match served.peer(&headers, &asked).await {
        Ok(peer) => served.api.call(&peer, "metrics", json!({})).await,
        Err(response) => return response,
    };
    match text {
        Ok(text) => {
            let text = text.as_str().unwrap_or_default().to_string();
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
        }
        Err(fault) => answer(Err(fault)),
    }
}

async fn verbs(
    State(served): State<Served>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    match served.peer(&headers, &asked).await {
        Ok(peer) => answer(served.api.call(&peer, "verbs.list", json!({})).await),
        Err(response) => response,
    }
}

async fn act(
    State(served): State<Served>,
    Path(verb): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let peer = match served.peer(&headers, &asked).await {
        Ok(peer) => peer,
        Err(response) => return response,
    };
    let params = match body.iter().all(u8::is_ascii_whitespace) {
        true => Ok(json!({})),
        false => serde_json::from_slice(&body),
    };
    match params {
        Ok(params) => answer(served.api.call(&peer, &verb, params).await),
        Err(error) => answer(Err(Fault::parse(format!("the body is no JSON: {error}")))),
    }
}

fn answer(outcome: Result<Value, Fault>) -> Response {
    let (status, body) = match outcome {
        Ok(result) => (StatusCode::OK, json!({"result": result})),
        Err(fault) => {
            let error = json!({"code": fault.code, "message": fault.message});
            (status_of(&fault), json!({"error": error}))
        }
    };
    (status, axum::Json(body)).into_response()
}

fn refused(status: StatusCode, why: &str) -> Response {
    (status, axum::Json(json!({"error": {"code": -32_003, "message": why}}))).into_response()
}

/// The codes of JSON-RPC, as HTTP says the same.
fn status_of(fault: &Fault) -> StatusCode {
    match fault.code {
        -32_601 => StatusCode::NOT_FOUND,
        -32_000 => StatusCode::CONFLICT,
        -32_001 => StatusCode::SERVICE_UNAVAILABLE,
        -32_002 => StatusCode::GONE,
        -32_003 => StatusCode::FORBIDDEN,
        _ => StatusCode::BAD_REQUEST,
    }
}

#[cfg(test)]
mod tests;
