//! Reports of a bulk registration: a line of JSON for each line of the input, results and errors apart, in files that S3
//! hands out by presigned link.

use bytes::Bytes;
use serde_json::{Value, json};

use super::Registered;
use crate::error::AwsError;

/// A report goes on in another file from this size on.
const FILE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReportKind {
    Results,
    Errors,
}

impl ReportKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Results => "RESULTS",
            Self::Errors => "ERRORS",
        }
    }
}

/// Where a line of the input stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// From 1 on.
    pub(super) line: u64,
    /// Bytes before it.
    pub(super) offset: usize,
}

/// A report as it grows.
#[derive(Debug, Default)]
pub(super) struct Report {
    files: Vec<Vec<u8>>,
}

impl Report {
    fn push(&mut self, line: &Value) {
        let full = self.files.last().is_none_or(|file| file.len() >= FILE_BYTES_MAX);
        if full {
            self.files.push(Vec::new());
        }
        if let Some(file) = self.files.last_mut() {
            file.extend_from_slice(line.to_string().as_bytes());
            file.push(b'\n');
        }
    }

    pub(super) fn result(&mut self, place: Place, registered: &Registered) {
        self.push(&json!({
            "lineNumber": place.line, "offset": place.offset,
            "response": {"CertificatePem": registered.certificate_pem, "ResourceArns": registered.arns},
        }));
    }

    pub(super) fn error(&mut self, place: Place, error: &AwsError) {
        self.push(&json!({
            "lineNumber": place.line, "offset": place.offset,
            "errorCode": error.code, "errorMessage": error.message,
        }));
    }

    pub(super) fn files(self) -> impl Iterator<Item = Bytes> {
        self.files.into_iter().map(Bytes::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_a_line_each_and_goes_on_in_another_file() {
        let mut report = Report::default();
        let registered = Registered {
            certificate_pem: Some("x".repeat(FILE_BYTES_MAX)),
            arns: [("thing".to_owned(), "arn".to_owned())].into(),
        };
        report.result(Place { line: 1, offset: 0 }, &registered);
        report.error(Place { line: 2, offset: 10 }, &AwsError::new(400, "Code", "why"));
        let files: Vec<Bytes> = report.files().collect();
        assert_eq!(files.len(), 2);
        let line: Value = serde_json::from_slice(&files[0]).unwrap();
        assert_eq!(line["response"]["ResourceArns"]["thing"], "arn");
        let error: Value = serde_json::from_slice(&files[1]).unwrap();
        assert_eq!((&error["lineNumber"], &error["errorCode"]), (&json!(2), &json!("Code")));
        assert_eq!(Report::default().files().count(), 0);
    }
}
