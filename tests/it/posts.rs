//! What leaves: alerts before everything else and in order where order matters, readings at a pace of their own.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use kpid::domain::alert::{AlertTransition, Severity, TransitionKind};
use kpid::domain::id::{Sequence, Slug};
use kpid::domain::instant::Instant;
use kpid::domain::reading::{Reading, ReadingChange};
use kpid::pipeline::outbox::Delivering;
use kpid::pipeline::readings::{Keeping, LatestReadings};
use kpid::ports::{Delivery, Outbox, PublishError, Publisher};
use kpid::state::MemoryOutbox;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(10);

/// A destination that takes what it is let take, and tells what it saw.
struct Destination {
    seen: Mutex<Vec<String>>,
    changed: Notify,
    alerts: Semaphore,
    readings: Semaphore,
    /// Ids that are refused once.
    refused: Mutex<Vec<&'static str>>,
}

impl Destination {
    fn new(alerts: usize, readings: usize) -> Arc<Self> {
        Arc::new(Self {
            seen: Mutex::default(),
            changed: Notify::new(),
            alerts: Semaphore::new(alerts),
            readings: Semaphore::new(readings),
            refused: Mutex::default(),
        })
    }

    fn see(&self, words: String) {
        self.seen.lock().unwrap().push(words);
        self.changed.notify_one();
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    async fn wait_for(&self, count: usize) {
        let waiting = async {
            while self.seen().len() < count {
                self.changed.notified().await;
            }
        };
        assert!(timeout(SOON, waiting).await.is_ok(), "{:?}", self.seen());
    }
}

impl Publisher for Destination {
    fn destination(&self) -> &'static str {
        "nats"
    }

    fn publish<'a>(&'a self, transition: &'a AlertTransition) -> BoxFuture<'a, Result<Delivery, PublishError>> {
        async move {
            let id = &transition.id;
            self.see(format!("{id} begins"));
            self.alerts.acquire().await.unwrap().forget();
            let mut refused = self.refused.lock().unwrap();
            if let Some(at) = refused.iter().position(|refused| refused == id) {
                refused.remove(at);
                return Err(away());
            }
            drop(refused);
            self.see(format!("{id} ends"));
            Ok(Delivery::New)
        }
        .boxed()
    }

    fn keep_readings<'a>(&'a self, changes: &'a [ReadingChange]) -> BoxFuture<'a, Result<(), PublishError>> {
        async move {
            self.readings.acquire().await.unwrap().forget();
            for change in changes {
                self.see(change.path.to_string());
            }
            Ok(())
        }
        .boxed()
    }
}

fn away() -> PublishError {
    PublishError {
        destination: "nats",
        reason: "it is away".to_owned(),
    }
}

fn transition(id: &str, path: &str) -> AlertTransition {
    AlertTransition {
        id: id.to_owned(),
        rule: Slug::parse("low").unwrap(),
        rule_version: "a1".to_owned(),
        path: path.into(),
        kind: TransitionKind::Firing,
        at: Instant(0),
        since: Instant(0),
        detected_at: Instant(0),
        sequence: Sequence(1),
        title: String::new(),
        owner: None,
        severity: Severity::Critical,
        value: None,
        unit: String::new(),
        target: None,
        score: None,
        status: None,
        status_before: None,
        coverage: None,
        contributors: Vec::new(),
    }
}

fn change(path: &str) -> ReadingChange {
    ReadingChange {
        at: Instant(0),
        path: path.into(),
        reading: Reading::nothing(),
    }
}

/// The two ways out, to one destination.
struct House {
    destination: Arc<Destination>,
    outbox: Arc<MemoryOutbox>,
    decided: Arc<Notify>,
    readings: Arc<LatestReadings>,
    stop: watch::Sender<bool>,
}

impl House {
    fn new(destination: &Arc<Destination>) -> Self {
        Self {
            destination: Arc::clone(destination),
            outbox: Arc::new(MemoryOutbox::new(&["nats"])),
            decided: Arc::default(),
            readings: Arc::default(),
            stop: watch::channel(false).0,
        }
    }

    fn deliver(&self) -> tokio::task::JoinHandle<()> {
        let delivering = Delivering {
            publisher: Arc::clone(&self.destination) as Arc<dyn Publisher>,
            outbox: Arc::clone(&self.outbox) as Arc<dyn Outbox>,
            decided: Arc::clone(&self.decided),
            stop: self.stop.subscribe(),
        };
        tokio::spawn(async move { delivering.run().await.unwrap() })
    }

    fn keep(&self, every: Duration) -> tokio::task::JoinHandle<()> {
        let keeping = Keeping {
            publisher: Arc::clone(&self.destination) as Arc<dyn Publisher>,
            readings: Arc::clone(&self.readings),
            every,
            stop: self.stop.subscribe(),
        };
        tokio::spawn(keeping.run())
    }

    fn decide(&self, transitions: &[AlertTransition]) {
        self.outbox.put((Sequence(1), Instant(0)), transitions).unwrap();
        self.decided.notify_one();
    }

    async fn close(self, tasks: Vec<tokio::task::JoinHandle<()>>) {
        self.stop.send_replace(true);
        for task in tasks {
            timeout(SOON, task).await.expect("it ends").unwrap();
        }
    }
}

#[tokio::test]
async fn an_alert_does_not_wait_for_readings() {
    let destination = Destination::new(1, 0);
    let house = House::new(&destination);
    let tasks = vec![house.deliver(), house.keep(Duration::ZERO)];
    house.readings.put(&[change("it")]);
    tokio::time::sleep(Duration::from_millis(20)).await;
    house.decide(&[transition("a", "it")]);
    destination.wait_for(2).await;
    assert_eq!(destination.seen(), ["a begins", "a ends"]);
    destination.readings.add_permits(1);
    destination.wait_for(3).await;
    house.close(tasks).await;
}

#[tokio::test]
async fn alerts_of_many_nodes_leave_together_and_those_of_one_after_another() {
    let destination = Destination::new(0, 0);
    let house = House::new(&destination);
    let tasks = vec![house.deliver()];
    let decided = [("a1", "a"), ("b1", "b"), ("c1", "c"), ("a2", "a"), ("d1", "d")];
    house.decide(&decided.map(|(id, path)| transition(id, path)));
    destination.wait_for(3).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(destination.seen(), ["a1 begins", "b1 begins", "c1 begins"]);
    destination.alerts.add_permits(5);
    destination.wait_for(10).await;
    let seen = destination.seen();
    let at = |words: &str| seen.iter().position(|seen| seen == words).unwrap();
    assert!(at("a1 ends") < at("a2 begins"), "{seen:?}");
    house.close(tasks).await;
}

#[tokio::test]
async fn an_alert_does_not_wait_for_one_of_another_node_that_is_on_the_way() {
    let destination = Destination::new(0, 0);
    let house = House::new(&destination);
    let tasks = vec![house.deliver()];
    house.decide(&[transition("a1", "a")]);
    destination.wait_for(1).await;
    house.decide(&[transition("b1", "b"), transition("a2", "a")]);
    destination.wait_for(2).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(destination.seen(), ["a1 begins", "b1 begins"]);
    destination.alerts.add_permits(3);
    destination.wait_for(6).await;
    let seen = destination.seen();
    let at = |words: &str| seen.iter().position(|seen| seen == words).unwrap();
    assert!(at("a1 ends") < at("a2 begins"), "{seen:?}");
    house.close(tasks).await;
}

#[tokio::test]
async fn one_that_failed_is_delivered_again_and_the_others_are_not() {
    let destination = Destination::new(100, 0);
    destination.refused.lock().unwrap().push("b");
    let house = House::new(&destination);
    let tasks = vec![house.deliver()];
    house.decide(&["a", "b", "c"].map(|name| transition(name, name)));
    destination.wait_for(7).await;
    let begun = |id: &str| {
        destination
            .seen()
            .iter()
            .filter(|seen| **seen == format!("{id} begins"))
            .count()
    };
    assert_eq!(["a", "b", "c"].map(begun), [1, 2, 1]);
    let left = house.outbox.pending("nats", 10).unwrap();
    assert!(left.is_empty(), "{left:?}");
    house.close(tasks).await;
}

#[tokio::test]
async fn a_thousand_readings_leave_a_few_at_a_time() {
    let destination = Destination::new(0, 0);
    let house = House::new(&destination);
    let nodes: Vec<ReadingChange> = (0..1_000).map(|n| change(&format!("it/n{n:04}"))).collect();
    house.readings.put(&nodes);
    let tasks = vec![house.keep(Duration::from_mins(1))];
    destination.readings.add_permits(2);
    destination.wait_for(2).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let seen = destination.seen().len();
    assert!(
        (2..=64).contains(&seen),
        "{seen} before the destination took the first ones"
    );
    destination.readings.add_permits(1_000);
    destination.wait_for(1_000).await;
    assert_eq!(destination.seen().len(), 1_000, "each once");
    house.close(tasks).await;
}

#[tokio::test]
async fn every_node_that_changes_all_the_time_leaves_in_its_turn() {
    let destination = Destination::new(0, 1_000);
    let house = House::new(&destination);
    let nodes: Vec<ReadingChange> = (0..1_500).map(|n| change(&format!("it/n{n:04}"))).collect();
    house.readings.put(&nodes);
    let tasks = vec![house.keep(Duration::from_mins(1))];
    destination.wait_for(1_500).await;
    // What changes now waits for the pace, or for the end.
    house.readings.put(&nodes);
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(destination.seen().len(), 1_500, "each once");
    house.close(tasks).await;
    assert_eq!(destination.seen().len(), 3_000, "what was left leaves at the end");
}
