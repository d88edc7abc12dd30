//! The JSON API and health: every route, and every way to ask wrongly.

use axum::http::StatusCode;

use super::{ask, house, json, problem, text};

#[tokio::test]
async fn the_list_names_every_scorecard_with_score_and_alerts() {
    let body = json("/api/v1/scorecards").await;
    let entries = body["scorecards"].as_array().unwrap();
    let ids: Vec<&str> = entries.iter().map(|entry| entry["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["company", "it", "marketing", "product", "training"]);
    let it = &entries[1];
    assert_eq!((&it["alerts_firing"], &it["alerts_pending"]), (&1.into(), &1.into()));
    assert_eq!(it["status"], "amber");
    assert_eq!(entries[2]["instances"], 10);
    assert_eq!(entries[2]["each"], "region");
    assert_eq!(body["sequence"], 4711);
}

#[tokio::test]
async fn a_scorecard_in_the_past_is_asked_of_the_projection() {
    let body = json("/api/v1/scorecards/it?at=2026-02-01T00:00:00%2B01:00").await;
    assert_eq!(body["at"], "2026-01-31T23:00:00Z");
    let now = json("/api/v1/scorecards/it?at=").await;
    assert_eq!(now["at"], "2026-03-01T10:00:00Z");
    assert_ne!(body["node"]["score"], now["node"]["score"]);
}

#[tokio::test]
async fn an_instance_has_its_own_tree() {
    let body = json("/api/v1/scorecards/marketing?instance=z%C3%BCrich").await;
    assert_eq!(body["instance"], "zürich");
    assert_eq!(body["node"]["path"], "marketing@zürich");
}

#[tokio::test]
async fn kpis_tell_their_definition_and_what_they_say() {
    let body = json("/api/v1/kpis").await;
    assert_eq!(body["kpis"].as_array().unwrap().len(), 26);
    let one = json("/api/v1/kpis/it.csat").await;
    assert_eq!(one["window"], serde_json::json!({"rolling": "28d", "slice": "1d"}));
    assert_eq!(
        (&one["value"], &one["target"], &one["score"]),
        (&82.5.into(), &90.0.into(), &62.5.into())
    );
    assert_eq!(one["note"]["by"], "Anna");
    let there = json("/api/v1/kpis/marketing.roas?instance=wien").await;
    assert_eq!(
        there["path"],
        "marketing@wien/financial/profitable-growth/marketing.roas"
    );
}

#[tokio::test]
async fn readings_of_a_kpi_come_at_the_instants_asked_for() {
    let path = "/api/v1/kpis/it.csat/readings?from=2026-02-01T00:00:00Z&to=2026-02-03T00:00:00Z&every=1d";
    let body = json(path).await;
    let at: Vec<&str> = body["readings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["at"].as_str().unwrap())
        .collect();
    assert_eq!(
        at,
        ["2026-02-01T00:00:00Z", "2026-02-02T00:00:00Z", "2026-02-03T00:00:00Z"]
    );
    assert!(body["readings"][0]["value"].is_f64());
    assert_eq!(body["unit"], "%");
}

#[tokio::test]
async fn alerts_are_listed_by_state() {
    for (path, states) in [
        ("/api/v1/alerts", vec!["pending", "firing"]),
        ("/api/v1/alerts?state=firing", vec!["firing"]),
        ("/api/v1/alerts?state=pending", vec!["pending"]),
    ] {
        let body = json(path).await;
        let found: Vec<&str> = body["alerts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|a| a["state"].as_str().unwrap())
            .collect();
        assert_eq!(found, states, "{path}");
    }
    let body = json("/api/v1/alerts?state=resolved").await;
    assert_eq!(body["alerts"][0]["transition"], "resolved");
    assert_eq!(body["alerts"][0]["duration_seconds"], 5.0 * 3600.0);
    assert_eq!(body["alerts"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_journal_says_where_it_ends() {
    let body = json("/api/v1/journal").await;
    assert_eq!((&body["end"], &body["applied"]), (&4711.into(), &4711.into()));
    assert_eq!(body["recorded_at"], "2026-03-01T10:00:00Z");
}

#[tokio::test]
async fn a_wrong_question_is_answered_with_the_remedy() {
    for (path, status, words) in [
        (
            "/api/v1/scorecards/nope",
            404,
            "there is no scorecard `nope`: use one of company, it",
        ),
        (
            "/api/v1/scorecards/it?instance=berlin",
            404,
            "has no instances: leave `instance` out",
        ),
        (
            "/api/v1/scorecards/marketing?instance=bonn",
            404,
            "under the label `region`",
        ),
        (
            "/api/v1/scorecards/marketing?instance=a%07b",
            400,
            "parameter `instance`",
        ),
        ("/api/v1/scorecards/it?at=noon", 400, "write RFC 3339"),
        ("/api/v1/scorecards/it?known_at=noon", 400, "write RFC 3339"),
        (
            "/api/v1/scorecards/it?known_at=2026-03-01T10:00:01Z",
            400,
            "it is now 2026-03-01T10:00:00Z",
        ),
        (
            "/api/v1/scorecards/it?known_at=2025-12-31T00:00:00Z",
            422,
            "the journal begins at 2026-01-01",
        ),
        (
            "/api/v1/scorecards/it?known_at=2026-01-01T00:00:00Z",
            503,
            "ask again later",
        ),
        (
            "/api/v1/scorecards/nope/restatement",
            404,
            "there is no scorecard `nope`: use one of company, it",
        ),
        (
            "/api/v1/scorecards/it/restatement?from=2026-03-02T00:00:00Z",
            400,
            "give an instant before",
        ),
        ("/api/v1/scorecards?x=1", 400, "takes no parameters"),
        ("/api/v1/kpis/nope", 404, "there is no KPI `nope`"),
        ("/api/v1/kpis/it.csat/readings?every=1s", 400, "at most 2000"),
        ("/api/v1/alerts?state=open", 400, "use pending, firing or resolved"),
        ("/api/v1/stream?scorecard=nope", 404, "there is no scorecard `nope`"),
        ("/api/v2", 404, "there is nothing at `/api/v2`"),
    ] {
        let (found, detail) = problem(path).await;
        assert_eq!(found, status, "{path}: {detail}");
        assert!(detail.contains(words), "{path}: {detail}");
    }
}

#[tokio::test]
async fn who_comes_when_too_many_ask_about_the_past_is_told_when_to_come_again() {
    let response = ask(&house().1, "/api/v1/scorecards/it?known_at=2026-01-01T00:00:00Z").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["retry-after"], "1");
}

#[tokio::test]
async fn an_answer_says_what_was_known_when() {
    let known = json("/api/v1/scorecards/it?known_at=2026-02-01T00:00:00Z").await;
    assert_eq!(
        (&known["known_at"], &known["at"]),
        (&"2026-02-01T00:00:00Z".into(), &"2026-02-01T00:00:00Z".into())
    );
    let both = json("/api/v1/scorecards/it?at=2026-01-20T00:00:00Z&known_at=2026-02-01T00:00:00Z").await;
    assert_eq!(
        (&both["known_at"], &both["at"]),
        (&"2026-02-01T00:00:00Z".into(), &"2026-01-20T00:00:00Z".into())
    );
    let readings = "/api/v1/kpis/it.csat/readings?every=1d&known_at=";
    let known = json(&format!("{readings}2026-02-01T00:00:00Z")).await;
    assert_eq!(
        (&known["to"], &known["unit"]),
        (&"2026-02-01T00:00:00Z".into(), &"%".into()),
        "up to then"
    );
}

#[tokio::test]
async fn a_restatement_tells_each_cause_with_its_facts() {
    let told = json("/api/v1/scorecards/it/restatement?from=2026-02-26T00:00:00Z&to=2026-02-28T00:00:00Z").await;
    assert_eq!(
        (&told["compared"], told["restated"].as_array().unwrap().len()),
        (&3.into(), 1)
    );
    let root = &told["restated"][0]["nodes"][0];
    assert_eq!((&root["path"], &root["kind"]), (&"it".into(), &"scorecard".into()));
    let causes = root["causes"].as_array().unwrap();
    let points: f64 = causes.iter().map(|cause| cause["points"].as_f64().unwrap()).sum();
    assert!((points - root["change"].as_f64().unwrap()).abs() < 1e-9, "{told}");
    assert_eq!(
        (&causes[0]["cause"], &causes[0]["count"]),
        (&"late_measurements".into(), &3.into())
    );
    assert_eq!(causes[0]["sequences"], serde_json::json!([4001, 4002, 4003]));
}

#[tokio::test]
async fn ready_is_said_only_when_caught_up() {
    let (views, router) = house();
    assert_eq!(ask(&router, "/readyz").await.status(), StatusCode::OK);
    {
        let mut state = views.state.lock().unwrap();
        state.ready = false;
        state.waiting_for = "the replay".to_owned();
    }
    let response = ask(&router, "/readyz").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        text(response)
            .await
            .contains("waiting for the replay: 4711 of 4711 facts")
    );
    assert_eq!(ask(&router, "/livez").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn metrics_are_the_text_of_the_recorder() {
    let response = ask(&house().1, "/metrics").await;
    assert_eq!(
        response.headers()["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    assert_eq!(text(response).await, "facts_total 7\n");
}
