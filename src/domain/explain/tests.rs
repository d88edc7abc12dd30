//! Changes split by hand, and the law that the parts always make the whole.

use proptest::prelude::*;

use super::*;
use crate::domain::reading::Absence;
use crate::domain::roll_up::{Child, roll_up};

fn leaf(then: impl Into<Option<f64>>, now: impl Into<Option<f64>>) -> Tree {
    weighing(1.0, 1.0, then, now)
}

fn weighing(before: f64, after: f64, then: impl Into<Option<f64>>, now: impl Into<Option<f64>>) -> Tree {
    Tree {
        scores: [then.into(), now.into()],
        weights: [before, after],
        below: Below::Leaf,
    }
}

/// A branch whose scores are what its children make, as the projection makes them.
fn branch(kind: RollUp, min_coverage: f64, weights: Both<f64>, children: Vec<Tree>) -> Tree {
    let score = |side: usize| {
        let children: Vec<Child<()>> = children
            .iter()
            .map(|child| Child {
                weight: child.weights[side],
                score: child.scores[side],
                absence: child.scores[side].is_none().then_some(Absence::NoData),
                coverage: Some(if child.scores[side].is_some() { 1.0 } else { 0.0 }),
                worst: None,
                red: 0,
                provisional: false,
            })
            .collect();
        roll_up(kind, min_coverage, children.iter().copied()).score
    };
    Tree {
        scores: [score(0), score(1)],
        weights,
        below: Below::Branch(kind, children),
    }
}

fn of(kind: RollUp, children: Vec<Tree>) -> Tree {
    branch(kind, 0.0, [1.0, 1.0], children)
}

/// (by score, by weight) of every leaf, to a hundredth.
fn told(tree: &Tree) -> Vec<(f64, f64)> {
    let round = |points: f64| (points * 100.0).round() / 100.0 + 0.0;
    split(tree)
        .iter()
        .map(|share| (round(share.by_score), round(share.by_weight)))
        .collect()
}

#[test]
fn a_mean_moves_by_each_leafs_change_times_its_part() {
    // (3*80 + 1*40)/4 = 70; (3*72 + 1*60)/4 = 69.
    let tree = of(
        RollUp::Mean,
        vec![weighing(3.0, 3.0, 80.0, 72.0), weighing(1.0, 1.0, 40.0, 60.0)],
    );
    assert_eq!(tree.scores, [Some(70.0), Some(69.0)]);
    assert_eq!(told(&tree), [(-6.0, 0.0), (5.0, 0.0)]);
    let weights: Vec<Both<f64>> = split(&tree).iter().map(|share| share.weights).collect();
    assert_eq!(weights, [[0.75, 0.75], [0.25, 0.25]]);
}

#[test]
fn a_weight_that_grows_helps_where_the_leaf_is_better_than_the_whole() {
    // 90 and 50 at 1:1 make 70; at 3:1 they make 80. The middle is 75: 15 above it gains a quarter, 25 below it loses one.
    let tree = of(
        RollUp::Mean,
        vec![weighing(1.0, 3.0, 90.0, 90.0), weighing(1.0, 1.0, 50.0, 50.0)],
    );
    assert_eq!(tree.scores, [Some(70.0), Some(80.0)]);
    assert_eq!(told(&tree), [(0.0, 3.75), (0.0, 6.25)]);
}

#[test]
fn a_leaf_that_falls_silent_moves_the_whole_by_its_weight_alone() {
    // 90 and 30 make 60; without the 30 it is 90.
    let tree = of(RollUp::Mean, vec![leaf(90.0, 90.0), leaf(30.0, None)]);
    assert_eq!(tree.scores, [Some(60.0), Some(90.0)]);
    assert_eq!(told(&tree), [(0.0, 7.5), (0.0, 22.5)]);
    assert_eq!(split(&tree)[1].weights, [0.5, 0.0]);
}

#[test]
fn the_worst_child_is_the_whole() {
    let tree = of(RollUp::Worst, vec![leaf(30.0, 20.0), leaf(80.0, 60.0)]);
    assert_eq!(told(&tree), [(-10.0, 0.0), (0.0, 0.0)]);
    // The worst one recovers and another takes its place: 30 -> 35 in all. The first gives half of its 30 by its score.
    let tree = of(RollUp::Worst, vec![leaf(30.0, 60.0), leaf(40.0, 35.0)]);
    assert_eq!(tree.scores, [Some(30.0), Some(35.0)]);
    assert_eq!(told(&tree), [(15.0, -12.5), (-2.5, 5.0)]);
    // Equal ones: the first stands for both.
    let tree = of(RollUp::Best, vec![leaf(50.0, 70.0), leaf(50.0, 70.0)]);
    assert_eq!(told(&tree), [(20.0, 0.0), (0.0, 0.0)]);
}

#[test]
fn a_geometric_mean_is_split_in_logarithms() {
    // sqrt(90 * 40) = 60; sqrt(90 * 90) = 90: all of it is the second leaf's.
    let tree = of(RollUp::Geometric, vec![leaf(90.0, 90.0), leaf(40.0, 90.0)]);
    assert_eq!(told(&tree), [(0.0, 0.0), (30.0, 0.0)]);
    // sqrt(20 * 20) = 20; sqrt(40 * 80) = 56.57: one doubles, the other doubles twice, so it has two thirds of the 36.57.
    let tree = of(RollUp::Geometric, vec![leaf(20.0, 40.0), leaf(20.0, 80.0)]);
    assert_eq!(told(&tree), [(12.19, 0.0), (24.38, 0.0)]);
}

#[test]
fn a_zero_in_a_geometric_mean_is_taken_step_by_step() {
    // sqrt(0 * 100) = 0; sqrt(64 * 100) = 80.
    let tree = of(RollUp::Geometric, vec![leaf(0.0, 64.0), leaf(100.0, 100.0)]);
    assert_eq!(told(&tree), [(80.0, 0.0), (0.0, 0.0)]);
    // 0 and 25 become 100 and 100: forwards 50 and 50, backwards 0 and 100.
    let tree = of(RollUp::Geometric, vec![leaf(0.0, 100.0), leaf(25.0, 100.0)]);
    assert_eq!(told(&tree), [(75.0, 0.0), (25.0, 0.0)]);
}

#[test]
fn what_a_branch_does_goes_down_to_its_leaves() {
    // Left: (60 + 80)/2 = 70 -> (60 + 60)/2 = 60. Right: 50 -> 90. Whole: 60 -> 75.
    let left = of(RollUp::Mean, vec![leaf(60.0, 60.0), leaf(80.0, 60.0)]);
    let right = of(RollUp::Worst, vec![leaf(50.0, 95.0), leaf(99.0, 90.0)]);
    let tree = of(RollUp::Mean, vec![left, right]);
    assert_eq!(tree.scores, [Some(60.0), Some(75.0)]);
    assert_eq!(told(&tree), [(0.0, 0.0), (-5.0, 0.0), (11.25, -1.25), (-2.25, 12.25)]);
    let weights: Vec<Both<f64>> = split(&tree).iter().map(|share| share.weights).collect();
    assert_eq!(weights, [[0.25, 0.25], [0.25, 0.25], [0.5, 0.0], [0.0, 0.5]]);
}

#[test]
fn a_branch_that_appears_gives_its_leaves_what_its_weight_does() {
    let new = of(
        RollUp::Mean,
        vec![weighing(3.0, 3.0, None, 90.0), weighing(1.0, 1.0, None, 70.0)],
    );
    let tree = of(RollUp::Mean, vec![leaf(65.0, 65.0), new]);
    assert_eq!(tree.scores, [Some(65.0), Some(75.0)]);
    // The branch is 85, 15 above the middle of 70, and gains a half: 7.5, of which three quarters are the first leaf's.
    assert_eq!(told(&tree), [(0.0, 2.5), (0.0, 5.63), (0.0, 1.88)]);
}

#[test]
fn without_a_score_at_one_instant_only_weights_are_told() {
    let tree = branch(RollUp::Mean, 0.9, [1.0, 1.0], vec![leaf(80.0, 70.0), leaf(60.0, None)]);
    assert_eq!(tree.scores, [Some(70.0), None]);
    assert_eq!(told(&tree), [(0.0, 0.0), (0.0, 0.0)]);
    assert_eq!(split(&tree)[0].weights, [0.5, 1.0]);
}

#[test]
fn a_single_leaf_is_its_own_change() {
    assert_eq!(told(&leaf(80.0, 62.5)), [(-17.5, 0.0)]);
}

fn any_score() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![
        1 => Just(None),
        1 => Just(Some(0.0)),
        1 => Just(Some(100.0)),
        1 => (0..=100_i32).prop_map(|score| Some(f64::from(score))),
        6 => (0.0..=100.0_f64).prop_map(Some),
        1 => (0.0..=1e-5_f64).prop_map(Some),
    ]
}

fn any_weights() -> impl Strategy<Value = Both<f64>> {
    let weight = || prop_oneof![1 => Just(0.0), 3 => Just(1.0), 3 => 0.001..1_000.0_f64];
    prop_oneof![weight().prop_map(|weight| [weight, weight]), [weight(), weight()]]
}

fn any_roll_up() -> impl Strategy<Value = RollUp> {
    prop_oneof![
        2 => Just(RollUp::Mean),
        1 => Just(RollUp::Worst),
        1 => Just(RollUp::Best),
        2 => Just(RollUp::Geometric),
    ]
}

fn any_tree() -> impl Strategy<Value = Tree> {
    let leaf = (any_score(), any_score(), any_weights(), any::<bool>()).prop_map(|(then, now, weights, still)| Tree {
        scores: if still { [then, then] } else { [then, now] },
        weights,
        below: Below::Leaf,
    });
    leaf.prop_recursive(4, 64, 5, |child| {
        let children = prop::collection::vec(child, 0..5);
        let coverage = prop_oneof![3 => Just(0.0), 1 => 0.0..1.0_f64];
        (any_roll_up(), coverage, any_weights(), children)
            .prop_map(|(kind, coverage, weights, children)| branch(kind, coverage, weights, children))
    })
}

fn leaves(tree: &Tree) -> usize {
    match &tree.below {
        Below::Leaf => 1,
        Below::Branch(_, children) => children.iter().map(leaves).sum(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn the_shares_sum_to_the_difference(tree in any_tree()) {
        let shares = split(&tree);
        prop_assert_eq!(shares.len(), leaves(&tree));
        let sum: f64 = shares.iter().map(Share::contribution).sum();
        let change = tree.scores[0].zip(tree.scores[1]).map_or(0.0, |(then, now)| now - then);
        prop_assert!((sum - change).abs() < 1e-9, "{sum} of {change}");
    }

    #[test]
    fn a_leafs_parts_sum_to_the_whole_where_there_is_a_score(tree in any_tree()) {
        let shares = split(&tree);
        for side in [0, 1] {
            let sum: f64 = shares.iter().map(|share| share.weights[side]).sum();
            if tree.scores[side].is_some() {
                prop_assert!((sum - 1.0).abs() < 1e-9, "{sum}");
            }
        }
    }

    #[test]
    fn what_did_not_change_explains_nothing(tree in any_tree()) {
        let still = still(tree);
        for share in split(&still) {
            prop_assert_eq!(share.contribution(), 0.0);
        }
    }
}

/// The tree as it was at first, at both instants.
fn still(mut tree: Tree) -> Tree {
    tree.scores[1] = tree.scores[0];
    tree.weights[1] = tree.weights[0];
    if let Below::Branch(kind, children) = tree.below {
        tree.below = Below::Branch(kind, children.into_iter().map(still).collect());
    }
    tree
}
