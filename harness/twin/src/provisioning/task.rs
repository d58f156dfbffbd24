//! Bulk registration tasks of one Region: what is asked for, how far it is, which one runs. Pure state: the time comes in.

use std::collections::BTreeMap;

use super::report::ReportKind;
use crate::{
    error::AwsError,
    registry::{invalid, not_found},
};

/// Tasks that are known. AWS keeps them for 30 days; here the oldest that has ended makes room.
const TASKS_MAX: usize = 100;

/// The tasks of a Region.
#[derive(Debug, Default)]
pub(crate) struct RegistrationTasks {
    tasks: BTreeMap<String, Task>,
}

/// One task.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) input: TaskInput,
    pub(crate) status: TaskStatus,
    pub(crate) message: Option<String>,
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    /// Lines of the input that are not empty, once it is read.
    pub(crate) lines: Option<u64>,
    pub(crate) created_ms: i64,
    pub(crate) modified_ms: i64,
    /// Keys of its reports.
    pub(crate) reports: Vec<(ReportKind, String)>,
}

/// What a task was started with.
#[derive(Debug, Clone)]
pub(crate) struct TaskInput {
    pub(crate) template_body: String,
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) role_arn: String,
}

/// How a task is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TaskStatus {
    InProgress,
    Completed,
    Failed,
    Cancelled,
    Cancelling,
}

impl TaskStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "InProgress",
            Self::Completed => "Completed",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
            Self::Cancelling => "Cancelling",
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, AwsError> {
        [Self::InProgress, Self::Completed, Self::Failed, Self::Cancelled, Self::Cancelling]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| invalid(format!("Invalid task status {text}")))
    }

    fn runs(self) -> bool {
        matches!(self, Self::InProgress | Self::Cancelling)
    }
}

impl Task {
    /// Whole per cent of the input that is done.
    pub(crate) fn percent(&self) -> u64 {
        match self.lines {
            _ if self.status == TaskStatus::Completed => 100,
            None | Some(0) => 0,
            Some(lines) => (self.succeeded + self.failed) * 100 / lines,
        }
    }
}

impl RegistrationTasks {
    /// Adds a task that runs from now on; one at a time does. Also answers the report keys of a task that made room.
    pub(crate) fn start(&mut self, id: &str, input: TaskInput, now_ms: i64) -> Result<Vec<String>, AwsError> {
        if let Some((running, _)) = self.tasks.iter().find(|(_, task)| task.status.runs()) {
            return Err(invalid(format!(
                "Only one registration task can run at a time. Task {running} is still running"
            )));
        }
        let oldest = self.tasks.iter().min_by_key(|(_, task)| task.created_ms).map(|(id, _)| id.clone());
        let removed = oldest.filter(|_| self.tasks.len() >= TASKS_MAX).and_then(|id| self.tasks.remove(&id));
        let task = Task {
            input,
            status: TaskStatus::InProgress,
            message: None,
            succeeded: 0,
            failed: 0,
            lines: None,
            created_ms: now_ms,
            modified_ms: now_ms,
            reports: Vec::new(),
        };
        self.tasks.insert(id.to_owned(), task);
        Ok(removed.into_iter().flat_map(|task| task.reports).map(|(_, key)| key).collect())
    }

    pub(crate) fn get(&self, id: &str) -> Result<&Task, AwsError> {
        self.tasks.get(id).ok_or_else(|| not_found(format!("Registration task {id} not found")))
    }

    /// Tasks by id.
    pub(crate) fn list(&self) -> impl Iterator<Item = (&String, &Task)> {
        self.tasks.iter()
    }

    /// Asks a task to stop. One that has ended is refused.
    pub(crate) fn cancel(&mut self, id: &str, now_ms: i64) -> Result<(), AwsError> {
        let status = self.get(id)?.status;
        if !status.runs() {
            return Err(invalid(format!(
                "Registration task {id} is {} and cannot be stopped",
                status.as_str()
            )));
        }
        self.change(id, now_ms, |task| task.status = TaskStatus::Cancelling);
        Ok(())
    }

    /// Counts one line. `false`: the task is to stop.
    pub(super) fn count(&mut self, id: &str, succeeded: bool, now_ms: i64) -> bool {
        self.change(id, now_ms, |task| {
            if succeeded {
                task.succeeded += 1;
            } else {
                task.failed += 1;
            }
        });
        self.may_run(id)
    }

    /// Whether a task is not asked to stop.
    pub(super) fn may_run(&self, id: &str) -> bool {
        self.tasks.get(id).is_some_and(|task| task.status == TaskStatus::InProgress)
    }

    pub(super) fn change(&mut self, id: &str, now_ms: i64, change: impl FnOnce(&mut Task)) {
        if let Some(task) = self.tasks.get_mut(id) {
            change(task);
            task.modified_ms = now_ms;
        }
    }

    /// Ends a task: it is completed, unless it was asked to stop or something failed it.
    pub(super) fn end(
        &mut self,
        id: &str,
        failure: Option<String>,
        reports: Vec<(ReportKind, String)>,
        now_ms: i64,
    ) {
        self.change(id, now_ms, |task| {
            task.status = match (task.status, &failure) {
                (_, Some(_)) => TaskStatus::Failed,
                (TaskStatus::Cancelling, None) => TaskStatus::Cancelled,
                (_, None) => TaskStatus::Completed,
            };
            task.message = failure;
            task.reports = reports;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> TaskInput {
        TaskInput {
            template_body: "{}".to_owned(),
            bucket: "b".to_owned(),
            key: "k".to_owned(),
            role_arn: "arn:aws:iam::1:role/r".to_owned(),
        }
    }

    #[test]
    fn one_task_runs_at_a_time() {
        let mut tasks = RegistrationTasks::default();
        tasks.start("1", input(), 0).unwrap();
        assert_eq!(tasks.start("2", input(), 0).unwrap_err().code, "InvalidRequestException");
        tasks.cancel("1", 1).unwrap();
        assert!(tasks.start("2", input(), 0).is_err(), "still cancelling");
        tasks.end("1", None, Vec::new(), 2);
        assert_eq!(tasks.get("1").unwrap().status, TaskStatus::Cancelled);
        tasks.start("2", input(), 3).unwrap();
        assert_eq!(tasks.cancel("1", 4).unwrap_err().code, "InvalidRequestException");
        assert_eq!(tasks.cancel("3", 4).unwrap_err().code, "ResourceNotFoundException");
    }

    #[test]
    fn progress_is_what_was_counted() {
        let mut tasks = RegistrationTasks::default();
        tasks.start("1", input(), 0).unwrap();
        assert_eq!(tasks.get("1").unwrap().percent(), 0);
        tasks.change("1", 1, |task| task.lines = Some(3));
        assert!(tasks.count("1", true, 2) && tasks.count("1", false, 3));
        let task = tasks.get("1").unwrap();
        assert_eq!((task.succeeded, task.failed, task.percent(), task.modified_ms), (1, 1, 66, 3));
        tasks.cancel("1", 4).unwrap();
        assert!(!tasks.count("1", true, 5));
        tasks.end("1", Some("no input".to_owned()), Vec::new(), 6);
        assert_eq!(tasks.get("1").unwrap().status, TaskStatus::Failed);
    }

    #[test]
    fn the_oldest_task_makes_room() {
        let mut tasks = RegistrationTasks::default();
        let mut removed = Vec::new();
        for n in 0..=TASKS_MAX {
            let id = n.to_string();
            removed.extend(tasks.start(&id, input(), i64::try_from(n).unwrap()).unwrap());
            tasks.end(&id, None, vec![(ReportKind::Results, format!("report-{n}"))], 0);
        }
        assert_eq!((removed, tasks.list().count()), (vec!["report-0".to_owned()], TASKS_MAX));
        assert!(tasks.get("0").is_err());
    }
}
