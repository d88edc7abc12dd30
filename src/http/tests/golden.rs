//! The form of a scorecard: a contract.

use super::{ask, house, text};
use crate::http::fake;
use crate::wire::scorecard::ScorecardBody;

#[tokio::test]
async fn a_scorecard_is_a_tree_of_nodes() {
    let body = ask(&house().1, "/api/v1/scorecards/company").await;
    let board = fake::board();
    let golden = ScorecardBody::new(board.picture("company").unwrap(), &board.catalog.fingerprint);
    let golden = serde_json::to_string(&golden).unwrap();
    assert_eq!(text(body).await, golden);
    let broken = golden
        .replace("{\"path\":\"company", "\n{\"path\":\"company")
        .replace(",\"score\"", ",\n  \"score\"");
    insta::assert_snapshot!(broken, @r#"
    {"scorecard":"company","instance":null,"at":"2026-03-01T10:00:00Z","known_at":null,"sequence":4711,"catalog":"sha256:4f2a","node":
    {"path":"company","kind":"scorecard","title":"Company",
      "score":76.13095238095238,"status":"green","absence":null,"coverage":1.0,"worst":
    {"path":"company/financial/sound/company.cash",
      "score":70.83333333333334},"red":0,"trend":{"previous":73.93095238095238,"change":2.200000000000003,"direction":"better"},"children":[
    {"path":"company/financial","kind":"perspective","title":"Financial","weight":1.0,
      "score":76.13095238095238,"status":"green","absence":null,"coverage":1.0,"worst":
    {"path":"company/financial/sound/company.cash",
      "score":70.83333333333334},"red":0,"trend":{"previous":73.93095238095238,"change":2.200000000000003,"direction":"better"},"children":[
    {"path":"company/financial/sound","kind":"objective","title":"Sound finances","weight":1.0,
      "score":76.13095238095238,"status":"green","absence":null,"coverage":1.0,"worst":
    {"path":"company/financial/sound/company.cash",
      "score":70.83333333333334},"red":0,"trend":{"previous":73.93095238095238,"change":2.200000000000003,"direction":"better"},"included":[{"path":"it/process","title":"Process","weight":1.0,
      "score":66.0,"status":"amber"}],"children":[
    {"path":"company/financial/sound/company.margin","kind":"kpi","title":"Operating margin","weight":1.0,"value":13.8,"unit":"%","count":420,"observed_at":"2026-03-01T09:25:00Z","fresh":true,"provisional":false,"target":12.0,
      "score":81.42857142857143,"status":"green","absence":null,"coverage":1.0,"worst":
    {"path":"company/financial/sound/company.margin",
      "score":81.42857142857143},"red":0,"trend":{"previous":78.47142857142858,"change":2.9571428571428555,"direction":"better","previous_value":12.972}},
    {"path":"company/financial/sound/company.cash","kind":"kpi","title":"Cash runway","weight":1.0,"value":16.0,"unit":"months","count":420,"observed_at":"2026-03-01T09:25:00Z","fresh":true,"provisional":false,"target":18.0,
      "score":70.83333333333334,"status":"amber","absence":null,"coverage":1.0,"worst":
    {"path":"company/financial/sound/company.cash",
      "score":70.83333333333334},"red":0,"trend":{"previous":68.83333333333333,"change":2.000000000000014,"direction":"better","previous_value":15.04}}]}]}]}}
    "#);
}
