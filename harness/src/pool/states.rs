//! What became of each device of a shard, as lines of JSON that are only ever added: a second call goes on where the first one
//! ended, however it ended.
//!
//! A line that a crash left half written is no line: it is cut off before the next one is added.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::Path,
};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::shard;

/// A fact about one device; numbers count from 1, as in names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Fact {
    /// It has a certificate. Nothing may be attached to it yet.
    Issued { device: u32, certificate_id: String, certificate_pem: String },
    /// It has all that it is to have: thing, policy, groups. Of just-in-time registration: what it needs to register itself.
    Made { device: u32 },
    /// Its deletion begins. Ids of the things that were seen to be its own: one that registered itself is known by its certificate
    /// alone, which goes first.
    Going { device: u32, things: BTreeSet<String> },
    /// It is gone from both Regions.
    Deleted { device: u32 },
}

/// How far a device is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum State {
    /// It has a key and a CSR.
    #[default]
    New,
    /// It has a certificate.
    Issued(Certificate),
    /// It has all that it is to have.
    Made(Certificate),
    /// Its deletion was begun, and may have come to nothing or to all.
    Going(Trace),
    /// It was deleted. What came back since is found by what it had.
    Deleted(Trace),
}

/// What a device that goes had.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Trace {
    pub(crate) certificate: Option<Certificate>,
    /// Ids of its things, of both Regions.
    pub(crate) things: BTreeSet<String>,
}

/// The certificate of a device, which is public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Certificate {
    pub(crate) id: String,
    pub(crate) pem: String,
}

impl State {
    /// The certificate that it has.
    pub(crate) fn certificate(&self) -> Option<&Certificate> {
        match self {
            Self::New | Self::Going(_) | Self::Deleted(_) => None,
            Self::Issued(certificate) | Self::Made(certificate) => Some(certificate),
        }
    }

    /// Whether there is something to make: neither is it made, nor does it go.
    pub(super) fn is_to_make(&self) -> bool {
        !matches!(self, Self::Made(_) | Self::Going(_))
    }

    /// What it has or had.
    pub(super) fn into_trace(self) -> Trace {
        match self {
            Self::New => Trace::default(),
            Self::Issued(certificate) | Self::Made(certificate) => {
                Trace { certificate: Some(certificate), things: BTreeSet::new() }
            }
            Self::Going(trace) | Self::Deleted(trace) => trace,
        }
    }
}

/// The states of the devices that have any, by their number.
pub(crate) fn read(path: &Path) -> anyhow::Result<BTreeMap<u32, State>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        file => file.with_context(|| format!("{} cannot be read", path.display()))?,
    };
    let mut states = BTreeMap::new();
    let (mut reader, mut line, mut number) = (BufReader::new(file), String::new(), 0_u64);
    loop {
        line.clear();
        let length =
            reader.read_line(&mut line).with_context(|| format!("{} cannot be read", path.display()))?;
        number += 1;
        // Half a line is none.
        if length == 0 || !line.ends_with('\n') {
            return Ok(states);
        }
        let fact = serde_json::from_str(&line)
            .with_context(|| format!("{}:{number} is not understood", path.display()))?;
        apply(&mut states, fact);
    }
}

fn apply(states: &mut BTreeMap<u32, State>, fact: Fact) {
    match fact {
        Fact::Issued { device, certificate_id: id, certificate_pem: pem } => {
            states.insert(device, State::Issued(Certificate { id, pem }));
        }
        Fact::Made { device } => {
            if let Some(state) = states.get_mut(&device) {
                *state = match std::mem::take(state) {
                    State::Issued(certificate) => State::Made(certificate),
                    other => other,
                };
            }
        }
        Fact::Going { device, things } => {
            let state = states.entry(device).or_default();
            let mut trace = std::mem::take(state).into_trace();
            trace.things.extend(things);
            *state = State::Going(trace);
        }
        Fact::Deleted { device } => {
            let state = states.entry(device).or_default();
            *state = State::Deleted(std::mem::take(state).into_trace());
        }
    }
}

/// Where facts are written to.
pub(crate) trait Book: Write {
    /// Takes away what is behind that length.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

impl Book for File {
    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

/// Adds facts. After one that could not be added none is: what is known of the fleet ends there.
#[derive(Debug)]
pub(crate) struct States<B = File> {
    book: B,
    length: u64,
    is_broken: bool,
}

impl States {
    /// What is half written at the end is cut off.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let open = || {
            let mut file = shard::open_to_append(path)?;
            let whole = whole_lines(&mut file)?;
            file.set_len(whole)?;
            Ok::<_, io::Error>(Self { book: file, length: whole, is_broken: false })
        };
        open().with_context(|| format!("{} cannot be opened", path.display()))
    }

    pub(crate) fn sync(&self) -> anyhow::Result<()> {
        self.book.sync_data().context("the states of the fleet cannot be written")
    }
}

impl<B: Book> States<B> {
    /// Adds a fact. It outlives this process; [`States::sync`] makes it outlive the machine.
    pub(crate) fn add(&mut self, fact: &Fact) -> anyhow::Result<()> {
        if self.is_broken {
            bail!("the states of the fleet could not be written before");
        }
        let mut line = serde_json::to_vec(fact)?;
        line.push(b'\n');
        if let Err(error) = self.book.write_all(&line) {
            self.is_broken = true;
            // Half a line would be glued to the next one. If it stays, whoever opens the file cuts it off.
            let _ = self.book.cut(self.length);
            return Err(error).context("the states of the fleet cannot be written");
        }
        self.length += line.len() as u64;
        Ok(())
    }
}

/// How long the part of a file is that ends with a line's end.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    const STEP: u64 = 4_096;
    let mut end = file.metadata()?.len();
    let mut buffer = Vec::new();
    while end > 0 {
        let from = end.saturating_sub(STEP);
        file.seek(SeekFrom::Start(from))?;
        buffer.clear();
        Read::by_ref(file).take(end - from).read_to_end(&mut buffer)?;
        if let Some(at) = buffer.iter().rposition(|byte| *byte == b'\n') {
            return Ok(from + at as u64 + 1);
        }
        end = from;
    }
    Ok(0)
}

#[cfg(test)]
pub(super) mod full {
    //! A disk that is full.

    use super::{Book, File, States, Write, io};

    /// A file for which there is so much room.
    #[derive(Debug)]
    pub(in crate::pool) struct Full {
        file: File,
        room: usize,
    }

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let fits = bytes.len().min(self.room);
            self.room -= fits;
            if fits == 0 { Err(io::ErrorKind::StorageFull.into()) } else { self.file.write(&bytes[..fits]) }
        }

        fn flush(&mut self) -> io::Result<()> {
            self.file.flush()
        }
    }

    impl Book for Full {
        fn cut(&mut self, length: u64) -> io::Result<()> {
            self.file.set_len(length)
        }
    }

    impl States {
        pub(in crate::pool) fn with_room_for(self, bytes: usize) -> States<Full> {
            States {
                book: Full { file: self.book, room: bytes },
                length: self.length,
                is_broken: self.is_broken,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    fn issued(device: u32) -> Fact {
        Fact::Issued {
            device,
            certificate_id: format!("id{device}"),
            certificate_pem: "PEM\nof two lines\n".into(),
        }
    }

    fn certificate(device: u32) -> Certificate {
        Certificate { id: format!("id{device}"), pem: "PEM\nof two lines\n".into() }
    }

    #[test]
    fn states_are_what_the_facts_come_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("states.ndjson");
        assert_eq!(read(&path).unwrap(), BTreeMap::new(), "no file, no states");
        let mut states = States::open(&path).unwrap();
        let facts = [issued(1), issued(2), issued(3), Fact::Made { device: 2 }, Fact::Deleted { device: 3 }];
        for fact in &facts {
            states.add(fact).unwrap();
        }
        let expected = [
            (1, State::Issued(certificate(1))),
            (2, State::Made(certificate(2))),
            (3, State::Deleted(Trace { certificate: Some(certificate(3)), things: BTreeSet::new() })),
        ];
        assert_eq!(read(&path).unwrap(), expected.clone().into());
        let again = [Fact::Made { device: 9 }, Fact::Made { device: 2 }, Fact::Deleted { device: 3 }];
        for fact in &again {
            states.add(fact).unwrap();
        }
        assert_eq!(read(&path).unwrap(), expected.into(), "what has no certificate was not made");
        states.add(&issued(3)).unwrap();
        assert_eq!(read(&path).unwrap()[&3], State::Issued(certificate(3)), "it is made again");
    }

    #[test]
    fn what_goes_is_not_made_and_keeps_what_it_is_known_by() {
        let mut states = BTreeMap::new();
        let things = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>();
        let going = |ids: &[&str]| Fact::Going { device: 1, things: things(ids) };
        let trace = |ids: &[&str]| Trace { certificate: Some(certificate(1)), things: things(ids) };
        for fact in [issued(1), Fact::Made { device: 1 }, going(&["a"])] {
            apply(&mut states, fact);
        }
        assert_eq!(states[&1], State::Going(trace(&["a"])));
        assert_eq!(states[&1].certificate(), None, "it may be gone already");
        apply(&mut states, Fact::Made { device: 1 });
        apply(&mut states, going(&["b"]));
        assert_eq!(states[&1], State::Going(trace(&["a", "b"])));
        assert!(!states[&1].is_to_make());
        apply(&mut states, Fact::Deleted { device: 1 });
        assert_eq!(states[&1], State::Deleted(trace(&["a", "b"])));
        assert!(states[&1].is_to_make());
    }

    #[test]
    fn a_fact_for_which_there_is_no_room_takes_nothing_along() {
        let whole = serde_json::to_vec(&issued(2)).unwrap().len() + 1;
        for room in 0..whole {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("states.ndjson");
            let mut states = States::open(&path).unwrap();
            states.add(&issued(1)).unwrap();
            let mut states = states.with_room_for(room);
            assert!(format!("{:#}", states.add(&issued(2)).unwrap_err()).contains("cannot be written"));
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.ends_with('\n') && text.lines().count() == 1, "{text}");
            // There may be room again: what is known would have a hole.
            assert!(states.add(&Fact::Made { device: 1 }).unwrap_err().to_string().contains("before"));
            assert_eq!(read(&path).unwrap(), [(1, State::Issued(certificate(1)))].into());
        }
    }

    #[test]
    fn what_is_no_fact_is_pointed_at() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("states.ndjson");
        fs::write(&path, "{\"step\":\"made\",\"device\":1}\n{\"step\":\"sold\"}\n").unwrap();
        assert!(format!("{:#}", read(&path).unwrap_err()).contains("states.ndjson:2"));
    }

    proptest! {
        /// Wherever a crash cuts the file, the facts before it stand and the next ones can be added.
        #[test]
        fn a_crash_costs_at_most_the_fact_under_way(cut in 0_usize..600) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("states.ndjson");
            let facts: Vec<Fact> = (1..=4).flat_map(|device| [issued(device), Fact::Made { device }]).collect();
            let lines: Vec<String> = facts.iter().map(|fact| serde_json::to_string(fact).unwrap() + "\n").collect();
            let text = lines.concat();
            let text = &text[..cut.min(text.len())];
            fs::write(&path, text).unwrap();
            let mut expected = BTreeMap::new();
            let whole = text.matches('\n').count();
            facts.iter().take(whole).cloned().for_each(|fact| apply(&mut expected, fact));
            prop_assert_eq!(&read(&path).unwrap(), &expected);
            States::open(&path).unwrap().add(&issued(7)).unwrap();
            apply(&mut expected, issued(7));
            prop_assert_eq!(read(&path).unwrap(), expected);
        }
    }
}
