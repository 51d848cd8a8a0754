//! The end of a run that was stopped: what had not ended is cancelled, as its lanes did.

use super::open_fan::OpenFan;
use super::replay::Replay;
use crate::run::status::StateStatus;
use crate::run::unites::Verdict;
use crate::run::walk::Walker;

impl Replay<'_> {
    /// Ends what had not ended when the run was stopped, as its lanes did.
    pub(super) fn abandon(&mut self) {
        let made = self.made_by_stop.values().flatten().copied().filter(|id| *id != u64::MAX);
        self.last_state = made.chain([self.last_state]).max().unwrap_or_default();
        // The numbers of what was ended by force are not on record.
        self.ground.states.take_up_to(self.last_state);
        // Nothing counts in the groups of the others any more: their mergers may have fired.
        for open in std::mem::take(&mut self.fans).into_values().filter(OpenFan::is_open) {
            self.abandon_fanout(&open);
        }
        for open in std::mem::take(&mut self.resumables).into_values() {
            self.abandon_resumable(&open);
        }
        loop {
            for (execution, _) in std::mem::take(&mut self.waiting).into_values() {
                self.step(&[], |walker| walker.cancelled(execution, StateStatus::Created));
            }
            self.count();
            let verdicts = std::mem::take(&mut self.verdicts);
            if verdicts.is_empty() {
                self.made_by_stop.clear();
                return;
            }
            for verdict in verdicts.into_all() {
                let ids = self.made_by_stop.remove(&verdict.execution()).unwrap_or_default();
                match verdict {
                    Verdict::Fire(firing) => {
                        let mut walker = match ids.as_slice() {
                            [] => Walker::new(self.ground, &mut self.batch, false),
                            ids => Walker::again(self.ground, &mut self.batch, ids),
                        };
                        let execution = walker.merged(*firing);
                        self.made(execution.into_iter().collect());
                    }
                    Verdict::Skip(skipping) => {
                        self.step(&ids, |walker| walker.merger_skipped(*skipping));
                    }
                }
            }
        }
    }

    fn abandon_fanout(&mut self, open: &OpenFan) {
        let (own, left_out) = (&open.own, open.left_out());
        let all = open.drawn.len();
        let ids = self.made_by_stop.remove(&own.id).unwrap_or_default();
        self.step(&ids, |walker| {
            if let Some(first) = left_out.first() {
                walker.cut_off(own, *first as u64);
            }
            if open.closed_at.is_none() {
                walker.closed(own, all as u64);
            }
            walker.forfeited(own, left_out.len());
        });
    }
}
