//! One JSON value a line. A file that a killed process left may end in the middle of a line; that line is dropped and
//! told about. A bad line anywhere else is damage, and an error.

use std::path::Path;

use serde::de::DeserializeOwned;

use super::RecordError;

/// The values of a file, and a note when a torn last line was dropped. A file that is not there has none.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<(Vec<T>, Option<String>), RecordError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((Vec::new(), None)),
        Err(error) => return Err(RecordError::io("read", path, error)),
    };
    let mut values = Vec::new();
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice(line) {
            Ok(value) => values.push(value),
            // Only the last line can lack its end: the writer was killed while it wrote.
            Err(_) if !line.ends_with(b"\n") => return Ok((values, Some(torn(path, index + 1)))),
            Err(source) => {
                return Err(RecordError::Line { path: path.to_path_buf(), line: index + 1, source });
            }
        }
    }
    Ok((values, None))
}

fn torn(path: &Path, line: usize) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!("The last line of {name} (line {line}) was cut off and is not part of this report.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.ndjson");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn a_torn_last_line_is_dropped_with_a_note() {
        let (_keep, path) = file("1\n2\n{\"a");
        let (values, note) = read::<serde_json::Value>(&path).unwrap();
        assert_eq!(values.len(), 2);
        assert!(note.unwrap().contains("x.ndjson (line 3)"));
    }

    #[test]
    fn a_whole_last_line_without_its_end_is_kept() {
        let (_keep, path) = file("1\n2");
        let (values, note) = read::<u64>(&path).unwrap();
        assert_eq!((values, note), (vec![1, 2], None));
    }

    #[test]
    fn a_bad_line_elsewhere_names_file_line_and_reason() {
        let (_keep, path) = file("1\nx\n3\n");
        let error = read::<u64>(&path).unwrap_err();
        assert!(error.to_string().contains("x.ndjson, line 2"), "{error}");
        let why = std::error::Error::source(&error).unwrap().to_string();
        assert!(why.contains("expected value"), "{why}");
        assert!(!error.to_string().contains(&why));
    }

    #[test]
    fn a_file_that_is_not_there_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read::<u64>(&folder.path().join("no.ndjson")).unwrap(), (vec![], None));
    }
}
