//! Making blocks durable, beside writing the same number of bytes to a plain file and syncing it.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use divan::Bencher;
use divan::counter::ItemsCount;
use kpid::ports::Journal;

use crate::load;
use crate::ratio::{stands_on, timed};

const LENGTHS: [usize; 4] = [1, 100, 1_000, 10_000];

fn figure(len: usize) -> String {
    format!("append, blocks of {len}")
}

fn floor(len: usize) -> String {
    format!("plain append + fdatasync, {len}")
}

fn written_before(len: usize) -> String {
    format!("overwrite + fdatasync, {len}")
}

#[divan::bench(args = LENGTHS, sample_count = 200, sample_size = 1)]
fn journal(bencher: Bencher, len: usize) {
    stands_on(&figure(len), &floor(len));
    stands_on(&figure(len), &written_before(len));
    let dir = load::folder();
    let mut journal = load::journal(dir.path());
    let mut blocks = load::blocks(len * 2, len).into_iter();
    let (first, mut block) = (blocks.next().unwrap(), blocks.next().unwrap());
    journal.append(&first).unwrap();
    bencher.counter(ItemsCount::new(len)).bench_local(|| {
        block.first = journal.tail().next;
        timed(&figure(len), len, || journal.append(&block)).unwrap();
    });
}

#[divan::bench(args = LENGTHS, sample_count = 200, sample_size = 1)]
fn floor_append(bencher: Bencher, len: usize) {
    let dir = load::folder();
    let bytes = vec![0xA5; load::block_bytes(len)];
    let mut file = plain_file(dir.path());
    bencher
        .counter(ItemsCount::new(len))
        .bench_local(|| timed(&floor(len), len, || write(&mut file, &bytes)));
}

/// The file has its size and was written to before: the sync has no books of the file system to keep.
#[divan::bench(args = LENGTHS, sample_count = 200, sample_size = 1)]
fn floor_overwrite(bencher: Bencher, len: usize) {
    let dir = load::folder();
    let bytes = vec![0xA5; load::block_bytes(len)];
    let mut file = plain_file(dir.path());
    write(&mut file, &vec![0; 64 << 20]);
    file.seek(SeekFrom::Start(0)).unwrap();
    bencher
        .counter(ItemsCount::new(len))
        .bench_local(|| timed(&written_before(len), len, || write(&mut file, &bytes)));
}

pub fn plain_file(dir: &Path) -> File {
    OpenOptions::new()
        .create_new(true)
        .write(true)
        .open(dir.join("plain"))
        .unwrap()
}

pub fn write(file: &mut File, bytes: &[u8]) {
    file.write_all(bytes).unwrap();
    file.sync_data().unwrap();
}
