//! A neighbour's table, put together from what it sends.

use super::{MOST_ENTRIES, Patch, QrpError, QrpMessage, QrpTable};
use std::io::Read;

/// A neighbour's table as it arrives.
#[derive(Clone, Debug, Default)]
pub struct Reassembly {
    table: Option<QrpTable>,
    /// Data of the sequence under way, and its next number, count and coding.
    gathered: Vec<u8>,
    under_way: Option<(u8, u8, u8, u8)>,
}

impl Reassembly {
    /// Goes on from a table that came whole, for those who keep it in another form meanwhile.
    pub fn resume(table: QrpTable) -> Reassembly {
        Reassembly { table: Some(table), ..Reassembly::default() }
    }

    /// Takes a message; true if the table is now another.
    pub fn take(&mut self, message: QrpMessage<'_>) -> Result<bool, QrpError> {
        match message {
            QrpMessage::Reset { entries, infinity } => self.reset(entries, infinity).map(|()| true),
            QrpMessage::Patch(patch) => self.patch(patch),
        }
    }

    /// The table; `None` before the first reset.
    pub fn table(&self) -> Option<&QrpTable> {
        self.table.as_ref()
    }

    fn reset(&mut self, entries: u32, infinity: u8) -> Result<(), QrpError> {
        if !entries.is_power_of_two() || entries > MOST_ENTRIES {
            return Err(QrpError::Length);
        }
        if infinity == 0 {
            return Err(QrpError::Infinity);
        }
        *self = Reassembly { table: Some(QrpTable::new(entries.ilog2())), ..Reassembly::default() };
        Ok(())
    }

    fn patch(&mut self, patch: Patch<'_>) -> Result<bool, QrpError> {
        let table = self.table.as_mut().ok_or(QrpError::NoReset)?;
        if !matches!(patch.bits, 1 | 2 | 4 | 8) || patch.compressor > 1 {
            return Err(QrpError::Coding);
        }
        let expected = self.under_way.unwrap_or((1, patch.of, patch.compressor, patch.bits));
        if (patch.number, patch.of, patch.compressor, patch.bits) != expected || patch.number > patch.of {
            return Err(QrpError::Sequence);
        }
        let whole = (table.entries() as usize * usize::from(patch.bits)).div_ceil(8);
        // Deflated data may be a little longer than what it holds.
        if self.gathered.len() + patch.data.len() > whole + whole / 100 + 64 {
            return Err(QrpError::Size);
        }
        self.gathered.extend_from_slice(patch.data);
        if patch.number < patch.of {
            self.under_way = Some((patch.number + 1, patch.of, patch.compressor, patch.bits));
            return Ok(false);
        }
        let data = std::mem::take(&mut self.gathered);
        self.under_way = None;
        let data = if patch.compressor == 1 { inflate(&data, whole)? } else { data };
        table.apply(patch.bits, &data).map(|()| true)
    }
}

fn inflate(data: &[u8], whole: usize) -> Result<Vec<u8>, QrpError> {
    let mut inflated = Vec::with_capacity(whole);
    let read = flate2::read::ZlibDecoder::new(data).take(whole as u64 + 1).read_to_end(&mut inflated);
    read.ok().filter(|_| inflated.len() == whole).ok_or(QrpError::Size)?;
    Ok(inflated)
}
