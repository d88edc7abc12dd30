//! The drawing of a strategy map: where boxes stand, how arrows go, where their labels find room.
//!
//! Rows of boxes and arrows between them enter, coordinates leave. Arrows go around the boxes of the rows between,
//! through the nearest gap, and labels step aside for one another. Nothing here knows what a score or a coefficient is.

/// Width of a box.
pub const BOX_WIDTH: f64 = 206.0;
/// Height of a box.
pub const BOX_HEIGHT: f64 = 84.0;
/// Between two boxes of a row: room for an arrow that passes.
const GAP: f64 = 40.0;
/// Between the edge of the drawing and the boxes, for arrows that pass there.
const MARGIN: f64 = 34.0;
/// Title of a row, over its boxes.
const ROW_HEAD: f64 = 30.0;
/// Below the boxes of a row, inside its band.
const ROW_FOOT: f64 = 14.0;
/// Between two rows: room for arrows and their labels.
const ROW_GAP: f64 = 78.0;
/// Over the first row, for arrows between its own boxes.
const TOP: f64 = 8.0;
/// Size of an arrow's label.
pub const LABEL: (f64, f64) = (88.0, 22.0);
/// A row of one box still looks like a row.
const WIDTH_MIN: f64 = 640.0;

/// What is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Size of the drawing.
    pub size: (f64, f64),
    /// Left upper corner of each box, row by row.
    pub boxes: Vec<Vec<(f64, f64)>>,
    /// Top and height of each row's band.
    pub bands: Vec<(f64, f64)>,
    /// In the order of the arrows.
    pub arrows: Vec<Route>,
}

/// The way of one arrow.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// Path data of the line.
    pub line: String,
    /// Path data of the head.
    pub head: String,
    /// Middle of its label.
    pub label: (f64, f64),
}

/// A box by row and place in the row.
pub type Place = (usize, usize);

/// Lays the map out. `rows` says how many boxes each row has; arrows lead from box to box.
pub fn plan(rows: &[usize], arrows: &[(Place, Place)]) -> Plan {
    let widest = rows.iter().copied().max().unwrap_or(0);
    let width = (row_width(widest) + 2.0 * MARGIN).max(WIDTH_MIN);
    let band = ROW_HEAD + BOX_HEIGHT + ROW_FOOT;
    let top = |row: usize| TOP + row as f64 * (band + ROW_GAP);
    let boxes: Vec<Vec<(f64, f64)>> = rows
        .iter()
        .enumerate()
        .map(|(row, count)| {
            let left = (width - row_width(*count)) / 2.0;
            let place = |index: usize| (left + index as f64 * (BOX_WIDTH + GAP), top(row) + ROW_HEAD);
            (0..*count).map(place).collect()
        })
        .collect();
    let height = top(rows.len().saturating_sub(1)) + band + TOP;
    let mut board = Board {
        width,
        boxes,
        taken: Vec::new(),
        passed: Vec::new(),
    };
    let anchors = board.anchors(arrows);
    let routes = arrows
        .iter()
        .zip(anchors)
        .map(|(arrow, anchors)| board.route(*arrow, anchors))
        .collect();
    Plan {
        size: (width, height),
        bands: (0..rows.len()).map(|row| (top(row), band)).collect(),
        boxes: board.boxes,
        arrows: routes,
    }
}

fn row_width(count: usize) -> f64 {
    count as f64 * (BOX_WIDTH + GAP) - GAP
}

/// A cubic curve that leaves and arrives upright.
#[derive(Debug, Clone, Copy)]
struct Curve {
    from: (f64, f64),
    to: (f64, f64),
    /// How far its arms reach, with the sign of their way.
    arms: (f64, f64),
}

impl Curve {
    /// Between two points at different heights.
    fn between(from: (f64, f64), to: (f64, f64)) -> Self {
        let arm = (to.1 - from.1) * 0.5;
        Self {
            from,
            to,
            arms: (arm, -arm),
        }
    }

    fn at(&self, t: f64) -> (f64, f64) {
        let rest = 1.0 - t;
        let [start, near, far, end] = [rest.powi(3), 3.0 * t * rest.powi(2), 3.0 * t * t * rest, t.powi(3)];
        let ((x0, y0), (x1, y1)) = (self.from, self.to);
        let x = (start + near) * x0 + (far + end) * x1;
        let y = start * y0 + near * (y0 + self.arms.0) + far * (y1 + self.arms.1) + end * y1;
        (x, y)
    }

    fn data(&self) -> String {
        let ((x0, y0), (x1, y1)) = (self.from, self.to);
        format!(
            "C{x0:.1} {:.1} {x1:.1} {:.1} {x1:.1} {y1:.1}",
            y0 + self.arms.0,
            y1 + self.arms.1
        )
    }
}

/// What stands already.
struct Board {
    width: f64,
    boxes: Vec<Vec<(f64, f64)>>,
    /// Middles of labels.
    taken: Vec<(f64, f64)>,
    /// Row and place of each way through a gap.
    passed: Vec<(usize, f64)>,
}

/// Where an arrow leaves and where it arrives.
type Anchors = ((f64, f64), (f64, f64));

impl Board {
    fn corner(&self, (row, index): Place) -> (f64, f64) {
        self.boxes
            .get(row)
            .and_then(|row| row.get(index))
            .copied()
            .unwrap_or_default()
    }

    fn middle(&self, place: Place) -> f64 {
        self.corner(place).0 + BOX_WIDTH / 2.0
    }

    /// Ends on one side of a box stand side by side, in the order of where they lead.
    fn anchors(&self, arrows: &[(Place, Place)]) -> Vec<Anchors> {
        let ends = |(from, to): &(Place, Place)| {
            let upwards = to.0 <= from.0;
            // Within a row arrows leave and arrive at the upper side.
            [(*from, upwards, *to), (*to, !upwards || to.0 == from.0, *from)]
        };
        let all: Vec<(Place, bool, Place)> = arrows.iter().flat_map(ends).collect();
        let point = |number: usize| {
            let Some(&(place, is_upper, _)) = all.get(number) else {
                return (0.0, 0.0);
            };
            let mut here: Vec<usize> = (0..all.len())
                .filter(|other| all.get(*other).is_some_and(|end| (end.0, end.1) == (place, is_upper)))
                .collect();
            let leads = |end: &usize| all.get(*end).map_or(0.0, |end| self.middle(end.2));
            here.sort_by(|a, b| leads(a).total_cmp(&leads(b)).then(a.cmp(b)));
            let rank = here.iter().position(|other| *other == number).unwrap_or(0);
            let corner = self.corner(place);
            let x = corner.0 + BOX_WIDTH * (rank + 1) as f64 / (here.len() + 1) as f64;
            (x, if is_upper { corner.1 } else { corner.1 + BOX_HEIGHT })
        };
        (0..arrows.len())
            .map(|arrow| (point(2 * arrow), point(2 * arrow + 1)))
            .collect()
    }

    fn route(&mut self, (from, to): (Place, Place), (start, end): Anchors) -> Route {
        let down = to.0 > from.0;
        // The line ends where the head begins.
        let tip = (end.0, end.1 + if down || to.0 == from.0 { -9.0 } else { 9.0 });
        let mut curves = Vec::new();
        if to.0 == from.0 {
            curves.push(Curve {
                from: start,
                to: tip,
                arms: (-52.0, -43.0),
            });
        } else {
            let between: Vec<usize> = (from.0.min(to.0) + 1..from.0.max(to.0)).collect();
            let ordered: Vec<usize> = if down {
                between
            } else {
                between.into_iter().rev().collect()
            };
            let mut at = start;
            for row in ordered {
                let gap = self.gap(row, at.0 + (tip.0 - at.0) / 2.0);
                let top = self.corner((row, 0)).1;
                let (enter, leave) = if down {
                    (top - 8.0, top + BOX_HEIGHT + 8.0)
                } else {
                    (top + BOX_HEIGHT + 8.0, top - 8.0)
                };
                curves.push(Curve::between(at, (gap, enter)));
                curves.push(Curve::between((gap, enter), (gap, leave)));
                at = (gap, leave);
            }
            curves.push(Curve::between(at, tip));
        }
        let line = curves.iter().map(Curve::data).collect::<String>();
        Route {
            line: format!("M{:.1} {:.1}{line}", start.0, start.1),
            head: format!(
                "M{:.1} {:.1}L{:.1} {:.1}H{:.1}Z",
                end.0,
                end.1,
                end.0 - 6.0,
                tip.1,
                end.0 + 6.0
            ),
            label: self.label(&curves),
        }
    }

    /// A way through the gap of a row that is nearest to `x`, beside those that pass there already.
    fn gap(&mut self, row: usize, x: f64) -> f64 {
        let boxes = self.boxes.get(row).map(Vec::as_slice).unwrap_or_default();
        let left = boxes.first().map_or(self.width / 2.0, |first| first.0 - MARGIN / 2.0);
        let rights = boxes.iter().map(|corner| corner.0 + BOX_WIDTH + GAP / 2.0);
        let rights = rights.map(|right| right.min(self.width - MARGIN / 2.0));
        let nearest = |best: f64, other: f64| {
            if (other - x).abs() < (best - x).abs() {
                other
            } else {
                best
            }
        };
        let middle = rights.fold(left, nearest);
        let before = self.passed.iter().filter(|passed| **passed == (row, middle)).count();
        self.passed.push((row, middle));
        // In the middle, right of it, left of it; a fourth way shares the first.
        middle + [0.0, 9.0, -9.0].get(before % 3).copied().unwrap_or(0.0)
    }

    /// A place on the way where no other label and no box is; the middle of the way where there is none.
    fn label(&mut self, curves: &[Curve]) -> (f64, f64) {
        let stops = [0.5, 0.42, 0.58, 0.35, 0.65, 0.28, 0.72, 0.22, 0.78, 0.16, 0.84];
        // The last piece leads into the box that is driven: that is where people look.
        let places = curves.iter().rev().flat_map(|curve| stops.map(|t| curve.at(t)));
        let free = places.clone().find(|place| self.is_free(*place));
        let place = free.or_else(|| places.clone().next()).unwrap_or_default();
        self.taken.push(place);
        place
    }

    fn is_free(&self, (x, y): (f64, f64)) -> bool {
        let apart = |other: &(f64, f64)| (other.0 - x).abs() >= LABEL.0 + 6.0 || (other.1 - y).abs() >= LABEL.1 + 4.0;
        let off = |corner: &(f64, f64)| {
            let beside = x + LABEL.0 / 2.0 <= corner.0 || x - LABEL.0 / 2.0 >= corner.0 + BOX_WIDTH;
            beside || y + LABEL.1 / 2.0 <= corner.1 || y - LABEL.1 / 2.0 >= corner.1 + BOX_HEIGHT
        };
        self.taken.iter().all(apart) && self.boxes.iter().flatten().all(off)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_below_one_another_and_boxes_side_by_side() {
        let plan = plan(&[1, 3], &[]);
        assert_eq!(plan.bands.len(), 2);
        assert!(plan.bands[1].0 > plan.bands[0].0 + plan.bands[0].1);
        let xs: Vec<f64> = plan.boxes[1].iter().map(|corner| corner.0).collect();
        assert!(xs.windows(2).all(|pair| pair[1] - pair[0] >= BOX_WIDTH + GAP));
        assert_eq!(
            plan.boxes[0][0].0, plan.boxes[1][1].0,
            "a single box stands in the middle"
        );
        assert!(xs[2] + BOX_WIDTH <= plan.size.0);
    }

    #[test]
    fn an_arrow_goes_from_the_upper_side_to_the_lower_one_above() {
        let plan = plan(&[1, 1], &[((1, 0), (0, 0))]);
        let (from, to) = (plan.boxes[1][0], plan.boxes[0][0]);
        let start = format!("M{:.1} {:.1}C", from.0 + BOX_WIDTH / 2.0, from.1);
        assert!(plan.arrows[0].line.starts_with(&start), "{}", plan.arrows[0].line);
        let head = format!("M{:.1} {:.1}L", to.0 + BOX_WIDTH / 2.0, to.1 + BOX_HEIGHT);
        assert!(plan.arrows[0].head.starts_with(&head), "{}", plan.arrows[0].head);
    }

    #[test]
    fn an_arrow_over_a_row_goes_through_a_gap() {
        let plan = plan(&[1, 2, 1], &[((2, 0), (0, 0))]);
        let gap = (plan.boxes[1][0].0 + BOX_WIDTH + plan.boxes[1][1].0) / 2.0;
        assert!(
            plan.arrows[0].line.contains(&format!(" {gap:.1} ")),
            "{}",
            plan.arrows[0].line
        );
    }

    #[test]
    fn labels_lie_on_no_box_and_on_no_other_label() {
        let arrows: Vec<(Place, Place)> = vec![
            ((1, 0), (0, 0)),
            ((1, 0), (0, 1)),
            ((1, 1), (0, 0)),
            ((1, 1), (0, 1)),
            ((2, 0), (1, 1)),
            ((2, 0), (0, 1)),
        ];
        let plan = plan(&[2, 2, 1], &arrows);
        let labels: Vec<(f64, f64)> = plan.arrows.iter().map(|route| route.label).collect();
        for (index, label) in labels.iter().enumerate() {
            for other in labels.iter().skip(index + 1) {
                let apart = (label.0 - other.0).abs() >= LABEL.0 || (label.1 - other.1).abs() >= LABEL.1;
                assert!(apart, "{label:?} {other:?}");
            }
            let inside = |corner: &(f64, f64)| {
                (corner.0..corner.0 + BOX_WIDTH).contains(&label.0)
                    && (corner.1..corner.1 + BOX_HEIGHT).contains(&label.1)
            };
            assert!(!plan.boxes.iter().flatten().any(inside), "{label:?}");
        }
    }

    #[test]
    fn nothing_to_draw_draws_nothing() {
        let plan = plan(&[], &[]);
        assert!(plan.boxes.is_empty() && plan.arrows.is_empty() && plan.size.1 > 0.0);
    }
}
