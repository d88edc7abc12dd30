//! See `probes.rs`: the same probe is run over the corpus by an ordinary test.

#![no_main]

#[path = "../probes.rs"]
#[expect(dead_code, reason = "each target uses one probe")]
mod probes;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| probes::csv(bytes));
