//! Records into a Parquet file, one row group at a time.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{BoolType, ByteArrayType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;

use super::ExchangeError;
use super::columns::{COLUMNS, Column, Values, cells};
use super::export::{RecordSink, untellable};
use crate::wire::record::Record;

/// Rows of a row group: enough that columns compress well, and a few dozen megabytes of memory.
const GROUP_ROWS_MAX: usize = 100_000;

/// Bytes of text after which a row group is written, however few rows it has.
const GROUP_TEXT_MAX: usize = 32 << 20;

/// Writes rows.
pub(super) struct ParquetSink {
    writer: SerializedFileWriter<Box<dyn Write + Send>>,
    columns: Vec<Column>,
    text: usize,
}

/// The schema of a file.
pub(super) fn schema() -> String {
    let columns = COLUMNS.iter().map(|(name, kind)| kind.declaration(name));
    format!("message kpid {{ {} }}", columns.collect::<Vec<_>>().join(" "))
}

fn failed(error: ParquetError) -> ExchangeError {
    ExchangeError::Write(std::io::Error::other(error))
}

impl ParquetSink {
    pub(super) fn new(out: Box<dyn Write + Send>) -> Result<Self, ExchangeError> {
        let schema = parse_message_type(&schema()).map_err(failed)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by(format!("kpid {}", env!("CARGO_PKG_VERSION")));
        let writer = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties.build()));
        Ok(Self {
            writer: writer.map_err(failed)?,
            columns: COLUMNS.iter().map(|(_, kind)| Column::new(*kind)).collect(),
            text: 0,
        })
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        let mut group = self.writer.next_row_group()?;
        for column in &mut self.columns {
            if let Some(mut out) = group.next_column()? {
                write_column(&mut out, column)?;
                out.close()?;
            }
            column.clear();
        }
        group.close()?;
        self.text = 0;
        Ok(())
    }

    fn rows(&self) -> usize {
        self.columns.first().map_or(0, |column| column.levels.len())
    }
}

fn write_column(out: &mut SerializedColumnWriter<'_>, column: &Column) -> Result<usize, ParquetError> {
    let levels = Some(column.levels.as_slice());
    match &column.values {
        Values::Longs(values) => out.typed::<Int64Type>().write_batch(values, levels, None),
        Values::Ints(values) => out.typed::<Int32Type>().write_batch(values, levels, None),
        Values::Doubles(values) => out.typed::<DoubleType>().write_batch(values, levels, None),
        Values::Flags(values) => out.typed::<BoolType>().write_batch(values, levels, None),
        Values::Texts(values) => out.typed::<ByteArrayType>().write_batch(values, levels, None),
    }
}

impl RecordSink for ParquetSink {
    fn take(&mut self, record: &Record<'_>) -> Result<(), ExchangeError> {
        let cells = cells(record).map_err(|error| untellable(record, &error))?;
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            self.text += column.push(cell);
        }
        if self.rows() >= GROUP_ROWS_MAX || self.text >= GROUP_TEXT_MAX {
            self.write_group().map_err(failed)?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), ExchangeError> {
        if self.rows() > 0 {
            self.write_group().map_err(failed)?;
        }
        let mut out = self.writer.into_inner().map_err(failed)?;
        out.flush().map_err(ExchangeError::Write)
    }
}
