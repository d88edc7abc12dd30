//! Laws: what must hold for any catalog and any stream.

mod arrival;
mod succession;
mod time;

use proptest::prelude::*;

use crate::reference::{self, compare, generate, vectors};
use crate::support::replays::kpid_replay;

#[test]
fn the_program_tells_every_hand_computed_story() {
    vectors::check_vectors(&kpid_replay);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn the_program_agrees_with_the_naive_reference(case in generate::cases()) {
        agree(&case)?;
    }

    #[test]
    fn percentiles_agree_within_one_percent(case in generate::percentile_cases()) {
        agree(&case)?;
    }
}

fn agree(case: &generate::Case) -> Result<(), TestCaseError> {
    let expected = reference::run(&case.files, &case.ndjson, case.every_ms);
    let actual = kpid_replay(&case.files, &case.ndjson, case.every_ms);
    compare(&expected, &actual, case.exactness).map_err(TestCaseError::fail)
}
