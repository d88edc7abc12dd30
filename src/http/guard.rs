//! The guard before every window and door: who may ask, how long, and what browsers are told.
//!
//! - Host allow-list, on `GET` too: a page of a stranger whose name is made to point here (DNS rebinding) sends its own
//!   name as `Host`. Addresses pass: a stranger's page has a name, and probes of orchestrators use addresses.
//! - A write that a browser sends for a page of another origin is refused, by `Sec-Fetch-Site` and `Origin`: such a page
//!   cannot read the answer, but it could send measurements.
//! - A token, when configured, as `Authorization: Bearer`, or as the password of `Basic` so that a browser can ask for it.
//!   It is compared by digest, in constant time. There are no cookies and no CORS headers.
//! - A content security policy that knows no inline script or style.
//! - Whatever goes wrong in a route is answered as problem details.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use base64::Engine;

use super::HttpOptions;
use super::meter::metered;
use super::problem::ProblemResponse;
use super::{reload, retention, what_if};

/// Everything comes from here; nothing may frame it, post elsewhere or change the base of links.
const POLICY: &str =
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
/// Bytes of a refusal's text that are passed on.
const REASON_LEN_MAX: usize = 4096;

/// Puts the guard around routes. Merge all doors first: it answers unknown routes and methods too.
pub fn guarded(routes: Router, options: &HttpOptions) -> Router {
    let rules = Arc::new(Rules {
        hosts: options
            .allowed_hosts
            .iter()
            .map(|host| host.to_ascii_lowercase())
            .collect(),
        token: options.token.as_ref().map(|token| blake3::hash(token.as_bytes())),
        timeout: options.request_timeout,
    });
    // As a service of its own, because the router names the allowed methods of a refusal only on its way out.
    Router::new()
        .fallback_service(metered(routes))
        .layer(middleware::from_fn(explain))
        .layer(middleware::from_fn_with_state(rules, admit))
        .layer(middleware::map_response(add_headers))
}

struct Rules {
    hosts: Vec<String>,
    token: Option<blake3::Hash>,
    timeout: std::time::Duration,
}

async fn admit(State(rules): State<Arc<Rules>>, request: Request, next: Next) -> Response {
    if let Err(problem) = check_host(&rules, &request).and_then(|()| check_origin(&request)) {
        return problem.into_response();
    }
    if let Some(refusal) = check_token(&rules, &request) {
        return refusal;
    }
    let timeout = rules.patience(request.uri().path());
    let answered = tokio::time::timeout(timeout, next.run(request)).await;
    answered.unwrap_or_else(|_| {
        let ms = timeout.as_millis();
        let detail = format!("no answer within {ms} ms: ask for less, or raise `http.request_timeout`");
        ProblemResponse::new(StatusCode::SERVICE_UNAVAILABLE, "timed out", detail).into_response()
    })
}

fn check_host(rules: &Rules, request: &Request) -> Result<(), ProblemResponse> {
    let header = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let authority = request.uri().authority().map(axum::http::uri::Authority::as_str);
    let refuse = |found: &str| {
        let found: String = found.chars().take(64).collect();
        let detail = format!("host `{found}` is not one of this server's names: add it to `http.hosts`");
        ProblemResponse::new(StatusCode::MISDIRECTED_REQUEST, "host not allowed", detail)
    };
    if header.is_none() && authority.is_none() {
        return Err(refuse(""));
    }
    match header.into_iter().chain(authority).find(|host| !rules.allows(host)) {
        Some(host) => Err(refuse(host)),
        None => Ok(()),
    }
}

fn check_origin(request: &Request) -> Result<(), ProblemResponse> {
    if request.method().is_safe() {
        return Ok(());
    }
    let header = |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    let site = header(HeaderName::from_static("sec-fetch-site")).unwrap_or("none");
    let host = header(header::HOST).or(request.uri().authority().map(axum::http::uri::Authority::as_str));
    let origin = header(header::ORIGIN);
    let ours = origin.is_none_or(|origin| origin.split_once("://").map(|(_, name)| name) == host);
    if ours && matches!(site, "none" | "same-origin") {
        return Ok(());
    }
    let found: String = origin.unwrap_or(site).chars().take(64).collect();
    let detail = format!("a page of `{found}` may not write here: send it from a program, or from this server's pages");
    Err(ProblemResponse::new(StatusCode::FORBIDDEN, "cross-site write", detail))
}

impl Rules {
    /// How long an answer may take: where the whole history may be folded anew, longer than elsewhere.
    fn patience(&self, path: &str) -> std::time::Duration {
        match path {
            what_if::PATH | retention::PATH | reload::PATH => self.timeout.max(what_if::TIME_MAX),
            _ => self.timeout,
        }
    }

    /// Whether `name[:port]` is a name of this server.
    fn allows(&self, host: &str) -> bool {
        let name = without_port(host).to_ascii_lowercase();
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        let known = self.hosts.iter().any(|host| host == bare || host == &name);
        known || bare == "localhost" || bare.ends_with(".localhost") || bare.parse::<IpAddr>().is_ok()
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.is_empty() => {
            // In a bare IPv6 address the last group is not a port.
            if name.contains(':') && !name.ends_with(']') {
                host
            } else {
                name
            }
        }
        _ => host,
    }
}

fn check_token(rules: &Rules, request: &Request) -> Option<Response> {
    let expected = rules.token?;
    if matches!(request.uri().path(), "/livez" | "/readyz") {
        return None;
    }
    let shown = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    // Digests compare in constant time, and hide the length.
    let fits = shown
        .and_then(secret_of)
        .is_some_and(|secret| blake3::hash(&secret) == expected);
    if fits {
        return None;
    }
    let detail = "this server wants its token: send `Authorization: Bearer <token>`, or the token as password";
    let mut response = ProblemResponse::new(StatusCode::UNAUTHORIZED, "token required", detail).into_response();
    let challenge = HeaderValue::from_static("Basic realm=\"kpid\", charset=\"UTF-8\"");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    Some(response)
}

/// What a caller shows: the bearer token, or the password of basic credentials.
fn secret_of(authorization: &str) -> Option<Vec<u8>> {
    let (scheme, credentials) = authorization.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(credentials.trim().as_bytes().to_vec());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = base64::engine::general_purpose::STANDARD
        .decode(credentials.trim())
        .ok()?;
    let colon = pair.iter().position(|&byte| byte == b':')?;
    pair.get(colon + 1..).map(<[u8]>::to_vec)
}

/// Turns bare refusals of the router and of extractors into problem details.
async fn explain(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let status = response.status();
    let refused = status.is_client_error() || status.is_server_error();
    let spoken = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| {
        let kind = kind.as_bytes();
        !kind.starts_with(b"text/plain")
    });
    if !refused || spoken {
        return response;
    }
    let allowed = response.headers().get(header::ALLOW).cloned();
    let problem = reason(&method, &path, response).await;
    let mut response = problem.into_response();
    if let Some(allowed) = allowed {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

async fn reason(method: &Method, path: &str, response: Response) -> ProblemResponse {
    let status = response.status();
    let path: String = path.chars().take(200).collect();
    match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            let allowed = response
                .headers()
                .get(header::ALLOW)
                .and_then(|allowed| allowed.to_str().ok());
            let remedy = allowed.unwrap_or("another method");
            ProblemResponse::new(
                status,
                "method not allowed",
                format!("`{path}` does not take {method}: use {remedy}"),
            )
        }
        StatusCode::NOT_FOUND => {
            let detail = format!("there is nothing at `{path}`: the dashboard is at `/`, the API under `/api/v1/`");
            ProblemResponse::unknown(detail)
        }
        _ => {
            let text = axum::body::to_bytes(response.into_body(), REASON_LEN_MAX)
                .await
                .unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let detail = format!("{method} `{path}`: {}: correct the request", text.trim());
            ProblemResponse::new(status, status.canonical_reason().unwrap_or("refused"), detail)
        }
    }
}

async fn add_headers(mut response: Response) -> Response {
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    let headers = response.headers_mut();
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_strangers_are_not_ours() {
        let rules = Rules {
            hosts: vec!["kpi.example.com".to_owned()],
            token: None,
            timeout: std::time::Duration::from_secs(1),
        };
        for host in [
            "localhost",
            "localhost:8484",
            "127.0.0.1:8484",
            "[::1]:8484",
            "[::1]",
            "10.1.2.3:80",
            "KPI.example.com",
            "kpi.example.com:443",
            "kpid.localhost:8484",
        ] {
            assert!(rules.allows(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:8484",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "kpi.example.com.evil.example",
            "evil.example:localhost",
            "xlocalhost",
            ":8484",
        ] {
            assert!(!rules.allows(host), "{host}");
        }
    }

    #[test]
    fn what_folds_the_whole_history_anew_is_waited_for() {
        let rules = Rules {
            hosts: Vec::new(),
            token: None,
            timeout: std::time::Duration::from_secs(1),
        };
        for path in ["/api/v1/what-if", "/api/v1/journal/trim", "/api/v1/reload"] {
            assert_eq!(rules.patience(path), what_if::TIME_MAX, "{path}");
        }
        assert_eq!(rules.patience("/api/v1/journal"), rules.timeout);
    }

    #[test]
    fn a_token_is_shown_as_bearer_or_as_password() {
        assert_eq!(secret_of("Bearer s3cret").unwrap(), b"s3cret");
        assert_eq!(secret_of("bearer s3cret ").unwrap(), b"s3cret");
        assert_eq!(secret_of("Basic YW55OnMzOmNyZXQ=").unwrap(), b"s3:cret");
        for nothing in ["", "Bearer", "Digest s3cret", "Basic !!", "Basic YW55"] {
            assert!(secret_of(nothing).is_none(), "{nothing}");
        }
    }
}
