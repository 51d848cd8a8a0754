//! A progress bar per run.

use hotgraph::{Run, StateStatus};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::task::JoinHandle;

pub struct Bars {
    all: MultiProgress,
    total: u64,
}

impl Bars {
    pub fn new(total: u64) -> Self {
        Self { all: MultiProgress::new(), total }
    }

    /// Shows how many files a run has measured, until it ends.
    pub fn follow(&self, name: &str, run: &Run) -> JoinHandle<()> {
        let style = ProgressStyle::with_template("{prefix} [{bar:30}] {pos}/{len} {msg}");
        let bar = self.all.add(ProgressBar::new(self.total));
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix(name.to_owned());
        let (run, mut events) = (run.clone(), run.events());
        tokio::spawn(async move {
            bar.set_message(run.version().to_string());
            loop {
                bar.set_position(run.status().of("measure", StateStatus::Success));
                tokio::select! {
                    _ = run.outcome() => break,
                    // What was lost is in the counts that are read next.
                    _ = events.next() => {}
                }
            }
            bar.set_position(run.status().of("measure", StateStatus::Success));
            bar.finish();
        })
    }

    pub fn note(&self, text: &str) {
        // Without a terminal there is no bar to keep clear of.
        if self.all.println(text).is_err() || !console_is_there() {
            println!("{text}");
        }
    }
}

fn console_is_there() -> bool {
    std::io::IsTerminal::is_terminal(&std::io::stderr())
}
