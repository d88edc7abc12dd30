//! Laws of the codec: what goes in comes out, bit for bit, and nothing that comes in can make it panic.

use proptest::prelude::*;

use super::samples::{arbitrary_block, every_fact, one_of_everything, plain};
use crate::domain::column::Column;
use crate::domain::fact::Block;
use crate::domain::id::Sequence;
use crate::journal::block::{
    BODY_LEN_MAX, BlockEncoder, FORMAT_VERSION, HEADER_LEN, Hash, Header, decode_block, decode_body, hash_of,
};
use crate::journal::bytes::FormatError;
use crate::journal::segment::START;
use crate::ports::Tail;

pub(super) fn encode(block: &Block, previous: Hash) -> Vec<u8> {
    let mut bytes = Vec::new();
    let hash = BlockEncoder::new()
        .unwrap()
        .encode(block, &previous, &mut bytes)
        .unwrap();
    assert_eq!(hash, hash_of(&bytes));
    bytes
}

/// Equality of blocks in which NaN equals itself and -0.0 is not 0.0.
pub(super) fn assert_same(left: &Block, right: &Block) {
    let bits = |numbers: &[f64]| numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&left.measurements.value), bits(&right.measurements.value));
    let seconds = |block: &Block| bits(&block.measurements.second.iter().collect::<Vec<_>>());
    assert_eq!(seconds(left), seconds(right));
    let plain = |block: &Block| {
        let mut block = block.clone();
        block.measurements.value.clear();
        block.measurements.second = Column::default();
        block
    };
    assert_eq!(plain(left), plain(right));
}

#[test]
fn every_kind_of_fact_and_value_comes_back() {
    let block = one_of_everything();
    assert_eq!(block.others.len(), every_fact().len());
    assert_same(&decode_block(&encode(&block, [7; 32])).unwrap(), &block);
}

#[test]
fn one_event_alone_is_small() {
    let mut block = plain(START, 1);
    let first = encode(&block, [7; 32]).len();
    assert!(first < 250, "{first} bytes with its series");
    block.new_series.clear();
    let later = encode(&block, [7; 32]).len();
    assert!(later < 150, "{later} bytes");
}

#[test]
fn a_realistic_stream_takes_less_than_six_bytes_a_measurement() {
    let tail = Tail { series: 2, ..START };
    let bytes = encode(&plain(tail, 5_000), [0; 32]).len();
    assert!(bytes < 6 * 5_000, "{bytes} bytes");
}

#[test]
fn a_version_from_the_future_is_told_apart_from_damage() {
    let mut bytes = encode(&plain(START, 3), [0; 32]);
    bytes[4] = FORMAT_VERSION as u8 + 1;
    let crc = crc32c::crc32c(&bytes[..HEADER_LEN - 4]);
    bytes[HEADER_LEN - 4..HEADER_LEN].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(
        decode_block(&bytes),
        Err(FormatError::Version {
            found: FORMAT_VERSION + 1
        })
    );
}

#[test]
fn sequences_that_nobody_could_count_are_refused() {
    for first in [0, u64::MAX - 3, u64::MAX] {
        let mut bytes = encode(&plain(START, 3), [0; 32]);
        bytes[8..16].copy_from_slice(&first.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..HEADER_LEN - 4]);
        bytes[HEADER_LEN - 4..HEADER_LEN].copy_from_slice(&crc.to_le_bytes());
        let refused = FormatError::Unfit("a header has impossible sequences");
        assert_eq!(decode_block(&bytes), Err(refused), "{first}");
    }
}

#[test]
fn columns_that_do_not_belong_together_are_not_written() {
    let mut encoder = BlockEncoder::new().unwrap();
    let mut short = plain(START, 3);
    short.measurements.value.pop();
    assert!(encoder.encode(&short, &[0; 32], &mut Vec::new()).is_err());
    let mut astray = one_of_everything();
    astray.measurements.words[0].0 = 1_000;
    assert!(encoder.encode(&astray, &[0; 32], &mut Vec::new()).is_err());
}

/// Decodes a body under a header that promises `rows` of it.
fn decode_raw(body: &[u8], rows: u32) -> Result<Block, FormatError> {
    assert!(body.len() < BODY_LEN_MAX);
    let header = Header {
        version: 1,
        first: Sequence(1),
        facts: rows,
        rows,
        recorded_at: crate::domain::instant::Instant(0),
        series_base: 0,
        new_series: 0,
        body_len: body.len() as u32,
        body_crc: crc32c::crc32c(body),
        previous: [0; 32],
    };
    decode_body(&header, body)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_block_comes_back_bit_for_bit(block in arbitrary_block(), previous: [u8; 32]) {
        let bytes = encode(&block, previous);
        prop_assert_eq!(Header::parse(&bytes).unwrap().previous, previous);
        assert_same(&decode_block(&bytes).unwrap(), &block);
    }

    #[test]
    fn any_flipped_bit_is_noticed(place: prop::sample::Index, bit in 0..8_u32) {
        let mut bytes = encode(&one_of_everything(), [1; 32]);
        let place = place.index(bytes.len());
        bytes[place] ^= 1 << bit;
        prop_assert!(decode_block(&bytes).is_err());
    }

    #[test]
    fn a_forged_body_is_refused_or_read_but_never_a_panic(
        rows in 0..400_usize, place: prop::sample::Index, bytes in prop::collection::vec(any::<u8>(), 1..6), keep: bool,
    ) {
        let mut block = one_of_everything();
        block.measurements = plain(START, rows).measurements;
        for (before, _) in &mut block.others {
 *before = 0;
 }
        let mut body = encode(&block, [1; 32]).split_off(HEADER_LEN);
        let place = place.index(body.len());
        let end = (place + bytes.len()).min(body.len());
        body.splice(place..end, bytes);
        let _ = decode_raw(&body, if keep { rows as u32 } else { u32::from(body[place]) });
    }

    #[test]
    fn random_bytes_are_never_a_panic(body in prop::collection::vec(any::<u8>(), 0..300), rows in 0..300_u32) {
        let _ = decode_raw(&body, rows);
        let _ = Header::parse(&body);
    }
}
