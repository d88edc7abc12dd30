//! Specification, section 4: which measurements a window sees.

use super::{Vector, vector};

pub fn vectors() -> Vec<Vector> {
    [rolling(), days(), periods(), fiscal(), whole_weeks(), late()]
        .into_iter()
        .flatten()
        .collect()
}

fn rolling() -> Vec<Vector> {
    vec![
        vector("a slice holds its first instant and not its last")
            .kpi("k", "aggregate = 'sum'\nwindow = { rolling = '2h', slice = '1h' }")
            .stream(&[
                "00:00 k value=1",
                "00:59:59.999 k value=2",
                "01:00 k value=4",
                "02:00 k value=8",
            ])
            .readings(&["01:00 k 3 3 red 1", "02:00 k 7 7 red 1", "03:00 k 12 12 red 1"]),
        vector("a rolling window sees whole slices: with the new slice the oldest one goes as a whole")
            .every("15m")
            .kpi("k", "aggregate = 'sum'\nwindow = { rolling = '2h', slice = '1h' }")
            .stream(&["00:50 k value=10", "01:10 k value=20", "02:20 k value=40"])
            .readings(&[
                "01:00 k 10 10 red 1",
                "01:15 k 30 30 red 1",
                "02:15 k 20 20 red 1",
                "02:30 k 60 60 amber 1",
            ]),
        vector("without slice, a day has 24 of an hour: the first look into a new hour drops that of yesterday")
            .every("30m")
            .kpi("k", "aggregate = 'sum'\nwindow = { rolling = '24h' }")
            .kpi("j", "aggregate = 'sum'\nwindow = { all = true }")
            .stream(&["00:40 k value=10", "2026-03-03T00:10Z j value=1"])
            .readings(&["01:00 k 10 10 red 1", "2026-03-03T00:30Z k - - stale 0"]),
        vector("without slice, ten minutes have slices of a minute, though they are fewer than 24")
            .every("1m")
            .kpi("k", "aggregate = 'sum'\nwindow = { rolling = '10m' }")
            .kpi("j", "aggregate = 'sum'\nwindow = { all = true }")
            .stream(&["00:00:30 k value=10", "00:11 j value=1"])
            .readings(&["00:01 k 10 10 red 1", "00:11 k - - stale 0"]),
        vector("slices are aligned to the epoch in UTC, whatever the time zone")
            .scorecard("time_zone = 'Asia/Kolkata'")
            .kpi("k", "aggregate = 'sum'\nwindow = { rolling = '1d', slice = '1d' }")
            .stream(&["2026-03-01T23:59Z k value=10", "00:10 k value=20"])
            .readings(&["00:00 k 10 10 red 1", "01:00 k 20 20 red 1"]),
    ]
}

fn days() -> Vec<Vector> {
    vec![
        vector("the day of 23 hours ends after 23 hours")
            .scorecard("time_zone = 'Europe/Berlin'")
            .kpi("k", "aggregate = 'sum'\nwindow = { period = 'day' }")
            .stream(&[
                "2026-03-28T22:59:59.999Z k value=1",
                "2026-03-28T23:00Z k value=2",
                "2026-03-29T21:59Z k value=4",
                "2026-03-29T22:00Z k value=8",
            ])
            .readings(&[
                "2026-03-28T23:00Z k 1 1 red 1",
                "2026-03-29T00:00Z k 2 2 red 1",
                "2026-03-29T22:00Z k 6 6 red 1",
                "2026-03-29T23:00Z k 8 8 red 1",
            ]),
        vector("the day of 25 hours, complete at its very end: 50 in 25 hours are 2 an hour")
            .scorecard("time_zone = 'Europe/Berlin'")
            .kpi(
                "k",
                "aggregate = 'rate'\nper = '1h'\nwindow = { period = 'day', complete = true }",
            )
            .stream(&["2026-10-25T01:30Z k value=50", "2026-10-25T23:10Z k value=0"])
            .readings(&["2026-10-25T02:00Z k - - stale 0", "2026-10-25T23:00Z k 2 2 red 1"]),
        vector("at midnight the running day is still the old one")
            .kpi("k", "aggregate = 'sum'\nwindow = { period = 'day' }")
            .stream(&["2026-03-01T23:30Z k value=10", "00:30 k value=20"])
            .readings(&["00:00 k 10 10 red 1", "01:00 k 20 20 red 1"]),
    ]
}

fn periods() -> Vec<Vector> {
    vec![
        vector("a week begins on Monday")
            .kpi("k", "aggregate = 'sum'\nwindow = { period = 'week' }")
            .stream(&[
                "2026-02-28T23:30Z k value=1",
                "2026-03-01T00:00Z k value=2",
                "00:00 k value=4",
            ])
            .readings(&[
                "2026-03-01T00:00Z k 1 1 red 1",
                "2026-03-01T01:00Z k 3 3 red 1",
                "01:00 k 4 4 red 1",
            ]),
        vector("a week begins on Sunday where the scorecard says so")
            .scorecard("week_start = 'sunday'")
            .kpi("k", "aggregate = 'sum'\nwindow = { period = 'week' }")
            .stream(&[
                "2026-02-28T23:30Z k value=1",
                "2026-03-01T00:00Z k value=2",
                "00:00 k value=4",
            ])
            .readings(&[
                "2026-03-01T00:00Z k 1 1 red 1",
                "2026-03-01T01:00Z k 2 2 red 1",
                "01:00 k 6 6 red 1",
            ]),
        vector("a month that is complete at its very end")
            .every("1d")
            .kpi("k", "aggregate = 'sum'\nwindow = { period = 'month', complete = true }")
            .stream(&[
                "2026-01-31T23:59:59.999Z k value=5",
                "2026-02-01T00:00Z k value=7",
                "2026-03-01T00:00Z k value=9",
            ])
            .readings(&["2026-02-01T00:00Z k 5 5 red 1", "2026-03-01T00:00Z k 7 7 red 1"]),
    ]
}

fn fiscal() -> Vec<Vector> {
    vec![
        vector("fiscal quarters count from February: April belongs to the one before May, by local midnight")
            .every("1d")
            .scorecard("time_zone = 'Europe/Berlin'\nfiscal_year_start = 2")
            .kpi("k", "aggregate = 'sum'\nwindow = { period = 'quarter' }")
            .stream(&[
                "2026-03-31T12:00Z k value=8",
                "2026-04-01T12:00Z k value=16",
                "2026-04-30T21:59Z k value=1",
                "2026-04-30T22:00Z k value=2",
            ])
            .readings(&[
                "2026-04-01T00:00Z k 8 8 red 1",
                "2026-04-02T00:00Z k 24 24 red 1",
                "2026-05-01T00:00Z k 2 2 red 1",
            ]),
        vector("a fiscal year from October to September, complete at its very end")
            .every("1d")
            .scorecard("fiscal_year_start = 10")
            .kpi("k", "aggregate = 'sum'\nwindow = { period = 'year', complete = true }")
            .stream(&[
                "2024-10-01T12:00Z k value=1",
                "2025-09-30T12:00Z k value=2",
                "2025-10-01T12:00Z k value=4",
            ])
            .readings(&["2024-10-02T00:00Z k - - stale 0", "2025-10-01T00:00Z k 3 3 red 1"]),
        vector("everything before the instant")
            .every("1d")
            .kpi("k", "aggregate = 'count'\nwindow = { all = true }")
            .stream(&[
                "2020-02-29T12:00Z k value=1",
                "2020-03-01T00:00Z k value=1",
                "2020-03-02T00:00Z k value=1",
            ])
            .readings(&[
                "2020-03-01T00:00Z k 1 1 red 1",
                "2020-03-02T00:00Z k 2 2 red 1",
                "2020-03-03T00:00Z k 3 3 red 1",
            ]),
    ]
}

fn whole_weeks() -> Vec<Vector> {
    vec![
        vector("4-4-5: the year begins on the Monday nearest to 1 January, and its first month has four weeks")
            .every("1d")
            .kpi(
                "k",
                "aggregate = 'sum'\nwindow = { period = 'month', calendar = '4-4-5' }",
            )
            .stream(&[
                "2025-12-28T12:00Z k value=1",
                "2025-12-29T12:00Z k value=2",
                "2026-01-25T12:00Z k value=4",
                "2026-01-26T12:00Z k value=8",
            ])
            .readings(&[
                "2025-12-29T00:00Z k 1 1 red 1",
                "2025-12-30T00:00Z k 2 2 red 1",
                "2026-01-26T00:00Z k 6 6 red 1",
                "2026-01-27T00:00Z k 8 8 red 1",
            ]),
        vector("4-4-5: the 53rd week belongs to the last month, which then has six")
            .every("1d")
            .kpi(
                "k",
                "aggregate = 'sum'\nwindow = { period = 'month', calendar = '4-4-5' }",
            )
            .stream(&[
                "2026-11-22T12:00Z k value=1",
                "2026-11-23T12:00Z k value=2",
                "2027-01-03T12:00Z k value=4",
                "2027-01-04T12:00Z k value=8",
            ])
            .readings(&[
                "2026-11-23T00:00Z k 1 1 red 1",
                "2026-11-24T00:00Z k 2 2 red 1",
                "2027-01-04T00:00Z k 6 6 red 1",
                "2027-01-05T00:00Z k 8 8 red 1",
            ]),
        vector("5-4-4: the first month has five weeks, the quarter thirteen, as in every such calendar")
            .every("1d")
            .kpi(
                "k",
                "aggregate = 'sum'\nwindow = { period = 'month', calendar = '5-4-4' }",
            )
            .kpi(
                "j",
                "aggregate = 'sum'\nwindow = { period = 'quarter', calendar = '5-4-4' }",
            )
            .stream(&[
                "2026-02-01T12:00Z k value=1",
                "2026-02-02T12:00Z k value=2",
                "2026-03-29T12:00Z j value=1",
                "2026-03-30T12:00Z j value=2",
            ])
            .readings(&[
                "2026-02-02T00:00Z k 1 1 red 1",
                "2026-02-03T00:00Z k 2 2 red 1",
                "2026-03-03T00:00Z k - - stale 0",
                "2026-02-02T00:00Z j - - no_data 0",
                "2026-03-30T00:00Z j 1 1 red 1",
                "2026-03-31T00:00Z j 2 2 red 1",
            ]),
    ]
}

fn late() -> Vec<Vector> {
    vec![
        vector("a late measurement counts as if it had come in time, from the next evaluation on")
            .kpi("k", "aggregate = 'mean'\nwindow = { rolling = '24h', slice = '1h' }")
            .stream(&["00:10 k value=80", "05:10 k value=60", "00:20 k value=40"])
            .readings(&["01:00 k 80 80 green 1", "06:00 k 60 60 amber 1"]),
        vector("a late measurement is not the last one")
            .kpi("k", "aggregate = 'last'\nwindow = { all = true }")
            .stream(&["00:10 k value=60", "03:10 k value=70", "01:00 k value=90"])
            .readings(&["01:00 k 60 60 amber 1", "04:00 k 70 70 amber 1"]),
    ]
}
