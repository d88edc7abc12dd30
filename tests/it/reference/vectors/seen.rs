//! Specification, sections 4 and 7: what readers see beside the line that is printed, at the end of the story (`end`) and
//! when they ask for another instant then.

use super::{POINTS, Vector, head, kpi, levels, vector};

const LAST: &str = "aggregate = 'last'\nwindow = { all = true }";
const TWO_HOURS: &str = "aggregate = 'last'\nwindow = { rolling = '2h', slice = '1h' }";
const DAY: &str = "aggregate = 'sum'\nwindow = { period = 'day' }";
const LAST_DAY: &str = "aggregate = 'sum'\nwindow = { period = 'day', complete = true }";

pub fn vectors() -> Vec<Vector> {
    [trends(), periods(), leaves(), past()].into_iter().flatten().collect()
}

fn trends() -> Vec<Vector> {
    vec![
        vector("trend: the reading one window earlier and the difference")
            .kpi("k", TWO_HOURS)
            .kpi("j", TWO_HOURS)
            .stream(&[
                "00:10 k value=60",
                "00:10 j value=80",
                "02:10 k value=80",
                "02:10 j value=80",
            ])
            .shows(&[
                "end k trend=60:20:better",
                "end j trend=80:0:same",
                "end t/p/o trend=70:10:better",
                "end t trend=70:10:better",
            ]),
        vector("trend is better by score: a value that falls can be better")
            .unscored("k", &format!("{TWO_HOURS}\ndirection = 'down'\nred = 50\ntarget = 25"))
            .stream(&["00:10 k value=50", "02:10 k value=25"])
            .shows(&["end k value=25 trend=50:25:better"]),
        vector("trend of a running day: yesterday as a whole")
            .kpi("k", DAY)
            .stream(&["08:00 k value=60", "2026-03-03T00:30Z k value=40"])
            .shows(&["end k value=40 trend=60:-20:worse"]),
        vector("trend of the last whole day: the day before")
            .kpi("k", LAST_DAY)
            .stream(&[
                "08:00 k value=60",
                "2026-03-03T08:00Z k value=90",
                "2026-03-04T00:30Z k value=1",
            ])
            .shows(&["end k value=90 trend=60:30:better"]),
        vector("there is no trend before everything, nor without a score then")
            .kpi("k", LAST)
            .kpi("j", TWO_HOURS)
            .stream(&["00:10 k value=60", "01:10 j value=60"])
            .shows(&["end k trend=-", "end j trend=-"]),
    ]
}

fn periods() -> Vec<Vector> {
    vec![
        vector("a running period is provisional until its very end; a window without periods never is")
            .kpi("k", DAY)
            .kpi("j", TWO_HOURS)
            .stream(&["08:00 k value=60", "23:10 j value=80"])
            .shows(&[
                "20:00 k provisional=true",
                "20:00 t provisional=true",
                "20:00 j provisional=false",
                "2026-03-03T00:00Z k provisional=false value=60",
                "2026-03-03T00:00Z t provisional=false",
            ]),
        vector("a complete period is provisional until allowed_lateness has passed, then final")
            .kpi("k", &format!("{LAST_DAY}\nallowed_lateness = '2h'"))
            .stream(&["08:00 k value=60", "2026-03-03T06:00Z k value=1"])
            .shows(&[
                "2026-03-03T00:00Z k provisional=true value=60",
                "2026-03-03T01:00Z k provisional=true",
                "2026-03-03T02:00Z k provisional=false",
                "end k provisional=false restated=false",
            ]),
        vector("what was never measured has no reading that could be provisional")
            .kpi("k", DAY)
            .kpi("j", LAST)
            .stream(&["08:00 j value=60"])
            .shows(&["end k provisional=false", "end t provisional=false"]),
        vector("a later change of a final period is a restatement")
            .kpi("k", LAST_DAY)
            .kpi("j", LAST)
            .stream(&["08:00 k value=60", "2026-03-03T02:30Z j value=1", "09:00 k value=15"])
            .shows(&[
                "end k value=75 restated=true provisional=false",
                "end j restated=false",
                "end t restated=false",
            ]),
        vector("a correction of a final period restates it, a retraction too, also of its only measurement")
            .kpi("k", LAST_DAY)
            .kpi("j", LAST_DAY)
            .kpi("i", LAST)
            .stream(&[
                "08:00 k value=60 id=\"a\"",
                "08:00 j value=60 id=\"b\"",
                "2026-03-03T02:30Z i value=1",
                "- k corrects=\"a\" value=75",
                "- j retracts=\"b\"",
            ])
            .shows(&[
                "end k value=75 restated=true",
                "end j value=- word=no_data restated=true",
            ]),
        vector("what comes late within allowed_lateness restates nothing")
            .kpi("k", &format!("{LAST_DAY}\nallowed_lateness = '6h'"))
            .kpi("j", LAST)
            .stream(&["08:00 k value=60", "2026-03-03T02:30Z j value=1", "09:00 k value=15"])
            .shows(&["end k value=75 restated=false provisional=true"]),
        vector("with the next period the restatement is history")
            .kpi("k", LAST_DAY)
            .kpi("j", LAST)
            .stream(&[
                "08:00 k value=60",
                "2026-03-03T02:30Z j value=1",
                "09:00 k value=15",
                "2026-03-03T08:00Z k value=50",
                "2026-03-04T00:30Z j value=1",
            ])
            .shows(&["end k value=50 restated=false"]),
    ]
}

fn leaves() -> Vec<Vector> {
    let own = format!("{POINTS}{LAST}");
    vec![
        vector("a green parent cannot hide a red leaf: it names the lowest and counts the red ones")
            .kpi("a", &format!("{LAST}\nweight = 20"))
            .kpi("b", LAST)
            .kpi("c", LAST)
            .stream(&["00:10 a value=90", "00:10 b value=49", "00:10 c value=30"])
            .shows(&[
                "end t word=green worst=c:30 red=2",
                "end t/p/o worst=c:30 red=2",
                "end c worst=c:30 red=1",
                "end a worst=a:90 red=0",
            ]),
        vector("of leaves that are equally low the first is named; one without weight is named too")
            .kpi("a", LAST)
            .kpi("b", LAST)
            .kpi("c", &format!("{LAST}\nweight = 0"))
            .stream(&["00:10 a value=60", "00:10 b value=60", "01:10 c value=10"])
            .shows(&["end t worst=c:10 red=1 score=60"]),
        vector("a node without a score for want of coverage still names its lowest leaf")
            .scorecard("min_coverage = 0.9")
            .kpi("a", LAST)
            .kpi("b", LAST)
            .stream(&["00:10 a value=30"])
            .shows(&["end t/p/o word=insufficient_coverage worst=a:30 red=1"]),
        vector("leaves of an included node count as well")
            .kpi("a", LAST)
            .file(
                "above.toml",
                &(head("above") + &levels("include = [{ node = 't', weight = 1 }]") + &kpi("o", "c", &own)),
            )
            .stream(&["00:10 a value=20", "00:10 c value=90"])
            .shows(&["end above/p worst=a:20 red=1 score=55"]),
        vector("count and freshness: what has a value in the window counts, the latest of all says how fresh")
            .kpi(
                "k",
                "aggregate = 'mean'\nexpected_every = '1h'\nwindow = { all = true }",
            )
            .kpi("j", LAST)
            .stream(&[
                "00:10 k value=60",
                "00:20 k not_applicable=true",
                "00:30 k value=80",
                "02:40 j value=1",
            ])
            .shows(&[
                "end k count=2 fresh=false score=70",
                "01:00 k count=2",
                "end j count=1 fresh=true",
            ]),
    ]
}

fn past() -> Vec<Vector> {
    vec![
        vector("a query rounds its instant up to the end of the slice")
            .kpi("k", TWO_HOURS)
            .stream(&["00:10 k value=60", "00:50 k value=70", "03:10 k value=80"])
            .shows(&["00:20 k value=70", "01:00 k value=70", "02:00 k value=70", "02:01 k value=- word=stale"]),
        vector("a query of a week rounds up to the end of the local day, of a day to that of the hour, of all to the UTC day")
            .scorecard("time_zone = 'Europe/Berlin'")
            .kpi("k", "aggregate = 'sum'\nwindow = { period = 'week' }")
            .kpi("j", DAY)
            .kpi("i", "aggregate = 'sum'\nwindow = { all = true }")
            .stream(&[
                "10:10 k value=20",
                "22:30 k value=30",
                "23:30 k value=1",
                "10:10 j value=20",
                "10:50 j value=30",
                "11:10 j value=1",
                "10:10 i value=20",
                "23:30 i value=40",
                "2026-03-03T00:30Z i value=1",
            ])
            .shows(&["10:15 k value=50", "10:15 j value=50", "10:15 i value=60"]),
        vector("a query shows what is known now: corrected, and with what came late")
            .kpi("k", "aggregate = 'sum'\nwindow = { all = true }")
            .stream(&[
                "00:10 k value=20 id=\"a\"",
                "2026-03-04T00:10Z k value=1",
                "01:10 k value=30",
                "- k corrects=\"a\" value=40",
            ])
            .shows(&["12:00 k value=70 count=2", "end k value=71 count=3"]),
        vector("what was held then is held in a query too, and for as long")
            .kpi("k", "aggregate = 'last'\nmissing = 'hold'\nhold_for = '2h'\nwindow = { rolling = '1h', slice = '1h' }")
            .kpi("j", "aggregate = 'last'\nmissing = 'hold'\nhold_for = '20h'\nwindow = { period = 'day', complete = true }")
            .kpi("i", LAST)
            .stream(&[
                "00:10 k value=80",
                "10:10 j value=60",
                "2026-03-05T06:00Z i value=1",
            ])
            .shows(&[
                "01:00 k value=80 count=1",
                "02:30 k value=80 count=0",
                "03:30 k value=- word=stale",
                "2026-03-03T08:00Z j value=60 count=1",
                "2026-03-04T08:00Z j value=60 count=0",
                "2026-03-04T20:00Z j value=- word=stale",
            ]),
        vector("before the first measurement nothing was measured")
            .kpi("k", TWO_HOURS)
            .stream(&["10:10 k value=60"])
            .shows(&["08:00 k value=- word=no_data count=0", "20:00 k word=stale"]),
    ]
}
