//! Explaining a change: the difference between a node's scores at two instants, split exactly over the leaves below it.
//!
//! A small tree enters, with the score and the weight of each node at both instants; a [`Share`] for every leaf leaves, in
//! the order of the tree. Nothing here knows what a KPI, a window or an instant is.
//!
//! A child may move its parent in two ways: by its own score, and by how much it counts (its weight changed, it or a
//! sibling became absent, another child became the worst). With `p` the child's part of the weight that counts (they sum to
//! 1 at each instant, 0 where it does not count), `s` its score and `r` any fixed number, a weighted mean changes by
//!
//! ```text
//! S' - S = sum of  mean(p) * (s' - s)  +  (mean(s) - r) * (p' - p)
//! ```
//!
//! which is exact, because the parts sum to 1 on both sides (the symmetric form of Marshall, Edgeworth and Bennet, "The
//! theory of measurement of changes in cost of living", JRSS 1920). `r` is the mean of the parent's two scores, so that a child
//! that counts more helps when it is better than the whole. A child without a score at one of the instants is taken at
//! its other one: it cannot have moved by its score. `worst` and `best` are the same with all of the weight on the child that
//! gives the score. `geometric` is the same in logarithms, brought back by the logarithmic mean (LMDI; Ang, "Decomposition
//! analysis for policymaking in energy", Energy Policy 2004). Where a zero has no logarithm, the children are replaced one
//! after the other, forwards and backwards, and the two are averaged.

use super::catalog::RollUp;

/// A number at the first instant and at the second.
pub type Both<T> = [T; 2];

/// A node at two instants with everything below it.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    /// 0..=100, where it has one.
    pub scores: Both<Option<f64>>,
    /// Relative weight among its siblings, >= 0.
    pub weights: Both<f64>,
    /// What it is made of.
    pub below: Below,
}

/// What a node is made of.
#[derive(Debug, Clone, PartialEq)]
pub enum Below {
    /// Nothing: it is measured.
    Leaf,
    /// Its children in order, put together like this.
    Branch(RollUp, Vec<Tree>),
}

/// What became of the whole by one leaf.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Share {
    /// Points by which the leaf's own score moved the whole.
    pub by_score: f64,
    /// Points by which the whole moved because the leaf counts more or less than before.
    pub by_weight: f64,
    /// The leaf's part of the whole, 0..=1; 0 where it does not count. For `geometric` nodes the exponent.
    pub weights: Both<f64>,
}

impl Share {
    /// Both together, in points.
    pub fn contribution(&self) -> f64 {
        self.by_score + self.by_weight
    }

    /// Of a leaf that counts in several places.
    pub fn merge(&mut self, other: &Self) {
        self.by_score += other.by_score;
        self.by_weight += other.by_weight;
        self.weights[0] += other.weights[0];
        self.weights[1] += other.weights[1];
    }
}

/// Beyond so many points of the whole for one point of a branch (a geometric mean beside zero), what the branch does is spread over its
/// leaves by their weights instead of by their own moves: opposite moves of its leaves would become enormous.
const FACTOR_MAX: f64 = 1_000.0;

/// Scores below this are as zero to logarithms.
const ZERO: f64 = 1e-9;

/// The shares of all leaves, in the order of the tree. They sum to the difference of the tree's scores where it has both;
/// where it has not, only the weights are told.
pub fn split(tree: &Tree) -> Vec<Share> {
    let mut shares = Vec::new();
    let factor = if has_both(tree) { 1.0 } else { 0.0 };
    let flow = Flow {
        factor,
        spread: Share {
            weights: [1.0, 1.0],
            ..Share::default()
        },
    };
    pour(tree, flow, &mut shares);
    shares
}

/// What arrives at a node from above.
#[derive(Debug, Clone, Copy)]
struct Flow {
    /// Points of the whole for one point of this node.
    factor: f64,
    /// Points to be spread over the leaves by their weights, and the node's part of the whole.
    spread: Share,
}

/// What a child does to its parent.
#[derive(Debug, Clone, Copy, Default)]
struct Part {
    /// Points of the parent for one point of the child.
    factor: f64,
    /// Points of the parent by the child's score: `factor` times its change.
    by_score: f64,
    /// Points of the parent by the child's weight.
    by_weight: f64,
}

fn pour(tree: &Tree, flow: Flow, shares: &mut Vec<Share>) {
    let Below::Branch(roll_up, children) = &tree.below else {
        let moved = match tree.scores {
            [Some(then), Some(now)] => now - then,
            _ => 0.0,
        };
        shares.push(Share {
            by_score: flow.spread.by_score + flow.factor * moved,
            ..flow.spread
        });
        return;
    };
    let counting = [portions(*roll_up, children, 0), portions(*roll_up, children, 1)];
    let parts = parts(*roll_up, tree.scores, children, &counting);
    for (index, child) in children.iter().enumerate() {
        let portion = [at(&counting[0], index), at(&counting[1], index)];
        let part = parts.get(index).copied().unwrap_or_default();
        pour(child, onward(tree, flow, portion, (child, part)), shares);
    }
}

/// What arrives at a child.
fn onward(tree: &Tree, flow: Flow, portion: Both<f64>, (child, part): (&Tree, Part)) -> Flow {
    // What is spread over a node that has a score at one instant goes by the weights of that instant.
    let spread = match tree.scores {
        [Some(_), None] => portion[0],
        [None, Some(_)] => portion[1],
        _ => f64::midpoint(portion[0], portion[1]),
    };
    let is_wild = part.factor.abs() > FACTOR_MAX && child.below != Below::Leaf;
    let by_score = if is_wild { flow.factor * part.by_score } else { 0.0 };
    Flow {
        factor: if is_wild { 0.0 } else { flow.factor * part.factor },
        spread: Share {
            by_score: flow.spread.by_score * spread + by_score,
            by_weight: flow.spread.by_weight * spread + flow.factor * part.by_weight,
            weights: [flow.spread.weights[0] * portion[0], flow.spread.weights[1] * portion[1]],
        },
    }
}

fn at(numbers: &[f64], index: usize) -> f64 {
    numbers.get(index).copied().unwrap_or(0.0)
}

fn has_both(tree: &Tree) -> bool {
    matches!(tree.scores, [Some(_), Some(_)])
}

/// Each child's part of the weight that counts at one instant: they sum to 1, or all are 0 when no child counts.
fn portions(roll_up: RollUp, children: &[Tree], side: usize) -> Vec<f64> {
    let counts = |child: &Tree| {
        let (score, weight) = (child.scores.get(side).copied().flatten(), at(&child.weights, side));
        score.filter(|_| weight > 0.0).map(|score| (score, weight))
    };
    let is_ahead = |score: f64, best: f64| match roll_up {
        RollUp::Worst => score < best,
        _ => score > best,
    };
    if let RollUp::Worst | RollUp::Best = roll_up {
        let scores = children
            .iter()
            .enumerate()
            .filter_map(|(index, child)| Some((index, counts(child)?.0)));
        let chosen = scores.reduce(|best, other| if is_ahead(other.1, best.1) { other } else { best });
        let given = |index| {
            if chosen.is_some_and(|(chosen, _)| chosen == index) {
                1.0
            } else {
                0.0
            }
        };
        return (0..children.len()).map(given).collect();
    }
    let weights = || {
        children
            .iter()
            .map(|child| counts(child).map_or(0.0, |(_, weight)| weight))
    };
    let sum: f64 = weights().sum();
    weights()
        .map(|weight| if sum > 0.0 { weight / sum } else { 0.0 })
        .collect()
}

/// A child at both instants as its parent counts it: its scores, each standing in for the other where it is absent, and its parts.
#[derive(Debug, Clone, Copy)]
struct Counted {
    scores: Both<f64>,
    portions: Both<f64>,
}

/// What each child does to its parent; nothing where the parent lacks a score.
fn parts(roll_up: RollUp, scores: Both<Option<f64>>, children: &[Tree], counting: &Both<Vec<f64>>) -> Vec<Part> {
    let [Some(then), Some(now)] = scores else {
        return Vec::new();
    };
    let counted: Vec<Counted> = children
        .iter()
        .enumerate()
        .map(|(index, child)| {
            let [first, second] = child.scores;
            Counted {
                scores: [first.or(second).unwrap_or(0.0), second.or(first).unwrap_or(0.0)],
                portions: [at(&counting[0], index), at(&counting[1], index)],
            }
        })
        .collect();
    let matters = |child: &&Counted| child.portions != [0.0, 0.0];
    let has_zero = counted
        .iter()
        .filter(matters)
        .any(|child| child.scores.iter().any(|score| *score < ZERO));
    match roll_up {
        RollUp::Geometric if has_zero => replaced(&counted),
        RollUp::Geometric => counted.iter().map(|child| logarithmic([then, now], child)).collect(),
        _ => counted.iter().map(|child| linear([then, now], child)).collect(),
    }
}

/// The weighted mean, and what is one in disguise.
fn linear(parent: Both<f64>, child: &Counted) -> Part {
    let [then, now] = child.scores;
    let [before, after] = child.portions;
    let factor = f64::midpoint(before, after);
    Part {
        factor,
        by_score: factor * (now - then),
        by_weight: (f64::midpoint(then, now) - f64::midpoint(parent[0], parent[1])) * (after - before),
    }
}

/// The geometric mean without zeros.
fn logarithmic(parent: Both<f64>, child: &Counted) -> Part {
    let [before, after] = child.portions;
    if child.portions == [0.0, 0.0] {
        return Part::default();
    }
    let [then, now] = child.scores;
    let whole = logarithmic_mean(parent[0], parent[1]);
    let factor = whole * f64::midpoint(before, after) / logarithmic_mean(then, now);
    let middle = |pair: Both<f64>| f64::midpoint(pair[0].ln(), pair[1].ln());
    Part {
        factor,
        by_score: factor * (now - then),
        by_weight: whole * (middle(child.scores) - middle(parent)) * (after - before),
    }
}

/// (a - b) / ln(a / b); a where both are equal.
fn logarithmic_mean(a: f64, b: f64) -> f64 {
    // From the smaller one up, so that nothing is lost beside 0, nor where both are nearly equal.
    let (low, moved) = (a.min(b), (a - b).abs());
    let logarithm = (moved / low).ln_1p();
    if logarithm == 0.0 { a } else { moved / logarithm }
}

/// The geometric mean with zeros: scores and parts are replaced one after the other, forwards and backwards, each step
/// measured; the mean of both.
fn replaced(children: &[Counted]) -> Vec<Part> {
    let mut parts = vec![Part::default(); children.len()];
    let steps = children.len() * 2;
    let orders: [Vec<usize>; 2] = [(0..steps).collect(), (0..steps).rev().collect()];
    for order in &orders {
        let mut now: Vec<(f64, f64)> = children
            .iter()
            .map(|child| (child.portions[0], child.scores[0]))
            .collect();
        let mut score = geometric(&now).unwrap_or(0.0);
        for step in order {
            let (Some(child), Some(state), Some(part)) =
                (children.get(step / 2), now.get_mut(step / 2), parts.get_mut(step / 2))
            else {
                continue;
            };
            let by_score = step % 2 == 0;
            if by_score {
                state.1 = child.scores[1];
            } else {
                state.0 = child.portions[1];
            }
            // Between two children that replace one another nothing may count for a moment: the score stays.
            let after = geometric(&now).unwrap_or(score);
            let moved = (after - score) / 2.0;
            score = after;
            if by_score {
                part.by_score += moved;
            } else {
                part.by_weight += moved;
            }
        }
    }
    for (part, child) in parts.iter_mut().zip(children) {
        let moved = child.scores[1] - child.scores[0];
        part.factor = if moved == 0.0 { 0.0 } else { part.by_score / moved };
    }
    parts
}

/// product(s^w)^(1/sum w) over what counts.
fn geometric(children: &[(f64, f64)]) -> Option<f64> {
    let counted = || children.iter().filter(|(weight, _)| *weight > 0.0);
    let weights: f64 = counted().map(|(weight, _)| weight).sum();
    if counted().any(|(_, score)| *score <= 0.0) {
        return Some(0.0);
    }
    let logarithm: f64 = counted().map(|(weight, score)| weight * score.ln()).sum();
    (weights > 0.0).then(|| (logarithm / weights).exp())
}

#[cfg(test)]
mod tests;
