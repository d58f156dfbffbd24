//! Follows what people do to the run: `gameday note` and `gameday abort` append to a file in its folder, which is read as it grows.
//! Who may write there may end the run; nobody else can.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
    sync::Arc,
    time::Duration,
};

use gameday_report::record::{Act, ActKind, EndReason, Folder};

use super::halt::Halt;
use crate::{measure::Recorder, output::Output, text::plain};

/// How soon an act is seen.
const PERIOD: Duration = Duration::from_millis(250);
/// So much is read at a time; the rest comes the next time.
const BYTES_MAX: u64 = 64 * 1024;

/// Follows until dropped.
pub(super) async fn follow(folder: Folder, recorder: Recorder, halt: Halt, output: Arc<Output>) {
    let path = folder.acts();
    let mut offset = 0;
    loop {
        tokio::time::sleep(PERIOD).await;
        match since(&path, &mut offset) {
            Ok(acts) => acts.into_iter().for_each(|act| take(act, &recorder, &halt, &output)),
            Err(error) => tracing::warn!(%error, "what people do cannot be read"),
        }
    }
}

fn take(act: Act, recorder: &Recorder, halt: &Halt, output: &Output) {
    let by = act.by.as_ref().map(|by| format!(" by {}", plain(by))).unwrap_or_default();
    let text = plain(&act.text);
    match act.act {
        ActKind::Note => output.line(&format!("      note{by}: {text}")),
        ActKind::Abort => {
            let why = if text.is_empty() { String::new() } else { format!(": {text}") };
            let detail = format!("aborted{by}{why}");
            if halt.call(EndReason::Operator, detail.clone()) {
                output.line(&format!("{detail}; healing and cleaning up"));
            }
        }
        ActKind::Signal => {}
    }
    recorder.live(|live| live.take_act(act));
}

/// The whole lines behind `offset`, which moves on. What is no act is passed over: the judge says so.
fn since(path: &Path, offset: &mut u64) -> io::Result<Vec<Act>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    file.seek(SeekFrom::Start(*offset))?;
    let mut bytes = Vec::new();
    file.take(BYTES_MAX).read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let whole = bytes.get(..whole).unwrap_or_default();
    *offset += whole.len() as u64;
    Ok(whole.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use gameday_report::record::ActLog;
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn each_act_is_seen_once_and_only_when_it_is_whole() {
        let keep = tempfile::tempdir().unwrap();
        let folder = Folder::create(keep.path()).unwrap();
        let mut offset = 0;
        let mut seen = || since(&folder.acts(), &mut offset).unwrap().len();
        assert_eq!(seen(), 0, "nobody did anything");
        let act = Act { wall: Timestamp::UNIX_EPOCH, act: ActKind::Note, text: "x".to_owned(), by: None };
        ActLog::append(&folder, &act).unwrap();
        ActLog::append(&folder, &act).unwrap();
        assert_eq!((seen(), seen()), (2, 0));
        let mut file = std::fs::OpenOptions::new().append(true).open(folder.acts()).unwrap();
        let line = serde_json::to_string(&act).unwrap();
        file.write_all(&line.as_bytes()[..20]).unwrap();
        assert_eq!(seen(), 0, "half a line");
        file.write_all(&line.as_bytes()[20..]).unwrap();
        file.write_all(b"\nrubbish\n").unwrap();
        assert_eq!((seen(), seen()), (1, 0));
    }
}
