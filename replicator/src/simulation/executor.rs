//! Runs futures one poll at a time. Who is next among those that can go on is drawn from the seed.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use super::random::Random;

/// A function at work. It says what became of it.
pub(crate) type Task<T> = Pin<Box<dyn Future<Output = T>>>;

struct Bell {
    task: usize,
    ready: Arc<Mutex<Vec<usize>>>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        let mut ready = self.ready.lock().unwrap();
        if !ready.contains(&self.task) {
            ready.push(self.task);
        }
    }
}

struct Running<T> {
    task: Task<T>,
    waker: Waker,
    /// After so many polls it is ended.
    polls_left: Option<u64>,
}

/// What became of a task.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End<T> {
    Finished(T),
    Killed,
}

/// All tasks.
pub(crate) struct Executor<T> {
    tasks: Vec<Option<Running<T>>>,
    ready: Arc<Mutex<Vec<usize>>>,
}

impl<T> Executor<T> {
    pub(crate) fn new() -> Self {
        Self { tasks: Vec::new(), ready: Arc::default() }
    }

    /// The number that the next task gets.
    pub(crate) fn next_task(&self) -> usize {
        self.tasks.len()
    }

    /// Starts a task that is ended after so many polls, if a number is given.
    pub(crate) fn spawn(&mut self, task: Task<T>, polls_left: Option<u64>) -> usize {
        let number = self.tasks.len();
        let waker = Waker::from(Arc::new(Bell { task: number, ready: self.ready.clone() }));
        self.tasks.push(Some(Running { task, waker, polls_left }));
        self.ready.lock().unwrap().push(number);
        number
    }

    /// Draws who is next.
    pub(crate) fn pick(&mut self, random: &mut Random) -> Option<usize> {
        let mut ready = self.ready.lock().unwrap();
        if ready.is_empty() {
            return None;
        }
        let index = usize::try_from(random.below(ready.len() as u64)).unwrap();
        Some(ready.swap_remove(index))
    }

    /// Lets a task go on.
    pub(crate) fn poll(&mut self, number: usize) -> Option<End<T>> {
        let running = self.tasks[number].as_mut()?;
        if let Some(left) = &mut running.polls_left {
            if *left == 0 {
                self.tasks[number] = None;
                return Some(End::Killed);
            }
            *left -= 1;
        }
        let waker = running.waker.clone();
        match running.task.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Pending => None,
            Poll::Ready(end) => {
                self.tasks[number] = None;
                Some(End::Finished(end))
            }
        }
    }
}
