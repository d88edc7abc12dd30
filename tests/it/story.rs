//! One measurement, from the door to the alert and the page, through the real program and a real NATS server.

use std::io::{BufRead, BufReader};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use async_nats::Client;
use futures_util::StreamExt;
use serde_json::Value;

use crate::support::daemon::Daemon;
use crate::support::nats::NatsServer;

const CATALOG: &str = include_str!("catalogs/story/desk.toml");
const PATH: &str = "desk/customer/satisfied-users/desk.csat";
const SECONDS_30: Duration = Duration::from_secs(30);

#[test]
fn one_measurement_goes_from_the_door_to_the_alert_and_the_page() {
    let server = NatsServer::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut daemon = Daemon::new(&[("desk.toml", CATALOG)]).with("KPID_NATS__URL", &server.url());
    daemon.start_ready();
    let client = runtime.block_on(async_nats::connect(server.url())).unwrap();
    let mut alerts = runtime.block_on(client.subscribe("kpi.v1.alert.>")).unwrap();
    runtime.block_on(client.flush()).unwrap();
    let stream = follow(&format!("{}/api/v1/stream?scorecard=desk", daemon.url()));
    let before = daemon.node("desk");
    assert_eq!(
        (&before["score"], &before["absence"]),
        (&Value::Null, &"no_data".into())
    );

    // In at the door, with a receipt.
    let (status, receipt) = daemon.post(r#"{"id":"t1","kpi":"desk.csat","value":63,"note":"after the outage"}"#);
    assert_eq!(status, 200, "{receipt}");
    assert_eq!((&receipt["accepted"], &receipt["duplicates"]), (&1.into(), &0.into()));
    let durable = receipt["sequence"].as_u64().unwrap();

    // Seen: 63 lies 12 under red (75, 50 points) on the way to worst (45, 0 points): 30 points.
    let node = daemon.node("desk");
    let leaf = &node["children"][0]["children"][0]["children"][0];
    assert_eq!(
        (&leaf["path"], &leaf["value"], &leaf["count"]),
        (&PATH.into(), &63.0.into(), &1.into())
    );
    assert_eq!((&node["score"], &node["status"]), (&30.0.into(), &"red".into()));

    // Said: to a subscriber, to the bucket, to whoever follows the stream.
    let alert = runtime.block_on(async { tokio::time::timeout(SECONDS_30, alerts.next()).await.unwrap().unwrap() });
    assert_eq!(
        alert.subject.as_str(),
        "kpi.v1.alert.critical.csat-low.desk.customer.satisfied-users.desk.csat"
    );
    let event: Value = serde_json::from_slice(&alert.payload).unwrap();
    assert_eq!(
        (&event["type"], &event["subject"]),
        (&"kpid.alert.firing.v1".into(), &PATH.into())
    );
    assert_eq!(
        (&event["data"]["score"], &event["data"]["sequence"]),
        (&30.0.into(), &durable.into())
    );
    let kept = runtime.block_on(kept_reading(&client, "desk.customer.satisfied-users.desk.csat"));
    assert_eq!(
        (&kept["value"], &kept["score"], &kept["status"]),
        (&63.0.into(), &30.0.into(), &"red".into())
    );
    let is_ours = |one: &Value| one["path"] == PATH && one["value"] == 63.0;
    event_that(&stream, "readings", |readings| {
        readings.as_array().is_some_and(|all| all.iter().any(is_ours))
    });
    event_that(&stream, "alert", |alert| {
        alert["id"] == event["id"] && alert["transition"] == "firing"
    });

    shown_on_the_pages(&daemon);

    // Sent again it is the same measurement.
    let (status, again) = daemon.post(r#"{"id":"t1","kpi":"desk.csat","value":63,"note":"after the outage"}"#);
    assert_eq!(
        (status, &again["accepted"], &again["duplicates"]),
        (200, &0.into(), &1.into())
    );

    // Replayed: the same scorecard, the same alert.
    let replayed = daemon.replay(&[]);
    assert_eq!(replayed.node("desk", None), &daemon.node("desk"));
    assert_eq!(replayed.alert_ids(), [event["id"].as_str().unwrap()]);
    assert_eq!(replayed.alerts[0]["transition"], "firing");

    daemon.stop_well();
    assert_eq!(daemon.replay(&[]), replayed, "leaving adds nothing to the journal");
}

/// Shown: on the pages, with the alert, the value, the status in words, and what the person said.
fn shown_on_the_pages(daemon: &Daemon) {
    for page in ["/", "/scorecards/desk"] {
        let (status, html) = daemon.get(page);
        assert_eq!(status, 200, "{page}");
        for part in ["Service desk", "30", "red"] {
            assert!(html.contains(part), "{page} shows `{part}`:\n{html}");
        }
    }
    let page = daemon.get("/scorecards/desk").1;
    for part in ["Ticket satisfaction", "63", "csat-low", "after the outage", "1 firing"] {
        assert!(page.contains(part), "the page shows `{part}`:\n{page}");
    }
}

/// Server-sent events of an open stream: name and data.
fn follow(url: &str) -> Receiver<(String, Value)> {
    let config = ureq::Agent::config_builder().timeout_connect(Some(SECONDS_30)).build();
    let answer = ureq::Agent::from(config).get(url).call().expect("the stream opens");
    let (say, heard) = mpsc::channel();
    std::thread::spawn(move || {
        let mut name = String::new();
        let lines = BufReader::new(answer.into_body().into_reader()).lines();
        for line in lines.map_while(Result::ok) {
            if let Some(word) = line.strip_prefix("event: ") {
                word.clone_into(&mut name);
            } else if let Some(data) = line.strip_prefix("data: ") {
                let data = serde_json::from_str(data).unwrap_or(Value::Null);
                if say.send((name.clone(), data)).is_err() {
                    return;
                }
            }
        }
    });
    heard
}

/// Waits for an event of this name of which this holds.
fn event_that(stream: &Receiver<(String, Value)>, name: &str, holds: impl Fn(&Value) -> bool) {
    let mut seen = Vec::new();
    while let Ok((found, data)) = stream.recv_timeout(SECONDS_30) {
        if found == name && holds(&data) {
            return;
        }
        seen.push((found, data));
    }
    panic!("no such event `{name}` in {seen:?}");
}

/// The reading of a node in `KPI_SCORES`, once it has a value.
async fn kept_reading(client: &Client, key: &str) -> Value {
    let context = async_nats::jetstream::new(client.clone());
    for _ in 0..500 {
        if let Ok(bucket) = context.get_key_value("KPI_SCORES").await
            && let Ok(Some(entry)) = bucket.get(key).await
        {
            let reading: Value = serde_json::from_slice(&entry).unwrap();
            if !reading["value"].is_null() {
                return reading;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{key} is not in KPI_SCORES");
}
