//! What is counted of HTTP: answers and the time they took, by route.
//!
//! A route is written as it is declared (`/api/v1/kpis/{id}`), never as it was asked for: labels must not grow with the
//! data. What the guard refuses, and what no route answers, is not counted here.

use std::time::Instant as Moment;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{self, Next};
use axum::response::Response;

use crate::telemetry::metric;

/// Counts every answer of these routes.
pub(super) fn metered(routes: Router) -> Router {
    routes.route_layer(middleware::from_fn(count))
}

async fn count(request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>();
    let route = path.map_or_else(String::new, |path| path.as_str().to_owned());
    let method = request.method().to_string();
    let begun = Moment::now();
    let response = next.run(request).await;
    metrics::histogram!(metric::HTTP_SECONDS, "route" => route.clone()).record(begun.elapsed().as_secs_f64());
    let status = response.status().as_u16().to_string();
    metrics::counter!(metric::HTTP_REQUESTS, "route" => route, "method" => method, "status" => status).increment(1);
    response
}
