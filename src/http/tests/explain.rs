//! Explanations and strategy maps, asked as a client asks them.

use axum::http::StatusCode;
use serde_json::Value;

use super::{ask, house, json, problem, text};

async fn page(path: &str) -> String {
    let response = ask(&house().1, path).await;
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    text(response).await
}

fn sum(body: &Value) -> f64 {
    let leaves = body["leaves"].as_array().unwrap();
    leaves.iter().map(|leaf| leaf["contribution"].as_f64().unwrap()).sum()
}

#[tokio::test]
async fn shares_sum_to_the_change_of_any_node() {
    for query in [
        "product/explain",
        "it/explain?node=it/customer",
        "it/explain?node=customer",
        "it/explain?node=process/restore-fast&from=2026-02-20T00:00:00Z",
        "product/explain?from=2026-02-01T00:00:00Z&to=2026-02-10T00:00:00Z",
        "it/explain?node=it/customer/satisfied-users/it.csat",
    ] {
        let body = json(&format!("/api/v1/scorecards/{query}")).await;
        let change = body["node"]["change"].as_f64().unwrap();
        assert!((sum(&body) - change).abs() < 1e-9, "{query}: {body}");
        let side = |name: &str| body["node"][name]["score"].as_f64().unwrap();
        assert!((side("now") - side("then") - change).abs() < 1e-9, "{query}");
    }
}

#[tokio::test]
async fn a_leaf_tells_weights_values_and_what_moved_it() {
    let body = json("/api/v1/scorecards/it/explain?node=customer/satisfied-users").await;
    assert_eq!(
        (&body["scorecard"], &body["instance"], &body["from"], &body["to"]),
        (
            &"it".into(),
            &Value::Null,
            &"2026-02-22T10:00:00Z".into(),
            &"2026-03-01T10:00:00Z".into()
        )
    );
    let leaves = body["leaves"].as_array().unwrap();
    let csat = leaves
        .iter()
        .find(|leaf| leaf["path"].as_str().unwrap().ends_with("it.csat"))
        .unwrap();
    assert_eq!(
        (&csat["now"]["value"], &csat["now"]["weight"]),
        (&82.5.into(), &0.5.into())
    );
    assert_eq!(
        (&csat["measurements"]["entered"], &csat["measurements"]["left"]),
        (&60.into(), &1.into())
    );
    let listed = &csat["measurements"]["listed"];
    assert_eq!(
        (&listed[0]["numerator"], &listed[0]["denominator"]),
        (&3.0.into(), &40.0.into())
    );
    assert_eq!(
        (&listed[0]["moved"], &listed[0]["by"]),
        (&"entered".into(), &"Anna".into())
    );
    assert_eq!(
        (&listed[1]["value"], &listed[1]["moved"]),
        (&91.0.into(), &"left".into())
    );
    assert_eq!(body["measurements_complete"], true);
}

#[tokio::test]
async fn an_instance_is_explained_by_itself() {
    let body = json("/api/v1/scorecards/marketing/explain?instance=berlin").await;
    assert_eq!(
        (&body["instance"], &body["node"]["path"]),
        (&"berlin".into(), &"marketing@berlin".into())
    );
}

#[tokio::test]
async fn what_cannot_be_explained_says_why() {
    for (query, status, words) in [
        (
            "nope/explain",
            404,
            "there is no scorecard `nope`: use one of company, it",
        ),
        ("it/explain?node=it/nope", 404, "there is no node `it/nope`"),
        (
            "it/explain?from=2026-03-02T00:00:00Z",
            400,
            "give an instant before 2026-03-01T10:00:00Z",
        ),
        (
            "it/explain?from=2026-02-02T00:00:00Z&to=2026-02-01T00:00:00Z",
            400,
            "parameter `from`",
        ),
        ("it/explain?from=lately", 400, "write RFC 3339"),
        (
            "it/explain?at=2026-02-02T00:00:00Z",
            400,
            "this address knows instance, node, from, to",
        ),
        ("nope/strategy", 404, "there is no scorecard `nope`"),
        ("it/strategy?every=1m", 400, "give an hour or more"),
    ] {
        let (found, detail) = problem(&format!("/api/v1/scorecards/{query}")).await;
        assert_eq!(found, status, "{query}: {detail}");
        assert!(detail.contains(words), "{query}: {detail}");
    }
}

#[tokio::test]
async fn the_page_of_a_change_is_a_table_that_needs_no_script() {
    let html = page("/scorecards/it/explain?node=it/customer").await;
    for part in [
        "What moved Customer",
        "IT operations</a>",
        "Ticket satisfaction",
        "Measurements: 60 came, 1 went",
        "3 of 40",
        "&ldquo;after the outage &#60;b&#62;&rdquo;",
        "In all",
        "class=\"fall-",
        "href=\"/scorecards/it/explain?node=it/customer/satisfied-users/it.csat\"",
        "aria-current=\"true\">7 days",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
    for forbidden in ["<style", " style=", "<b>", "onclick"] {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
}

#[tokio::test]
async fn a_page_that_cannot_be_drawn_says_why() {
    for path in ["/scorecards/it/explain?node=nope", "/scorecards/nope/strategy"] {
        let response = ask(&house().1, path).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert!(text(response).await.contains("Not here"), "{path}");
    }
}

#[tokio::test]
async fn a_strategy_map_tells_its_arrows_with_lag_and_word() {
    let body = json("/api/v1/scorecards/it/strategy").await;
    assert_eq!(
        (&body["every"], &body["to"]),
        (&"1d".into(), &"2026-03-01T00:00:00Z".into())
    );
    let perspectives = body["perspectives"].as_array().unwrap();
    assert_eq!(perspectives.len(), 4);
    assert_eq!(perspectives[1]["objectives"][0]["path"], "it/customer/satisfied-users");
    let arrows = body["arrows"].as_array().unwrap();
    assert_eq!(arrows.len(), 4);
    // The house's objectives follow one another by three days.
    assert_eq!(
        (&arrows[0]["from"], &arrows[0]["to"]),
        (
            &"it/financial/cost-efficient".into(),
            &"it/customer/satisfied-users".into()
        )
    );
    assert_eq!(
        (&arrows[0]["lag"], &arrows[0]["verdict"]),
        (&"3d".into(), &"supported".into())
    );
    assert!(arrows[0]["coefficient"].as_f64().unwrap() > 0.999);
    assert_eq!(arrows[0]["points"], 176);
}

#[tokio::test]
async fn the_page_of_the_map_says_in_a_table_what_it_draws() {
    let html = page("/scorecards/it/strategy").await;
    for part in [
        "<h1>Strategy map</h1>",
        "class=\"map-box\"",
        "Run at planned cost drives Satisfied users: supported",
        "<th role=\"columnheader\" scope=\"col\">The history shows</th>",
        "3\u{202f}d",
        "Skilled people",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
    assert!(!html.contains(" style="));
    let card = page("/scorecards/it").await;
    assert!(card.contains("href=\"/scorecards/it/strategy\""));
    assert!(card.contains("href=\"/scorecards/it/explain?node=it/customer\""));
    let without = page("/scorecards/training").await;
    assert!(!without.contains("/strategy\""), "nothing to draw, nothing to link to");
}
