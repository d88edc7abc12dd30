//! The pages: whole without script, and never a word of a stranger as markup.

use std::sync::Arc;

use axum::http::StatusCode;
use tower::ServiceExt;

use super::{ask, get, house, options, text};
use crate::domain::board::Board;
use crate::http::fake::{self, FakeViews};
use crate::http::router;

async fn page(path: &str) -> String {
    let response = ask(&house().1, path).await;
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
    text(response).await
}

/// The text of a page without its markup, in one line.
fn words(html: &str) -> String {
    let pieces = html
        .split('<')
        .map(|piece| piece.split_once('>').map_or(piece, |(_, text)| text));
    pieces
        .collect::<Vec<_>>()
        .join(" ")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[tokio::test]
async fn the_first_page_shows_every_scorecard_and_what_alerts() {
    let html = page("/").await;
    for title in ["Company", "IT operations", "Marketing", "Product", "Training"] {
        assert!(html.contains(&format!(">{title}</a></h2>")), "{title}");
    }
    let text = words(&html);
    assert!(text.contains("1 firing, 1 pending"), "{text}");
    assert!(
        text.contains("1 alert firing 1 pending 2 KPIs in red, lowest Tickets per 1,000 users (18.0)"),
        "{text}"
    );
    assert!(
        text.contains("critical Reopened tickets Too many tickets come back"),
        "{text}"
    );
    assert!(text.contains("3 h ago 9.2 % \u{2264} 3 % 23.3 red"), "{text}");
    assert!(text.contains("10 instances by region"), "{text}");
    assert!(text.contains("resolved Ticket satisfaction"), "{text}");
}

#[tokio::test]
async fn a_scorecard_page_shows_perspectives_objectives_and_kpis() {
    let html = page("/scorecards/it").await;
    let text = words(&html);
    for part in [
        "Learning and growth",
        "Run at planned cost",
        "Ticket satisfaction pending 420 measurements, 35 min ago , weight 50 %",
        "ratio over 28 d, lagging",
        "after the outage of the mail gateway",
        "82.5 % target \u{2265} 90 %",
        "provisional: the period goes on",
        "restated: changed after it was final",
        "overdue: not fresh",
        "paused",
        "no data yet",
        "87 % covered",
        "Last 30 days: from",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(html.contains("id=\"it/customer/satisfied-users/it.csat\""));
    assert!(html.contains("aria-label=\"Last 30 days: from "));
}

#[tokio::test]
async fn a_cost_that_rises_points_up_and_is_worse() {
    let html = page("/scorecards/it").await;
    let cost = html.split("Running cost per user").nth(1).unwrap();
    let trend = cost.split("class=\"trend ").nth(1).unwrap();
    assert!(
        trend.starts_with("worse\"") && trend.contains("#arrow-up"),
        "{trend:.300}"
    );
}

#[tokio::test]
async fn instances_can_be_chosen_and_are_ranked() {
    let text = words(&page("/scorecards/marketing").await);
    assert!(text.contains("Show one region"), "{text}");
    assert!(
        text.contains("Best z\u{fc}rich") && text.contains("Worst berlin"),
        "{text}"
    );
    let html = page("/scorecards/marketing?instance=z%C3%BCrich&span=90d").await;
    assert!(html.contains("<h1>Marketing, z\u{fc}rich</h1>"));
    assert!(html.contains("href=\"/scorecards/marketing?instance=z%C3%BCrich&#38;span=7d\""));
    assert!(html.contains("Last 90 days"));
}

#[tokio::test]
async fn nodes_of_other_scorecards_are_named_where_they_count() {
    let text = words(&page("/scorecards/company").await);
    assert!(text.contains("Counts here, from other scorecards"), "{text}");
    assert!(text.contains("IT operations: Process 66.0 amber"), "{text}");
}

#[tokio::test]
async fn a_page_that_is_not_there_says_so() {
    for (path, status, detail) in [
        ("/scorecards/nope", 404, "there is no scorecard `nope`"),
        ("/scorecards/it?span=3y", 400, "use 24h, 7d, 30d, 90d or 1y"),
        ("/?x=1", 400, "takes no parameters"),
    ] {
        let response = ask(&house().1, path).await;
        assert_eq!(response.status().as_u16(), status, "{path}");
        let html = text(response).await;
        assert!(
            html.contains("<h1>Not here</h1>") && html.contains(detail),
            "{path}: {html}"
        );
    }
}

#[tokio::test]
async fn words_of_strangers_never_become_markup() {
    let title = "<script>alert('x')</script>\"'><img src=x onerror=alert(1)>";
    let views = Arc::new(FakeViews::new(fake::board_with_titles(title)));
    let router = router(views, options());
    for path in [
        "/",
        "/scorecards/it",
        "/scorecards/it?instance=%3Cscript%3Ealert(1)%3Cscript%3E",
    ] {
        let response = router.clone().oneshot(get(path)).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let html = text(response).await;
        assert_eq!(html.matches("<script").count(), 1, "{path}");
        assert!(!html.contains("<img") && html.contains("&#60;script&#62;"), "{path}");
    }
    let response = ask(&router, "/scorecards/%3Cscript%3E").await;
    assert!(!text(response).await.contains("<script>"));
}

#[tokio::test]
async fn pages_carry_no_inline_script_or_style_and_nothing_from_elsewhere() {
    for path in ["/", "/scorecards/it", "/scorecards/marketing"] {
        let html = page(path).await;
        for forbidden in [
            "<style",
            " style=",
            " onclick=",
            " onload=",
            "src=\"http",
            "href=\"http",
            "javascript:",
        ] {
            assert!(!html.contains(forbidden), "{path}: {forbidden}");
        }
    }
}

#[tokio::test]
async fn assets_may_be_kept_for_ever_under_their_digest() {
    let html = page("/").await;
    let (_, rest) = html.split_once("href=\"/assets/kpid.css").unwrap();
    let query = rest.split('"').next().unwrap();
    let router = house().1;
    let response = ask(&router, &format!("/assets/kpid.css{query}")).await;
    assert_eq!(response.headers()["content-type"], "text/css; charset=utf-8");
    assert!(
        response.headers()["cache-control"]
            .to_str()
            .unwrap()
            .contains("immutable")
    );
    let tag = response.headers()["etag"].clone();
    let plain = ask(&router, "/assets/kpid.css").await;
    assert_eq!(plain.headers()["cache-control"], "no-cache");
    let mut again = get("/assets/kpid.css");
    again.headers_mut().insert("if-none-match", tag);
    assert_eq!(router.oneshot(again).await.unwrap().status(), StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn a_house_without_a_reading_says_what_to_do() {
    let (views, router) = house();
    let catalog = Arc::clone(&fake::board().catalog);
    views.post(Board::empty(catalog));
    let text = words(&text(ask(&router, "/").await).await);
    assert!(text.contains("No scorecard has a reading yet."), "{text}");
    assert!(
        text.contains("Nothing alerts.") && text.contains("as of 1 Mar 2026, 10:00 UTC"),
        "{text}"
    );
}

#[tokio::test]
async fn before_the_replay_is_done_the_page_says_what_is_missing() {
    let (views, router) = house();
    {
        let mut state = views.state.lock().unwrap();
        state.ready = false;
        state.waiting_for = "the replay".to_owned();
    }
    let html = text(ask(&router, "/").await).await;
    assert!(html.contains("Not everything is here yet: waiting for the replay."));
}

#[tokio::test]
async fn a_page_of_the_past_says_which_past_it_is_and_leads_back() {
    let html = page("/scorecards/it?at=2026-02-20T00:00:00Z&known_at=2026-02-27T12:00").await;
    let text = words(&html);
    assert!(
        text.contains("You see 20 Feb 2026, 00:00 UTC, as far as it was known on 27 Feb 2026, 12:00 UTC. Back to now"),
        "{text}"
    );
    assert!(
        html.contains("name=\"at\" type=\"datetime-local\" value=\"2026-02-20T00:00\""),
        "{html}"
    );
    assert!(html.contains("data-stream=\"\""), "nothing on it changes");
    assert!(
        html.contains("/api/v1/scorecards/it?at=2026-02-20T00:00:00Z&#38;known_at=2026-02-27T12:00:00Z"),
        "{html}"
    );
    assert!(
        !text.contains("pending") && !text.contains("Last 30 days"),
        "no alerts and lines of now: {text}"
    );
    let alone = words(&page("/scorecards/it?known_at=2026-02-27T12:00").await);
    assert!(
        alone.contains("what this page showed on 27 Feb 2026, 12:00 UTC, without what became known later"),
        "{alone}"
    );
    let now = page("/scorecards/it").await;
    assert!(now.contains("Look back") && !now.contains("Back to now"));
}

#[tokio::test]
async fn a_page_of_what_is_said_otherwise_tells_then_now_and_why() {
    let html = page("/scorecards/it/restatement?from=2026-02-26T00:00&to=2026-02-28T00:00").await;
    let text = words(&html);
    for part in [
        "IT operations: said otherwise now",
        "Something else is said now of 1 of 3 instants.",
        "2 more are still to come",
        "28 Feb 2026, 00:00 UTC see it then &middot; see it now",
        "3 late measurements sequences 4001, 4002, 4003",
        "1 correction sequence 4010",
        "1 change of definitions sequence 4100",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(
        html.contains("href=\"/scorecards/it?known_at=2026-02-28T00:00:00Z\""),
        "{html}"
    );
    let instance =
        page("/scorecards/marketing/restatement?instance=k%C3%B6ln&from=2026-02-26T00:00&to=2026-02-28T00:00").await;
    assert!(instance.contains("name=\"instance\" value=\"köln\""), "{instance}");
    let response = ask(&house().1, "/scorecards/it/restatement?from=noon").await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
}
