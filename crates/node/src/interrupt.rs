//! Ctrl-C and SIGTERM: the first asks the command to end well, the second ends the program at once.
//!
//! Signals are awaited on a thread of their own, so that they are heard whatever the command is busy with.

use anyhow::Context as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Exit code of a program ended by a person, as shells have it for SIGINT.
const INTERRUPTED: i32 = 130;

/// Whether the person wants the command to stop; clones see the same.
#[derive(Clone)]
pub(crate) struct Interrupt {
    flag: Arc<AtomicBool>,
    told: watch::Receiver<bool>,
}

impl Interrupt {
    /// Listens from now on.
    pub(crate) fn listen() -> anyhow::Result<Interrupt> {
        let flag = Arc::new(AtomicBool::new(false));
        let (tell, told) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("cannot listen for signals")?;
        let (mut int, mut term) = {
            let _within = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };
        let set = Arc::clone(&flag);
        let wait = move || {
            runtime.block_on(async {
                let mut heard = async || tokio::select! { _ = int.recv() => (), _ = term.recv() => () };
                heard().await;
                set.store(true, Ordering::Relaxed);
                tell.send_replace(true);
                heard().await;
                std::process::exit(INTERRUPTED)
            })
        };
        std::thread::Builder::new()
            .name("signals".into())
            .spawn(wait)
            .context("cannot listen for signals")?;
        Ok(Interrupt { flag, told })
    }

    /// For work that looks from time to time.
    pub(crate) fn flag(&self) -> &AtomicBool {
        &self.flag
    }

    /// Waits until the person wants it to stop.
    pub(crate) async fn wait(&self) {
        // The sender lives as long as the program; without it there is nothing to wait for.
        let mut told = self.told.clone();
        if told.wait_for(|told| *told).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
