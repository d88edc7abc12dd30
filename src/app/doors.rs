//! The door's own threads: requests that bring measurements are read, decoded and judged on a runtime beside the one that
//! serves windows, so that whoever looks at a scorecard does not wait behind megabytes of somebody else's JSON. The
//! system's scheduler shares the processors between the two, a runtime alone would not: a task that computes holds its thread.

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::Response;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::AbortHandle;

use super::house::HouseError;

/// Threads for what comes in over HTTP, as many as there are processors.
pub(super) fn threads() -> Result<Runtime, HouseError> {
    let runtime = Builder::new_multi_thread()
        .enable_time()
        .thread_name("kpid-door")
        .build();
    runtime.map_err(|error| HouseError::ended("doors", &error))
}

/// These routes, served by those threads. The connection stays where it is.
pub(super) fn beside(routes: Router, threads: Handle) -> Router {
    routes.layer(middleware::from_fn(move |request: Request, next: Next| {
        serve(threads.clone(), request, next)
    }))
}

async fn serve(threads: Handle, request: Request, next: Next) -> Response {
    let serving = threads.spawn(next.run(request));
    let _ends_with_its_connection = Ends(serving.abort_handle());
    match serving.await {
        Ok(response) => response,
        Err(error) => match error.try_into_panic() {
            // A broken invariant breaks the connection, as it would without the other threads.
            Ok(panic) => std::panic::resume_unwind(panic),
            // The threads are going away, and the connection with them.
            Err(_) => std::future::pending().await,
        },
    }
}

/// A request whose connection is cut off is not served to its end.
struct Ends(AbortHandle);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.abort();
    }
}
