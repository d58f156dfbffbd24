//! What ends a run before its last step: a signal, `gameday abort`, or a stop condition. The first to call is the reason in the
//! record; from then on the run heals and cleans up. Once it does that anyway, nothing calls any more.

use std::sync::Arc;

use gameday_report::record::{EndReason, Event};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::measure::Recorder;

/// Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Halt {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    recorder: Recorder,
    called: CancellationToken,
    abandoned: CancellationToken,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    why: Option<(EndReason, String)>,
    is_over: bool,
}

impl Halt {
    pub(super) fn new(recorder: Recorder) -> Self {
        let inner = Inner {
            recorder,
            called: CancellationToken::new(),
            abandoned: CancellationToken::new(),
            state: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Ends the run. The answer is whether it is this that ends it: only then it is in the record.
    pub(super) fn call(&self, reason: EndReason, detail: String) -> bool {
        let mut state = self.inner.state.lock();
        if state.is_over || state.why.is_some() {
            return false;
        }
        state.why = Some((reason, detail.clone()));
        // Under the lock: nothing comes behind the end of the record.
        self.inner.recorder.event(Event::Stopping { reason, detail });
        self.inner.called.cancel();
        true
    }

    /// From here on the run cleans up, whoever calls.
    pub(super) fn over(&self) {
        self.inner.state.lock().is_over = true;
    }

    /// Waits until it is called.
    pub(super) async fn called(&self) {
        self.inner.called.cancelled().await;
    }

    /// Who called, and what for.
    pub(super) fn why(&self) -> Option<(EndReason, String)> {
        self.inner.state.lock().why.clone()
    }

    /// Ends the healing and the clean-up as well: somebody will not wait for them.
    pub(super) fn abandon(&self) {
        self.inner.abandoned.cancel();
    }

    /// Waits for that.
    pub(super) async fn abandoned(&self) {
        self.inner.abandoned.cancelled().await;
    }
}
