//! The journal as the simulator keeps it: the real format, in memory.

use crate::base::Now;
use crate::core::journal::{self, Entries, Header, Kind, Memory};
use crate::core::{Command, Event, Out, Row, Switch};

/// Entries in a segment, so that a day has many.
const ENTRIES: u32 = 60;

#[derive(Debug)]
pub struct Diary {
    number: u64,
    snapshot: Vec<u8>,
    events: Vec<u8>,
    entries: u32,
}

impl Diary {
    pub fn begin(number: u64, memory: &Memory) -> Result<Self, String> {
        let mut snapshot = Header::new(number, false).encode().to_vec();
        journal::put_memory(&mut snapshot, number, memory)?;
        let events = Header::new(number, true).encode().to_vec();
        Ok(Self { number, snapshot, events, entries: 0 })
    }

    pub fn note(&mut self, now: Now, event: &Event) -> Result<(), String> {
        self.entries += 1;
        journal::put_batch(&mut self.events, self.number, now, std::slice::from_ref(event))
    }

    /// Another segment where this one is long enough.
    pub fn turn(&mut self, switch: &Switch, now: Now) -> Result<(), String> {
        if self.entries >= ENTRIES {
            *self = Self::begin(self.number + 1, &switch.memory(now))?;
        }
        Ok(())
    }

    /// The switch as it was at the last entry, and the rows since the snapshot.
    pub fn replay(&self) -> Result<(Switch, Vec<Row>), String> {
        let mut entries = self.entries(&self.snapshot)?;
        let memory = entries.next().and_then(|(_, payload)| journal::read(payload));
        let mut switch = Switch::remember(memory.ok_or("a snapshot that cannot be read")?);
        let (mut out, mut rows) = (Out::default(), Vec::new());
        let mut entries = self.entries(&self.events)?;
        for (kind, payload) in &mut entries {
            let (now, batch) = journal::read_batch(payload)
                .filter(|_| kind == Kind::Batch)
                .ok_or("an entry that cannot be read")?;
            for event in batch {
                switch.handle(now, event, &mut out);
            }
            out.facts.clear();
            rows.extend(out.commands.drain(..).filter_map(|command| match command {
                Command::Store(row) => Some(*row),
                _ => None,
            }));
        }
        match entries.is_cut_short() {
            true => Err("a journal that breaks off".into()),
            false => Ok((switch, rows)),
        }
    }

    fn entries<'a>(&self, file: &'a [u8]) -> Result<Entries<'a>, String> {
        let header = Header::decode(file).and_then(|header| header.check_build());
        header.map_err(|why| format!("a journal that is {why:?}"))?;
        Ok(Entries::new(file, self.number))
    }
}
