//! Records out of a Parquet file that an export wrote, one row group at a time.

use std::fs::File;
use std::path::Path;

use parquet::column::reader::ColumnReader;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::columns::{COLUMNS, Cell, Column, Kind, Values, record};
use crate::wire::record::Record;

/// Calls `take` with every row, numbered from 1. An error names its row.
pub(super) fn read(
    path: &Path,
    take: &mut dyn FnMut(u64, Record<'static>) -> Result<(), String>,
) -> Result<(), (u64, String)> {
    let whole = |error: &dyn ToString| (1, error.to_string());
    let file = File::open(path).map_err(|error| whole(&error))?;
    let reader = SerializedFileReader::new(file).map_err(|error| whole(&error))?;
    check_schema(&reader).map_err(|reason| (1, reason))?;
    let mut row = 0;
    for group in 0..reader.num_row_groups() {
        let columns = columns_of(&reader, group).map_err(|error| (row + 1, error.to_string()))?;
        let mut rows: Vec<Rows> = columns.into_iter().map(Rows::new).collect();
        let count = rows.first().map_or(0, |column| column.levels.len());
        for _ in 0..count {
            row += 1;
            let mut columns = rows.iter_mut();
            let next = || columns.next().map_or(Cell::Empty, Rows::next);
            let record = record(next).map_err(|reason| (row, reason))?;
            take(row, record).map_err(|reason| (row, reason))?;
        }
    }
    Ok(())
}

/// The columns must be those of an export, in their order.
fn check_schema(reader: &SerializedFileReader<File>) -> Result<(), String> {
    let schema = reader.metadata().file_metadata().schema_descr();
    let found = schema.columns().iter().map(|column| column.name().to_owned());
    let expected = COLUMNS.iter().map(|(name, _)| (*name).to_owned());
    if found.eq(expected) {
        Ok(())
    } else {
        Err("its columns are not those of an export".to_owned())
    }
}

fn columns_of(reader: &SerializedFileReader<File>, group: usize) -> Result<Vec<Column>, ParquetError> {
    let group = reader.get_row_group(group)?;
    let rows = usize::try_from(group.metadata().num_rows()).unwrap_or_default();
    let mut columns = Vec::with_capacity(COLUMNS.len());
    for (index, (_, kind)) in COLUMNS.iter().enumerate() {
        columns.push(column_of(group.get_column_reader(index)?, *kind, rows)?);
    }
    Ok(columns)
}

fn column_of(reader: ColumnReader, kind: Kind, rows: usize) -> Result<Column, ParquetError> {
    let mut column = Column::new(kind);
    let levels = Some(&mut column.levels);
    match (reader, &mut column.values) {
        (ColumnReader::Int64ColumnReader(mut reader), Values::Longs(values)) => {
            reader.read_records(rows, levels, None, values)
        }
        (ColumnReader::Int32ColumnReader(mut reader), Values::Ints(values)) => {
            reader.read_records(rows, levels, None, values)
        }
        (ColumnReader::DoubleColumnReader(mut reader), Values::Doubles(values)) => {
            reader.read_records(rows, levels, None, values)
        }
        (ColumnReader::BoolColumnReader(mut reader), Values::Flags(values)) => {
            reader.read_records(rows, levels, None, values)
        }
        (ColumnReader::ByteArrayColumnReader(mut reader), Values::Texts(values)) => {
            reader.read_records(rows, levels, None, values)
        }
        _ => Err(ParquetError::General("a column is of another type".to_owned())),
    }?;
    Ok(column)
}

/// Hands out the rows of a column one after the other.
struct Rows {
    levels: std::vec::IntoIter<i16>,
    values: Left,
}

/// Values that are left.
enum Left {
    Longs(std::vec::IntoIter<i64>),
    Ints(std::vec::IntoIter<i32>),
    Doubles(std::vec::IntoIter<f64>),
    Flags(std::vec::IntoIter<bool>),
    Texts(std::vec::IntoIter<ByteArray>),
}

impl Rows {
    fn new(column: Column) -> Self {
        let values = match column.values {
            Values::Longs(values) => Left::Longs(values.into_iter()),
            Values::Ints(values) => Left::Ints(values.into_iter()),
            Values::Doubles(values) => Left::Doubles(values.into_iter()),
            Values::Flags(values) => Left::Flags(values.into_iter()),
            Values::Texts(values) => Left::Texts(values.into_iter()),
        };
        let levels = column.levels.into_iter();
        Self { levels, values }
    }

    fn next(&mut self) -> Cell<'static> {
        if self.levels.next() != Some(1) {
            return Cell::Empty;
        }
        let cell = match &mut self.values {
            Left::Longs(values) => values.next().map(Cell::Long),
            Left::Ints(values) => values.next().map(Cell::Int),
            Left::Doubles(values) => values.next().map(Cell::Double),
            Left::Flags(values) => values.next().map(Cell::Flag),
            Left::Texts(values) => values
                .next()
                .map(|text| Cell::Text(String::from_utf8_lossy(text.data()).into_owned().into())),
        };
        cell.unwrap_or(Cell::Empty)
    }
}
