//! One definition and thousands of instances of it: through the real program, and as laws.

use std::fmt::Write;
use std::sync::Arc;

use kpid::domain::board::Picture;
use kpid::domain::exact::ExactSum;
use kpid::domain::id::InstanceId;
use kpid::domain::projection::{ClockKind, Effects, Projection};
use proptest::prelude::*;
use serde_json::Value;

use crate::reference::File;
use crate::support::blocks::{options, story};
use crate::support::daemon::Daemon;

const CATALOG: &str = include_str!("catalogs/instances/shop.toml");
const INSTANCES: usize = 2_000;
const KPIS: usize = 4;
/// 2026-03-01T00:00:00Z
const START_MS: i64 = 1_772_323_200_000;

fn site(n: usize) -> String {
    format!("site-{n:04}")
}

fn line(kpi: &str, site: &str, at: i64, value: f64) -> String {
    format!("{{\"kpi\":\"shop.{kpi}\",\"observed_at\":{at},\"value\":{value},\"labels\":{{\"site\":\"{site}\"}}}}\n")
}

/// Of each site its rating, from 0 up to almost 100, its members, its sales and its stock.
fn everywhere(at: i64) -> String {
    let lines = (0..INSTANCES).map(|n| {
        let (site, rating) = (site(n), n as f64 / 20.0);
        [("rating", rating), ("members", 0.1), ("sales", 60.0), ("stock", 7.0)]
            .map(|(kpi, value)| line(kpi, &site, at, value))
            .concat()
    });
    lines.collect()
}

#[expect(clippy::disallowed_methods, reason = "a daemon takes in what is of its own time")]
fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_millis() as i64
}

#[test]
fn two_thousand_instances_are_scored_ranked_shown_and_replayed() {
    let limit = INSTANCES * KPIS;
    let mut daemon = Daemon::new(&[("shop.toml", CATALOG)]).with("KPID_INGEST__SERIES_MAX", &limit.to_string());
    daemon.start_ready();
    let at = now_ms() - 60_000;
    let (status, receipt) = daemon.post(&everywhere(at));
    assert_eq!((status, &receipt["accepted"]), (200, &limit.into()), "{receipt}");

    one_more_is_refused(&daemon);
    let overall = daemon.node("shop");
    let one = daemon.node("shop?instance=site-0500");
    assert_eq!(
        kpi(&overall, "shop.members")["value"],
        200.0,
        "2,000 times a tenth, without an error"
    );
    assert_eq!(
        kpi(&overall, "shop.stock")["value"],
        0.0,
        "the mean of the instances' own deltas"
    );
    assert_eq!(kpi(&overall, "shop.rating")["count"], INSTANCES);
    assert_eq!(
        (&one["path"], &kpi(&one, "shop.rating")["value"]),
        (&"shop@site-0500".into(), &25.0.into())
    );
    listed_and_ranked(&daemon);

    // One measurement of one instance moves the whole.
    let (status, _) = daemon.post(&line("members", "site-0000", at + 1, 1_000.1));
    assert_eq!(status, 200);
    assert_eq!(kpi(&daemon.node("shop"), "shop.members")["value"], 1_200.0);

    // The journal says the same of all of them, and so does the next start.
    let replayed = daemon.replay(&[]);
    assert_eq!(replayed.scorecards.len(), INSTANCES + 1);
    printed_in_order(&daemon);
    let before = [None, Some("site-0000"), Some("site-1999")].map(|name| (name, daemon.node(&question(name))));
    for (name, live) in &before {
        assert_eq!(replayed.node("shop", *name), live, "{name:?}");
    }
    daemon.stop_well();
    daemon.start_ready();
    for (name, live) in &before {
        assert_eq!(
            &daemon.node(&question(*name)),
            live,
            "{name:?} after a restart from its checkpoint"
        );
    }
}

/// The whole first, then every instance by name, although many are drawn at once: as JSON, whose bytes are those of a value
/// with sorted keys, and as tables.
fn printed_in_order(daemon: &Daemon) {
    let journal = daemon.journal().display().to_string();
    let printed = |format: &str| daemon.answer(&["replay", "--journal", &journal, "--format", format]);
    let names = std::iter::once("shop".to_owned()).chain((0..INSTANCES).map(|site| format!("shop@site-{site:04}")));
    let names: Vec<String> = names.collect();

    let json = printed("json");
    let list: Vec<Value> = serde_json::from_str(&json).unwrap();
    let paths: Vec<&str> = list.iter().filter_map(|one| one["node"]["path"].as_str()).collect();
    assert_eq!(paths, names);
    assert!(
        json == format!("{:#}\n", Value::from(list)),
        "the bytes of a value with sorted keys"
    );

    let tables = printed("table");
    let tables: Vec<&str> = tables.split("\n\n").collect();
    assert_eq!(tables.len(), names.len());
    let first = tables
        .iter()
        .filter_map(|table| table.lines().nth(1)?.split("  ").next());
    let shown = names
        .iter()
        .map(|name| name.replace("shop@", "Shops @").replace("shop", "Shops"));
    assert_eq!(first.map(str::to_owned).collect::<Vec<_>>(), shown.collect::<Vec<_>>());
}

fn question(instance: Option<&str>) -> String {
    instance.map_or_else(|| "shop".to_owned(), |name| format!("shop?instance={name}"))
}

fn kpi<'a>(node: &'a Value, id: &str) -> &'a Value {
    let children = node["children"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_it = |child: &&Value| child["path"].as_str().is_some_and(|path| path.ends_with(id));
    let found = children.iter().find(is_it);
    found.unwrap_or_else(|| {
        let below = children.iter().map(|child| kpi(child, id));
        below.into_iter().find(|found| !found.is_null()).unwrap_or(&Value::Null)
    })
}

fn one_more_is_refused(daemon: &Daemon) {
    let (status, receipt) = daemon.post(&line("rating", "site-new", now_ms() - 1_000, 50.0));
    let rejection = &receipt["rejected"][0];
    assert_eq!(
        (status, &rejection["reason"]),
        (422, &"too_many_series".into()),
        "{receipt}"
    );
    let detail = rejection["detail"].as_str().unwrap();
    assert!(
        detail.contains("8001 of 8000") && detail.contains("raise ingest.series_max"),
        "{detail}"
    );
}

fn listed_and_ranked(daemon: &Daemon) {
    let list = daemon.json("/api/v1/scorecards");
    assert_eq!(list["scorecards"][0]["instances"], INSTANCES);
    let (status, detail) = daemon.get("/api/v1/scorecards/shop?instance=site-19999");
    assert_eq!(status, 404);
    assert!(
        detail.contains("such as site-1999"),
        "names that begin alike are told: {detail}"
    );
    let (_, page) = daemon.get("/scorecards/shop");
    assert!(page.contains("2,000 instances by site"), "{page}");
    for name in ["site-1999", "site-1995", "site-0000", "site-0004"] {
        assert!(
            page.contains(&format!(">{name}</a>")),
            "{name} is among the best or the worst"
        );
    }
    assert!(!page.contains("<option"), "nobody chooses from a list of thousands");
    assert!(
        page.len() < 200_000,
        "{} bytes, most of them a hundred of its alerts",
        page.len()
    );
    let alerts = daemon.json("/api/v1/alerts");
    let alerts = alerts["alerts"].as_array().unwrap();
    let paths: Vec<&str> = alerts.iter().filter_map(|alert| alert["path"].as_str()).collect();
    assert!(
        paths.is_sorted() && paths.len() == 2 * INSTANCES + 40,
        "{} alerts",
        paths.len()
    );
}

// ---------------------------------------------------------------- laws

/// Sites that measure, in some order, values of every size.
fn measured() -> impl Strategy<Value = Vec<(usize, i64, f64)>> {
    let value = prop_oneof![
        -100.0..100.0_f64,
        Just(1e16),
        Just(-1e16),
        (-40_i32..40).prop_map(|power| 2_f64.powi(power)),
    ];
    prop::collection::vec((0..7_usize, 0..40_i64, value), 1..60)
}

fn ndjson(measured: &[(usize, i64, f64)]) -> String {
    let mut text = String::new();
    for (n, hours, value) in measured {
        for kpi in ["rating", "members", "stock"] {
            write!(text, "{}", line(kpi, &site(*n), START_MS + hours * 3_600_000, *value)).unwrap();
        }
    }
    text
}

fn files() -> Vec<File> {
    vec![("shop.toml".to_owned(), CATALOG.to_owned())]
}

fn value(picture: &Picture, kpi: &str) -> Option<f64> {
    let node = picture.nodes.iter().find(|node| node.path.ends_with(kpi));
    node.unwrap().reading.value
}

fn names(projection: &Projection) -> Vec<InstanceId> {
    projection.instance_names("shop", "").cloned().collect()
}

/// What all instances say of a KPI, each asked by itself, summed without an error.
fn summed(projection: &Projection, kpi: &str) -> (f64, u32) {
    let (mut sum, mut count) = (ExactSum::default(), 0);
    for name in names(projection) {
        let picture = projection.picture_now("shop", Some(&name)).unwrap();
        if let Some(value) = value(&picture, kpi) {
            sum.add(value);
            count += 1;
        }
    }
    (sum.total(), count)
}

/// The whole is put together from its instances, to the last bit, and the best and the worst are.
fn holds_together(projection: &mut Projection) -> Result<(), TestCaseError> {
    let board = projection.boards(&[]).remove(0);
    let (members, counted) = summed(projection, "shop.members");
    let known = value(&board.overall, "shop.members");
    prop_assert_eq!(known.map(f64::to_bits), (counted > 0).then_some(members.to_bits()));
    let (stock, counted) = summed(projection, "shop.stock");
    let mean = stock / f64::from(counted);
    prop_assert_eq!(
        value(&board.overall, "shop.stock").map(f64::to_bits),
        (counted > 0).then_some(mean.to_bits())
    );
    let score = |name: InstanceId| {
        let root = &projection.picture_now("shop", Some(&name)).unwrap().nodes[0];
        Some((root.reading.score?, name))
    };
    let mut scores: Vec<(f64, InstanceId)> = names(projection).into_iter().filter_map(score).collect();
    scores.sort_by(|one, other| one.0.total_cmp(&other.0));
    let scores: Vec<f64> = scores.into_iter().map(|(score, _)| score).collect();
    let worst: Vec<f64> = board.worst_instances.iter().map(|one| one.score).collect();
    let best: Vec<f64> = board.best_instances.iter().rev().map(|one| one.score).collect();
    prop_assert_eq!(&worst, &scores);
    prop_assert_eq!(&best, &scores);
    prop_assert_eq!(board.instance_count, names(projection).len());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_whole_is_its_instances_at_every_block_and_after_every_checkpoint(measured in measured(), lines in 1..20_usize) {
        let story = story(&files(), &ndjson(&measured), &vec![(lines, 0)]);
        let mut projection = story.projection(ClockKind::Recorded);
        for block in &story.blocks {
            projection.apply(block, &mut Effects::default());
            holds_together(&mut projection)?;
            projection.forget_saved();
            let image = projection.take_image(0);
            let restored = Projection::from_image(Arc::clone(&story.catalog), options(ClockKind::Recorded), &image);
            holds_together(&mut restored.unwrap())?;
        }
    }

    #[test]
    fn which_instance_came_first_makes_no_difference(mut measured in measured(), shift in 0..60_usize) {
        // The same of one site at one instant would be told apart by its place in the journal.
        let mut seen = std::collections::BTreeSet::new();
        measured.retain(|(site, hours, _)| seen.insert((*site, *hours)));
        let whole = |measured: &[(usize, i64, f64)]| {
            let story = story(&files(), &ndjson(measured), &vec![(1_000, 0)]);
            let mut projection = story.projection(ClockKind::Recorded);
            story.blocks.iter().for_each(|block| projection.apply(block, &mut Effects::default()));
            let overall = projection.boards(&[]).remove(0).overall;
            ["shop.members", "shop.stock"].map(|kpi| value(&overall, kpi).map(f64::to_bits))
        };
        let one = whole(&measured);
        let middle = shift % measured.len();
        measured.rotate_left(middle);
        prop_assert_eq!(whole(&measured), one);
    }
}
